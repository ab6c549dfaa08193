//! Wallets: reading, granting credits, and expiring lots. Debits are in [`crate::table::credits::debit`].

use aws_sdk_dynamodb::types::TransactWriteItem;
use consigne_aws::budget;
use consigne_core::credits::{CreditGrant, CreditGrantOutcome, Wallet, WalletId};
use consigne_core::events::Event;
use consigne_core::ports::{GetWallet, GrantCredits};
use consigne_core::{Fault, OrgId, Timestamp};

use crate::table::credits::wallet_change::WalletChange;
use crate::table::credits::wallet_item::{DELETED, read, wallet_key, write};
use crate::table::item::{key, number, org_pk, text};
use crate::table::outbox;
use crate::table::transact::{Outcome, failed_at};
use crate::table::{Table, audit};

/// Index of the grant in its transaction.
const GRANT: usize = 0;

impl GetWallet for Table {
    async fn get_wallet(&self, id: &WalletId, now: Timestamp) -> Result<Option<Wallet>, Fault> {
        let item = self.get(wallet_key(id)).await?;
        match (item, id) {
            (Some(item), _) => Ok(Some(read(&item)?.with_lots_expired(now))),
            (None, WalletId::Test(user)) => Ok(Some(Wallet::of_tester(user.clone(), now))),
            (None, WalletId::Organisation(_)) => Ok(None),
        }
    }
}

impl GrantCredits for Table {
    async fn grant_credits(&self, grant: &CreditGrant) -> Result<CreditGrantOutcome, Fault> {
        loop {
            let Some(wallet) = self.wallet_to_credit(grant.org, grant.now).await? else {
                return Ok(CreditGrantOutcome::NoSuchOrganisation);
            };
            let Outcome::Refused(failed) = self.transact(self.grant_of_credits(grant, &wallet)?).await? else {
                return Ok(CreditGrantOutcome::Granted);
            };
            if failed_at(&failed, GRANT).is_some() {
                return Ok(CreditGrantOutcome::GrantedBefore);
            }
            // The wallet's lots have changed since it was read.
            in_time()?;
        }
    }
}

impl Table {
    fn grant_of_credits(&self, grant: &CreditGrant, seen: &Wallet) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut given = key(org_pk(grant.org), format!("LOT#{}", grant.id));
        given.insert("amount".to_owned(), number(grant.amount));
        given.insert("kind".to_owned(), text(grant.kind.name()));
        given.insert("at".to_owned(), number(grant.now.as_millis()));
        // This also drops spent lots. In a wallet whose lots never expire, nothing else does.
        let mut wallet = seen.with_lots_expired(grant.now);
        wallet.add(grant.id, grant.kind, grant.amount, grant.expires_at);
        let mut writes =
            vec![self.put_new(given)?, self.put(audit::write(&grant.audit))?, self.put(outbox::write(&grant.event))?];
        let alert = wallet.alert(grant.now);
        writes.extend(self.wallet_writes(WalletChange::between(seen, &wallet), alert)?);
        Ok(writes)
    }

    /// Returns the writes of a wallet's change: the wallet, and the event in `alert` if the change crosses an alert
    /// threshold.
    pub(crate) fn wallet_writes(
        &self,
        change: WalletChange,
        alert: Option<(u8, Event)>,
    ) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut writes = vec![self.update(change.build())?];
        if let Some((_, event)) = alert {
            writes.push(self.put(outbox::write(&event))?);
        }
        Ok(writes)
    }

    /// Reads an organisation's wallet in order to change it, after expiring lots that are due. Returns `None` if there
    /// is no wallet.
    pub(crate) async fn wallet_to_change(&self, org: OrgId, now: Timestamp) -> Result<Option<Wallet>, Fault> {
        Ok(self.fresh_wallet(org, now).await?.map(|(wallet, _)| wallet))
    }

    /// Reads an organisation's wallet in order to add credits. Returns `None` if there is no wallet, or if the
    /// organisation is deleted.
    pub(crate) async fn wallet_to_credit(&self, org: OrgId, now: Timestamp) -> Result<Option<Wallet>, Fault> {
        Ok(self.fresh_wallet(org, now).await?.filter(|(_, deleted)| !deleted).map(|(wallet, _)| wallet))
    }

    /// Reads a wallet after expiring lots that are due, and whether its organisation is deleted.
    async fn fresh_wallet(&self, org: OrgId, now: Timestamp) -> Result<Option<(Wallet, bool)>, Fault> {
        loop {
            let item = self.get(wallet_key(&WalletId::Organisation(org))).await?;
            let deleted = item.as_ref().is_some_and(|item| item.contains_key(DELETED));
            let Some(wallet) = item.as_ref().map(read).transpose()? else { return Ok(None) };
            if !wallet.is_stale(now) {
                return Ok(Some((wallet, deleted)));
            }
            self.write_expiry(&wallet, now).await?;
            in_time()?;
        }
    }

    /// Expires the lots of a wallet that are due. Does nothing if the wallet has changed since it was read.
    pub(crate) async fn write_expiry(&self, seen: &Wallet, now: Timestamp) -> Result<(), Fault> {
        let mut wallet = seen.with_lots_expired(now);
        let alert = wallet.alert(now);
        let change = WalletChange::between(seen, &wallet).undisturbed(seen);
        self.transact(self.wallet_writes(change, alert)?).await.map(drop)
    }

    /// Creates a person's test wallet at its first use, unless it exists by now.
    pub(crate) async fn make_test_wallet(&self, wallet: &Wallet) -> Result<(), Fault> {
        // Not a plain `PutItem`: `transact` also retries after a conflict with a concurrent charge of the same wallet.
        self.transact(vec![self.put_new(write(wallet))?]).await.map(drop)
    }
}

/// Requires that the invocation has time for another try.
///
/// # Errors
/// `UNAVAILABLE` if the invocation has no time left.
pub(crate) fn in_time() -> Result<(), Fault> {
    if budget::remaining().is_zero() { Err(Fault::unavailable("the wallet kept changing")) } else { Ok(()) }
}
