//! What is due: one sparse index over everything that must not be forgotten.

use consigne_core::ports::{Due, FindDue};
use consigne_core::{Fault, Timestamp};

use super::item::{Reader, number, text};
use super::{Table, file_item, outbox};

/// Attribute that holds an item's shard of the index.
pub(super) const SHARD: &str = "due_shard";
/// Attribute that holds when an item is due, in milliseconds.
pub(super) const AT: &str = "due_at";
/// Shards of the index, so that thousands of writes a second do not meet in one partition.
const SHARDS: u8 = 4;

/// Chooses the shard of an item by the last character of its ULID, which is random.
pub(super) fn shard(id: &str) -> String {
    format!("DUE#{}", id.as_bytes().last().map_or(0, |byte| byte % SHARDS))
}

impl FindDue for Table {
    async fn find_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Due>, Fault> {
        let mut found: Vec<(Timestamp, Due)> = Vec::new();
        for shard in 0..SHARDS {
            let page = self
                .client
                .query()
                .table_name(&self.name)
                .index_name("due")
                .key_condition_expression("due_shard = :shard AND due_at <= :now")
                .expression_attribute_values(":shard", text(format!("DUE#{shard}")))
                .expression_attribute_values(":now", number(now.as_millis()))
                .limit(i32::try_from(limit).unwrap_or(i32::MAX))
                .send()
                .await
                .map_err(Fault::unavailable)?;
            for item in page.items() {
                let reader = Reader(item);
                let at = reader.time(AT)?;
                let due = if reader.optional_text("sk") == Some(outbox::SK) {
                    outbox::read(item).map(Due::Event)
                } else {
                    file_item::read(item).map(|file| Due::File(Box::new(file)))
                };
                // One odd item must not keep all others from being looked after.
                let unreadable = |_| Due::Unreadable(reader.optional_text("pk").unwrap_or_default().to_owned());
                let due = due.unwrap_or_else(unreadable);
                found.push((at, due));
            }
        }
        found.sort_by_key(|(at, _)| *at);
        found.truncate(limit as usize);
        Ok(found.into_iter().map(|(_, due)| due).collect())
    }
}
