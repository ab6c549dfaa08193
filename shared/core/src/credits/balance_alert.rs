//! Balance alerts: an event announces that an organisation's credits run out, once at each threshold.
//!
//! The wallet's item stores beside `balance` the headroom: how much can be spent before the next threshold. A debit's
//! condition compares with the headroom instead of the balance, so an ordinary debit stays one write. Only a debit that
//! crosses a threshold fails this condition. DynamoDB returns the item that failed it, which shows the crossing. The
//! debit is then repeated with the event in its transaction.

use std::ops::RangeInclusive;

use super::{LotKind, Wallet, WalletId};
use crate::events::{Event, EventData, WalletLow, WalletToppedUp};
use crate::{LotId, OrgId, Timestamp};

/// Thresholds, in percent of the last top-up, highest first.
pub const ALERT_PERCENTAGES: [u8; 3] = [20, 10, 0];

/// The next balance at which an event announces that an organisation's credits run out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertThreshold {
    /// Credits of the last purchase, or of the last gift if nothing was ever bought. Thresholds are percentages of it.
    pub reference: u64,
    /// The next threshold to be crossed, in percent. `None` if the last one was crossed, or for a wallet without
    /// alerts.
    pub next: Option<u8>,
}

impl AlertThreshold {
    /// Starts again at the highest threshold.
    pub(super) fn full(reference: u64) -> Self {
        Self { reference, next: Some(ALERT_PERCENTAGES[0]) }
    }

    /// Returns the balance at a threshold.
    fn at(self, percent: u8) -> i64 {
        let credits = u128::from(self.reference) * u128::from(percent) / 100;
        i64::try_from(credits).unwrap_or(i64::MAX)
    }

    /// Returns the lowest threshold that `balance` has reached, unless it was announced before.
    fn reached(self, balance: i64) -> Option<u8> {
        let unannounced = |percent: &u8| self.next.is_some_and(|next| *percent <= next);
        ALERT_PERCENTAGES.into_iter().rev().filter(unannounced).find(|percent| balance <= self.at(*percent))
    }

    /// Returns the next lower threshold, in percent.
    fn below(percent: u8) -> Option<u8> {
        ALERT_PERCENTAGES.into_iter().find(|lower| *lower < percent)
    }

    /// Returns the range of balances at which `percent` is the lowest threshold reached.
    pub fn band(self, percent: u8) -> RangeInclusive<i64> {
        let least = Self::below(percent).map_or(i64::MIN, |lower| self.at(lower) + 1);
        least..=self.at(percent)
    }
}

impl Wallet {
    /// Returns the headroom: how much of the balance can be spent before the next threshold. A smaller debit crosses no
    /// threshold. Without a next threshold it is the balance plus one, so that the balance covers a smaller debit.
    pub fn headroom(&self) -> i64 {
        match self.alert.next {
            Some(percent) => self.balance.saturating_sub(self.alert.at(percent)),
            None => self.balance.saturating_add(1),
        }
    }

    /// Moves the next threshold up again, to the highest one below the balance, even if that was crossed before.
    /// Clawed-back credits that are given back can run out again.
    pub(super) fn rearm(&mut self) {
        let below = ALERT_PERCENTAGES.into_iter().find(|percent| self.alert.at(*percent) < self.balance);
        self.alert.next = self.alert.next.max(below);
    }

    /// Records the lowest threshold that the balance has reached since the last top-up. Returns it with the event that
    /// announces it, or `None` if there is nothing new to announce.
    pub fn alert(&mut self, now: Timestamp) -> Option<(u8, Event)> {
        let WalletId::Organisation(org) = &self.id else { return None };
        let percent = self.alert.reached(self.balance)?;
        self.alert.next = AlertThreshold::below(percent);
        let (balance, reference) = (self.balance, self.alert.reference);
        let low = WalletLow { org_id: *org, percent, balance, reference };
        Some((percent, Event::new(now, EventData::WalletLow(low))))
    }
}

/// Returns the event of a top-up.
pub fn topped_up(org: OrgId, lot: LotId, kind: LotKind, credits: u64, now: Timestamp) -> Event {
    Event::new(now, EventData::WalletToppedUp(WalletToppedUp { org_id: org, lot_id: lot, kind, credits }))
}

#[cfg(test)]
#[path = "balance_alert_tests.rs"]
mod tests;
