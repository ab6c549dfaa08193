//! Lists an organisation's open invitations, newest first, to its owners and admins.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::invitations::InvitationView;
use consigne_core::ports::{GetMember, ListInvitations};
use consigne_runtime::http::{Operation, Paging};
use consigne_runtime::{Answer, Request};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// Members and invitations.
    pub orgs: F,
    /// Pages.
    pub paging: Paging,
}

/// Answers a request for an organisation's open invitations.
pub async fn handle<F: GetMember + ListInvitations>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let (user, org) = request.member(&deps.users, &deps.orgs, Route::InvitationList).await?;
    let id = org.to_string();
    let context = ["invitation-list", user.id.as_str(), &id];
    let page = deps.paging.ask(request, &context)?;
    let listed = deps.orgs.list_invitations(org, request.now, &page).await?;
    Ok(deps.paging.answer("Invitations listed", &listed, InvitationView::of, request, &context))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Vec<InvitationView>>(
        "GET /api/orgs/{org}/invitations",
        "List an organisation's open invitations",
    );
    vec![operation.in_org().paged()]
}
