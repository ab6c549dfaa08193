//! The ledger of credits.
//!
//! A debit touches two numbers, `balance` and `used`, and nothing else, so that it is one conditional write. Which lot of
//! credits it was taken from (promotional before paid, soonest to expire first) is worked out later, by [`Wallet::with_lots_expired`],
//! at the latest when a lot expires: until that has been done no debit passes, so nothing is ever spent from a lot that is
//! gone, nor attributed to one that came later.
//!
//! A hold moves credits from `balance` to `held` and takes them from no lot: what it is settled at is a debit of that moment.
//! Should a lot expire meanwhile, as much of it as is held is kept for those holds, and lost once they do not need it; see
//! [`CarriedHolds`]. So a hold neither loses what it was promised nor carries it into a time it was not meant for.
//!
//! At any time `balance + held + used + expired + clawed_back == purchased + granted`; `balance` alone may be below zero.

use std::collections::BTreeMap;
use std::time::Duration;

use super::AlertThreshold;
use crate::{LotId, OrgId, Timestamp, UserId};

/// Credits a test wallet holds at the beginning of each of its periods.
pub const TEST_CREDITS: u64 = 100;
/// Length of a period of a test wallet, from its anchor: the moment it was made.
pub const TEST_PERIOD: Duration = Duration::from_hours(24 * 30);

/// Whose wallet it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalletId {
    /// An organisation's, spent by its production keys.
    Organisation(OrgId),
    /// A person's test wallet, spent by the test keys they made.
    Test(UserId),
}

/// Where credits come from. The order is that in which they are spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum LotKind {
    Promo,
    Paid,
    Test,
}

impl LotKind {
    /// Gives the kind's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promo => "promo",
            Self::Paid => "paid",
            Self::Test => "test",
        }
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Promo, Self::Paid, Self::Test].into_iter().find(|kind| kind.name() == name)
    }
}

/// One lot of credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditLot {
    /// Where it comes from.
    pub kind: LotKind,
    /// Credits it brought.
    pub amount: u64,
    /// Credits not yet attributed to a debit.
    pub left: u64,
    /// When what is left of it is lost.
    pub expires_at: Option<Timestamp>,
    /// What the wallet had spent when it came: debits before that are none of its.
    pub since: u64,
}

/// Holds that have outlived a lot: opened before it expired, and still open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarriedHolds {
    /// Credits they hold.
    pub held: u64,
    /// How many of those are of lots that have expired: never more than they hold.
    pub kept: u64,
}

/// A wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Whose it is.
    pub id: WalletId,
    /// Whether anything may be spent from it.
    pub open: bool,
    /// Credits to spend; below zero when more was taken back after a refund than was left.
    pub balance: i64,
    /// Credits set aside for jobs whose cost is not known yet.
    pub held: u64,
    /// Credits ever spent.
    pub used: u64,
    /// Credits ever bought.
    pub purchased: u64,
    /// Credits ever given.
    pub granted: u64,
    /// Credits ever lost by expiry.
    pub expired: u64,
    /// Credits taken back after a refund or a dispute.
    pub clawed_back: u64,
    /// How much of `used` holds have spent of lots that had expired: of those lots it was taken there and then.
    pub late: u64,
    /// How much of the rest of `used` has been attributed to lots.
    pub attributed: u64,
    /// Credits that were spent or taken back and that no lot covers: the next lots do.
    pub debt: u64,
    /// Counts the expiries that holds have outlived; a hold is opened in one of these eras.
    pub expiry_epoch: u32,
    /// Holds of past eras that are still open.
    pub carried: BTreeMap<u32, CarriedHolds>,
    /// When its owner is told that little is left.
    pub alert: AlertThreshold,
    /// Counts the writes that did more than debit, hold and release.
    pub revision: u64,
    /// When the first lot expires; from then on the wallet must be settled before anything is spent.
    pub next_expiry: Option<Timestamp>,
    /// When the wallet was made.
    pub anchor: Timestamp,
    /// Its lots.
    pub lots: BTreeMap<LotId, CreditLot>,
}

/// Why nothing can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletRefusal {
    /// It is closed.
    Closed,
    /// A lot has expired and the wallet was not settled since.
    Stale,
    /// There is not enough in it.
    Insufficient,
}

impl Wallet {
    /// Makes the wallet of a new organisation: empty.
    pub fn of_organisation(org: OrgId, now: Timestamp) -> Self {
        Self::empty(WalletId::Organisation(org), now)
    }

    /// Makes a person's test wallet, with its first credits.
    pub fn of_tester(user: UserId, now: Timestamp) -> Self {
        let mut wallet = Self::empty(WalletId::Test(user), now);
        wallet.renew(now);
        wallet
    }

    fn empty(id: WalletId, anchor: Timestamp) -> Self {
        Self {
            id,
            open: true,
            balance: 0,
            held: 0,
            used: 0,
            purchased: 0,
            granted: 0,
            expired: 0,
            clawed_back: 0,
            late: 0,
            attributed: 0,
            debt: 0,
            expiry_epoch: 0,
            carried: BTreeMap::new(),
            alert: AlertThreshold::default(),
            revision: 0,
            next_expiry: None,
            anchor,
            lots: BTreeMap::new(),
        }
    }

    /// Says why a debit would be refused.
    pub fn refusal(&self, cost: u64, now: Timestamp) -> Option<WalletRefusal> {
        if !self.open {
            return Some(WalletRefusal::Closed);
        }
        if self.is_stale(now) {
            return Some(WalletRefusal::Stale);
        }
        let covered = i64::try_from(cost).is_ok_and(|cost| self.balance >= cost);
        (!covered).then_some(WalletRefusal::Insufficient)
    }

    /// Says whether a lot has expired and the wallet was not settled since.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.next_expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Spends credits. Whoever calls has asked [`Self::refusal`] in the same breath.
    pub fn debit(&mut self, cost: u64) {
        self.balance = self.balance.saturating_sub_unsigned(cost);
        self.used += cost;
    }

    /// Sets credits aside. Whoever calls has asked [`Self::refusal`] in the same breath.
    pub fn hold(&mut self, amount: u64) {
        self.balance = self.balance.saturating_sub_unsigned(amount);
        self.held += amount;
    }

    /// Adds a lot.
    pub fn add(&mut self, id: LotId, kind: LotKind, amount: u64, expires_at: Option<Timestamp>) {
        let since = self.spent();
        self.lots.insert(id, CreditLot { kind, amount, left: amount, expires_at, since });
        self.balance = self.balance.saturating_add_unsigned(amount);
        match kind {
            LotKind::Paid => self.purchased += amount,
            LotKind::Promo | LotKind::Test => self.granted += amount,
        }
        self.next_expiry = self.first_expiry();
        match kind {
            LotKind::Paid => self.alert = AlertThreshold::full(amount),
            // A gift is compared with only as long as nothing was ever bought.
            LotKind::Promo if self.purchased == 0 => self.alert = AlertThreshold::full(amount),
            LotKind::Promo => self.alert = AlertThreshold::full(self.alert.reference),
            LotKind::Test => {}
        }
    }

    /// Says whether the books balance: every credit that came is somewhere, and lots and numbers agree.
    pub fn is_balanced(&self) -> bool {
        let sum = |numbers: &[u64]| numbers.iter().map(|number| i128::from(*number)).sum::<i128>();
        let balance = i128::from(self.balance);
        let came = sum(&[self.purchased, self.granted]);
        let there = balance + sum(&[self.held, self.used, self.expired, self.clawed_back]);
        let in_lots = self.lots.values().map(|lot| i128::from(lot.left)).sum::<i128>();
        let carried_holds: Vec<&CarriedHolds> = self.carried.values().collect();
        let kept = carried_holds.iter().map(|carried_holds| i128::from(carried_holds.kept)).sum::<i128>();
        let unattributed = i128::from(self.spent()) - i128::from(self.attributed);
        came == there
            && in_lots - i128::from(self.debt) == balance + i128::from(self.held) - kept + unattributed
            && carried_holds.iter().all(|carried_holds| carried_holds.kept <= carried_holds.held)
            && carried_holds.iter().map(|carried_holds| carried_holds.held).sum::<u64>() <= self.held
    }

    /// Gives how much was spent of lots that had not expired: the line along which lots and debits are ordered.
    pub(super) fn spent(&self) -> u64 {
        self.used - self.late
    }

    pub(super) fn renew(&mut self, now: Timestamp) {
        let periods = now.since(self.anchor).as_millis() / TEST_PERIOD.as_millis() + 1;
        let ends = self.anchor.plus(TEST_PERIOD * u32::try_from(periods).unwrap_or(u32::MAX));
        self.add(LotId::mint(now), LotKind::Test, TEST_CREDITS, Some(ends));
    }

    pub(super) fn first_expiry(&self) -> Option<Timestamp> {
        self.lots.values().filter_map(|lot| lot.expires_at).min()
    }
}
