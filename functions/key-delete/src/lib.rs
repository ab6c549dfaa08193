//! Deletes a key: it stops working and is no longer listed. Its record stays, because the audit log and the receipts
//! refer to it.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::keys::ChangeContext;
use consigne_core::orgs::key_in_path;
use consigne_core::ports::{ChangeKey, GetKey, GetMember};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::keys::change;
use schemars::JsonSchema;
use serde::Serialize;

/// Confirms that a key was deleted.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "KeyDeleted")]
pub struct Deleted {
    /// Id of the key.
    pub id: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    keys: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetKey + ChangeKey>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.keys, Route::KeyDelete).await?;
        let id = key_in_path(request.parameter("key"))?;
        request.log.field("key.id", id);

        let origin = request.origin(&user);
        let by = ChangeContext { origin: &origin, now: request.now };
        change(&self.keys, org, id, |key| key.delete(&by).map(Some)).await?;
        Ok(Answer::envelope(200, "Key deleted", &Deleted { id: id.to_string() }, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Deleted>("DELETE /api/orgs/{org}/keys/{key}", "Delete a key");
        vec![operation.in_org().parameter("key", "Id of the key", true)]
    }
}
