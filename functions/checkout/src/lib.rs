//! Sells credits: opens a checkout session at the payment provider and records what was offered in it.
//!
//! A place within the limits is taken before the provider is called, so no request above a limit reaches it. If the
//! provider refuses, the place is given back. The session is opened before it is recorded, because the provider assigns
//! its id. Its URL is returned only after the session is recorded, so nobody can pay for a session that is unknown here.
//! A retry with the same `Idempotency-Key` shares the place and gets the same session, even if the first answer was lost.

use consigne_auth::{KeyMint, Route, SessionVerifier};
use consigne_core::credits::{Checkout, CheckoutAnswer, CheckoutAsk, CheckoutReservation, PACKS, Pack, SessionId};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::orgs::org_not_found;
use consigne_core::ports::{
    GetCheckout, GetIdempotencyRecord, GetMember, GetOrg, RecordCheckout, ReleaseCheckout, ReserveCheckout,
    StartCheckout,
};
use consigne_core::{Code, Fault, OrgId, Timestamp, UserId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function, needs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to buy credits.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// Name of the pack: starter (1,000 credits, 10.00 EUR), growth (10,000, 80.00) or scale (100,000, 600.00).
    #[schemars(extend("enum" = PACKS.map(|pack| pack.name)))]
    pub pack: String,
}

/// A checkout session to pay in.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CheckoutView {
    /// Id of the session at the payment provider.
    pub session_id: String,
    /// Where the buyer pays. It expires after a day.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetMember + GetOrg + GetIdempotencyRecord + ReserveCheckout + ReleaseCheckout + GetCheckout + RecordCheckout,
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
        let reservation = self.reserve(org, &user.id, idempotent.as_ref(), request.now).await?;
        let session = match self.provider.start_checkout(&ask).await? {
            CheckoutAnswer::Opened(session) => session,
            CheckoutAnswer::Refused(why) => {
                self.credits.release_checkout(&reservation).await?;
                return Err(Fault::internal(why));
            }
        };
        let checkout = Checkout::of(&ask, session, user.id, request.now);
        let idempotent = idempotent
            .map(|idempotent| IdempotentRequest { result: checkout.session.as_str().to_owned(), ..idempotent });
        let checkout = match self.credits.record_checkout(&checkout, idempotent.as_ref(), &reservation).await? {
            WriteOutcome::Applied => checkout,
            // Another try of the same request recorded its session at the same moment.
            WriteOutcome::Replayed(session) => self.recorded(org, &session).await?,
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => {
                return Err(Fault::unavailable(
                    "another try of the request gave its place back; a retry takes a new one",
                ));
            }
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

    /// Takes a place for the session, or finds the one that an earlier try of the same request took.
    async fn reserve(
        &self,
        org: OrgId,
        user: &UserId,
        idempotent: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> Result<CheckoutReservation, Fault> {
        let reservation = CheckoutReservation::new(org, user.clone(), idempotent, now);
        match self.credits.reserve_checkout(&reservation).await? {
            WriteOutcome::Applied => Ok(reservation),
            WriteOutcome::Replayed(result) => reservation.made_before(&result),
            WriteOutcome::KeyReused => Err(key_reused()),
            WriteOutcome::Conflict => Err(Fault::internal("a reservation cannot conflict")),
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
