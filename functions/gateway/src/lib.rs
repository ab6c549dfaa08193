//! The gateway in front of the services: the holder of an API key calls a service here and pays per call.
//!
//! The cost of a call is held before the call is forwarded, and settled once the service has answered. A call to a
//! service that fails is not charged. Signed headers tell the service who is calling; it never sees the key.

use std::time::{Duration, Instant};

use consigne_auth::{GatewaySeal, Identity, KeyFinder, Refreshed, body_digest};
use consigne_core::credits::{
    CallFacts, CallRecord, Hold, HoldEnd, HoldTerms, HoldView, Opening, Outcome, Resolver, Wallet,
};
use consigne_core::gateway::{
    CALLER, Failure, UpstreamCall, UpstreamOutcome, Upstreams, Verdict, asked_of, forwarded, returned, target,
};
use consigne_core::idempotency::key_reused;
use consigne_core::keys::{Ask, KeyFacts, Refusal, RefusalCode};
use consigne_core::ports::{CallUpstream, FindKey, GetHold, GetKey, GetWallet, OpenHold, Repoint, ResolveHold};
use consigne_core::services::Service;
use consigne_core::{Code, Fault, IdempotencyKey};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::holds::{HoldOpened, open, resolve_opened};
use futures_util::future::join;
use serde_json::{Value, json};

/// How long the hold of a call lasts: twice as long as an invocation can. `sweep` releases the hold if the invocation
/// was killed.
const HOLD_LASTS: Duration = Duration::from_mins(1);
/// Most characters of the path and of the `User-Agent` that are stored in the usage log.
const LOGGED_MAX: usize = 256;

/// A call that can be forwarded once its cost is held.
struct Call<'a> {
    text: &'a str,
    service: &'static Service,
    scope: &'static str,
    digest: String,
    upstream: UpstreamCall,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: FindKey + Repoint + GetKey + OpenHold + GetHold + ResolveHold + GetWallet,
        Outgoing: CallUpstream,
    >
}

function! {
    finder: KeyFinder = key_finder().await,
    /// Keys, wallets and holds.
    keys: A::Table = table(),
    seal: Refreshed<GatewaySeal> = gateway_seal().await,
    /// Origins of the services.
    upstreams: Upstreams = upstreams(),
    upstream: A::Outgoing = upstream(),
}

impl<A: Needs> HttpFunction for Function<A> {
    /// Forwards a call to its service and relays the answer. A call with an `Idempotency-Key` is forwarded once, even if
    /// it failed.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let text = request.credentials().api_key()?;
        let text: &str = &text;
        let (service, scope) = asked_of(request.parameter("service"), request.method().as_str())?;
        request.log.field("service", service.name);
        let Some(facts) = self.finder.find(&self.keys, text, request.now).await? else {
            return Err(refused(&Refusal::bare(RefusalCode::NotFound), request));
        };
        request.log.field("org.id", facts.org);
        request.log.field("key.id", facts.id);

        let mut call = Call::parse(text, service, scope, self, request)?;
        let hold = self.hold(&call, facts, request).await?;
        request.log.field("hold.id", hold.id);
        call.sign(&*self.seal.get(request.now).await, &hold, request);
        let began = Instant::now();
        let called = async { (self.upstream.call_upstream(&call.upstream).await, began.elapsed()) };
        let ((outcome, took), wallet) = join(called, self.keys.get_wallet(&hold.wallet, request.now)).await;

        let verdict =
            Verdict::of(outcome.unwrap_or_else(|fault| UpstreamOutcome::Failed(Failure::Broken, fault.chain())));
        request.log.field("upstream.status", verdict.status);
        request.log.field("upstream.ms", millis(took));
        let how = verdict.end(hold.amount, millis(took));
        let ended = self.end(&call, &hold, how, &verdict, took, request).await;
        let remaining = wallet.ok().flatten().and_then(|wallet| remaining(&wallet, &hold, ended.as_ref()));
        answer(verdict, remaining, request.method().as_str() == "HEAD")
    }

    fn operations() -> Vec<Operation> {
        let summary = "Call a service with an API key and pay per call. `details.code` says why a key was refused";
        let operation = Operation::new::<Value>("ANY /api/v1/{service}/{proxy+}", summary)
            .for_keys()
            .parameter("service", "Name of a service in the catalogue", true)
            .parameter("proxy", "Path of the call at the service", true);
        vec![operation.idempotent().refuses(&[
            Code::InsufficientCredits,
            Code::KeyRefused,
            Code::InsufficientScope,
            Code::ServiceUnknown,
            Code::MethodNotAllowed,
            Code::IdempotencyInFlight,
            Code::AlreadyAnswered,
            Code::BodyTooLarge,
            Code::RateLimited,
            Code::UpstreamFailed,
            Code::ServiceUnavailable,
            Code::UpstreamTimeout,
        ])]
    }
}

impl<'a> Call<'a> {
    /// Parses a request. Everything that could prevent forwarding it is checked here, before credits are held.
    fn parse<A: Adapters>(
        text: &'a str,
        service: &'static Service,
        scope: &'static str,
        deps: &Function<A>,
        request: &'a Request,
    ) -> Result<Self, Fault> {
        let upstream = deps.upstreams.of(service)?;
        let rest = request.path_after(&format!("/api/v1/{}/", service.name));
        let body = request.body_within(service.request_max)?;
        request.idempotency_key(&())?;
        let upstream = UpstreamCall {
            method: request.method().to_string(),
            origin: upstream.origin.clone(),
            target: target(upstream, rest, request.raw_query(), text)?,
            headers: forwarded(&request.headers(), text),
            body: body.to_vec(),
            timeout: Duration::from_millis(service.timeout_ms),
            response_max: service.response_max,
        };
        Ok(Self { text, service, scope, digest: body_digest(body), upstream })
    }

    /// Adds the signed headers with the caller's identity and the number of held credits.
    fn sign(&mut self, seal: &GatewaySeal, hold: &Hold, request: &Request) {
        let identity = Identity {
            org: hold.id.org(),
            key: hold.key,
            environment: hold.environment,
            service: hold.service.clone(),
            credits: hold.amount,
            request: request.id.clone(),
            at: request.now,
        };
        let (method, target) = (&self.upstream.method, &self.upstream.target);
        let signed = seal.sign(&identity, method, target, &self.digest);
        self.upstream.headers.extend(signed);
    }

    /// Returns the idempotency key of the call's hold: the caller's key, bound to everything that is forwarded. Without
    /// one it is the request's id, so that a retried invocation does not forward the call twice.
    fn idempotency_key(&self, facts: &KeyFacts, request: &Request) -> Result<IdempotencyKey, Fault> {
        let asked =
            (facts.id, &self.upstream.method, request.raw_query(), &self.digest, request.header("content-type"));
        let idempotency_key = request.idempotency_key(&asked)?.map(|idempotency_key| {
            let key = format!("call {}", idempotency_key.key);
            IdempotencyKey { key, ..idempotency_key }
        });
        let own = || IdempotencyKey { key: format!("request {}", request.id), fingerprint: String::new() };
        Ok(idempotency_key.unwrap_or_else(own))
    }

    /// Describes the call for the usage log.
    fn record(&self, verdict: &Verdict, took: Duration, request: &Request) -> CallRecord {
        let cut = |text: &str| text.chars().take(LOGGED_MAX).collect::<String>();
        let facts = CallFacts {
            service: Some(self.service.name.to_owned()),
            scope: Some(self.scope.to_owned()),
            endpoint: Some(cut(request.path())),
            method: Some(self.upstream.method.clone()),
            ip: request.source_ip().map(str::to_owned),
            country: request.country().map(str::to_owned),
            user_agent: request.header("user-agent").filter(|text| !text.contains(self.text)).map(cut),
        };
        CallRecord {
            facts,
            outcome: Outcome { status_code: verdict.status, response_ms: millis(took), details: json!({}) },
        }
    }
}

impl<A: Needs> Function<A> {
    /// Holds the credits that the call costs.
    async fn hold(&self, call: &Call<'_>, facts: KeyFacts, request: &Request) -> Result<Hold, Fault> {
        let terms = HoldTerms { service: call.service, amount: call.service.base_cost, ttl: HOLD_LASTS };
        let ask = Ask { generation: facts.generation, scope: Some(call.scope.to_owned()), now: request.now };
        let idempotency_key = call.idempotency_key(&facts, request)?;
        let opening = Opening::new(facts, ask, terms, CALLER.to_owned(), Some(idempotency_key));
        let ip = request.source_ip().map(str::to_owned);
        let country = request.country().map(str::to_owned);
        let mut opening = Opening { ip, country, ..opening };
        match open(&self.finder, &self.keys, call.text, &mut opening).await? {
            HoldOpened::Opened(hold) => Ok(hold),
            HoldOpened::Replayed(hold) => Err(made_before(&hold)),
            HoldOpened::KeyReused => Err(key_reused()),
            HoldOpened::Refused(refusal) => Err(refused(&refusal, request)),
        }
    }

    /// Settles or voids the hold according to the verdict. Returns `None` if that fails. The caller then still gets the
    /// service's answer, and `sweep` releases the hold without a charge.
    async fn end(
        &self,
        call: &Call<'_>,
        hold: &Hold,
        how: HoldEnd,
        verdict: &Verdict,
        took: Duration,
        request: &Request,
    ) -> Option<Hold> {
        let by = Resolver { caller: CALLER.to_owned(), idempotency_key: None, now: request.now.plus(took) };
        let record = call.record(verdict, took, request);
        match resolve_opened(&self.keys, hold, how, &record, &by).await {
            Ok(hold) => {
                request.log.count(if verdict.answer.is_ok() { "CallsPaid" } else { "CallsFailed" });
                request.log.add("CreditsCharged", hold.used());
                Some(hold)
            }
            Err(fault) => {
                request.log.count("CallsLeftToSweep");
                request.log.field("hold.left", fault.chain());
                None
            }
        }
    }
}

/// Builds the answer to the caller, with the credits that are left if they are known. The answer to a HEAD request
/// (`head`) has no body, so its length is the one that the service states.
fn answer(verdict: Verdict, remaining: Option<i64>, head: bool) -> Result<Answer, Fault> {
    const REMAINING: &str = "x-credits-remaining";
    match (verdict.answer, remaining) {
        (Ok(answered), remaining) => {
            let length = answered.stated_length().filter(|_| head);
            let answer = Answer::relayed(answered.status, returned(&answered.headers), answered.body);
            let answer = length.into_iter().fold(answer, |answer, length| answer.header("content-length", length));
            Ok(remaining.into_iter().fold(answer, |answer, credits| answer.header(REMAINING, credits)))
        }
        (Err(fault), Some(credits)) => Err(fault.header(REMAINING, credits)),
        (Err(fault), None) => Err(fault),
    }
}

/// Computes the credits left from a wallet that was read while the hold was open. `None` when the outcome of the hold
/// is not known.
fn remaining(wallet: &Wallet, hold: &Hold, ended: Option<&Hold>) -> Option<i64> {
    ended.map(|ended| wallet.balance.saturating_add_unsigned(hold.amount - ended.used()))
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// Builds the error for a refused key. A key that is unknown, revoked or expired authenticates nobody, so it gets a 401.
fn refused(refusal: &Refusal, request: &Request) -> Fault {
    request.log.field("key.refusal", refusal.code);
    request.log.count("CallsRefused");
    let message = match refusal.code {
        RefusalCode::NotFound => "The API key is not valid",
        RefusalCode::Revoked => "The API key is revoked",
        RefusalCode::Expired => "The API key has expired",
        _ => return refusal.fault(request.now),
    };
    Fault::new(Code::Unauthenticated, message).header("www-authenticate", "Bearer").detail("code", refusal.code)
}

/// Builds the error for a call that was made before. It is not made again, and its answer was not stored.
fn made_before(hold: &Hold) -> Fault {
    let Some(end) = &hold.end else {
        let message = "A call with this Idempotency-Key is in progress";
        return Fault::new(Code::IdempotencyInFlight, message).retry_after(Duration::from_secs(1));
    };
    let view = HoldView::of(hold);
    let fault = Fault::new(
        Code::AlreadyAnswered,
        "The call with this Idempotency-Key was made already. Use another key for another call",
    )
    .detail("outcome", view.status)
    .detail("credits", view.used)
    .detail("receipt_id", view.receipt_id);
    match end.how {
        HoldEnd::Settled { status_code, .. } => fault.detail("status_code", status_code),
        HoldEnd::Voided(_) | HoldEnd::TimedOut => fault,
    }
}
