//! Fakes for checkouts: the payment provider, the places within the limits, and the records of sessions.

use consigne_core::credits::{
    CHECKOUTS_A_DAY, CHECKOUTS_AN_HOUR, Checkout, CheckoutAnswer, CheckoutAsk, CheckoutReservation, OpenSession,
    SessionId, checkout_hour, too_many_checkouts, too_many_checkouts_of_person,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::periods::Day;
use consigne_core::ports::{GetCheckout, RecordCheckout, ReleaseCheckout, ReserveCheckout, StartCheckout};
use consigne_core::{Fault, OrgId};

use super::World;

impl StartCheckout for World {
    async fn start_checkout(&self, ask: &CheckoutAsk) -> Result<CheckoutAnswer, Fault> {
        self.effect(|state| {
            if state.accounts.provider_refuses {
                return CheckoutAnswer::Refused("planned: the provider refuses".to_owned());
            }
            let next = state.accounts.opened.len() + 1;
            let fresh = || OpenSession {
                id: SessionId::parse(&format!("cs_test_{next}")).expect("it is plain"),
                url: format!("https://checkout.stripe.com/c/pay/cs_test_{next}"),
            };
            let opened = state.accounts.opened.entry(ask.idempotency_key.clone()).or_insert_with(fresh);
            CheckoutAnswer::Opened(opened.clone())
        })
    }
}

impl ReserveCheckout for World {
    async fn reserve_checkout(&self, reservation: &CheckoutReservation) -> Result<WriteOutcome, Fault> {
        self.effect_of(&reservation.user, |state| {
            let (accounts, at) = (&mut state.accounts, reservation.at);
            let before = reservation.idempotent.as_ref().and_then(|request| accounts.kept(request, at));
            if let Some(before) = before {
                return Ok(before);
            }
            let of_org = accounts.checkouts_opened.entry((reservation.org, checkout_hour(at))).or_default();
            if *of_org >= CHECKOUTS_AN_HOUR {
                return Err(too_many_checkouts(at));
            }
            let of_person = accounts.checkouts_of_person.entry((reservation.user.clone(), Day::of(at))).or_default();
            if *of_person >= CHECKOUTS_A_DAY {
                return Err(too_many_checkouts_of_person(at));
            }
            *of_org += 1;
            *of_person += 1;
            accounts.keep(reservation.idempotent.as_ref(), at);
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl ReleaseCheckout for World {
    async fn release_checkout(&self, reservation: &CheckoutReservation) -> Result<(), Fault> {
        self.effect(|state| {
            let (accounts, at) = (&mut state.accounts, reservation.at);
            if let Some(request) = &reservation.idempotent {
                let own = WriteOutcome::Replayed(at.as_millis().to_string());
                if accounts.kept(request, at) != Some(own) {
                    return;
                }
                accounts.forget(request);
            }
            let of_org = accounts.checkouts_opened.get_mut(&(reservation.org, checkout_hour(at)));
            let of_person = accounts.checkouts_of_person.get_mut(&(reservation.user.clone(), Day::of(at)));
            for count in [of_org, of_person].into_iter().flatten() {
                *count = count.saturating_sub(1);
            }
        })
    }
}

impl RecordCheckout for World {
    async fn record_checkout(
        &self,
        checkout: &Checkout,
        idempotent: Option<&IdempotentRequest>,
        reservation: &CheckoutReservation,
    ) -> Result<WriteOutcome, Fault> {
        self.effect(|state| {
            let accounts = &mut state.accounts;
            if let Some(before) = idempotent.and_then(|idempotent| accounts.kept(idempotent, checkout.at)) {
                return before;
            }
            let reserved = |request| accounts.kept(request, checkout.at).is_some();
            if !reservation.idempotent.as_ref().is_none_or(reserved) {
                return WriteOutcome::Conflict;
            }
            accounts.keep(idempotent, checkout.at);
            accounts.checkouts.insert((checkout.org, checkout.session.clone()), checkout.clone());
            WriteOutcome::Applied
        })
    }
}

impl GetCheckout for World {
    async fn get_checkout(&self, org: OrgId, session: &SessionId) -> Result<Option<Checkout>, Fault> {
        self.effect(|state| state.accounts.checkouts.get(&(org, session.clone())).cloned())
    }
}
