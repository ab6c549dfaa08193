//! Fakes for checkouts: the payment provider, and the records of its sessions.

use consigne_core::credits::{
    CHECKOUTS_AN_HOUR, Checkout, CheckoutAsk, OpenSession, SessionId, checkout_hour, too_many_checkouts,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::ports::{GetCheckout, RecordCheckout, StartCheckout};
use consigne_core::{Fault, OrgId};

use super::World;

impl StartCheckout for World {
    async fn start_checkout(&self, ask: &CheckoutAsk) -> Result<OpenSession, Fault> {
        self.effect(|state| {
            let next = state.accounts.opened.len() + 1;
            let fresh = || OpenSession {
                id: SessionId::parse(&format!("cs_test_{next}")).expect("it is plain"),
                url: format!("https://checkout.stripe.com/c/pay/cs_test_{next}"),
            };
            state.accounts.opened.entry(ask.idempotency_key.clone()).or_insert_with(fresh).clone()
        })
    }
}

impl RecordCheckout for World {
    async fn record_checkout(
        &self,
        checkout: &Checkout,
        idempotent: Option<&IdempotentRequest>,
    ) -> Result<WriteOutcome, Fault> {
        self.effect_of(&checkout.user, |state| {
            if let Some(before) = idempotent.and_then(|idempotent| state.accounts.kept(idempotent, checkout.at)) {
                return Ok(before);
            }
            let opened = state.accounts.checkouts_opened.entry((checkout.org, checkout_hour(checkout.at))).or_default();
            if *opened >= CHECKOUTS_AN_HOUR {
                return Err(too_many_checkouts(checkout.at));
            }
            *opened += 1;
            state.accounts.keep(idempotent, checkout.at);
            state.accounts.checkouts.insert((checkout.org, checkout.session.clone()), checkout.clone());
            Ok(WriteOutcome::Applied)
        })?
    }
}

impl GetCheckout for World {
    async fn get_checkout(&self, org: OrgId, session: &SessionId) -> Result<Option<Checkout>, Fault> {
        self.effect(|state| state.accounts.checkouts.get(&(org, session.clone())).cloned())
    }
}
