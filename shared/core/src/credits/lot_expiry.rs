//! What happens to a wallet's lots: debits are attributed to them, they expire, holds outlive them, refunds take them back.

use super::{CarriedHolds, CreditLot, LotKind, Wallet, WalletId};
use crate::{LotId, Timestamp};

impl Wallet {
    /// Gives the wallet with every debit attributed to its lot, and what had expired by `now` gone.
    ///
    /// Right only because no debit passes between a lot's expiry and this.
    #[must_use]
    pub fn with_lots_expired(&self, now: Timestamp) -> Self {
        let mut wallet = self.clone();
        wallet.attribute();
        let over = |lot: &CreditLot| lot.expires_at.is_some_and(|expiry| expiry <= now);
        let lost = wallet.lots.values().filter(|lot| over(lot)).map(|lot| lot.left).sum();
        wallet.expire(lost);
        // A spent lot says nothing any more; but a test lot's end is also the beginning of the next.
        wallet.lots.retain(|_, lot| !over(lot) && (lot.left > 0 || lot.kind == LotKind::Test));
        if matches!(wallet.id, WalletId::Test(_)) && wallet.lots.is_empty() {
            wallet.renew(now);
        }
        wallet.next_expiry = wallet.first_expiry();
        wallet
    }

    /// Loses what is left of lots at their end, but for what is held: that is kept, for the oldest holds first.
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

    /// Gives what the holds of the present era hold.
    fn held_at_present(&self) -> u64 {
        self.held - self.carried.values().map(|carried_holds| carried_holds.held).sum::<u64>()
    }

    /// Ends a hold that was opened in an era: `used` of it is spent, of lots it has outlived first, and the rest is free
    /// again, but for what was kept of such lots and is now held by nobody: that is lost.
    ///
    /// Gives `false`, and changes nothing, when that era's holds do not hold as much.
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

    /// Takes credits back: of the lot they came with, and what is no longer there of the others, and of those to come.
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

    /// Gives back credits that had been taken back, as part of the paid lot they came with.
    pub fn give_back(&mut self, lot: LotId, credits: u64) {
        self.attribute();
        let since = self.spent();
        let gone = CreditLot { kind: LotKind::Paid, amount: credits, left: 0, expires_at: None, since };
        let lot = self.lots.entry(lot).or_insert(gone);
        lot.left += credits;
        // As if it had come now, whether or not it was still there: nothing that is attributed already concerns it.
        lot.since = since;
        self.balance = self.balance.saturating_add_unsigned(credits);
        // A wallet that was read after its payment may have been given them back meanwhile; such a change is never written.
        self.clawed_back = self.clawed_back.saturating_sub(credits);
        self.repay();
        self.rearm();
    }

    /// Attributes what was spent to lots: promotional before paid, soonest to expire first, and each debit only to lots
    /// that were there when it was made.
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
            // More than there was can only be spent when some of it was taken back before this was worked out.
            self.debt += self.take(&order, until - self.attributed);
            self.attributed = until;
            self.repay();
        }
    }

    /// Covers what no lot covers with the lots that have come by what is attributed, the earliest first: so that it does
    /// not matter how often this is worked out.
    fn repay(&mut self) {
        let mut order = self.lots_by_now();
        order.sort_by_key(|id| (self.lots[id].since, *id));
        self.debt = self.take(&order, self.debt);
    }

    fn lots_by_now(&self) -> Vec<LotId> {
        let there = self.lots.iter().filter(|(_, lot)| lot.since <= self.attributed);
        there.map(|(id, _)| *id).collect()
    }

    /// Takes credits from lots, in their order; gives how many it could not take.
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
