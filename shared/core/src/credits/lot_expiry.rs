//! A wallet's lots: which debits they pay, how they expire, what open holds keep of them, and how refunds claw them
//! back.

use super::{CarriedHolds, CreditLot, LotKind, Wallet, WalletId};
use crate::{LotId, Timestamp};

impl Wallet {
    /// Returns the wallet with every debit attributed to its lot, and without the lots that had expired by `now`.
    ///
    /// No debit may be admitted between a lot's expiry and the write of this wallet. Otherwise expired credits could be
    /// spent.
    #[must_use]
    pub fn with_lots_expired(&self, now: Timestamp) -> Self {
        let mut wallet = self.clone();
        wallet.attribute();
        let over = |lot: &CreditLot| lot.expires_at.is_some_and(|expiry| expiry <= now);
        let lost = wallet.lots.values().filter(|lot| over(lot)).map(|lot| lot.left).sum();
        wallet.expire(lost);
        // Drop spent lots too, except test lots: their expiry is also the start of the next period.
        wallet.lots.retain(|_, lot| !over(lot) && (lot.left > 0 || lot.kind == LotKind::Test));
        if matches!(wallet.id, WalletId::Test(_)) && wallet.lots.is_empty() {
            wallet.renew(now);
        }
        wallet.next_expiry = wallet.first_expiry();
        wallet
    }

    /// Expires the `left` credits of lots whose time has come. The part covered by open holds stays reserved for them,
    /// for the oldest holds first.
    fn expire(&mut self, mut left: u64) {
        if left == 0 {
            return;
        }
        for carried_holds in self.carried.values_mut() {
            let kept = left.min(carried_holds.held - carried_holds.kept);
            carried_holds.kept += kept;
            left -= kept;
        }
        let held = self.held_at_present();
        if held > 0 {
            let kept = left.min(held);
            self.carried.insert(self.expiry_epoch, CarriedHolds { held, kept });
            self.expiry_epoch += 1;
            left -= kept;
        }
        self.balance = self.balance.saturating_sub_unsigned(left);
        self.expired += left;
    }

    /// Returns the credits reserved by holds of the current expiry epoch.
    fn held_at_present(&self) -> u64 {
        self.held - self.carried.values().map(|carried_holds| carried_holds.held).sum::<u64>()
    }

    /// Ends a hold that was opened in `expiry_epoch`. Of its `amount`, `used` is spent and the rest is released.
    /// Reserved credits of expired lots are spent first. If more of them remain than open holds of that epoch can use,
    /// the excess expires.
    ///
    /// Returns `false` and changes nothing if the holds of that epoch reserve less than `amount`, or if `used` exceeds
    /// it.
    #[must_use]
    pub fn release(&mut self, expiry_epoch: u32, amount: u64, used: u64) -> bool {
        let (mut lost, present) = (0, self.held_at_present());
        match self.carried.get_mut(&expiry_epoch) {
            Some(carried_holds) if carried_holds.held >= amount && used <= amount => {
                carried_holds.held -= amount;
                let late = used.min(carried_holds.kept);
                carried_holds.kept -= late;
                lost = carried_holds.kept.saturating_sub(carried_holds.held);
                carried_holds.kept -= lost;
                self.late += late;
                if carried_holds.held == 0 {
                    self.carried.remove(&expiry_epoch);
                }
            }
            None if expiry_epoch == self.expiry_epoch && present >= amount && used <= amount => {}
            _ => return false,
        }
        self.held -= amount;
        self.used += used;
        self.expired += lost;
        self.balance = self.balance.saturating_add_unsigned(amount - used - lost);
        true
    }

    /// Claws credits back: first from the lot they came with, then from other lots. The rest becomes a debt, which
    /// later lots pay.
    pub fn claw_back(&mut self, lot: LotId, credits: u64) {
        self.attribute();
        let left = self.lots.get_mut(&lot).map_or(credits, |lot| {
            let taken = credits.min(lot.left);
            lot.left -= taken;
            credits - taken
        });
        self.debt += left;
        self.balance = self.balance.saturating_sub_unsigned(credits);
        self.clawed_back += credits;
        self.repay();
    }

    /// Gives clawed-back credits back to the paid lot they came with.
    pub fn give_back(&mut self, lot: LotId, credits: u64) {
        self.attribute();
        let since = self.spent();
        let gone = CreditLot { kind: LotKind::Paid, amount: credits, left: 0, expires_at: None, since };
        let lot = self.lots.entry(lot).or_insert(gone);
        lot.left += credits;
        // The lot counts from now on, even if it still existed. Earlier debits are attributed already.
        lot.since = since;
        self.balance = self.balance.saturating_add_unsigned(credits);
        // Saturate: the payment record may be read before and the wallet after another request gave the credits back.
        // The conditional write of this change then fails, so the number does not matter.
        self.clawed_back = self.clawed_back.saturating_sub(credits);
        self.repay();
        self.rearm();
    }

    /// Attributes debits to lots: promotional before paid, soonest to expire first. A debit is attributed only to lots
    /// that existed when it was made.
    fn attribute(&mut self) {
        self.repay();
        while self.attributed < self.spent() {
            let next_lot = self.lots.values().map(|lot| lot.since).filter(|since| *since > self.attributed).min();
            let until = next_lot.unwrap_or(self.spent()).min(self.spent());
            let mut order = self.lots_by_now();
            order.sort_by_key(|id| {
                let lot = &self.lots[id];
                (lot.kind, lot.expires_at.is_none(), lot.expires_at, *id)
            });
            // The lots have too little only if credits were clawed back between the debit and now.
            self.debt += self.take(&order, until - self.attributed);
            self.attributed = until;
            self.repay();
        }
    }

    /// Pays the debt from the lots that existed at the last attributed debit, the earliest first. So the result does
    /// not depend on when and how often this runs.
    fn repay(&mut self) {
        let mut order = self.lots_by_now();
        order.sort_by_key(|id| (self.lots[id].since, *id));
        self.debt = self.take(&order, self.debt);
    }

    /// Returns the lots that existed at the last attributed debit.
    fn lots_by_now(&self) -> Vec<LotId> {
        let there = self.lots.iter().filter(|(_, lot)| lot.since <= self.attributed);
        there.map(|(id, _)| *id).collect()
    }

    /// Takes credits from lots in the given order. Returns the number that the lots did not cover.
    fn take(&mut self, order: &[LotId], mut credits: u64) -> u64 {
        for id in order {
            if let Some(lot) = self.lots.get_mut(id) {
                let taken = credits.min(lot.left);
                lot.left -= taken;
                credits -= taken;
            }
        }
        credits
    }
}

#[cfg(test)]
#[path = "lot_expiry_tests.rs"]
mod tests;
