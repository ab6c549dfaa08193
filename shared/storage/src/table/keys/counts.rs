//! The counts of an organisation's keys: those that are not deleted, and those issued in an hour.
//!
//! Organisations may be older than the count of keys. Until it is complete, it only records that keys came or went: then
//! the first new key counts those that exist, and the count is written if none has come or gone meanwhile.

use std::time::Duration;

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use consigne_core::keys::{KEYS_AN_HOUR, KEYS_MAX, KeyStatus, issuing_hour, too_many_keys};
use consigne_core::{Fault, OrgId, Timestamp};

use crate::table::Table;
use crate::table::item::{Item, Reader, count_one, key, number, org_pk, text};

/// Attribute with the number of keys that are not deleted.
const KEYS: &str = "key_count";
/// Attribute with the number of changes of the count. It only grows.
const CHANGES: &str = "changes";
/// Attribute that says that the count is complete.
const COUNTED: &str = "counted";

fn change(org: OrgId, by: i32) -> UpdateBuilder {
    Update::builder()
        .set_key(Some(key(org_pk(org), "KEYS")))
        .update_expression(format!("ADD {KEYS} :by, {CHANGES} :one"))
        .expression_attribute_values(":by", number(by))
        .expression_attribute_values(":one", number(1))
}

impl Table {
    /// Returns the write that counts a new key, on condition that the organisation may have one more and that the count
    /// is complete.
    pub(crate) fn add_key(&self, org: OrgId) -> Result<TransactWriteItem, Fault> {
        let update = change(org, 1)
            .condition_expression(format!("attribute_exists({COUNTED}) AND {KEYS} < :most"))
            .expression_attribute_values(":most", number(KEYS_MAX));
        self.update(update)
    }

    /// Returns the write that counts a key that an operator imports, whether the limit is reached or not.
    pub(crate) fn import_key(&self, org: OrgId) -> Result<TransactWriteItem, Fault> {
        self.update(change(org, 1))
    }

    /// Returns the write that counts a key less.
    pub(crate) fn drop_key(&self, org: OrgId) -> Result<TransactWriteItem, Fault> {
        self.update(change(org, -1))
    }

    /// Returns the write that counts an issued or rotated key, on condition that the hour's limit is not reached.
    pub(crate) fn count_issued(&self, org: OrgId, now: Timestamp) -> Result<TransactWriteItem, Fault> {
        let hour = issuing_hour(now);
        // The count is not needed after its hour. It is kept a day longer for investigations.
        let forgotten = hour.plus(Duration::from_hours(25));
        self.update(count_one(key(org_pk(org), format!("ISSUED#{hour}")), "issued", KEYS_AN_HOUR, forgotten))
    }

    /// Decides what a refused [`Self::add_key`] means, from the item that refused it. Completes the count if it is not
    /// complete, so that the caller can try again.
    ///
    /// # Errors
    /// `CONFLICT` if the organisation has too many keys.
    pub(crate) async fn complete_count(&self, org: OrgId, seen: &Item) -> Result<(), Fault> {
        if seen.contains_key(COUNTED) {
            return Err(too_many_keys());
        }
        let query = self
            .keys_of(org)
            .filter_expression("#status <> :deleted")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":deleted", text(KeyStatus::Deleted.name()));
        let keys = self.all(query).await?.len();
        let update = Update::builder()
            .set_key(Some(key(org_pk(org), "KEYS")))
            .update_expression(format!("SET {KEYS} = :keys, {COUNTED} = :yes"))
            .expression_attribute_values(":keys", number(keys))
            .expression_attribute_values(":yes", text("yes"));
        let update = match Reader(seen).optional_number::<u64>(CHANGES) {
            None => update.condition_expression(format!("attribute_not_exists({CHANGES})")),
            Some(changes) => update
                .condition_expression(format!("{CHANGES} = :changes AND attribute_not_exists({COUNTED})"))
                .expression_attribute_values(":changes", number(changes)),
        };
        // If this is refused, a key came or went, or somebody else has completed the count. The caller finds out.
        self.transact(vec![self.update(update)?]).await.map(drop)
    }
}
