//! The ledger of credits.
//!
//! A debit touches two numbers, `balance` and `used`, and nothing else, so that it is one conditional write. Which lot of
//! credits it was taken from (promotional before paid, soonest to expire first) is worked out later, by [`Wallet::settled`],
//! at the latest when a lot expires: until that has been done no debit passes, so nothing is ever spent from a lot that is
//! gone, nor attributed to one that came later.
//!
//! At any time `balance + held + used + expired + clawed_back == purchased + granted`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{BucketId, OrgId, Timestamp, UserId};

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
pub enum BucketKind {
    Promo,
    Paid,
    Test,
}

impl BucketKind {
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
pub struct Bucket {
    /// Where it comes from.
    pub kind: BucketKind,
    /// Credits it brought.
    pub amount: u64,
    /// Credits not yet attributed to a debit.
    pub left: u64,
    /// When what is left of it is lost.
    pub expires_at: Option<Timestamp>,
    /// The wallet's `used` when it came: debits before that are none of its.
    pub since: u64,
}

/// A wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Whose it is.
    pub id: WalletId,
    /// Whether anything may be spent from it.
    pub open: bool,
    /// Credits to spend.
    pub balance: u64,
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
    /// Credits ever taken back after a refund.
    pub clawed_back: u64,
    /// How much of `used` has been attributed to lots.
    pub attributed: u64,
    /// When the first lot expires; from then on the wallet must be settled before anything is spent.
    pub next_expiry: Option<Timestamp>,
    /// When the wallet was made.
    pub anchor: Timestamp,
    /// Its lots.
    pub buckets: BTreeMap<BucketId, Bucket>,
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
            attributed: 0,
            next_expiry: None,
            anchor,
            buckets: BTreeMap::new(),
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
        (self.balance < cost).then_some(WalletRefusal::Insufficient)
    }

    /// Says whether a lot has expired and the wallet was not settled since.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.next_expiry.is_some_and(|expiry| expiry <= now)
    }

    /// Spends credits. Whoever calls has asked [`Self::refusal`] in the same breath.
    pub fn debit(&mut self, cost: u64) {
        self.balance -= cost;
        self.used += cost;
    }

    /// Adds a lot.
    pub fn add(&mut self, id: BucketId, kind: BucketKind, amount: u64, expires_at: Option<Timestamp>) {
        let since = self.used;
        self.buckets.insert(id, Bucket { kind, amount, left: amount, expires_at, since });
        self.balance += amount;
        match kind {
            BucketKind::Paid => self.purchased += amount,
            BucketKind::Promo | BucketKind::Test => self.granted += amount,
        }
        self.next_expiry = self.first_expiry();
    }

    /// Gives the wallet with every debit attributed to its lot, and what had expired by `now` gone.
    ///
    /// Right only because no debit passes between a lot's expiry and this.
    #[must_use]
    pub fn settled(&self, now: Timestamp) -> Self {
        let mut wallet = self.clone();
        wallet.attribute();
        for bucket in wallet.buckets.values_mut() {
            if bucket.expires_at.is_some_and(|expiry| expiry <= now) {
                wallet.balance -= bucket.left;
                wallet.expired += bucket.left;
                bucket.left = 0;
            }
        }
        let over = |bucket: &Bucket| bucket.expires_at.is_some_and(|expiry| expiry <= now);
        // A spent lot says nothing any more; but a test lot's end is also the beginning of the next.
        wallet.buckets.retain(|_, bucket| !over(bucket) && (bucket.left > 0 || bucket.kind == BucketKind::Test));
        if matches!(wallet.id, WalletId::Test(_)) && wallet.buckets.is_empty() {
            wallet.renew(now);
        }
        wallet.next_expiry = wallet.first_expiry();
        wallet
    }

    /// Says whether the books balance: every credit that came is somewhere, and lots and numbers agree.
    pub fn is_balanced(&self) -> bool {
        let came = self.purchased + self.granted;
        let there = self.balance + self.held + self.used + self.expired + self.clawed_back;
        let in_lots: u64 = self.buckets.values().map(|bucket| bucket.left).sum();
        let unattributed = self.used - self.attributed;
        came == there && in_lots == self.balance + self.held + unattributed
    }

    /// Attributes what was spent to lots: promotional before paid, soonest to expire first, and each debit only to lots
    /// that were there when it was made.
    fn attribute(&mut self) {
        while self.attributed < self.used {
            let next_lot =
                self.buckets.values().map(|bucket| bucket.since).filter(|since| *since > self.attributed).min();
            let until = next_lot.unwrap_or(self.used).min(self.used);
            let mut spent = until - self.attributed;
            let mut order: Vec<BucketId> = self.buckets.keys().copied().collect();
            order.retain(|id| self.buckets[id].since <= self.attributed);
            order.sort_by_key(|id| {
                let bucket = &self.buckets[id];
                (bucket.kind, bucket.expires_at.is_none(), bucket.expires_at, *id)
            });
            for id in order {
                if let Some(bucket) = self.buckets.get_mut(&id) {
                    let taken = spent.min(bucket.left);
                    bucket.left -= taken;
                    spent -= taken;
                }
            }
            debug_assert_eq!(spent, 0, "more was spent than there was");
            self.attributed = until;
        }
    }

    fn renew(&mut self, now: Timestamp) {
        let periods = now.since(self.anchor).as_millis() / TEST_PERIOD.as_millis() + 1;
        let ends = self.anchor.plus(TEST_PERIOD * u32::try_from(periods).unwrap_or(u32::MAX));
        self.add(BucketId::mint(now), BucketKind::Test, TEST_CREDITS, Some(ends));
    }

    fn first_expiry(&self) -> Option<Timestamp> {
        self.buckets.values().filter_map(|bucket| bucket.expires_at).min()
    }
}
