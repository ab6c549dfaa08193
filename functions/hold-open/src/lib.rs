//! Opens a hold: reserves credits for a call whose cost is known only at its end.
//!
//! The key is checked as for a charge, and the call counts against its quotas. Nobody else can spend the reserved
//! credits until the service settles or voids the hold, or it times out.

use consigne_auth::{KeyFinder, Refreshed, ServiceTokens};
use consigne_core::credits::{HOLD_TTL, Hold, HoldTerms, Opening};
use consigne_core::idempotency::key_reused;
use consigne_core::keys::{Ask, Refusal, RefusalCode};
use consigne_core::ports::{FindKey, GetKey, OpenHold, Repoint};
use consigne_core::{Code, Fault, text};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::holds::{HoldOpened, open};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name of a scope, in bytes.
const SCOPE_MAX: usize = 64;

/// Request to hold credits.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenRequest {
    /// The key's text, as the caller sent it to the service.
    pub key: String,
    /// Credits to hold: from 1 to the service's `hold_max` in the catalogue.
    #[schemars(range(min = 1))]
    pub amount: u64,
    /// Service to pay: its name in the catalogue.
    pub service: String,
    /// Scope that the call needs.
    #[schemars(length(min = 1, max = SCOPE_MAX))]
    pub scope: Option<String>,
    /// How long the hold lasts, in seconds: 60 to 86,400; 3,600 when absent.
    #[schemars(range(min = *HOLD_TTL.start(), max = *HOLD_TTL.end()))]
    pub ttl_seconds: Option<u64>,
}

/// A hold that was opened.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Opened {
    /// Id of the hold.
    pub hold_id: String,
    /// Number of credits held.
    pub amount: u64,
    /// When the hold times out. It can be settled or voided until then.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

function! {
    services: Refreshed<ServiceTokens> = service_tokens().await,
    finder: KeyFinder = key_finder().await,
    /// Keys, wallets and holds.
    keys: A::Table = table(),
}

impl<A: Adapters<Table: FindKey + Repoint + GetKey + OpenHold>> HttpFunction for Function<A> {
    /// Opens a hold. A retry gets the same hold, even if it has ended meanwhile.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let caller = self.services.service(request.credentials(), request.now).await?;
        request.log.field("service", &caller);
        let body: OpenRequest = request.json()?;
        let terms = HoldTerms::parse(&body.service, body.amount, body.ttl_seconds)?;
        let scope = body.scope.map(|scope| text::word("scope", &scope, SCOPE_MAX)).transpose()?;
        // Validate the idempotency key before the API key is looked up, so that the answer does not depend on the API
        // key.
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
        let summary = "Hold credits for a call. `details.code` says why a key was refused, as in the check of a key";
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
    /// Opens a hold, or returns the one that an earlier try of the same request opened.
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
