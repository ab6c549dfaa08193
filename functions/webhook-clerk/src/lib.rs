//! Keeps what Clerk tells of people, and closes the accounts it has deleted.
//!
//! Clerk sends its events again until they are answered, late, and in any order: each is carried out once, `updated_at`
//! decides between two, and a deleted person never comes back.

mod event;

use consigne_auth::{Refreshed, WebhookSecrets};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::ports::{CloseAccount, TellProfile};
use consigne_core::webhooks::{Received, Source, content_mismatch};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, settings};
use event::ClerkAction;
pub use event::ClerkEvent;
use schemars::JsonSchema;
use serde::Serialize;

/// Says that an event was taken.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Taken {
    /// Always true.
    pub success: bool,
}

function! {
    secrets: Refreshed<WebhookSecrets> = webhook_secrets(&settings::CLERK_SECRETS_ARN).await,
    people: A::Table = table(),
}

impl<A: Adapters<Table: TellProfile + CloseAccount>> HttpFunction for Function<A> {
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
                self.people.tell_profile(&telling, &received).await?
            }
            ClerkAction::Closed(closing) => {
                request.log.field("user.id", &closing.user);
                self.people.close_account(&closing, &received).await?
            }
            ClerkAction::Ignored(why) => {
                request.log.field("clerk.ignored", why);
                return Ok(taken());
            }
        };
        let outcome = match written {
            WriteOutcome::Applied => "kept",
            WriteOutcome::Replayed(_) => "repeated",
            // Something newer is known, or the account is closed.
            WriteOutcome::Conflict => "late",
            WriteOutcome::KeyReused => return Err(content_mismatch()),
        };
        request.log.field("clerk.outcome", outcome);
        Ok(taken())
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Taken>("POST /api/webhooks/clerk", "Tell of a person, as Clerk does");
        vec![operation.for_senders().takes::<ClerkEvent>().refuses(&[Code::IdempotencyMismatch])]
    }
}

fn taken() -> Answer {
    Answer::plain(200, &Taken { success: true })
}
