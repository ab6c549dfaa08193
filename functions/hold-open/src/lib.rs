//! Sets credits aside for a job whose cost is known only at its end. The key is checked as for a charge, which this is: the
//! call counts, and what is held can be spent by nobody else until its service settles or voids it, or its time is over.

use consigne_auth::{KeyFinder, Refreshed, ServiceTokens};
use consigne_core::credits::{Hold, HoldTerms, Opening};
use consigne_core::idempotency::key_reused;
use consigne_core::keys::{Ask, Refusal, RefusalCode};
use consigne_core::ports::{FindKey, GetKey, OpenHold, Repoint};
use consigne_core::{Code, Fault, text};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::holds::{HoldOpened, open};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest scope, in bytes.
const SCOPE_MAX: usize = 64;

/// Asks to set credits aside.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    /// The key, as its holder sent it.
    pub key: String,
    /// Credits, from 1 to the most the service may hold at once.
    pub amount: u64,
    /// Service of the catalogue that will be paid.
    pub service: String,
    /// Scope the job needs.
    pub scope: Option<String>,
    /// How long the hold lasts, 60 to 86,400 seconds; an hour when absent.
    pub ttl_seconds: Option<u64>,
}

/// A hold.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Opened {
    /// Id.
    pub hold_id: String,
    /// Credits set aside.
    pub amount: u64,
    /// Until when it may be settled or voided.
    pub expires_at: String,
}

function! {
    services: Refreshed<ServiceTokens> = service_tokens().await,
    finder: KeyFinder = key_finder().await,
    /// Keys, wallets and holds.
    keys: A::Table = table(),
}

impl<A: Adapters<Table: FindKey + Repoint + GetKey + OpenHold>> HttpFunction for Function<A> {
    /// Answers a request to hold credits; the same one again gets the same hold, whatever has become of it.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let caller = self.services.service(request.credentials(), request.now).await?;
        request.log.field("service", &caller);
        let body: OpenRequest = request.json()?;
        let terms = HoldTerms::parse(&body.service, body.amount, body.ttl_seconds)?;
        let scope = body.scope.map(|scope| text::word("scope", &scope, SCOPE_MAX)).transpose()?;
        // Before anything is looked up, so that it is said of every key alike.
        request.idempotency_key(&())?;
        let Some(facts) = self.finder.find(&self.keys, &body.key, request.now).await? else {
            return Err(refused(&Refusal::bare(RefusalCode::NotFound), request));
        };
        request.log.field("org.id", facts.org);
        request.log.field("key.id", facts.id);

        let asked = (facts.id, terms.amount, terms.service.name, &scope, terms.ttl.as_secs());
        let idempotency_key = request.idempotency_key(&asked)?;
        let ask = Ask { generation: facts.generation, scope, now: request.now };
        let opening = Opening::new(facts, ask, terms, caller, idempotency_key);
        let hold = self.open(&body.key, opening, request).await?;
        request.log.field("hold.id", hold.id);
        let (hold_id, expires_at) = (hold.id.to_string(), hold.expires_at.to_string());
        let opened = Opened { hold_id, amount: hold.amount, expires_at };
        Ok(Answer::envelope(201, "Credits held", &opened, request.now))
    }

    fn operations() -> Vec<Operation> {
        let summary =
            "Hold credits of a key for a job; a refused key's `details.code` is the one a check of it answers";
        let operation = Operation::new::<Opened>("POST /api/credits/holds", summary);
        let operation = operation.in_envelope().for_services().takes::<OpenRequest>().creates();
        vec![operation.refuses(&[
            Code::InsufficientCredits,
            Code::KeyRefused,
            Code::InsufficientScope,
            Code::NotFound,
            Code::RateLimited,
            Code::IdempotencyMismatch,
        ])]
    }
}

impl<A: Adapters<Table: GetKey + OpenHold>> Function<A> {
    /// Opens a hold.
    async fn open(&self, text: &str, mut opening: Opening, request: &Request) -> Result<Hold, Fault> {
        match open(&self.finder, &self.keys, text, &mut opening).await? {
            HoldOpened::Opened(hold) => {
                request.log.count("HoldsOpened");
                Ok(hold)
            }
            HoldOpened::Replayed(hold) => Ok(hold),
            HoldOpened::KeyReused => Err(key_reused()),
            HoldOpened::Refused(refusal) => Err(refused(&refusal, request)),
        }
    }
}

fn refused(refusal: &Refusal, request: &Request) -> Fault {
    request.log.field("key.refusal", refusal.code);
    request.log.count("HoldsRefused");
    refusal.fault(request.now)
}
