//! Lists an organisation's open invitations, newest first. Only owners and admins may.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::invitations::InvitationView;
use consigne_core::ports::{GetMember, ListInvitations};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Paging, Request, function};

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
    paging: Paging = paging().await,
}

impl<A: Adapters<Table: GetMember + ListInvitations>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.orgs, Route::InvitationList).await?;
        let id = org.to_string();
        let context = [Self::NAME, user.id.as_str(), &id];
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
