//! A wallet as one would write it if nothing could go wrong: every debit taken from its lots at once.

use std::collections::HashMap;

use consigne_core::credits::{BucketKind, TEST_CREDITS, TEST_PERIOD, Wallet};
use consigne_core::{BucketId, Timestamp};

/// One lot.
#[derive(Clone, Debug)]
struct Lot {
    id: Option<BucketId>,
    kind: BucketKind,
    left: u64,
    expires_at: Option<Timestamp>,
}

/// The model.
#[derive(Clone, Debug, Default)]
pub struct Model {
    lots: Vec<Lot>,
    came: u64,
    used: u64,
    expired: u64,
    /// When a test wallet was first used.
    anchor: Option<Timestamp>,
    /// Receipts by idempotency key: what was charged.
    receipts: HashMap<String, u64>,
}

/// What a debit comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Debit {
    Charged,
    Replayed,
    Mismatch,
    Refused,
}

impl Model {
    pub fn grant(
        &mut self,
        id: BucketId,
        kind: BucketKind,
        amount: u64,
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.expire(now);
        self.came += amount;
        self.lots.push(Lot { id: Some(id), kind, left: amount, expires_at });
    }

    pub fn debit(&mut self, cost: u64, key: &str, test: bool, now: Timestamp) -> Debit {
        match self.receipts.get(key) {
            Some(before) if *before == cost => return Debit::Replayed,
            Some(_) => return Debit::Mismatch,
            None => {}
        }
        if test && self.anchor.is_none() {
            self.anchor = Some(now);
            self.renew(now);
        }
        self.expire(now);
        if self.balance() < cost {
            return Debit::Refused;
        }
        self.lots.sort_by_key(|lot| (lot.kind, lot.expires_at.is_none(), lot.expires_at, lot.id));
        let mut rest = cost;
        for lot in &mut self.lots {
            let taken = rest.min(lot.left);
            lot.left -= taken;
            rest -= taken;
        }
        self.used += cost;
        self.receipts.insert(key.to_owned(), cost);
        Debit::Charged
    }

    pub fn balance(&self) -> u64 {
        self.lots.iter().map(|lot| lot.left).sum()
    }

    fn expire(&mut self, now: Timestamp) {
        let over = |lot: &Lot| lot.expires_at.is_some_and(|end| end <= now);
        let ended = self.lots.iter().any(over);
        self.expired += self.lots.iter().filter(|lot| over(lot)).map(|lot| lot.left).sum::<u64>();
        self.lots.retain(|lot| !over(lot));
        if ended && self.anchor.is_some() {
            self.renew(now);
        }
    }

    /// Begins a period of a test wallet.
    fn renew(&mut self, now: Timestamp) {
        let anchor = self.anchor.expect("a test wallet has an anchor");
        let mut ends = anchor;
        while ends <= now {
            ends = ends.plus(TEST_PERIOD);
        }
        self.came += TEST_CREDITS;
        self.lots.push(Lot { id: None, kind: BucketKind::Test, left: TEST_CREDITS, expires_at: Some(ends) });
    }

    /// Says in what a wallet, settled as of a moment, differs from this.
    pub fn difference(&self, wallet: &Wallet, now: Timestamp) -> Option<String> {
        let mut model = self.clone();
        model.expire(now);
        if !wallet.is_balanced() {
            return Some(format!("the books do not balance: {wallet:?}"));
        }
        let want = [model.balance(), model.used, model.expired, model.came];
        let got = [wallet.balance, wallet.used, wallet.expired, wallet.purchased + wallet.granted];
        if want != got {
            return Some(format!("balance, used, expired and came are {got:?}, should be {want:?}"));
        }
        for lot in &model.lots {
            let known =
                wallet.buckets.iter().find(|(id, bucket)| lot.id.map_or(bucket.kind == lot.kind, |own| own == **id));
            let left = known.map_or(0, |(_, bucket)| bucket.left);
            if left != lot.left {
                return Some(format!("lot {lot:?} has {left} left"));
            }
        }
        None
    }
}
