//! Deletes a key: it works no more and is listed no more. Its row stays, for the audit trail and its receipts.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::keys::ChangeContext;
use consigne_core::orgs::key_in_path;
use consigne_core::ports::{ChangeKey, GetKey, GetMember};
use consigne_runtime::http::Operation;
use consigne_runtime::{Answer, Request};
use consigne_usecases::keys::change;
use schemars::JsonSchema;
use serde::Serialize;

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F> {
    /// Who is calling.
    pub users: SessionVerifier,
    /// Members and keys.
    pub keys: F,
}

/// A key that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Deleted {
    /// Its id.
    pub id: String,
}

/// Answers a request to delete a key.
pub async fn handle<F: GetMember + GetKey + ChangeKey>(deps: &Deps<F>, request: &Request) -> Result<Answer, Fault> {
    let (user, org) = request.member(&deps.users, &deps.keys, Route::KeyDelete).await?;
    let id = key_in_path(request.parameter("key"))?;
    request.log.field("key.id", id);

    let origin = request.origin(&user.id);
    let by = ChangeContext { origin: &origin, now: request.now };
    change(&deps.keys, org, id, |key| key.delete(&by).map(Some)).await?;
    Ok(Answer::envelope(200, "Key deleted", &Deleted { id: id.to_string() }, request.now))
}

/// Describes the route.
pub fn operations() -> Vec<Operation> {
    let operation = Operation::new::<Deleted>("DELETE /api/orgs/{org}/keys/{key}", "Delete a key");
    vec![operation.in_org().parameter("key", "Id of the key", true)]
}
