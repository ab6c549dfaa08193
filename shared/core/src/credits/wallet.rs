//! Wallets: the ledger of credits.
//!
//! A debit changes only the numbers `balance` and `used`, so that it is one conditional write.
//! [`Wallet::with_lots_expired`] later attributes it to a lot: promotional before paid, soonest to expire first. This
//! is done at the latest when a lot expires, and no debit is admitted until then. So a debit is never taken from a lot
//! that had expired, nor from a lot that was added later.
//!
//! A hold moves credits from `balance` to `held` and takes them from no lot. Settling it is a debit at that moment. If
//! a lot expires while holds are open, the part of it that covers these holds stays reserved for them. Whatever they do
//! not settle expires when they end: see [`CarriedHolds`]. So a hold never loses its credits, and no credits outlive
//! the last hold that they cover.
//!
//! At all times `balance + held + used + expired + clawed_back == purchased + granted`. Only `balance` may be negative.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AlertThreshold;
use crate::{LotId, OrgId, Timestamp, UserId};

/// Credits in a test wallet at the start of each of its periods.
pub const TEST_CREDITS: u64 = 100;
/// Length of a test wallet's period. The first starts when the wallet is created.
pub const TEST_PERIOD: Duration = Duration::from_hours(24 * 30);

/// Identifies a wallet by its owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalletId {
    /// An organisation's wallet, spent by its production keys.
    Organisation(OrgId),
    /// A person's test wallet, spent by the test keys they created.
    Test(UserId),
}

/// Where credits come from, in the order in which they are spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum LotKind {
    Promo,
    Paid,
    Test,
}

impl LotKind {
    /// Returns the kind's name in the API and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promo => "promo",
            Self::Paid => "paid",
            Self::Test => "test",
        }
    }

    /// Parses a name that [`Self::name`] returned.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Promo, Self::Paid, Self::Test].into_iter().find(|kind| kind.name() == name)
    }
}

/// Credits that came together and expire together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditLot {
    /// Where the credits come from.
    pub kind: LotKind,
    /// Number of credits at the start.
    pub amount: u64,
    /// Credits not yet attributed to a debit.
    pub left: u64,
    /// When the rest of it expires; `None` if never.
    pub expires_at: Option<Timestamp>,
    /// The wallet's `used - late` when the lot was added. Debits before that are not attributed to it.
    pub since: u64,
}

/// Open holds of one past expiry epoch: they were opened before a lot expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarriedHolds {
    /// Credits that these holds reserve.
    pub held: u64,
    /// How many of those come from expired lots. Never more than `held`.
    pub kept: u64,
}

/// A wallet of credits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Whose wallet it is.
    pub id: WalletId,
    /// Whether anything may be spent from it. An organisation's wallet is closed while the organisation is suspended.
    pub open: bool,
    /// Credits to spend. Negative if more was clawed back than was left.
    pub balance: i64,
    /// Credits reserved by open holds.
    pub held: u64,
    /// Credits ever spent, by charges and by settled holds.
    pub used: u64,
    /// Credits ever added by purchases.
    pub purchased: u64,
    /// Credits ever added by gifts and as monthly test allowance.
    pub granted: u64,
    /// Credits that have expired so far.
    pub expired: u64,
    /// Credits clawed back after refunds or disputes.
    pub clawed_back: u64,
    /// The part of `used` that holds have spent from lots that had expired. It needs no attribution, because it was
    /// taken from those lots when the hold ended.
    pub late: u64,
    /// How much of `used - late` has been attributed to lots.
    pub attributed: u64,
    /// Credits that were spent or clawed back and that no lot covered. Later lots pay them.
    pub debt: u64,
    /// The current expiry epoch. It grows whenever lots expire while holds are open, and each hold remembers the epoch
    /// it was opened in.
    pub expiry_epoch: u32,
    /// Open holds of past epochs, by epoch.
    pub carried: BTreeMap<u32, CarriedHolds>,
    /// The next balance alert.
    pub alert: AlertThreshold,
    /// Number of writes other than debits, holds and releases. Such a write is conditional on the revision that was
    /// read.
    pub revision: u64,
    /// When the first lot expires; `None` if no lot does. From then on no debit is admitted until the expired lots are
    /// removed.
    pub next_expiry: Option<Timestamp>,
    /// When the wallet was created. A test wallet's periods are counted from then.
    pub anchor: Timestamp,
    /// Its lots, by id.
    pub lots: BTreeMap<LotId, CreditLot>,
}

/// Why a wallet refuses a debit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletRefusal {
    /// The wallet is closed.
    Closed,
    /// A lot has expired and was not yet removed.
    Stale,
    /// The balance is too low.
    Insufficient,
}

impl Wallet {
    /// Returns the wallet of a new organisation, which is empty.
    pub fn of_organisation(org: OrgId, now: Timestamp) -> Self {
        Self::empty(WalletId::Organisation(org), now)
    }

    /// Returns a person's new test wallet, with its first credits.
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

    /// Returns why a debit of `cost` would be refused, if it would.
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

    /// Returns whether a lot has expired and was not yet removed.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.next_expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Spends credits. The caller must have checked [`Self::refusal`] on the same state.
    pub fn debit(&mut self, cost: u64) {
        self.balance = self.balance.saturating_sub_unsigned(cost);
        self.used += cost;
    }

    /// Reserves credits. The caller must have checked [`Self::refusal`] on the same state.
    pub fn hold(&mut self, amount: u64) {
        self.balance = self.balance.saturating_sub_unsigned(amount);
        self.held += amount;
    }

    /// Adds a lot of credits.
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
            // A gift sets the reference of balance alerts only if nothing was ever bought.
            LotKind::Promo if self.purchased == 0 => self.alert = AlertThreshold::full(amount),
            LotKind::Promo => self.alert = AlertThreshold::full(self.alert.reference),
            LotKind::Test => {}
        }
    }

    /// Returns whether every credit that was ever added is accounted for, and the lots agree with the totals.
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

    /// Returns how much was spent from lots that had not expired. This number orders lots and debits: see
    /// [`CreditLot::since`].
    pub(super) fn spent(&self) -> u64 {
        self.used - self.late
    }

    /// Adds the test credits of the period in which `now` lies.
    pub(super) fn renew(&mut self, now: Timestamp) {
        let periods = now.since(self.anchor).as_millis() / TEST_PERIOD.as_millis() + 1;
        let ends = self.anchor.plus(TEST_PERIOD * u32::try_from(periods).unwrap_or(u32::MAX));
        self.add(LotId::mint(now), LotKind::Test, TEST_CREDITS, Some(ends));
    }

    /// Returns when the first lot expires.
    pub(super) fn first_expiry(&self) -> Option<Timestamp> {
        self.lots.values().filter_map(|lot| lot.expires_at).min()
    }
}
