//! Payments, with a model of each.

use std::collections::BTreeMap;

use consigne_core::credits::{ClawBack, DisputeState, LotKind, Purchase};
use consigne_core::{LotId, OrgId, Timestamp};
use consigne_testkit::accounts;

use super::model::Model;
use super::ops::CENTS;

/// A payment.
#[derive(Clone, Debug)]
pub struct Payment {
    name: String,
    org: OrgId,
    /// The lot that it bought and its credits, if it has bought one.
    bought: Option<(LotId, u64)>,
    /// The latest total refunded, after its time.
    refunded: (Timestamp, u64),
    /// Amounts of refunds that failed, and when they were made and failed.
    failed: BTreeMap<&'static str, (u64, [Timestamp; 2])>,
    disputes: BTreeMap<&'static str, (u64, DisputeState)>,
    clawed_back: u64,
}

impl Payment {
    pub fn of(org: OrgId, number: usize) -> Self {
        let name = format!("{org}_{number}");
        Self {
            name,
            org,
            bought: None,
            refunded: (Timestamp::from_secs(0), 0),
            failed: BTreeMap::new(),
            disputes: BTreeMap::new(),
            clawed_back: 0,
        }
    }

    pub fn is_bought(&self) -> bool {
        self.bought.is_some()
    }

    /// Creates its purchase.
    pub fn purchase(&self, credits: u64, now: Timestamp) -> Purchase {
        Purchase { amount_cents: CENTS, ..accounts::purchase(self.org, &self.name, credits, now) }
    }

    /// Creates the report of a refund.
    pub fn refund(&self, cents: u64, now: Timestamp) -> ClawBack {
        accounts::refund(&self.name, cents, now)
    }

    /// Creates the report of a refund that fails now.
    pub fn refund_failed(&self, id: &str, cents: u64, created: Timestamp, now: Timestamp) -> ClawBack {
        accounts::refund_failed(&self.name, id, cents, created, now)
    }

    /// Creates the report of a dispute.
    pub fn dispute(&self, id: &str, cents: u64, state: DisputeState, now: Timestamp) -> ClawBack {
        accounts::dispute(&self.name, id, cents, state, now)
    }

    /// Applies the purchase to the model.
    pub fn model_buys(&mut self, model: &mut Model, lot: LotId, credits: u64, now: Timestamp) {
        model.top_up(lot, LotKind::Paid, credits, None, now);
        self.bought = Some((lot, credits));
        self.model_follows(model, now);
        model.record_alert();
    }

    /// Applies a refund to the model.
    pub fn model_refunds(&mut self, model: &mut Model, cents: u64, now: Timestamp) {
        self.refunded = self.refunded.max((now, cents));
        self.model_follows(model, now);
    }

    /// Applies a failed refund to the model. `times` are when it was made and when it failed.
    pub fn model_refund_fails(&mut self, model: &mut Model, id: &'static str, cents: u64, times: [Timestamp; 2]) {
        // The clock only advances, so the first report has the earliest time.
        self.failed.entry(id).or_insert((cents, times));
        self.model_follows(model, times[1]);
    }

    /// Applies a dispute to the model.
    pub fn model_disputes(
        &mut self,
        model: &mut Model,
        id: &'static str,
        cents: u64,
        state: DisputeState,
        now: Timestamp,
    ) {
        let known = self.disputes.entry(id).or_insert((cents, state));
        if (known.1, known.0) < (state, cents) {
            *known = (cents, state);
        }
        self.model_follows(model, now);
    }

    /// Claws back or returns credits in the model, until it agrees with the payment's refunds and disputes.
    fn model_follows(&mut self, model: &mut Model, now: Timestamp) {
        let Some((lot, credits)) = self.bought else { return };
        let disputed =
            self.disputes.values().filter(|(_, state)| [DisputeState::Open, DisputeState::Lost].contains(state));
        let (at, total) = self.refunded;
        let failed = self.failed.values().filter(|(_, [created, failed])| (*created..=*failed).contains(&at));
        let refunded = total.saturating_sub(failed.map(|(cents, _)| cents).sum());
        let away = (refunded + disputed.map(|(cents, _)| cents).sum::<u64>()).min(CENTS);
        let target = credits * away / CENTS;
        if target > self.clawed_back {
            model.claw_back(lot, target - self.clawed_back, now);
        } else if target < self.clawed_back {
            model.give_back(lot, self.clawed_back - target, now);
        }
        self.clawed_back = target;
    }
}
