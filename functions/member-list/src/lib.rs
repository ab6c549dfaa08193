//! Lists the members of an organisation.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::orgs::MemberView;
use consigne_core::ports::{GetMember, ListMembers};
use consigne_runtime::http::{Operation, Paging};
use consigne_runtime::{Answer, Request};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// The organisations.
    pub orgs: F,
    /// Pages.
    pub paging: Paging,
}

/// Answers a request for an organisation's members.
pub async fn handle<F: GetMember + ListMembers>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let (user, org) = request.member(&deps.users, &deps.orgs, Route::MemberList).await?;
    let id = org.to_string();
    let context = ["member-list", user.id.as_str(), &id];
    let page = deps.paging.ask(request, &context)?;
    let listed = deps.orgs.list_members(org, &page).await?;
    Ok(deps.paging.answer("Members listed", &listed, MemberView::of, request, &context))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Vec<MemberView>>("GET /api/orgs/{org}/members", "List an organisation's members");
    vec![operation.in_org().paged()]
}
