//! Idempotency records: the result of a request with an idempotency key, kept for as long as the owner can retry.

use aws_sdk_dynamodb::types::TransactWriteItem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::idempotency::{IdempotentRequest, KeyOwner, WriteOutcome};
use consigne_core::ports::GetIdempotencyRecord;
use consigne_core::{Fault, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::table::Table;
use crate::table::item::{Item, Reader, key, text, user_pk};
use crate::table::transact::{Failed, Outcome, failed_at};

/// Returns the primary key of a request's record. The idempotency key is stored only as a hash, because a new API key
/// may be derived from it.
pub(crate) fn record_key(request: &IdempotentRequest) -> Item {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&request.key.key));
    let of_owner = match &request.owner {
        KeyOwner::User(user) => user_pk(user),
        KeyOwner::Sender(source) => format!("WEBHOOK#{}#{hash}", source.name()),
    };
    key(of_owner, format!("IDEM#{}#{hash}", request.operation))
}

/// Returns the outcome of a request whose record exists: `Replayed`, or `KeyReused` if the fingerprints differ.
pub(crate) fn replay(fingerprint: &str, record: &Item) -> Result<WriteOutcome, Fault> {
    let reader = Reader(record);
    if reader.text("fingerprint")? != fingerprint {
        return Ok(WriteOutcome::KeyReused);
    }
    Ok(WriteOutcome::Replayed(reader.text("result")?.to_owned()))
}

/// An idempotency record to write in the transaction of its request.
pub(crate) struct IdempotencyRecord<'a> {
    /// The write, on condition that there is no such record yet.
    pub(crate) write: TransactWriteItem,
    /// Fingerprint of the request.
    pub(crate) fingerprint: &'a str,
}

/// The outcome of a transaction that may include an idempotency record.
pub(crate) enum TransactionOutcome {
    /// It was committed now or by an earlier try, or its idempotency key was used with a different request.
    Written(WriteOutcome),
    /// These conditions failed. The condition of the idempotency record is not among them.
    Refused(Vec<Failed>),
}

impl Table {
    /// Sends a transaction. If the request has an idempotency key, its record is the last write.
    pub(crate) async fn transact_once(
        &self,
        writes: Vec<TransactWriteItem>,
        request: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> Result<TransactionOutcome, Fault> {
        let record = |request| {
            Ok(IdempotencyRecord { write: self.record(request, now)?, fingerprint: &request.key.fingerprint })
        };
        self.transact_with(writes, request.map(record).transpose()?).await
    }

    /// Sends a transaction with `record` as its last write, if there is one.
    pub(crate) async fn transact_with(
        &self,
        mut writes: Vec<TransactWriteItem>,
        record: Option<IdempotencyRecord<'_>>,
    ) -> Result<TransactionOutcome, Fault> {
        let place = writes.len();
        let fingerprint = record.map(|record| {
            writes.push(record.write);
            record.fingerprint
        });
        let Outcome::Refused(failed) = self.transact_decided_by(fingerprint.map(|_| place), writes).await? else {
            return Ok(TransactionOutcome::Written(WriteOutcome::Applied));
        };
        match (fingerprint, failed_at(&failed, place)) {
            (Some(fingerprint), Some(record)) => replay(fingerprint, record).map(TransactionOutcome::Written),
            _ => Ok(TransactionOutcome::Refused(failed)),
        }
    }

    /// Returns the write of a request's record.
    fn record(&self, request: &IdempotentRequest, now: Timestamp) -> Result<TransactWriteItem, Fault> {
        let mut item = record_key(request);
        item.insert("fingerprint".to_owned(), text(&request.key.fingerprint));
        item.insert("result".to_owned(), text(&request.result));
        self.put_until(item, now.plus(request.owner.remembered()), now)
    }
}

impl GetIdempotencyRecord for Table {
    async fn get_idempotency_record(
        &self,
        request: &IdempotentRequest,
        now: Timestamp,
    ) -> Result<Option<WriteOutcome>, Fault> {
        let Some(record) = self.get(record_key(request)).await? else { return Ok(None) };
        // DynamoDB may delete expired items days late.
        let expired = Reader(&record).number::<i64>("ttl")? <= now.as_secs();
        if expired { Ok(None) } else { replay(&request.key.fingerprint, &record).map(Some) }
    }
}
