//! Stores users' contact details that Clerk reports, and closes the accounts that it has deleted.
//!
//! Clerk repeats an event until it is answered, and events may come late and in any order. So each event is processed
//! once, the newest `updated_at` wins, and a deleted user never comes back.

mod event;

use consigne_auth::{Refreshed, WebhookSecrets};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::ports::{CloseAccount, UpdateContact};
use consigne_core::webhooks::{Received, Source, content_mismatch};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, settings};
use event::ClerkAction;
pub use event::ClerkEvent;
use schemars::JsonSchema;
use serde::Serialize;

/// Confirms that an event was received.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ClerkEventReceived {
    /// Always true.
    pub success: bool,
}

function! {
    secrets: Refreshed<WebhookSecrets> = webhook_secrets(&settings::CLERK_SECRETS_ARN).await,
    people: A::Table = table(),
}

impl<A: Adapters<Table: UpdateContact + CloseAccount>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let id = request.signed(&self.secrets).await?;
        let event: ClerkEvent = request.json()?;
        let received = Received {
            source: Source::Clerk,
            id,
            fingerprint: request.fingerprint()?,
            result: String::new(),
            now: request.now,
        };

        let written = match event.action(request.now)? {
            ClerkAction::Reachable(telling) => {
                request.log.field("user.id", &telling.user);
                self.people.update_contact(&telling, &received).await?
            }
            ClerkAction::Closed(closing) => {
                request.log.field("user.id", &closing.user);
                self.people.close_account(&closing, &received).await?
            }
            ClerkAction::Ignored(why) => {
                request.log.field("clerk.ignored", why);
                return Ok(received_answer());
            }
        };
        let outcome = match written {
            WriteOutcome::Applied => "kept",
            WriteOutcome::Replayed(_) => "repeated",
            // A later event was stored before, or the account is closed.
            WriteOutcome::Conflict => "late",
            WriteOutcome::KeyReused => return Err(content_mismatch()),
        };
        request.log.field("clerk.outcome", outcome);
        Ok(received_answer())
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<ClerkEventReceived>("POST /api/webhooks/clerk", "Receive an event from Clerk");
        vec![operation.for_senders().takes::<ClerkEvent>().refuses(&[Code::IdempotencyMismatch])]
    }
}

fn received_answer() -> Answer {
    Answer::plain(200, &ClerkEventReceived { success: true })
}
