//! Wallets: read, filled and settled. What is charged to them stands in [`super::charge`].

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use consigne_core::credits::{Bucket, BucketKind, CreditGrant, CreditGrantOutcome, Wallet, WalletId};
use consigne_core::ports::{GetWallet, GrantCredits};
use consigne_core::{Fault, Timestamp};

use super::item::{key, number, org_pk, text};
use super::transact::{Outcome, failed_at};
use super::wallet_item::{lot, lot_attribute, numbers, read, since_attribute, status, wallet_key, write};
use super::{Table, audit};
use crate::call;

impl GetWallet for Table {
    async fn get_wallet(&self, id: &WalletId, now: Timestamp) -> Result<Option<Wallet>, Fault> {
        let item = self.get(wallet_key(id)).await?;
        match (item, id) {
            (Some(item), _) => Ok(Some(read(&item)?.settled(now))),
            (None, WalletId::Test(user)) => Ok(Some(Wallet::of_tester(user.clone(), now))),
            (None, WalletId::Organisation(_)) => Ok(None),
        }
    }
}

impl GrantCredits for Table {
    async fn grant_credits(&self, grant: &CreditGrant) -> Result<CreditGrantOutcome, Fault> {
        let id = WalletId::Organisation(grant.org);
        loop {
            let Some(item) = self.get(wallet_key(&id)).await? else {
                return Ok(CreditGrantOutcome::NoSuchOrganisation);
            };
            let wallet = read(&item)?;
            if wallet.is_stale(grant.now) {
                self.settle(&wallet, grant.now).await?;
                continue;
            }
            let Outcome::Refused(failed) = self.transact(self.credit_writes(grant, &wallet)?).await? else {
                return Ok(CreditGrantOutcome::Granted);
            };
            if failed_at(&failed, 1).is_some() {
                return Ok(CreditGrantOutcome::GrantedBefore);
            }
            // Another lot with an expiry came in between.
            if call::remaining().is_zero() {
                return Err(Fault::unavailable("the wallet kept changing"));
            }
        }
    }
}

impl Table {
    fn credit_writes(&self, grant: &CreditGrant, seen: &Wallet) -> Result<Vec<TransactWriteItem>, Fault> {
        let bucket = Bucket {
            kind: grant.kind,
            amount: grant.amount,
            left: grant.amount,
            expires_at: grant.expires_at,
            since: 0,
        };
        let total = if grant.kind == BucketKind::Paid { "purchased" } else { "granted" };
        let mut update = Update::builder()
            .set_key(Some(wallet_key(&seen.id)))
            .expression_attribute_names("#lot", lot_attribute(grant.id))
            .expression_attribute_names("#since", since_attribute(grant.id))
            .expression_attribute_names("#total", total)
            .expression_attribute_values(":lot", text(lot(&bucket)))
            .expression_attribute_values(":amount", number(grant.amount));
        let mut set = "SET #lot = :lot, #since = used".to_owned();
        // Debits may go on meanwhile; only the first expiry, which nothing can work out within the write, must be as seen.
        let condition = match seen.next_expiry {
            Some(first) => {
                update = update.expression_attribute_values(":seen", number(first.as_millis()));
                "next_expiry = :seen"
            }
            None => "attribute_exists(pk) AND attribute_not_exists(next_expiry)",
        };
        if let Some(expiry) = grant.expires_at.filter(|expiry| seen.next_expiry.is_none_or(|first| *expiry < first)) {
            set.push_str(", next_expiry = :expiry");
            update = update.expression_attribute_values(":expiry", number(expiry.as_millis()));
        }
        let update = update
            .update_expression(format!("{set} ADD balance :amount, #total :amount"))
            .condition_expression(condition);
        let mut given = key(org_pk(grant.org), format!("LOT#{}", grant.id));
        given.insert("amount".to_owned(), number(grant.amount));
        given.insert("kind".to_owned(), text(grant.kind.name()));
        given.insert("at".to_owned(), number(grant.now.as_millis()));
        Ok(vec![self.update(update)?, self.put_new(given)?, self.put(audit::write(&grant.audit))?])
    }

    /// Settles a wallet in which a lot has expired, unless somebody else does.
    pub(super) async fn settle(&self, seen: &Wallet, now: Timestamp) -> Result<(), Fault> {
        let mut put = Put::builder().table_name(&self.name).set_item(Some(write(&seen.settled(now))));
        let mut conditions = vec!["wallet_status = :status".to_owned()];
        put = put.expression_attribute_values(":status", text(status(seen.open)));
        for (name, value) in numbers(seen) {
            conditions.push(format!("#{name} = :{name}"));
            put = put.expression_attribute_names(format!("#{name}"), name);
            put = put.expression_attribute_values(format!(":{name}"), number(value));
        }
        if let Some(expiry) = seen.next_expiry {
            conditions.push("next_expiry = :expiry".to_owned());
            put = put.expression_attribute_values(":expiry", number(expiry.as_millis()));
        }
        self.put_unless_moved(put.condition_expression(conditions.join(" AND "))).await
    }

    /// Makes a person's test wallet at their first use of it, unless somebody else does.
    pub(super) async fn make_test_wallet(&self, wallet: &Wallet) -> Result<(), Fault> {
        let put = Put::builder().table_name(&self.name).set_item(Some(write(wallet)));
        self.put_unless_moved(put.condition_expression("attribute_not_exists(pk)")).await
    }

    /// Writes on a condition whose failure is somebody else's success. As a transaction, since those wait for each other;
    /// charges of the same wallet are under way.
    async fn put_unless_moved(&self, put: PutBuilder) -> Result<(), Fault> {
        let put = put.build().map_err(Fault::internal)?;
        self.transact(vec![TransactWriteItem::builder().put(put).build()]).await.map(drop)
    }
}
