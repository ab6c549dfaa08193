//! Files and ledgers: reading them, marking files as deleted, and applying steps.

pub(crate) mod change;
mod derived;
pub(crate) mod file_item;
pub(crate) mod grant;
pub(crate) mod ledger_item;
pub(crate) mod ledger_walk;
pub(crate) mod list;
mod published;
mod scan_item;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemInputBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use consigne_aws::Backoff;
use consigne_core::files::{File, LedgerDelta, ObjectKey, SWEEP_MARGIN, Status, Transition, Usage};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::ports::{ApplyTransition, BeginDelete, Filter, GetFile, GetFiles, GetUsage};
use consigne_core::{EventId, Fault, FileId, Timestamp, UserId};

use crate::table::item::{Reader, number, text, user_pk};
use crate::table::outbox;
use crate::table::{Table, due, item};

/// Attribute with the id of the call that marked a file as deleted. The next write of the record removes it.
const MARK: &str = "deletion_mark";

impl GetFile for Table {
    // `get` reads consistently: a URL must not be signed for a deleted file, nor refused for a file that has just
    // arrived.
    async fn get_file(&self, owner: &UserId, file: FileId) -> Result<Option<File>, Fault> {
        let read = self.get(item::key(user_pk(owner), file_item::file_sk(file))).await?;
        read.as_ref().map(file_item::read).transpose()
    }
}

impl GetFiles for Table {
    // Consistent, as above.
    async fn get_files(&self, owner: &UserId, files: &BTreeSet<FileId>) -> Result<BTreeMap<FileId, File>, Fault> {
        let keys: Vec<_> = files.iter().map(|file| item::key(user_pk(owner), file_item::file_sk(*file))).collect();
        let found = self.batch_get(&keys, true).await?;
        found.iter().map(|item| file_item::read(item).map(|file| (file.id(), file))).collect()
    }
}

impl GetUsage for Table {
    async fn get_usage(&self, owner: &UserId) -> Result<Usage, Fault> {
        let read = self.get(ledger_item::key(owner)).await?;
        read.as_ref().map_or_else(|| Ok(Usage::default()), ledger_item::read)
    }
}

impl BeginDelete for Table {
    async fn begin_delete(&self, key: &ObjectKey, now: Timestamp) -> Result<Option<File>, Fault> {
        // If an answer is lost, the client repeats the update. The repetition fails if the first update succeeded. The
        // mark shows whether the file was marked by this call.
        let mark = EventId::mint(now).to_string();
        let mut backoff = Backoff::of_conflicts();
        loop {
            let error = match self.client.send(self.deletion_write(key, now, &mark)).await {
                Ok(marked) => return marked.attributes().map(file_item::read).transpose(),
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    let ours = failed.item().filter(|item| Reader(item).optional_text(MARK) == Some(&mark));
                    return ours.map(file_item::read).transpose();
                }
                // A transaction with the same record was under way, such as the one that makes the file ready. The
                // client does not retry this error.
                Some(UpdateItemError::TransactionConflictException(_)) if backoff.wait().await => {}
                _ => return Err(Fault::unavailable(error)),
            }
        }
    }
}

impl ApplyTransition for Table {
    async fn apply_transition(&self, step: &Transition) -> Result<CommitOutcome, Fault> {
        let writes = self.transition_writes(step)?;
        self.commit(writes).await
    }
}

impl Table {
    fn deletion_write(&self, key: &ObjectKey, now: Timestamp, mark: &str) -> UpdateItemInputBuilder {
        let file = key.file();
        let deleting = Filter { status: Status::Deleting, kind: None };
        let (_, partition) = file_item::list_partition(key.owner(), deleting);
        UpdateItemInput::builder()
            .table_name(&self.name)
            .key("pk", text(user_pk(key.owner())))
            .key("sk", text(file_item::file_sk(file)))
            .update_expression(
                "SET #status = :deleting, changed_at = :now, due_shard = :shard, due_at = :due, #mark = :mark, \
                 gsi1pk = :partition, gsi1sk = :place ADD revision :one REMOVE gsi2pk, gsi2sk",
            )
            .condition_expression("s3_key = :key AND NOT #status IN (:deleting, :deleted)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#mark", MARK)
            .expression_attribute_values(":key", text(key.as_str()))
            .expression_attribute_values(":deleting", text(Status::Deleting.name()))
            .expression_attribute_values(":deleted", text(Status::Deleted.name()))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":shard", text(due::shard(&file.to_string())))
            .expression_attribute_values(":due", number(now.plus(SWEEP_MARGIN).as_millis()))
            .expression_attribute_values(":mark", text(mark))
            .expression_attribute_values(":partition", text(partition))
            .expression_attribute_values(":place", text(file_item::list_sort(now, file)))
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn transition_writes(&self, step: &Transition) -> Result<Vec<TransactWriteItem>, Fault> {
        let (file, delta) = (&step.file, step.ledger);
        let mut writes = vec![self.put_seen(file_item::write(file), step.seen)?];
        if delta != LedgerDelta::default() {
            let ledger = Update::builder()
                .set_key(Some(ledger_item::key(file.owner())))
                .update_expression("ADD committed :committed, reserved :reserved, #files :files, #bytes :bytes")
                .expression_attribute_names("#files", ledger_item::files_attribute(file.kind()))
                .expression_attribute_names("#bytes", ledger_item::bytes_attribute(file.kind()))
                .expression_attribute_values(":committed", number(delta.committed))
                .expression_attribute_values(":reserved", number(delta.reserved))
                .expression_attribute_values(":files", number(delta.files))
                .expression_attribute_values(":bytes", number(delta.bytes));
            writes.push(self.update(ledger)?);
        }
        if let Some(event) = &step.event {
            writes.push(self.put(outbox::write(event))?);
        }
        if let (Status::Deleted, Some(id)) = (file.status, file.published) {
            writes.push(self.put(published::address(id, file, Some(file.changed_at)))?);
        }
        if let Some(follows) = &step.job {
            writes.extend(self.job_writes(follows)?);
        }
        if let Some(follows) = &step.order {
            writes.extend(self.order_writes(follows)?);
        }
        Ok(writes)
    }
}
