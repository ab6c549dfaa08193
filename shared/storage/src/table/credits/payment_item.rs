//! Converts a payment to and from its item.
//!
//! A payment is the only record that is found without its tenant, because a refund names only the payment. Once the
//! purchase is known, the item has the organisation.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_core::credits::{
    Dispute, DisputeId, DisputeState, FailedRefund, Payment, PaymentId, RefundId, Sale, SessionId,
};
use consigne_core::{Fault, LotId, OrgId, Timestamp};
use serde_json::{Value, json};

use crate::table::item::{Item, Reader, key, malformed, number, text};

/// Prefix of the attributes that contain disputes.
const DISPUTE: &str = "dispute.";
/// Prefix of the attributes that contain failed refunds.
const FAILED_REFUND: &str = "failed_refund.";
/// How long a report waits for its purchase. The payment provider retries for some days. A report without a purchase
/// may be about something that was sold elsewhere.
const REMEMBERED: Duration = Duration::from_hours(24 * 30);

pub(crate) fn payment_key(id: &PaymentId) -> Item {
    key(format!("PAYMENT#{}", id.as_str()), "PAYMENT")
}

/// Returns the partition of an organisation's payments in `gsi1`.
pub(crate) fn of_org(org: OrgId) -> String {
    format!("ORG#{org}#PAYMENTS")
}

/// Builds the item of a payment.
pub(crate) fn write(payment: &Payment, now: Timestamp) -> Item {
    let mut item = payment_key(&payment.id);
    item.insert("refunded_cents".to_owned(), number(payment.refunded_cents));
    item.insert("clawed_back".to_owned(), number(payment.clawed_back));
    item.insert("revision".to_owned(), number(payment.revision));
    item.insert("refunded_at".to_owned(), number(payment.refunded_at.as_millis()));
    for (id, refund) in &payment.failed_refunds {
        let [created, failed] = [refund.created, refund.failed].map(Timestamp::as_millis);
        let refund = json!({ "cents": refund.cents, "created": created, "failed": failed });
        item.insert(format!("{FAILED_REFUND}{}", id.as_str()), text(refund.to_string()));
    }
    for (id, dispute) in &payment.disputes {
        let dispute = json!({ "cents": dispute.cents, "state": dispute.state.name() });
        item.insert(format!("{DISPUTE}{}", id.as_str()), text(dispute.to_string()));
    }
    match &payment.sale {
        Some(sale) => {
            item.insert("org".to_owned(), text(sale.org.to_string()));
            item.insert("session".to_owned(), text(sale.session.as_str()));
            item.insert("lot".to_owned(), text(sale.lot.to_string()));
            item.insert("pack".to_owned(), text(&sale.pack));
            item.insert("credits".to_owned(), number(sale.credits));
            item.insert("amount_cents".to_owned(), number(sale.amount_cents));
            item.insert("currency".to_owned(), text(&sale.currency));
            item.insert("gsi1pk".to_owned(), text(of_org(sale.org)));
            // A lot's id begins with the time at which it was added.
            item.insert("gsi1sk".to_owned(), text(sale.lot.to_string()));
        }
        None => drop(item.insert("ttl".to_owned(), number(now.plus(REMEMBERED).as_secs()))),
    }
    item
}

/// Reads a payment from its item.
pub(crate) fn read(item: &Item) -> Result<Payment, Fault> {
    let reader = Reader(item);
    let mut disputes = BTreeMap::new();
    for (id, value) in reader.beginning(DISPUTE) {
        let id = DisputeId::parse(id).ok_or_else(|| malformed(DISPUTE))?;
        let dispute: Value =
            value.as_s().ok().and_then(|text| serde_json::from_str(text).ok()).ok_or_else(|| malformed(DISPUTE))?;
        let state = dispute["state"].as_str().and_then(DisputeState::from_name).ok_or_else(|| malformed(DISPUTE))?;
        disputes.insert(id, Dispute { cents: dispute["cents"].as_u64().ok_or_else(|| malformed(DISPUTE))?, state });
    }
    let mut failed_refunds = BTreeMap::new();
    for (id, value) in reader.beginning(FAILED_REFUND) {
        let id = RefundId::parse(id).ok_or_else(|| malformed(FAILED_REFUND))?;
        let refund = value.as_s().ok().and_then(|text| failed_refund(text)).ok_or_else(|| malformed(FAILED_REFUND))?;
        failed_refunds.insert(id, refund);
    }
    let sale = match reader.optional_parsed("org", OrgId::parse)? {
        Some(org) => Some(Sale {
            org,
            session: reader.parsed("session", SessionId::parse)?,
            lot: reader.parsed("lot", LotId::parse)?,
            pack: reader.text("pack")?.to_owned(),
            credits: reader.number("credits")?,
            amount_cents: reader.number("amount_cents")?,
            currency: reader.text("currency")?.to_owned(),
        }),
        None => None,
    };
    Ok(Payment {
        id: reader.parsed("pk", |pk| PaymentId::parse(pk.strip_prefix("PAYMENT#")?))?,
        sale,
        refunded_cents: reader.number("refunded_cents")?,
        // Items written before failed refunds were recorded do not have it.
        refunded_at: reader.optional_time("refunded_at").unwrap_or(Timestamp::from_secs(0)),
        failed_refunds,
        disputes,
        clawed_back: reader.number("clawed_back")?,
        revision: reader.number("revision")?,
    })
}

fn failed_refund(text: &str) -> Option<FailedRefund> {
    let refund: Value = serde_json::from_str(text).ok()?;
    let time = |name: &str| refund[name].as_i64().map(Timestamp::from_millis);
    Some(FailedRefund { cents: refund["cents"].as_u64()?, created: time("created")?, failed: time("failed")? })
}
