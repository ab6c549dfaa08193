//! Sells credits: opens a checkout session at the payment provider and records what was offered in it.
//!
//! The session is opened first, because the provider assigns its id. Its URL is returned only after the session is
//! recorded, so nobody can pay for a session that is unknown here. A retry gets the same session, even if the first answer
//! was lost.

use consigne_auth::{KeyMint, Route, SessionVerifier};
use consigne_core::credits::{Checkout, CheckoutAsk, Pack, SessionId};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::orgs::org_not_found;
use consigne_core::ports::{GetCheckout, GetIdempotencyRecord, GetMember, GetOrg, RecordCheckout, StartCheckout};
use consigne_core::{Code, Fault, OrgId, Timestamp};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function, needs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to buy credits.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// Name of the pack: starter (1,000 credits, 10.00 EUR), growth (10,000, 80.00) or scale (100,000, 600.00).
    pub pack: String,
}

/// A checkout session to pay in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckoutView {
    /// Id of the session at the payment provider.
    pub session_id: String,
    /// Where the buyer pays. It expires after a day.
    pub url: String,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetMember + GetOrg + GetIdempotencyRecord + GetCheckout + RecordCheckout,
        Payments: StartCheckout,
    >
}

function! {
    users: SessionVerifier = session_verifier(),
    credits: A::Table = table(),
    provider: A::Payments = payments().await,
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.credits, Route::Checkout).await?;
        self.users.count_write(&user, request.now)?;
        let body: CheckoutRequest = request.json()?;
        let idempotency_key = request.idempotency_key(&body)?;
        let pack = Pack::named(&body.pack)?;
        self.credits.get_org(org).await?.ok_or_else(org_not_found)?.require_working()?;
        let idempotent = idempotency_key.map(|key| IdempotentRequest {
            key,
            owner: user.id.clone().into(),
            operation: Self::NAME,
            result: String::new(),
        });
        if let Some(before) = self.opened_before(org, idempotent.as_ref(), request.now).await? {
            return Ok(answer(&before, request));
        }

        let ask = CheckoutAsk::new(org, pack, idempotent.as_ref(), &KeyMint::nonce());
        let session = self.provider.start_checkout(&ask).await?;
        let checkout = Checkout::of(&ask, session, user.id, request.now);
        let idempotent = idempotent
            .map(|idempotent| IdempotentRequest { result: checkout.session.as_str().to_owned(), ..idempotent });
        let checkout = match self.credits.record_checkout(&checkout, idempotent.as_ref()).await? {
            WriteOutcome::Applied => checkout,
            // Another try of the same request recorded its session at the same moment.
            WriteOutcome::Replayed(session) => self.recorded(org, &session).await?,
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => return Err(Fault::internal("the record of a new session cannot conflict")),
        };
        Ok(answer(&checkout, request))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<CheckoutView>("POST /api/orgs/{org}/credits/checkout", "Buy a pack of credits");
        let operation = operation.in_org().takes::<CheckoutRequest>().creates().idempotent();
        vec![operation.refuses(&[Code::Conflict])]
    }
}

impl<A: Needs> Function<A> {
    /// Finds the session that an earlier try of the same request opened.
    async fn opened_before(
        &self,
        org: OrgId,
        idempotent: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> Result<Option<Checkout>, Fault> {
        let Some(idempotent) = idempotent else { return Ok(None) };
        match self.credits.get_idempotency_record(idempotent, now).await? {
            Some(WriteOutcome::Replayed(session)) => self.recorded(org, &session).await.map(Some),
            Some(WriteOutcome::KeyReused) => Err(key_reused()),
            _ => Ok(None),
        }
    }

    async fn recorded(&self, org: OrgId, session: &str) -> Result<Checkout, Fault> {
        let gone = || Fault::internal("an idempotency record names a session that is not recorded");
        let session = SessionId::parse(session).ok_or_else(gone)?;
        self.credits.get_checkout(org, &session).await?.ok_or_else(gone)
    }
}

fn answer(checkout: &Checkout, request: &Request) -> Answer {
    request.log.field("checkout.session", checkout.session.as_str());
    request.log.field("checkout.pack", &checkout.pack);
    let view = CheckoutView { session_id: checkout.session.as_str().to_owned(), url: checkout.url.clone() };
    Answer::envelope(201, "Checkout opened", &view, request.now)
}
