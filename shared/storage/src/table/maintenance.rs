//! Maintenance: walking through keys, deleting old counters, and expiring lots.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use consigne_aws::Backoff;
use consigne_core::credits::WalletId;
use consigne_core::keys::ApiKey;
use consigne_core::ports::{ExpireLots, ForgetPeriods, Listed, PageAsk, WalkKeys};
use consigne_core::{Fault, KeyId, OrgId, Timestamp};

use crate::table::Table;
use crate::table::credits::wallet_item;
use crate::table::credits::wallets::in_time;
use crate::table::keys::key_item;

/// Number of attributes that one update removes. An expression has at most 4 KB.
const REMOVED_AT_ONCE: usize = 100;

impl WalkKeys for Table {
    async fn walk_keys(&self, org: OrgId, page: &PageAsk) -> Result<Listed<ApiKey>, Fault> {
        self.page_without_total(None, self.keys_of(org), page, key_item::read).await
    }
}

impl ForgetPeriods for Table {
    async fn forget_periods(&self, org: OrgId, key: KeyId, periods: &[String]) -> Result<(), Fault> {
        for some in periods.chunks(REMOVED_AT_ONCE) {
            self.forget(org, key, some).await?;
        }
        Ok(())
    }
}

impl Table {
    async fn forget(&self, org: OrgId, key: KeyId, periods: &[String]) -> Result<(), Fault> {
        let mut backoff = Backoff::of_conflicts();
        let names: Vec<String> = (0..periods.len()).map(|at| format!("#p{at}")).collect();
        loop {
            let mut update = UpdateItemInput::builder()
                .table_name(&self.name)
                .set_key(Some(key_item::key_key(org, key)))
                .update_expression(format!("REMOVE {}", names.join(", ")))
                .condition_expression("attribute_exists(pk)");
            for (name, period) in names.iter().zip(periods) {
                update = update.expression_attribute_names(name, format!("{}{period}", key_item::USED));
            }
            let Err(error) = self.client.send(update).await else { return Ok(()) };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => return Ok(()),
                // A charge of the same key was under way.
                Some(UpdateItemError::TransactionConflictException(_)) if backoff.wait().await => {}
                _ => return Err(Fault::unavailable(error)),
            }
        }
    }
}

impl ExpireLots for Table {
    async fn expire_lots(&self, id: &WalletId, now: Timestamp) -> Result<bool, Fault> {
        let mut expired = false;
        loop {
            let Some(item) = self.get(wallet_item::wallet_key(id)).await? else { return Ok(expired) };
            let wallet = wallet_item::read(&item)?;
            if !wallet.is_stale(now) {
                return Ok(expired);
            }
            self.write_expiry(&wallet, now).await?;
            expired = true;
            // Nothing was written if a hold ended in between. So read the wallet again.
            in_time()?;
        }
    }
}
