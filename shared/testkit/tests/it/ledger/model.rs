//! A simple model of a wallet, without faults or concurrency: debits are taken from lots at once, and each hold is
//! stored on its own.

use std::collections::{BTreeMap, HashMap};

use consigne_core::credits::{ALERT_PERCENTAGES, HoldEnd, LotKind, TEST_CREDITS, TEST_PERIOD, VoidReason, Wallet};
use consigne_core::periods::Day;
use consigne_core::{LotId, Timestamp};

/// A credit lot.
#[derive(Clone, Debug)]
struct Lot {
    id: Option<LotId>,
    kind: LotKind,
    left: u64,
    expires_at: Option<Timestamp>,
    /// Credits taken from all lots before this one was added.
    since: u64,
}

/// A hold.
#[derive(Clone, Debug)]
struct Held {
    amount: u64,
    /// The wallet's expiry epoch when it was opened.
    expiry_epoch: u32,
    expires_at: Timestamp,
    end: Option<HoldEnd>,
}

/// The model of a wallet.
#[derive(Clone, Debug, Default)]
pub struct Model {
    lots: Vec<Lot>,
    balance: i64,
    came: u64,
    used: u64,
    expired: u64,
    clawed_back: u64,
    /// Credits taken from all lots so far.
    taken: u64,
    /// Credits taken that no lot covers.
    debt: u64,
    /// Time of the first use of a test wallet.
    anchor: Option<Timestamp>,
    /// Charged credits by idempotency key.
    receipts: HashMap<String, u64>,
    holds: Vec<Held>,
    expiry_epoch: u32,
    /// Credits of expired lots that are reserved for holds, by expiry epoch.
    reserved: BTreeMap<u32, u64>,
    bought: bool,
    reference: u64,
    next_mark: Option<u8>,
    /// Alert thresholds reported to the owner.
    pub alerts: Vec<u8>,
    /// The day on which its key has used up its refunds.
    pub unrefunded: Option<Day>,
}

/// The outcome of a debit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debit {
    Charged,
    Replayed,
    Mismatch,
    Refused,
}

/// The outcome of settling or voiding a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    Applied,
    Replayed,
    Otherwise,
    Expired,
    Exceeded,
}

impl Model {
    /// Adds a lot. Reports an alert if the balance is still below a threshold.
    pub fn grant(&mut self, id: LotId, kind: LotKind, amount: u64, expires_at: Option<Timestamp>, now: Timestamp) {
        self.top_up(id, kind, amount, expires_at, now);
        self.record_alert();
    }

    /// Adds a lot.
    pub fn top_up(&mut self, id: LotId, kind: LotKind, amount: u64, expires_at: Option<Timestamp>, now: Timestamp) {
        self.expire(now);
        self.add(Some(id), kind, amount, expires_at);
        self.bought |= kind == LotKind::Paid;
        if kind == LotKind::Paid || !self.bought {
            self.reference = amount;
        }
        self.next_mark = Some(ALERT_PERCENTAGES[0]);
    }

    fn add(&mut self, id: Option<LotId>, kind: LotKind, amount: u64, expires_at: Option<Timestamp>) {
        self.came += amount;
        self.balance += i64::try_from(amount).unwrap();
        let repaid = self.debt.min(amount);
        self.debt -= repaid;
        self.lots.push(Lot { id, kind, left: amount - repaid, expires_at, since: self.taken });
    }

    pub fn debit(&mut self, cost: u64, key: &str, test: bool, now: Timestamp) -> Debit {
        match self.receipts.get(key) {
            Some(before) if *before == cost => return Debit::Replayed,
            Some(_) => return Debit::Mismatch,
            None => {}
        }
        if !self.admits(cost, test, now) {
            return Debit::Refused;
        }
        self.balance -= i64::try_from(cost).unwrap();
        self.used += cost;
        self.take(cost);
        self.receipts.insert(key.to_owned(), cost);
        self.record_alert();
        Debit::Charged
    }

    /// Opens a hold if the balance covers it. Returns its number.
    pub fn hold(&mut self, amount: u64, test: bool, now: Timestamp, expires_at: Timestamp) -> Option<usize> {
        if !self.admits(amount, test, now) {
            return None;
        }
        self.balance -= i64::try_from(amount).unwrap();
        self.holds.push(Held { amount, expiry_epoch: self.expiry_epoch, expires_at, end: None });
        self.record_alert();
        Some(self.holds.len() - 1)
    }

    /// Ends a hold as its service requests.
    pub fn resolve(&mut self, number: usize, how: HoldEnd, now: Timestamp) -> Resolved {
        let hold = self.holds[number].clone();
        match hold.end {
            Some(end) if end.asked() == how => return Resolved::Replayed,
            Some(HoldEnd::TimedOut) => return Resolved::Expired,
            Some(_) => return Resolved::Otherwise,
            None if now >= hold.expires_at => return Resolved::Expired,
            None => {}
        }
        let how = match how {
            HoldEnd::Voided(VoidReason::ProviderError) if self.unrefunded == Some(Day::of(now)) => {
                HoldEnd::Voided(VoidReason::RefundsSpent)
            }
            how => how,
        };
        let used = match how {
            HoldEnd::Settled { amount, .. } if amount > hold.amount => return Resolved::Exceeded,
            HoldEnd::Settled { amount, .. } => amount,
            HoldEnd::Voided(VoidReason::CallerError | VoidReason::RefundsSpent) => hold.amount,
            HoldEnd::Voided(VoidReason::ProviderError) | HoldEnd::TimedOut => 0,
        };
        self.end(number, how, used, now);
        Resolved::Applied
    }

    /// Returns how a hold ended, if it did.
    pub fn end_of(&self, number: usize) -> Option<HoldEnd> {
        self.holds[number].end
    }

    /// Releases an expired hold if it is still open.
    pub fn time_out(&mut self, number: usize, now: Timestamp) {
        if self.holds[number].end.is_none() {
            self.end(number, HoldEnd::TimedOut, 0, now);
        }
    }

    fn end(&mut self, number: usize, how: HoldEnd, used: u64, now: Timestamp) {
        self.expire(now);
        let Held { amount, expiry_epoch, .. } = self.holds[number].clone();
        self.holds[number].end = Some(how);
        let still = self.held_in(expiry_epoch);
        let reserved = self.reserved.entry(expiry_epoch).or_default();
        let late = used.min(*reserved);
        *reserved -= late;
        let lost = reserved.saturating_sub(still);
        *reserved -= lost;
        self.used += used;
        self.expired += lost;
        self.balance += i64::try_from(amount - used - lost).unwrap();
        self.take(used - late);
    }

    /// Claws credits back from their lot, then from other lots, oldest first.
    pub fn claw_back(&mut self, lot: LotId, credits: u64, now: Timestamp) {
        self.expire(now);
        self.clawed_back += credits;
        self.balance -= i64::try_from(credits).unwrap();
        let mut rest = credits;
        self.lots.sort_by_key(|known| (known.id != Some(lot), known.since, known.id));
        for lot in &mut self.lots {
            let taken = rest.min(lot.left);
            lot.left -= taken;
            rest -= taken;
        }
        self.debt += rest;
        self.record_alert();
    }

    /// Returns clawed-back credits to their lot.
    pub fn give_back(&mut self, lot: LotId, credits: u64, now: Timestamp) {
        self.expire(now);
        self.clawed_back -= credits;
        self.balance += i64::try_from(credits).unwrap();
        let repaid = self.debt.min(credits);
        self.debt -= repaid;
        let taken = self.taken;
        let known = self.lots.iter_mut().find(|known| known.id == Some(lot)).expect("a bought lot never expires");
        known.left += credits - repaid;
        known.since = taken;
        let below = |percent: &u8| i64::try_from(self.reference * u64::from(*percent) / 100).unwrap() < self.balance;
        self.next_mark = self.next_mark.max(ALERT_PERCENTAGES.into_iter().find(below));
        self.record_alert();
    }

    /// Expires lots. Returns whether the balance covers the cost.
    fn admits(&mut self, cost: u64, test: bool, now: Timestamp) -> bool {
        if test && self.anchor.is_none() {
            self.anchor = Some(now);
            self.renew(now);
        }
        self.expire(now);
        self.balance >= i64::try_from(cost).unwrap()
    }

    /// Takes credits from the lots, in the order in which they are spent.
    fn take(&mut self, credits: u64) {
        self.lots.sort_by_key(|lot| (lot.kind, lot.expires_at.is_none(), lot.expires_at, lot.id));
        let mut rest = credits;
        for lot in &mut self.lots {
            let taken = rest.min(lot.left);
            lot.left -= taken;
            rest -= taken;
        }
        self.debt += rest;
        self.taken += credits;
    }

    fn held_in(&self, expiry_epoch: u32) -> u64 {
        self.holds
            .iter()
            .filter(|hold| hold.expiry_epoch == expiry_epoch && hold.end.is_none())
            .map(|hold| hold.amount)
            .sum()
    }

    /// Records an alert if a threshold is crossed.
    pub fn record_alert(&mut self) {
        if self.anchor.is_some() {
            return;
        }
        let at = |percent: u8| i64::try_from(self.reference * u64::from(percent) / 100).unwrap();
        let reached: Vec<u8> = ALERT_PERCENTAGES
            .into_iter()
            .filter(|percent| self.next_mark.is_some_and(|next| *percent <= next) && self.balance <= at(*percent))
            .collect();
        if let Some(lowest) = reached.last() {
            self.alerts.push(*lowest);
            self.next_mark = ALERT_PERCENTAGES.into_iter().find(|percent| percent < lowest);
        }
    }

    fn expire(&mut self, now: Timestamp) {
        let over = |lot: &Lot| lot.expires_at.is_some_and(|end| end <= now);
        if !self.lots.iter().any(over) {
            return;
        }
        let mut lost = self.lots.iter().filter(|lot| over(lot)).map(|lot| lot.left).sum::<u64>();
        self.lots.retain(|lot| !over(lot));
        if lost > 0 {
            let carried_holds = self.held_in(self.expiry_epoch) > 0;
            for expiry_epoch in 0..=self.expiry_epoch {
                let room = self.held_in(expiry_epoch) - self.reserved.get(&expiry_epoch).copied().unwrap_or(0);
                let reserved = room.min(lost);
                *self.reserved.entry(expiry_epoch).or_default() += reserved;
                lost -= reserved;
            }
            self.expiry_epoch += u32::from(carried_holds);
        }
        self.expired += lost;
        self.balance -= i64::try_from(lost).unwrap();
        if self.anchor.is_some() {
            self.renew(now);
        }
        self.record_alert();
    }

    /// Starts a new period of a test wallet if it is due.
    fn renew(&mut self, now: Timestamp) {
        let anchor = self.anchor.expect("a test wallet has a time of first use");
        let mut ends = anchor;
        while ends <= now {
            ends = ends.plus(TEST_PERIOD);
        }
        self.add(None, LotKind::Test, TEST_CREDITS, Some(ends));
    }

    /// Returns whether the wallet was ever used.
    pub fn is_begun(&self) -> bool {
        self.came > 0
    }

    /// Returns how a wallet, with lots expired at a time, differs from the model. `None` if it agrees.
    pub fn difference(&self, wallet: &Wallet, now: Timestamp) -> Option<String> {
        let mut model = self.clone();
        model.expire(now);
        if !wallet.is_balanced() {
            return Some(format!("the books do not balance: {wallet:?}"));
        }
        let held: u64 = model.holds.iter().filter(|hold| hold.end.is_none()).map(|hold| hold.amount).sum();
        let numbers = |numbers: [u64; 5]| numbers.map(i128::from);
        let want = (model.balance, numbers([held, model.used, model.expired, model.clawed_back, model.came]));
        let came = wallet.purchased + wallet.granted;
        let got = (wallet.balance, numbers([wallet.held, wallet.used, wallet.expired, wallet.clawed_back, came]));
        if want != got {
            return Some(format!(
                "balance and [held, used, expired, clawed back, came] are {got:?}, should be {want:?}"
            ));
        }
        for lot in &model.lots {
            let known =
                wallet.lots.iter().find(|(id, bucket)| lot.id.map_or(bucket.kind == lot.kind, |own| own == **id));
            let left = known.map_or(0, |(_, bucket)| bucket.left);
            if left != lot.left {
                return Some(format!("lot {lot:?} has {left} left"));
            }
        }
        None
    }
}
