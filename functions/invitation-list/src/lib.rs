//! Lists an organisation's open invitations, newest first, to its owners and admins.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::invitations::InvitationView;
use consigne_core::ports::{GetMember, ListInvitations};
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

impl<A: Adapters<Table: GetMember + ListInvitations>> HttpFunction for Function<A> {
    const NAME: &'static str = env!("CARGO_PKG_NAME");

    /// Answers a request for an organisation's open invitations.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.orgs, Route::InvitationList).await?;
        let id = org.to_string();
        let context = ["invitation-list", user.id.as_str(), &id];
        let page = self.paging.ask(request, &context)?;
        let listed = self.orgs.list_invitations(org, request.now, &page).await?;
        Ok(self.paging.answer("Invitations listed", &listed, InvitationView::of, request, &context))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Vec<InvitationView>>(
            "GET /api/orgs/{org}/invitations",
            "List an organisation's open invitations",
        );
        vec![operation.in_org().paged()]
    }
}
