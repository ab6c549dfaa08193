//! Promises kept: what a request with an idempotency key led to, for as long as its caller may ask again.

use aws_sdk_dynamodb::types::TransactWriteItem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::idempotency::{Caller, Once, Written};
use consigne_core::ports::Recall;
use consigne_core::{Fault, Timestamp};
use sha2::{Digest, Sha256};

use super::Table;
use super::item::{Item, Reader, key, text, user_pk};
use super::transact::{Failed, Outcome, failed_at};

/// Gives the key of a promise. The caller's key itself is not kept: new API keys may be derived from it.
fn once_key(once: &Once) -> Item {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&once.key.key));
    let of_caller = match &once.caller {
        Caller::User(user) => user_pk(user),
        Caller::Sender(source) => format!("WEBHOOK#{}#{hash}", source.name()),
    };
    key(of_caller, format!("IDEM#{}#{hash}", once.operation))
}

/// Reads what a request with a fingerprint led to before, whose memory stands in an item.
fn kept(fingerprint: &str, item: &Item) -> Result<Written, Fault> {
    let reader = Reader(item);
    if reader.text("fingerprint")? != fingerprint {
        return Ok(Written::Mismatch);
    }
    Ok(Written::Before(reader.text("result")?.to_owned()))
}

/// A memory of what a request leads to, to be written in the transaction that carries it out.
pub(super) struct Memory<'a> {
    /// The write, on condition that there is no such memory.
    pub(super) write: TransactWriteItem,
    /// Fingerprint of the request.
    pub(super) fingerprint: &'a str,
}

/// What became of a transaction that may carry a promise.
pub(super) enum Kept {
    /// It was made now, or before; or its promise stands for another request.
    Written(Written),
    /// It was not made: these conditions failed, and none of them is the promise's.
    Refused(Vec<Failed>),
}

impl Table {
    /// Sends a transaction with a promise as its last write, if there is one.
    pub(super) async fn once(
        &self,
        writes: Vec<TransactWriteItem>,
        once: Option<&Once>,
        now: Timestamp,
    ) -> Result<Kept, Fault> {
        let promise = |once| Ok(Memory { write: self.promise(once, now)?, fingerprint: &once.key.fingerprint });
        self.remembering(writes, once.map(promise).transpose()?).await
    }

    /// Sends a transaction with a memory as its last write, if there is one.
    pub(super) async fn remembering(
        &self,
        mut writes: Vec<TransactWriteItem>,
        memory: Option<Memory<'_>>,
    ) -> Result<Kept, Fault> {
        let place = writes.len();
        let fingerprint = memory.map(|memory| {
            writes.push(memory.write);
            memory.fingerprint
        });
        let Outcome::Refused(failed) = self.transact_decided_by(fingerprint.map(|_| place), writes).await? else {
            return Ok(Kept::Written(Written::Now));
        };
        match (fingerprint, failed_at(&failed, place)) {
            (Some(fingerprint), Some(item)) => kept(fingerprint, item).map(Kept::Written),
            _ => Ok(Kept::Refused(failed)),
        }
    }

    /// Makes the write that keeps a promise, on condition that it was not kept before.
    fn promise(&self, once: &Once, now: Timestamp) -> Result<TransactWriteItem, Fault> {
        let mut item = once_key(once);
        item.insert("fingerprint".to_owned(), text(&once.key.fingerprint));
        item.insert("result".to_owned(), text(&once.result));
        self.put_until(item, now.plus(once.caller.remembered()), now)
    }
}

impl Recall for Table {
    async fn recall(&self, once: &Once, now: Timestamp) -> Result<Option<Written>, Fault> {
        let Some(item) = self.get(once_key(once)).await? else { return Ok(None) };
        let over = Reader(&item).number::<i64>("ttl")? <= now.as_secs();
        if over { Ok(None) } else { kept(&once.key.fingerprint, &item).map(Some) }
    }
}
