//! Webhooks received: each remembered in the transaction that carries it out, so that it is carried out once.

use aws_sdk_dynamodb::types::TransactWriteItem;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::Fault;
use consigne_core::idempotency::Written;
use consigne_core::webhooks::{REMEMBERED, Received};
use sha2::{Digest, Sha256};

use super::Table;
use super::item::{Item, Reader, key, text};
use super::transact::{Outcome, failed_at};

/// Gives the key of a webhook. Its sender chose the id; hashed, it is of one length and one alphabet.
fn webhook_key(received: &Received) -> Item {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(received.id.as_str()));
    key(format!("WEBHOOK#{}#{hash}", received.source.name()), "WEBHOOK")
}

/// Reads what became of a webhook that came before.
pub(super) fn kept(received: &Received, item: &Item) -> Result<Written, Fault> {
    let reader = Reader(item);
    if reader.text("fingerprint")? != received.fingerprint {
        return Ok(Written::Mismatch);
    }
    Ok(Written::Before(reader.text("result")?.to_owned()))
}

impl Table {
    /// Carries out a webhook and remembers it, in one transaction; `Moved` when it is new and another write was refused.
    pub(super) async fn carry_out(
        &self,
        received: &Received,
        mut writes: Vec<TransactWriteItem>,
    ) -> Result<Written, Fault> {
        let memory = writes.len();
        writes.push(self.remember(received)?);
        match self.transact_decided_by(Some(memory), writes).await? {
            Outcome::Committed => Ok(Written::Now),
            Outcome::Refused(failed) => {
                failed_at(&failed, memory).map_or(Ok(Written::Moved), |item| kept(received, item))
            }
        }
    }

    /// Makes the write that remembers a webhook, on condition that it did not come before.
    pub(super) fn remember(&self, received: &Received) -> Result<TransactWriteItem, Fault> {
        let mut item = webhook_key(received);
        item.insert("fingerprint".to_owned(), text(&received.fingerprint));
        item.insert("result".to_owned(), text(&received.result));
        self.put_until(item, received.now.plus(REMEMBERED), received.now)
    }
}
