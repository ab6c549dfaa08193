//! Lists an organisation's keys, newest first, without their texts.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::keys::KeyView;
use consigne_core::ports::{GetMember, ListKeys};
use consigne_runtime::http::{Operation, Paging};
use consigne_runtime::{Answer, Request};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// Members and keys.
    pub keys: F,
    /// Pages.
    pub paging: Paging,
}

/// Answers a request for an organisation's keys.
pub async fn handle<F: GetMember + ListKeys>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let (user, org) = request.member(&deps.users, &deps.keys, Route::KeyList).await?;
    let id = org.to_string();
    let context = ["key-list", user.id.as_str(), &id];
    let page = deps.paging.ask(request, &context)?;
    let listed = deps.keys.list_keys(org, &page).await?;
    let show = |key: &_| KeyView::of(key, request.now);
    Ok(deps.paging.answer("Keys listed", &listed, show, request, &context))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Vec<KeyView>>("GET /api/orgs/{org}/keys", "List an organisation's keys");
    vec![operation.in_org().paged()]
}
