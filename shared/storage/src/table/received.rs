//! Webhooks received: their ids are remembered, so that none leads to anything twice.

use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use consigne_core::Fault;
use consigne_core::webhooks::{REMEMBERED, Received};
use sha2::{Digest, Sha256};

use super::Table;
use super::item::{Item, Reader, key, number, text};

fn received_key(received: &Received) -> Item {
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(received.id.as_str()));
    key(format!("WEBHOOK#{}#{hash}", received.source), "WEBHOOK")
}

/// Says whether the remembered webhook of the same id says the same.
pub(super) fn is_same(received: &Received, item: &Item) -> Result<bool, Fault> {
    Ok(Reader(item).text("fingerprint")? == received.fingerprint)
}

impl Table {
    /// Makes the write that remembers a webhook, on condition that it was not received before.
    pub(super) fn remember(&self, received: &Received) -> Result<TransactWriteItem, Fault> {
        let mut item = received_key(received);
        item.insert("fingerprint".to_owned(), text(&received.fingerprint));
        item.insert("ttl".to_owned(), number(received.at.plus(REMEMBERED).as_secs()));
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item))
            // The table may be days late in forgetting what has run out.
            .condition_expression("attribute_not_exists(pk) OR #ttl <= :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(received.at.as_secs()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(Fault::internal)?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}
