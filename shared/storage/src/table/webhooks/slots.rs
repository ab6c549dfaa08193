//! Slots of organisations: one item for each organisation, with a set of leases of its calls in flight.

use std::time::Duration;

use aws_sdk_dynamodb::operation::update_item::UpdateItemInput;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use consigne_core::deliveries::{IN_FLIGHT_MAX, Slot, SlotChange};
use consigne_core::{Fault, OrgId, Timestamp};

use crate::table::Table;
use crate::table::item::{Item, key, number};

/// Attribute with the leases, as texts `<end in milliseconds>#<delivery>`. DynamoDB keeps no empty set, so it is missing
/// while no call is in flight.
const SLOTS: &str = "slots";
/// How long an item is kept after its last change: longer than any lease.
const REMEMBERED: Duration = Duration::from_hours(24);

fn slots_key(org: OrgId) -> Item {
    key(format!("INFLIGHT#{org}"), "INFLIGHT")
}

fn lease(slot: Slot) -> String {
    format!("{}#{}", slot.until.as_millis(), slot.delivery)
}

/// Returns the leases of an item that have ended. They are those of functions that did not live to give them back.
pub(crate) fn ended_leases(item: &Item, now: Timestamp) -> Vec<String> {
    let leases = item.get(SLOTS).and_then(|slots| slots.as_ss().ok()).map(Vec::as_slice).unwrap_or_default();
    let has_ended = |lease: &&String| {
        let until = lease.split('#').next().and_then(|until| until.parse().ok());
        until.is_none_or(|until| Timestamp::from_millis(until) <= now)
    };
    leases.iter().filter(has_ended).cloned().collect()
}

impl Table {
    /// Returns the write that takes a slot or gives it back.
    pub(crate) fn slot_change(&self, org: OrgId, change: SlotChange) -> Result<TransactWriteItem, Fault> {
        let (SlotChange::Take(slot) | SlotChange::GiveBack(slot)) = change;
        let verb = if matches!(change, SlotChange::Take(_)) { "ADD" } else { "DELETE" };
        let mut update = Update::builder()
            .set_key(Some(slots_key(org)))
            .update_expression(format!("{verb} {SLOTS} :slot SET #ttl = :ttl"))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":slot", AttributeValue::Ss(vec![lease(slot)]))
            .expression_attribute_values(":ttl", number(slot.until.plus(REMEMBERED).as_secs()));
        if matches!(change, SlotChange::Take(_)) {
            update = update
                .condition_expression(format!("attribute_not_exists({SLOTS}) OR size({SLOTS}) < :most"))
                .expression_attribute_values(":most", number(IN_FLIGHT_MAX));
        }
        self.update(update)
    }

    /// Removes leases that have ended.
    pub(crate) async fn free_slots(&self, org: OrgId, ended: Vec<String>, now: Timestamp) -> Result<(), Fault> {
        let update = UpdateItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(slots_key(org)))
            .update_expression(format!("DELETE {SLOTS} :ended SET #ttl = :ttl"))
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":ended", AttributeValue::Ss(ended))
            .expression_attribute_values(":ttl", number(now.plus(REMEMBERED).as_secs()));
        self.client.send(update).await.map(drop).map_err(Fault::unavailable)
    }
}
