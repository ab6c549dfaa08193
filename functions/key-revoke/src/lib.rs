//! Revokes a key for good. Once this has answered, no charge of the key succeeds, because every charge checks its
//! status.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::audit::Origin;
use consigne_core::keys::{ChangeContext, KeyView, REASON_MAX};
use consigne_core::orgs::key_in_path;
use consigne_core::ports::{ChangeKey, GetKey, GetMember};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::keys::change;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to revoke a key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeRequest {
    /// Why the key is revoked, 1 to 200 characters.
    #[schemars(length(min = 1, max = REASON_MAX))]
    pub reason: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    keys: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetKey + ChangeKey>> HttpFunction for Function<A> {
    /// Revokes a key. A second request changes neither the reason nor the time.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.keys, Route::KeyRevoke).await?;
        let id = key_in_path(request.parameter("key"))?;
        request.log.field("key.id", id);
        let body: RevokeRequest = request.json()?;

        // Does not count as a write, so it is never refused for the caller's rate: a leaked key must be stopped.
        let origin = Origin { plan: None, ..request.origin(&user) };
        let by = ChangeContext { origin: &origin, now: request.now };
        let key = change(&self.keys, org, id, |key| key.revoke(&body.reason, &by)).await?.key()?;
        Ok(Answer::envelope(200, "Key revoked", &KeyView::of(&key, request.now), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<KeyView>("POST /api/orgs/{org}/keys/{key}/revoke", "Revoke a key for good");
        vec![operation.in_org().parameter("key", "Id of the key", true).takes::<RevokeRequest>()]
    }
}
