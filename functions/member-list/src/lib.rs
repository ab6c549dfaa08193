//! Lists the members of an organisation.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::orgs::MemberView;
use consigne_core::ports::{GetMember, ListMembers};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + ListMembers>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.orgs, Route::MemberList).await?;
        let id = org.to_string();
        let context = [Self::NAME, user.id.as_str(), &id];
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
