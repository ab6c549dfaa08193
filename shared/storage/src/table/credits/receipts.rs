//! Receipts. Charges write them, reported outcomes complete them, and their list is the usage log.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use consigne_aws::Backoff;
use consigne_core::credits::{CallFacts, Outcome, OutcomeKept, RECEIPT_KEPT, Receipt, ReceiptId};
use consigne_core::keys::KeyMode;
use consigne_core::ports::{KeepOutcome, ListReceipts, Listed, PageAsk, ReceiptFilter};
use consigne_core::{Fault, KeyId, OrgId, Timestamp};

use crate::table::Table;
use crate::table::item::{Item, Reader, add, key, number, sortable, text};

pub(crate) fn receipt_key(id: &ReceiptId) -> Item {
    key(format!("RECEIPT#{}#{}", id.org(), id.tail()), "RECEIPT")
}

pub(crate) fn of_org(org: OrgId) -> String {
    format!("ORG#{org}#RECEIPTS")
}

pub(crate) fn of_key(org: OrgId, key: KeyId) -> String {
    format!("ORG#{org}#{key}#RECEIPTS")
}

/// Builds the item of a new receipt.
pub(crate) fn write(receipt: &Receipt) -> Item {
    let (id, call) = (&receipt.id, &receipt.call);
    let mut item = receipt_key(id);
    item.insert("key_id".to_owned(), text(receipt.key.to_string()));
    item.insert("environment".to_owned(), text(receipt.environment.name()));
    item.insert("credits".to_owned(), number(receipt.credits));
    item.insert("at".to_owned(), number(receipt.at.as_millis()));
    item.insert("caller".to_owned(), text(&receipt.caller));
    item.insert("fingerprint".to_owned(), text(&receipt.fingerprint));
    item.insert("ttl".to_owned(), number(receipt.at.plus(RECEIPT_KEPT).as_secs()));
    let place = format!("{}#{}", sortable(receipt.at), id.tail());
    item.insert("gsi1pk".to_owned(), text(of_org(id.org())));
    item.insert("gsi1sk".to_owned(), text(&place));
    item.insert("gsi2pk".to_owned(), text(of_key(id.org(), receipt.key)));
    item.insert("gsi2sk".to_owned(), text(place));
    for (name, value) in call_attributes(call) {
        add(&mut item, name, value.map(text));
    }
    // A settled hold has its outcome from the start, because its call is over.
    if let Some(outcome) = &receipt.outcome {
        item.insert("status_code".to_owned(), number(outcome.status_code));
        item.insert("response_ms".to_owned(), number(outcome.response_ms));
        item.insert("details".to_owned(), text(outcome.details.to_string()));
        item.insert("outcome_at".to_owned(), number(receipt.at.as_millis()));
    }
    item
}

/// Returns the attributes with what the caller reported about the call.
fn call_attributes(call: &CallFacts) -> [(&'static str, Option<&String>); 7] {
    [
        ("service", call.service.as_ref()),
        ("scope", call.scope.as_ref()),
        ("endpoint", call.endpoint.as_ref()),
        ("method", call.method.as_ref()),
        ("ip", call.ip.as_ref()),
        ("country", call.country.as_ref()),
        ("user_agent", call.user_agent.as_ref()),
    ]
}

/// Reads a receipt from its item.
pub(crate) fn read(item: &Item) -> Result<Receipt, Fault> {
    let reader = Reader(item);
    let outcome = match reader.optional_number("status_code") {
        Some(status_code) => Some(Outcome {
            status_code,
            response_ms: reader.number("response_ms")?,
            details: reader.parsed("details", |details| serde_json::from_str(details).ok())?,
        }),
        None => None,
    };
    let id = |pk: &str| {
        let (org, tail) = pk.strip_prefix("RECEIPT#")?.split_once('#')?;
        ReceiptId::parse(&format!("rcpt_{}_{tail}", org.strip_prefix("org_")?))
    };
    Ok(Receipt {
        id: reader.parsed("pk", id)?,
        key: reader.parsed("key_id", KeyId::parse)?,
        environment: reader.parsed("environment", KeyMode::from_name)?,
        credits: reader.number("credits")?,
        at: reader.time("at")?,
        caller: reader.text("caller")?.to_owned(),
        fingerprint: reader.text("fingerprint")?.to_owned(),
        call: CallFacts {
            service: reader.owned_text("service"),
            scope: reader.owned_text("scope"),
            endpoint: reader.owned_text("endpoint"),
            method: reader.owned_text("method"),
            ip: reader.owned_text("ip"),
            country: reader.owned_text("country"),
            user_agent: reader.owned_text("user_agent"),
        },
        outcome,
    })
}

impl KeepOutcome for Table {
    async fn keep_outcome(
        &self,
        id: ReceiptId,
        caller: &str,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<OutcomeKept, Fault> {
        let mut backoff = Backoff::of_conflicts();
        let failed = loop {
            let update = UpdateItemInput::builder()
                .table_name(&self.name)
                .set_key(Some(receipt_key(&id)))
                .update_expression(
                    "SET status_code = :status, response_ms = :took, details = :details, outcome_at = :now",
                )
                .condition_expression("caller = :caller AND attribute_not_exists(status_code)")
                .expression_attribute_values(":status", number(outcome.status_code))
                .expression_attribute_values(":took", number(outcome.response_ms))
                .expression_attribute_values(":details", text(outcome.details.to_string()))
                .expression_attribute_values(":now", number(now.as_millis()))
                .expression_attribute_values(":caller", text(caller))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let Err(error) = self.client.send(update).await else { return Ok(OutcomeKept::Kept) };
            match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => break failed.clone(),
                // A retry of the charge was under way, whose transaction has the same item.
                Some(UpdateItemError::TransactionConflictException(_)) if backoff.wait().await => {}
                _ => return Err(Fault::unavailable(error)),
            }
        };
        let Some(item) = failed.item() else { return Ok(OutcomeKept::Unknown) };
        let receipt = read(item)?;
        if receipt.caller != caller {
            return Ok(OutcomeKept::Unknown);
        }
        Ok(if receipt.outcome.as_ref() == Some(outcome) { OutcomeKept::Kept } else { OutcomeKept::Other })
    }
}

impl ListReceipts for Table {
    async fn list_receipts(&self, org: OrgId, filter: ReceiptFilter, page: &PageAsk) -> Result<Listed<Receipt>, Fault> {
        let (index, partition) = match filter.key {
            None => ("gsi1", of_org(org)),
            Some(key) => ("gsi2", of_key(org, key)),
        };
        let mut query = self.partition(Some(index), partition).scan_index_forward(false);
        query = match filter.day {
            None => query.key_condition_expression("#pk = :pk"),
            Some(day) => query
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
                .expression_attribute_names("#sk", format!("{index}sk"))
                .expression_attribute_values(":from", text(sortable(day.starts())))
                // A sort key continues after its time, so no key of the next day equals the bare end of this day.
                .expression_attribute_values(":to", text(sortable(day.ends()))),
        };
        self.page(Some(index), query, page, read).await
    }
}
