//! Erases the caller's account: their files, jobs, memberships, and what is known of them.
//!
//! One transaction closes the account, as when Clerk deletes it. From then on it can write nothing, and `account-close`
//! deletes what it owned. An operator can let the person in again, with nothing of what they had.

use consigne_auth::SessionVerifier;
use consigne_core::ports::EraseAccount;
use consigne_core::profiles::{ClosedBecause, Closing};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to erase the caller's account.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasureRequest {
    /// The caller's own id, so that nobody erases an account by mistake.
    pub confirm: String,
}

/// Confirms that an account is being erased.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Erasure {
    /// Id of the person.
    pub user_id: String,
    /// Always `erasing`: files and memberships end within minutes, most else within a day, names of deleted files after 30 days.
    #[schemars(extend("enum" = ["erasing"]))]
    pub status: &'static str,
}

function! {
    users: SessionVerifier = session_verifier(),
    people: A::Table = table(),
}

impl<A: Adapters<Table: EraseAccount>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        if user.actor.is_some() {
            let message = "Only the person themselves can erase the account, not somebody who is signed in as them";
            return Err(Fault::new(Code::ImpersonationRefused, message));
        }
        let body: ErasureRequest = request.json()?;
        if body.confirm != user.id.as_str() {
            return Err(Fault::field("confirm", "confirm must be your own user id"));
        }
        let closing = Closing::begin(user.id, request.now);
        self.people.erase_account(&closing, &closing.event(ClosedBecause::Asked), None).await?;
        let view = Erasure { user_id: closing.user.to_string(), status: "erasing" };
        Ok(Answer::envelope(202, "Your account is closed, and its data is being deleted", &view, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Erasure>("POST /api/me/erase", "Erase the caller's account and its data");
        vec![operation.in_envelope().takes::<ErasureRequest>().accepted().refuses(&[Code::ImpersonationRefused])]
    }
}
