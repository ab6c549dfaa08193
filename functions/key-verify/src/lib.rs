//! Checks an API key and charges it. One transaction updates the key and the wallet and writes the receipt.
//!
//! Only facts about a key that cannot change are cached, so a revoked key is refused at once, everywhere. A retry with the
//! same idempotency key gets the same receipt, even if the key was revoked since.

use std::net::IpAddr;

use consigne_auth::{KeyFinder, Refreshed, ServiceTokens};
use consigne_core::credits::{CallFacts, Charge, ChargeOutcome, KeySnapshot, Receipt, ReceiptId};
use consigne_core::idempotency::key_reused;
use consigne_core::keys::{Ask, KeyFacts, Limiter, Refusal, RefusalCode};
use consigne_core::orgs::key_not_found;
use consigne_core::ports::{ChargeKey, FindKey, GetKey, ReadKeySnapshot, Repoint};
use consigne_core::{Code, Fault, Timestamp, services, text};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most credits one call may cost.
const COST_MAX: u64 = 1_000_000;
/// Most characters stored of each text that a service reports about a call.
const REPORTED_MAX: usize = 256;

/// Request to check whether a key may make a call, and to charge it.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// The key's text, as the caller sent it to the service.
    pub key: String,
    /// Scope the call needs.
    pub scope: Option<String>,
    /// Service to pay for. Its cost in the catalogue is charged unless `cost` is given.
    pub service: Option<String>,
    /// Credits to charge, at most 1,000,000. With 0 the key is only checked, and nothing is recorded.
    #[schemars(range(max = COST_MAX))]
    pub cost: Option<u64>,
    /// IP address the call came from.
    pub ip: Option<String>,
    /// Endpoint that was called; cut off after 256 characters.
    pub endpoint: Option<String>,
    /// HTTP method of the call.
    pub method: Option<String>,
    /// Country the call came from, as two letters (ISO 3166-1).
    pub country: Option<String>,
    /// `User-Agent` of the client; cut off after 256 characters.
    pub user_agent: Option<String>,
    /// What else to answer: `remaining` adds the credits and calls that are left, which costs one more read.
    #[serde(default)]
    pub include: Vec<Include>,
}

/// What can be added to the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Include {
    Remaining,
}

/// The answer about a key that may make the call.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Valid {
    /// Always true here. The answer about a refused key has false.
    #[schemars(extend("const" = true))]
    pub valid: bool,
    /// Always `VALID`.
    #[schemars(extend("const" = "VALID"))]
    pub code: &'static str,
    /// Id of the key.
    pub key_id: String,
    /// Id of the organisation that owns it.
    pub org_id: String,
    /// `production` or `test`.
    #[schemars(extend("enum" = ["production", "test"]))]
    pub environment: &'static str,
    /// Id of the charge's receipt; null when nothing was charged.
    pub receipt_id: Option<String>,
    /// What is left, if `include` asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Remaining>,
}

/// What a key may still spend.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Remaining {
    /// Balance of the wallet that pays. Below zero when a refund took back more credits than were left.
    pub credits: i64,
    /// Charged calls left in the open minute; null without a minute limit.
    pub minute: Option<u64>,
    /// Charged calls left today (UTC); null without a daily limit.
    pub daily: Option<u64>,
    /// Charged calls left this month (UTC); null without a monthly limit.
    pub monthly: Option<u64>,
}

/// The answer about a key that may not make the call.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Refused {
    /// Always false here. The answer about a key that may make the call has true.
    #[schemars(extend("const" = false))]
    pub valid: bool,
    /// Why it is refused.
    pub code: RefusalCode,
    /// What refuses the call; null for an unknown key or service.
    pub limiter: Option<Limiter>,
    /// When the limit resets; null if no limit refuses the call, or it does not reset.
    #[schemars(extend("format" = "date-time"))]
    pub resets_at: Option<String>,
}

/// The answer to a check: `valid` says which of the two it is.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(missing_docs)] // The two types have descriptions.
pub enum KeyCheck {
    Valid(Valid),
    Refused(Refused),
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: FindKey + Repoint + GetKey + ReadKeySnapshot + ChargeKey>
}

function! {
    services: Refreshed<ServiceTokens> = service_tokens().await,
    finder: KeyFinder = key_finder().await,
    /// Keys, wallets and receipts.
    keys: A::Table = table(),
}

impl<A: Needs> HttpFunction for Function<A> {
    /// Checks a key. A refused key is a successful answer too: 200, with the reason in `code`.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let caller = self.services.service(request.credentials(), request.now).await?;
        request.log.field("service", &caller);
        let body: VerifyRequest = request.json()?;
        let call = body.call()?;
        // Validate the idempotency key here, so that a malformed one is refused even when nothing is charged.
        request.idempotency_key(&())?;
        let Some(cost) = body.cost()? else { return Ok(refused(&Refusal::bare(RefusalCode::ServiceUnknown), request)) };
        let Some(facts) = self.finder.find(&self.keys, &body.key, request.now).await? else {
            return Ok(refused(&Refusal::bare(RefusalCode::NotFound), request));
        };
        request.log.field("org.id", facts.org);
        request.log.field("key.id", facts.id);
        let ask = Ask { generation: facts.generation, scope: call.scope.clone(), now: request.now };

        let checked = if cost == 0 {
            self.probe(facts, &ask).await?
        } else {
            let receipt = receipt(&facts, cost, caller, call, request)?;
            self.charge(&body.key, Charge { key: facts, ask, receipt }).await?
        };
        let checked = match checked {
            Ok(checked) => checked,
            Err(refusal) => return Ok(refused(&refusal, request)),
        };
        if checked.receipt.is_some() {
            request.log.count("KeysCharged");
            request.log.add("CreditsCharged", cost);
        } else {
            request.log.count("KeysProbed");
        }
        let remaining =
            if body.include.contains(&Include::Remaining) { self.remaining(&checked, request).await? } else { None };
        let facts = &checked.facts;
        let valid = Valid {
            valid: true,
            code: "VALID",
            key_id: facts.id.to_string(),
            org_id: facts.org.to_string(),
            environment: facts.environment.name(),
            receipt_id: checked.receipt.map(|id| id.to_string()),
            remaining,
        };
        Ok(Answer::envelope(200, "The key is valid", &valid, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<KeyCheck>("POST /api/keys/verify", "Check a key and charge it, in one step");
        let operation = operation.in_envelope().for_services().takes::<VerifyRequest>();
        vec![operation.idempotent().refuses(&[Code::Unavailable])]
    }
}

/// A key that may make its call, and the receipt if it was charged.
struct Checked {
    facts: KeyFacts,
    receipt: Option<ReceiptId>,
}

impl<A: Needs> Function<A> {
    /// Charges a key. If its payer has left the organisation, looks up the new payer and charges that one's wallet.
    async fn charge(&self, text: &str, mut charge: Charge) -> Result<Result<Checked, Refusal>, Fault> {
        loop {
            let receipt = match self.keys.charge_key(&charge).await? {
                ChargeOutcome::Charged => charge.receipt.id,
                ChargeOutcome::Replayed(receipt) => receipt.id,
                ChargeOutcome::KeyReused => return Err(key_reused()),
                ChargeOutcome::Refused(refusal) => return Ok(Err(refusal)),
                ChargeOutcome::PayerChanged => {
                    let key = self.keys.get_key(charge.key.org, charge.key.id).await?.ok_or_else(key_not_found)?;
                    charge.key.spender = key.spender;
                    self.finder.correct(text, &charge.key, charge.ask.now).await;
                    continue;
                }
            };
            return Ok(Ok(Checked { facts: charge.key, receipt: Some(receipt) }));
        }
    }

    /// Checks a key without charging it and without writing anything.
    async fn probe(&self, facts: KeyFacts, ask: &Ask) -> Result<Result<Checked, Refusal>, Fault> {
        let Some(snapshot) = self.snapshot(&facts, ask.now).await? else {
            return Ok(Err(Refusal::bare(RefusalCode::NotFound)));
        };
        Ok(snapshot.refusal(ask, 0).map_or(Ok(Checked { facts, receipt: None }), Err))
    }

    /// Reads what a key may still spend.
    async fn remaining(&self, checked: &Checked, request: &Request) -> Result<Option<Remaining>, Fault> {
        let snapshot = self.snapshot(&checked.facts, request.now).await?;
        Ok(snapshot.map(|snapshot| remaining(&snapshot, request.now)))
    }

    /// Reads a key with the wallet that pays for it. If the cached payer has left, reads again with the new payer's wallet.
    async fn snapshot(&self, facts: &KeyFacts, now: Timestamp) -> Result<Option<KeySnapshot>, Fault> {
        let snapshot = self.keys.read_key_snapshot(facts, now).await?;
        match snapshot {
            Some(snapshot) if snapshot.key.spender != facts.spender => {
                let facts = KeyFacts { spender: snapshot.key.spender, ..facts.clone() };
                self.keys.read_key_snapshot(&facts, now).await
            }
            snapshot => Ok(snapshot),
        }
    }
}

impl VerifyRequest {
    /// Returns the credits to charge. `cost` takes precedence over `service`. `None` if the catalogue lacks the
    /// service.
    fn cost(&self) -> Result<Option<u64>, Fault> {
        match (self.cost, &self.service) {
            (Some(cost), _) if cost > COST_MAX => {
                Err(Fault::field("cost", format!("cost must be 0 to {COST_MAX}")).detail("limit", COST_MAX))
            }
            (Some(cost), _) => Ok(Some(cost)),
            (None, Some(name)) => Ok(services::service(name).map(|service| service.base_cost)),
            (None, None) => Ok(Some(0)),
        }
    }

    /// Parses what the service reports about the call.
    fn call(&self) -> Result<CallFacts, Fault> {
        let cut = |text: &Option<String>| text.as_ref().map(|text| text.chars().take(REPORTED_MAX).collect::<String>());
        let word = |field: &str, reported: &Option<String>, max: usize| {
            reported.as_ref().map(|reported| text::word(field, reported, max)).transpose()
        };
        if self.ip.as_ref().is_some_and(|ip| ip.parse::<IpAddr>().is_err()) {
            return Err(Fault::field("ip", "ip must be an IPv4 or IPv6 address"));
        }
        // Allow a digit in second place: CDNs write codes such as `T1`, for Tor.
        let two_letters = |country: &String| {
            let mut letters = country.bytes();
            country.len() == 2
                && letters.next().is_some_and(|b| b.is_ascii_uppercase())
                && letters.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        if self.country.as_ref().is_some_and(|country| !two_letters(country)) {
            return Err(Fault::field("country", "country must be two capital letters, such as FR"));
        }
        Ok(CallFacts {
            service: word("service", &self.service, 64)?,
            scope: word("scope", &self.scope, 64)?,
            endpoint: cut(&self.endpoint),
            method: word("method", &self.method, 16)?,
            ip: self.ip.clone(),
            country: self.country.clone(),
            user_agent: cut(&self.user_agent),
        })
    }
}

/// Builds the receipt of the charge. Its id is derived from the service and the idempotency key, so a retry finds the
/// receipt of the first try.
fn receipt(
    facts: &KeyFacts,
    credits: u64,
    caller: String,
    call: CallFacts,
    request: &Request,
) -> Result<Receipt, Fault> {
    let idempotency_key = request.idempotency_key(&(facts.id, credits, &call))?;
    let (id, fingerprint) = match idempotency_key {
        Some(idempotency_key) => {
            (ReceiptId::for_key(facts.org, &caller, &idempotency_key.key), idempotency_key.fingerprint)
        }
        None => (ReceiptId::fresh(facts.org, request.now), String::new()),
    };
    let (key, environment, at) = (facts.id, facts.environment, request.now);
    Ok(Receipt { id, key, environment, credits, at, caller, fingerprint, call, outcome: None })
}

fn remaining(snapshot: &KeySnapshot, now: Timestamp) -> Remaining {
    let key = &snapshot.key;
    Remaining {
        credits: snapshot.wallet.balance,
        minute: key.minute_quota.map(|quota| quota.saturating_sub(key.minute_used(now))),
        daily: key.daily_quota.map(|quota| quota.saturating_sub(key.daily_used(now))),
        monthly: key.monthly_quota.map(|quota| quota.saturating_sub(key.monthly_used(now))),
    }
}

fn refused(refusal: &Refusal, request: &Request) -> Answer {
    request.log.field("key.refusal", refusal.code);
    request.log.count("KeysRefused");
    // Guessed keys; or a missing pepper, without which no key is found.
    if refusal.code == RefusalCode::NotFound {
        request.log.count("KeysUnknown");
    }
    let (code, limiter) = (refusal.code, refusal.limiter);
    let refused = Refused { valid: false, code, limiter, resets_at: refusal.resets_at.map(|at| at.to_string()) };
    Answer::envelope(200, "The key is refused", &refused, request.now)
}
