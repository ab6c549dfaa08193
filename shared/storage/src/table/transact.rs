//! Transactions: building their writes, sending them, and retrying them while they conflict with others. Also reads and
//! deletions of single items.

use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemInput;
use aws_sdk_dynamodb::operation::delete_item::DeleteItemInput;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput};
use aws_sdk_dynamodb::types::builders::{ConditionCheckBuilder, DeleteBuilder, PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{
    CancellationReason, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_aws::Backoff;
use consigne_core::idempotency::CommitOutcome;
use consigne_core::profiles::Sighting;
use consigne_core::{Fault, Timestamp};

use crate::table::Table;
use crate::table::item::{Item, number};
use crate::table::people::profiles::is_tombstone;

/// Most keys in one `BatchGetItem`.
const BATCH: usize = 100;

/// The outcome of a transaction.
pub(crate) enum Outcome {
    /// All writes were made.
    Committed,
    /// No write was made, because these conditions failed.
    Refused(Vec<Failed>),
}

/// A condition that failed, with its item.
pub(crate) struct Failed {
    /// Index of the write in the transaction.
    pub(crate) at: usize,
    /// The item that failed the condition, with its current attributes. Empty if it does not exist.
    pub(crate) item: Item,
}

impl Table {
    /// Sends a transaction. Conflicts with other transactions are retried with growing, random waits while the
    /// invocation has time. The client does not retry them.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the writes require that an account is open, and it is closed. `UNAVAILABLE` if conflicts last
    /// too long or the table does not answer; `INTERNAL` if the table rejects a write as malformed.
    pub(crate) async fn transact(&self, writes: Vec<TransactWriteItem>) -> Result<Outcome, Fault> {
        self.transact_decided_by(None, writes).await
    }

    /// Sends a transaction whose conditions fail only if something has changed since it was read. A failed condition is
    /// `Conflict`.
    ///
    /// # Errors
    /// Those of [`Self::transact`].
    pub(crate) async fn commit(&self, writes: Vec<TransactWriteItem>) -> Result<CommitOutcome, Fault> {
        Ok(match self.transact(writes).await? {
            Outcome::Committed => CommitOutcome::Committed,
            Outcome::Refused(_) => CommitOutcome::Conflict,
        })
    }

    /// Sends a transaction in which the condition of the write at `place` comes before all others: it recognises an
    /// earlier try of the request. While another transaction holds the item at `place`, that may be the earlier try.
    /// Then failed conditions are not final, and the transaction is retried.
    ///
    /// # Errors
    /// Those of [`Self::transact`].
    pub(crate) async fn transact_decided_by(
        &self,
        place: Option<usize>,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Outcome, Fault> {
        let outcome = self.transact_also_closed(place, writes).await?;
        match &outcome {
            // An account that is closed stays closed. So this is final, and comes before everything else that failed.
            Outcome::Refused(failed) if failed.iter().any(|failed| is_tombstone(&failed.item)) => {
                Err(Sighting::closed())
            }
            _ => Ok(outcome),
        }
    }

    /// Sends a transaction as [`Self::transact_decided_by`] does, but treats the tombstone of a closed account as any
    /// other condition. It is for webhooks about accounts.
    ///
    /// # Errors
    /// Those of [`Self::transact`], except `UNAUTHENTICATED`.
    pub(crate) async fn transact_also_closed(
        &self,
        place: Option<usize>,
        writes: Vec<TransactWriteItem>,
    ) -> Result<Outcome, Fault> {
        let (mut backoff, mut token) = (Backoff::of_conflicts(), request_token()?);
        loop {
            let transaction = TransactWriteItemsInput::builder()
                .set_transact_items(Some(writes.clone()))
                .client_request_token(&token);
            let Err(error) = self.client.send(transaction).await else { return Ok(Outcome::Committed) };
            let reasons = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                    // The cancelled transaction has ended. The next try is a new transaction with its own token.
                    token = request_token()?;
                    canceled.cancellation_reasons()
                }
                // An earlier try of this transaction is still under way. A try with the same token returns its outcome.
                Some(TransactWriteItemsError::TransactionInProgressException(_)) => &[],
                _ => return Err(Fault::unavailable(error)),
            };
            let failed = failed_conditions(reasons);
            let undecided = place.and_then(|place| reasons.get(place)).is_some_and(is_retryable);
            if !failed.is_empty() && !undecided {
                return Ok(Outcome::Refused(failed));
            }
            let known = |reason: &CancellationReason| {
                matches!(reason.code(), None | Some("None" | "ConditionalCheckFailed")) || is_retryable(reason)
            };
            if !reasons.iter().all(known) {
                return Err(Fault::internal(error));
            }
            if !backoff.wait().await {
                return Err(Fault::unavailable(error));
            }
        }
    }
}

impl Table {
    /// Returns the write of an item that may already exist.
    pub(crate) fn put(&self, item: Item) -> Result<TransactWriteItem, Fault> {
        let put = Put::builder().table_name(&self.name).set_item(Some(item)).build().map_err(Fault::internal)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Returns the write of an item that must not exist yet.
    pub(crate) fn put_new(&self, item: Item) -> Result<TransactWriteItem, Fault> {
        self.put_if(Put::builder().set_item(Some(item)).condition_expression("attribute_not_exists(pk)"))
    }

    /// Returns the write of an item that expires at `until`, on condition that no unexpired one exists.
    pub(crate) fn put_until(
        &self,
        mut item: Item,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Fault> {
        item.insert("ttl".to_owned(), number(until.as_secs()));
        let put = Put::builder()
            .set_item(Some(item))
            // DynamoDB may delete expired items days late.
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(now.as_secs()));
        self.put_if(put)
    }

    /// Returns the conditional write of an item. If the condition fails, DynamoDB returns the existing item.
    pub(crate) fn put_if(&self, put: PutBuilder) -> Result<TransactWriteItem, Fault> {
        let put = put
            .table_name(&self.name)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(Fault::internal)?).build())
    }

    /// Returns the conditional deletion of an item. If the condition fails, DynamoDB returns the existing item.
    pub(crate) fn delete_if(&self, delete: DeleteBuilder) -> Result<TransactWriteItem, Fault> {
        let delete = delete
            .table_name(&self.name)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(Fault::internal)?).build())
    }

    /// Returns the write of an item, on condition that the existing one still has the revision `seen`.
    pub(crate) fn put_seen(&self, item: Item, seen: u64) -> Result<TransactWriteItem, Fault> {
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("revision = :seen")
            .expression_attribute_values(":seen", number(seen))
            .build()
            .map_err(Fault::internal)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Returns an update. If its condition fails, DynamoDB returns the existing item.
    pub(crate) fn update(&self, update: UpdateBuilder) -> Result<TransactWriteItem, Fault> {
        let update = update
            .table_name(&self.name)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().update(update.build().map_err(Fault::internal)?).build())
    }

    /// Returns a check, which writes nothing. If it fails, DynamoDB returns the existing item.
    pub(crate) fn check(&self, check: ConditionCheckBuilder) -> Result<TransactWriteItem, Fault> {
        let check = check
            .table_name(&self.name)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().condition_check(check.build().map_err(Fault::internal)?).build())
    }

    /// Reads one item consistently.
    pub(crate) async fn get(&self, key: Item) -> Result<Option<Item>, Fault> {
        let get = GetItemInput::builder().table_name(&self.name).set_key(Some(key)).consistent_read(true);
        self.client.send(get).await.map(|read| read.item).map_err(Fault::unavailable)
    }

    /// Deletes an item, whether it exists or not.
    pub(crate) async fn delete(&self, key: Item) -> Result<(), Fault> {
        let delete = DeleteItemInput::builder().table_name(&self.name).set_key(Some(key));
        self.client.send(delete).await.map(drop).map_err(Fault::unavailable)
    }

    /// Reads several items, in no particular order. Retries for keys that DynamoDB left unprocessed.
    pub(crate) async fn batch_get(&self, keys: &[Item], consistent: bool) -> Result<Vec<Item>, Fault> {
        let mut found = Vec::new();
        let mut backoff = Backoff::of_conflicts();
        for some in keys.chunks(BATCH) {
            let mut left = some.to_vec();
            loop {
                let ask = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(consistent).build();
                let batch = BatchGetItemInput::builder().request_items(&self.name, ask.map_err(Fault::internal)?);
                let read = self.client.send(batch).await.map_err(Fault::unavailable)?;
                found.extend(read.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default());
                let unread = read.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
                left = unread.map(|unread| unread.keys).unwrap_or_default();
                if left.is_empty() {
                    break;
                }
                if !backoff.wait().await {
                    return Err(Fault::unavailable("the table did not return all items of a batch in time"));
                }
            }
        }
        Ok(found)
    }
}

/// Returns the item that failed the condition of the write at an index, if that condition failed.
pub(crate) fn failed_at(failed: &[Failed], at: usize) -> Option<&Item> {
    failed.iter().find(|failed| failed.at == at).map(|failed| &failed.item)
}

/// Returns whether a write failed for a reason that a retry can overcome: another transaction on its item, or
/// throttling.
fn is_retryable(reason: &CancellationReason) -> bool {
    matches!(reason.code(), Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded"))
}

fn failed_conditions(reasons: &[CancellationReason]) -> Vec<Failed> {
    let failed = reasons.iter().enumerate().filter(|(_, reason)| reason.code() == Some("ConditionalCheckFailed"));
    failed.map(|(at, reason)| Failed { at, item: reason.item().cloned().unwrap_or_default() }).collect()
}

/// Creates the random token by which DynamoDB recognises a repeated transaction whose first answer was lost. Without
/// it, the conditions of the repetition would fail because of its own writes.
///
/// Source: API reference, `TransactWriteItems`.
fn request_token() -> Result<String, Fault> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(Fault::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

#[cfg(test)]
#[path = "transact_tests.rs"]
mod tests;
