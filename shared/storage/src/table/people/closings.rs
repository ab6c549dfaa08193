//! Closed accounts: a tombstone, which is kept for ever, and a closing, which is deleted once the account's data is. An
//! erased order has a closing, too.

use aws_sdk_dynamodb::types::{ConditionCheck, Delete, Put, TransactWriteItem, Update};
use consigne_core::audit::AuditEntry;
use consigne_core::events::Event;
use consigne_core::idempotency::{CommitOutcome, WriteOutcome};
use consigne_core::ports::{
    CloseAccount, DueClosings, EndClosing, EraseAccount, FindClosings, PostponeClosing, ReopenAccount, Reopened,
};
use consigne_core::profiles::{ClosedBecause, Closing, Sighting};
use consigne_core::webhooks::Received;
use consigne_core::{Fault, Timestamp, UserId};

use crate::table::files::ledger_item;
use crate::table::item::{Item, Reader, key, number, text, user_pk};
use crate::table::people::deletions;
use crate::table::people::profiles::{CLOSED_AT, OPEN, profile_key};
use crate::table::transact::Outcome;
use crate::table::{Table, audit, due, outbox};

/// Sort key of every closing.
const SK: &str = "CLOSING";

/// Builds the item of a closing.
pub(crate) fn write(closing: &Closing) -> Item {
    let mut item = key(user_pk(&closing.user), SK);
    item.insert("closed_at".to_owned(), number(closing.closed_at.as_millis()));
    item.insert(due::SHARD.to_owned(), text(due::shard(closing.user.as_str())));
    item.insert(due::AT.to_owned(), number(closing.due_at.as_millis()));
    item
}

/// Returns whether a due item is a closing that [`FindClosings`] finds. A malformed closing without `closed_at` is not,
/// so `sweep` reports it as unreadable.
pub(crate) fn is_closing(item: &Item) -> bool {
    Reader(item).optional_text("sk") == Some(SK) && item.contains_key("closed_at")
}

/// Reads a closing from its item.
fn read(item: &Item) -> Result<Closing, Fault> {
    let reader = Reader(item);
    Ok(Closing {
        user: reader.parsed("pk", |pk| UserId::parse_owner(pk.strip_prefix("USER#")?))?,
        closed_at: reader.time("closed_at")?,
        due_at: reader.time(due::AT)?,
    })
}

impl Table {
    /// Returns the writes that close an account. The first has the condition that it is open.
    fn closing(&self, closing: &Closing, event: &Event) -> Result<Vec<TransactWriteItem>, Fault> {
        // The tombstone replaces the person's whole profile.
        let mut tombstone = profile_key(&closing.user);
        tombstone.insert(CLOSED_AT.to_owned(), number(closing.closed_at.as_millis()));
        let tombstone = Put::builder().set_item(Some(tombstone)).condition_expression(OPEN);
        // Grants write the ledger, so they find the tombstone there without another item in their transaction.
        let ledger = Update::builder()
            .set_key(Some(ledger_item::key(&closing.user)))
            .update_expression(format!("SET {CLOSED_AT} = :at"))
            .expression_attribute_values(":at", number(closing.closed_at.as_millis()));
        Ok(vec![
            self.put_if(tombstone)?,
            self.put(write(closing))?,
            self.update(ledger)?,
            self.put(outbox::write(event))?,
        ])
    }
}

impl CloseAccount for Table {
    async fn close_account(&self, closing: &Closing, received: &Received) -> Result<WriteOutcome, Fault> {
        let event = closing.event(ClosedBecause::Deleted);
        self.transact_webhook(received, self.closing(closing, &event)?).await
    }
}

impl EraseAccount for Table {
    async fn erase_account(&self, closing: &Closing, event: &Event, audit: Option<&AuditEntry>) -> Result<(), Fault> {
        let mut writes = self.closing(closing, event)?;
        if let Some(entry) = audit {
            writes.push(self.put(audit::write(entry))?);
        }
        // The only condition is that the account is open, and `transact` makes the 401 of it.
        match self.commit(writes).await? {
            CommitOutcome::Committed => Ok(()),
            CommitOutcome::Conflict => Err(Sighting::closed()),
        }
    }
}

impl ReopenAccount for Table {
    async fn reopen_account(&self, user: &UserId, audit: &AuditEntry) -> Result<Reopened, Fault> {
        let closed = format!("attribute_exists({CLOSED_AT})");
        let profile = Delete::builder().set_key(Some(profile_key(user))).condition_expression(closed);
        let ended = ConditionCheck::builder()
            .set_key(Some(key(user_pk(user), SK)))
            .condition_expression("attribute_not_exists(pk)");
        let ledger =
            Update::builder().set_key(Some(ledger_item::key(user))).update_expression(format!("REMOVE {CLOSED_AT}"));
        let writes =
            vec![self.delete_if(profile)?, self.check(ended)?, self.update(ledger)?, self.put(audit::write(audit))?];
        Ok(match self.transact_also_closed(None, writes).await? {
            Outcome::Committed => Reopened::Open,
            // The profile is the first write.
            Outcome::Refused(failed) if failed.iter().any(|failed| failed.at == 0) => Reopened::WasOpen,
            Outcome::Refused(_) => Reopened::StillClosing,
        })
    }
}

impl FindClosings for Table {
    async fn find_closings(&self, now: Timestamp) -> Result<DueClosings, Fault> {
        let mut due = DueClosings::default();
        for shard in 0..due::SHARDS {
            let mut next = None;
            loop {
                // The filter leaves out most other due items, which have no such attribute.
                let query = self
                    .due_query(shard, now)
                    .filter_expression("attribute_exists(closed_at) OR attribute_exists(deleted_at)");
                let page = self.client.send(query.set_exclusive_start_key(next)).await.map_err(Fault::unavailable)?;
                for item in page.items() {
                    let read = if is_closing(item) {
                        read(item).map(|closing| due.closings.push(closing))
                    } else if deletions::is_deletion(item) {
                        deletions::read(item).map(|deletion| due.deletions.push(deletion))
                    } else {
                        continue;
                    };
                    if read.is_err() {
                        due.unreadable.push(Reader(item).optional_text("pk").unwrap_or_default().to_owned());
                    }
                }
                next = page.last_evaluated_key;
                if next.is_none() {
                    break;
                }
            }
        }
        due.closings.sort_by_key(|closing| closing.due_at);
        due.deletions.sort_by_key(|deletion| deletion.due_at);
        Ok(due)
    }
}

impl PostponeClosing for Table {
    async fn postpone_closing(&self, closing: &Closing, until: Timestamp) -> Result<(), Fault> {
        self.postpone(key(user_pk(&closing.user), SK), until).await
    }
}

impl EndClosing for Table {
    async fn end_closing(&self, user: &UserId) -> Result<(), Fault> {
        self.delete(key(user_pk(user), SK)).await
    }
}
