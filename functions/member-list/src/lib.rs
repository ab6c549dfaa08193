//! Lists the members of an organisation.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::orgs::MemberView;
use consigne_core::ports::{GetMember, ListMembers};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Paging, Request, Start, Wire, Wiring};

/// The function, with what it works with.
pub struct Function<A: Adapters> {
    users: SessionVerifier,
    orgs: A::Table,
    paging: Paging,
}

impl<A: Adapters> Wire<A> for Function<A> {
    fn wire(start: &Start<A>) -> Wiring<Self> {
        let (users, orgs) = (start.session_verifier()?, start.table()?);
        Ok(start.paging()?.map(move |paging| Self { users, orgs, paging }))
    }
}

impl<A: Adapters<Table: GetMember + ListMembers>> HttpFunction for Function<A> {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    /// Answers a request for an organisation's members.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.orgs, Route::MemberList).await?;
        let id = org.to_string();
        let context = ["member-list", user.id.as_str(), &id];
        let page = self.paging.ask(request, &context)?;
        let listed = self.orgs.list_members(org, &page).await?;
        Ok(self.paging.answer("Members listed", &listed, MemberView::of, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Vec<MemberView>>("GET /api/orgs/{org}/members", "List an organisation's members");
        vec![operation.in_org().paged()]
    }
}
