//! Lists the organisations a person is a member of.

use consigne_auth::SessionVerifier;
use consigne_core::Fault;
use consigne_core::orgs::OrgView;
use consigne_core::ports::ListOrgs;
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

/// Answers a request for the caller's organisations.
pub async fn handle<F: ListOrgs>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let user = request.user(&deps.users).await?;
    let context = ["org-list", user.id.as_str()];
    let page = deps.paging.ask(request, &context)?;
    let listed = deps.orgs.list_orgs(&user.id, &page).await?;
    let show = |(org, member): &_| OrgView::of(org, member);
    Ok(deps.paging.answer("Organisations listed", &listed, show, request, &context))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Vec<OrgView>>("GET /api/orgs", "List the caller's organisations");
    vec![operation.in_envelope().paged()]
}
