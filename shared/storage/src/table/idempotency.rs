//! Idempotency records: what a request with an idempotency key led to, kept for as long as its owner may retry.

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

/// Returns the key of a request's record. The idempotency key itself is stored as its hash: new API keys may be derived
/// from it.
fn record_key(request: &IdempotentRequest) -> Item {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&request.key.key));
    let of_owner = match &request.owner {
        KeyOwner::User(user) => user_pk(user),
        KeyOwner::Sender(source) => format!("WEBHOOK#{}#{hash}", source.name()),
    };
    key(of_owner, format!("IDEM#{}#{hash}", request.operation))
}

/// Reads a record, and compares its fingerprint with that of the request at hand.
fn replay(fingerprint: &str, record: &Item) -> Result<WriteOutcome, Fault> {
    let reader = Reader(record);
    if reader.text("fingerprint")? != fingerprint {
        return Ok(WriteOutcome::KeyReused);
    }
    Ok(WriteOutcome::Replayed(reader.text("result")?.to_owned()))
}

/// An idempotency record, to be written in the transaction that carries its request out.
pub(crate) struct IdempotencyRecord<'a> {
    /// The write. Its condition: there is no such record yet.
    pub(crate) write: TransactWriteItem,
    /// Fingerprint of the request.
    pub(crate) fingerprint: &'a str,
}

/// The outcome of a transaction that may include an idempotency record.
pub(crate) enum TransactionOutcome {
    /// It was committed now or by an earlier request, or its key was used with a different request.
    Written(WriteOutcome),
    /// It was refused: these conditions failed. The record's own condition is not among them.
    Refused(Vec<Failed>),
}

impl Table {
    /// Sends a transaction, with the record of an idempotent request as its last write.
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

    /// Sends a transaction with a record as its last write, if there is one.
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
