//! Due items: one sparse index over everything that `sweep` and `account-close` have to finish.

use std::collections::VecDeque;

use aws_sdk_dynamodb::operation::query::QueryInput;
use aws_sdk_dynamodb::operation::query::builders::QueryInputBuilder;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemInput};
use consigne_core::ports::{Due, FindDue};
use consigne_core::{Fault, Timestamp};

use crate::table::Table;
use crate::table::credits::hold_item;
use crate::table::files::file_item;
use crate::table::item::{Item, Reader, number, text};
use crate::table::jobs::job_item;
use crate::table::orders::order_item;
use crate::table::outbox;
use crate::table::people::{closings, deletions};
use crate::table::webhooks::delivery_item;

/// Attribute with an item's shard of the index.
pub(crate) const SHARD: &str = "due_shard";
/// Attribute with the time at which an item is due, in milliseconds.
pub(crate) const AT: &str = "due_at";
/// Number of shards of the index, so that thousands of writes a second do not go to one partition.
pub(crate) const SHARDS: u8 = 4;

/// Returns the shard of an item, from the last character of its ULID, which is random.
pub(crate) fn shard(id: &str) -> String {
    shard_name(shard_of(id))
}

/// Returns the name of a shard in the index.
pub(crate) fn shard_name(shard: u8) -> String {
    format!("DUE#{shard}")
}

/// Returns the number of an id's shard, from 0 to `SHARDS - 1`.
pub(crate) fn shard_of(id: &str) -> u8 {
    id.as_bytes().last().map_or(0, |byte| byte % SHARDS)
}

impl Table {
    /// Sets when an item is due next. Does nothing if the item does not exist.
    pub(crate) async fn postpone(&self, key: Item, until: Timestamp) -> Result<(), Fault> {
        let update = UpdateItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(key))
            .update_expression("SET due_at = :until")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":until", number(until.as_millis()));
        match self.client.send(update).await.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
            Ok(_) | Err(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(Fault::unavailable(error)),
        }
    }
}

/// The position of a walk over everything that is due: one part for each shard.
#[derive(Debug, Default)]
pub struct DueWalk([Stretch; SHARDS as usize]);

/// The position of a walk in one shard.
#[derive(Debug, Default)]
struct Stretch {
    /// Items read and not yet returned, the longest overdue first.
    read: VecDeque<(Timestamp, Due)>,
    /// Where the next page starts.
    next: Option<Item>,
    /// Whether the last page was read.
    over: bool,
}

impl FindDue for Table {
    type Walk = DueWalk;

    async fn find_due(&self, now: Timestamp, limit: u32, walk: &mut DueWalk) -> Result<Vec<Due>, Fault> {
        let mut found = Vec::new();
        while found.len() < limit as usize {
            for (shard, stretch) in (0_u8..).zip(&mut walk.0) {
                while stretch.read.is_empty() && !stretch.over {
                    self.read_due(shard, now, limit, stretch).await?;
                }
            }
            let waiting = walk.0.iter_mut().filter(|stretch| !stretch.read.is_empty());
            let longest = waiting.min_by_key(|stretch| stretch.read.front().map(|(at, _)| *at));
            let Some((_, due)) = longest.and_then(|stretch| stretch.read.pop_front()) else { break };
            found.push(due);
        }
        Ok(found)
    }
}

impl Table {
    /// Builds the query of what is due by `now` in a shard, the longest overdue first.
    pub(crate) fn due_query(&self, shard: u8, now: Timestamp) -> QueryInputBuilder {
        QueryInput::builder()
            .table_name(&self.name)
            .index_name("due")
            .key_condition_expression("due_shard = :shard AND due_at <= :now")
            .expression_attribute_values(":shard", text(shard_name(shard)))
            .expression_attribute_values(":now", number(now.as_millis()))
    }

    /// Reads a shard's next page. Leaves out closings and deletions, which `account-close` finishes.
    async fn read_due(&self, shard: u8, now: Timestamp, limit: u32, stretch: &mut Stretch) -> Result<(), Fault> {
        let query = self
            .due_query(shard, now)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(stretch.next.take());
        let page = self.client.send(query).await.map_err(Fault::unavailable)?;
        for item in page.items().iter().filter(|item| !closings::is_closing(item) && !deletions::is_deletion(item)) {
            stretch.read.push_back((Reader(item).time(AT)?, due(item)));
        }
        stretch.over = page.last_evaluated_key.is_none();
        stretch.next = page.last_evaluated_key;
        Ok(())
    }
}

fn due(item: &Item) -> Due {
    let reader = Reader(item);
    let due = match reader.optional_text("sk") {
        Some(outbox::SK) => outbox::read(item).map(Due::Event),
        Some(sk) if sk.starts_with(job_item::JOB) => job_item::read(item).map(|job| Due::Job(Box::new(job))),
        Some(delivery_item::SK) => delivery_item::read(item).map(|delivery| Due::Delivery(Box::new(delivery))),
        Some(order_item::SK) => order_item::read(item).map(|order| Due::Order(Box::new(order))),
        Some(hold_item::SK) => hold_item::read(item).map(|hold| Due::Hold(Box::new(hold))),
        _ => file_item::read(item).map(|file| Due::File(Box::new(file))),
    };
    // One unreadable item must not keep `sweep` from the others.
    due.unwrap_or_else(|_| Due::Unreadable(reader.optional_text("pk").unwrap_or_default().to_owned()))
}
