//! Received webhooks. Each is recorded in the transaction of its changes, so that a repeated webhook changes nothing.

use aws_sdk_dynamodb::types::TransactWriteItem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::Fault;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::ports::RecordWebhook;
use consigne_core::webhooks::{REMEMBERED, Received};
use sha2::{Digest, Sha256};

use crate::table::Table;
use crate::table::idempotency::{IdempotencyRecord, replay};
use crate::table::item::{Item, key, text};
use crate::table::transact::{Outcome, failed_at};

/// Returns the primary key of a webhook's record. The sender chooses the id, so it is hashed to a fixed length and
/// alphabet.
fn webhook_key(received: &Received) -> Item {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(received.id.as_str()));
    key(format!("WEBHOOK#{}#{hash}", received.source.name()), "WEBHOOK")
}

impl RecordWebhook for Table {
    async fn record_webhook(&self, received: &Received) -> Result<WriteOutcome, Fault> {
        self.transact_webhook(received, Vec::new()).await
    }
}

impl Table {
    /// Makes the writes of a webhook and records it, in one transaction. Returns `Conflict` if the webhook is new and a
    /// condition of `writes` failed.
    pub(crate) async fn transact_webhook(
        &self,
        received: &Received,
        mut writes: Vec<TransactWriteItem>,
    ) -> Result<WriteOutcome, Fault> {
        let (record, place) = (self.webhook_record(received)?, writes.len());
        writes.push(record.write);
        let Outcome::Refused(failed) = self.transact_also_closed(Some(place), writes).await? else {
            return Ok(WriteOutcome::Applied);
        };
        failed_at(&failed, place).map_or(Ok(WriteOutcome::Conflict), |before| replay(record.fingerprint, before))
    }

    /// Returns the record of a webhook, by which a repetition is recognised.
    pub(crate) fn webhook_record<'a>(&self, received: &'a Received) -> Result<IdempotencyRecord<'a>, Fault> {
        let mut item = webhook_key(received);
        item.insert("fingerprint".to_owned(), text(&received.fingerprint));
        item.insert("result".to_owned(), text(&received.result));
        let write = self.put_until(item, received.now.plus(REMEMBERED), received.now)?;
        Ok(IdempotencyRecord { write, fingerprint: &received.fingerprint })
    }
}
