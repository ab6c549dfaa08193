//! Ledgers against the sums of their owners' records.

use std::collections::{BTreeMap, BTreeSet};

use consigne_core::reconcile::{Finding, FindingKind, LedgerSums, Recorded};
use consigne_core::{Fault, UserId};

use super::{ReconcileBucket, ReconcileTable, Reconciler};

impl<T: ReconcileTable, B: ReconcileBucket> Reconciler<'_, T, B> {
    /// Compares the sums of users' records with their ledgers. Returns those that differ.
    pub(super) async fn wrong_ledgers(&self, sums: &BTreeMap<UserId, LedgerSums>) -> Result<Vec<Finding>, Fault> {
        if sums.is_empty() {
            return Ok(Vec::new());
        }
        let owners: BTreeSet<UserId> = sums.keys().cloned().collect();
        let ledgers = self.table.get_ledger_sums(&owners).await?;
        let mut found = Vec::new();
        for (owner, sums) in sums {
            if ledgers.get(owner).copied().unwrap_or_default() != *sums {
                found.extend(self.recount(owner).await?);
            }
        }
        Ok(found)
    }

    /// Counts a user's records again, all at once. Nothing can be said of a ledger that changes meanwhile, nor of one with
    /// a record that cannot be read.
    async fn recount(&self, owner: &UserId) -> Result<Option<Finding>, Fault> {
        let before = self.ledger(owner).await?;
        let (mut sums, mut after) = (LedgerSums::default(), None);
        loop {
            let (records, next) = self.table.walk_records(owner, (None, None), after).await?;
            for record in records {
                let Recorded::File(file) = record else { return Ok(None) };
                sums.add(&file);
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        if self.ledger(owner).await? != before || sums == before {
            return Ok(None);
        }
        let (key, reason) = (owner.to_string(), sums.difference(&before));
        let kind = FindingKind::LedgerDiffers;
        Ok(Some(Finding { kind, key, version: None, size: None, at: None, reason }))
    }

    async fn ledger(&self, owner: &UserId) -> Result<LedgerSums, Fault> {
        let found = self.table.get_ledger_sums(&BTreeSet::from([owner.clone()])).await?;
        Ok(found.get(owner).copied().unwrap_or_default())
    }
}
