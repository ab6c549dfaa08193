//! Telling an organisation that little is left, once at each mark.
//!
//! The wallet's item holds beside `balance` how much of it is to spare before the next mark, and a debit is made on
//! condition of that number instead of the balance. So the hot path is the same one write, and only the debit that crosses
//! a mark fails, is told so by the item that failed it, and is made again with the event in its transaction.

use std::ops::RangeInclusive;

use super::{LotKind, Wallet, WalletId};
use crate::events::{Event, EventData, WalletLow, WalletToppedUp};
use crate::{LotId, OrgId, Timestamp};

/// Marks, in percent of the last top-up, highest first.
pub const ALERT_PERCENTAGES: [u8; 3] = [20, 10, 0];

/// When an organisation is told that little is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlertThreshold {
    /// Credits of the last purchase, or of the last gift when nothing was ever bought.
    pub reference: u64,
    /// The mark that was not reached yet; `None` when the last one was, or when there is nobody to tell.
    pub next: Option<u8>,
}

impl AlertThreshold {
    /// Begins anew at the highest mark.
    pub(super) fn full(reference: u64) -> Self {
        Self { reference, next: Some(ALERT_PERCENTAGES[0]) }
    }

    /// Gives the balance at a mark.
    fn at(self, percent: u8) -> i64 {
        let credits = u128::from(self.reference) * u128::from(percent) / 100;
        i64::try_from(credits).unwrap_or(i64::MAX)
    }

    /// Gives the lowest mark that a balance has reached, if it is one nobody was told of.
    fn reached(self, balance: i64) -> Option<u8> {
        let untold = |mark: &u8| self.next.is_some_and(|next| *mark <= next);
        ALERT_PERCENTAGES.into_iter().rev().filter(untold).find(|mark| balance <= self.at(*mark))
    }

    fn below(mark: u8) -> Option<u8> {
        ALERT_PERCENTAGES.into_iter().find(|lower| *lower < mark)
    }

    /// Gives the balances at which a mark, and none below it, is reached.
    pub fn band(self, mark: u8) -> RangeInclusive<i64> {
        let least = Self::below(mark).map_or(i64::MIN, |lower| self.at(lower) + 1);
        least..=self.at(mark)
    }
}

impl Wallet {
    /// Gives how much of the balance is to spare before the next mark. A debit of less reaches none; and when there is no
    /// next mark, it is covered.
    pub fn headroom(&self) -> i64 {
        match self.alert.next {
            Some(mark) => self.balance.saturating_sub(self.alert.at(mark)),
            None => self.balance.saturating_add(1),
        }
    }

    /// Makes the highest mark below the balance the next one, should it have been told of: what was taken back and came again
    /// runs out again.
    pub(super) fn rearm(&mut self) {
        let below = ALERT_PERCENTAGES.into_iter().find(|mark| self.alert.at(*mark) < self.balance);
        self.alert.next = self.alert.next.max(below);
    }

    /// Takes note of the lowest mark the balance has reached since the last top-up, if there is one to take note of, and
    /// gives it with what the world is told.
    pub fn alert(&mut self, now: Timestamp) -> Option<(u8, Event)> {
        let WalletId::Organisation(org) = &self.id else { return None };
        let mark = self.alert.reached(self.balance)?;
        self.alert.next = AlertThreshold::below(mark);
        let (balance, reference) = (self.balance, self.alert.reference);
        let low = WalletLow { org_id: *org, percent: mark, balance, reference };
        Some((mark, Event::new(now, EventData::WalletLow(low))))
    }
}

/// Makes the event of a top-up.
pub fn topped_up(org: OrgId, lot: LotId, kind: LotKind, credits: u64, now: Timestamp) -> Event {
    Event::new(now, EventData::WalletToppedUp(WalletToppedUp { org_id: org, lot_id: lot, kind, credits }))
}

#[cfg(test)]
#[path = "balance_alert_tests.rs"]
mod tests;
