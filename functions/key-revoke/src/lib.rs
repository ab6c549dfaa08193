//! Revokes a key for good. No charge succeeds once this has answered, whatever anybody remembers of the key.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::keys::{ChangeContext, KeyView};
use consigne_core::orgs::key_in_path;
use consigne_core::ports::{ChangeKey, GetKey, GetMember};
use consigne_runtime::http::Operation;
use consigne_runtime::{Answer, Request};
use consigne_usecases::keys::change;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// Members and keys.
    pub keys: F,
}

/// Asks to revoke a key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// Why, 1 to 200 characters.
    pub reason: String,
}

/// Answers a request to revoke a key; a second one changes neither reason nor time.
pub async fn handle<F: GetMember + GetKey + ChangeKey>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let (user, org) = request.member(&deps.users, &deps.keys, Route::KeyRevoke).await?;
    let id = key_in_path(request.parameter("key"))?;
    request.log.field("key.id", id);
    let body: RevokeRequest = request.json()?;

    let origin = request.origin(&user.id);
    let by = ChangeContext { origin: &origin, now: request.now };
    let key = change(&deps.keys, org, id, |key| key.revoke(&body.reason, &by)).await?.key()?;
    Ok(Answer::envelope(200, "Key revoked", &KeyView::of(&key, request.now), request.now))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<KeyView>("POST /api/orgs/{org}/keys/{key}/revoke", "Revoke a key for good");
    vec![operation.in_org().parameter("key", "Id of the key", true).takes::<RevokeRequest>()]
}
