//! Deliveries: recording one for each event and endpoint, applying steps, redelivering and listing.

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::{PutItemError, PutItemInput};
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemInput};
use consigne_aws::Failure;
use consigne_core::deliveries::{
    Delivery, DeliveryStep, MoveOutcome, REDELIVERIES_AN_HOUR, SlotChange, redelivery_hour, too_many_redeliveries,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::ports::{
    DeliveryFilter, GetDelivery, ListDeliveries, Listed, MoveDelivery, PageAsk, RecordDelivery, Redeliver,
    SnoozeDelivery,
};
use consigne_core::{DeliveryId, Fault, OrgId, Timestamp, UserId};

use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{count_one, key, number, org_pk, text};
use crate::table::transact::{Outcome, failed_at};
use crate::table::webhooks::delivery_item::{self, delivery_key};
use crate::table::webhooks::slots::ended_leases;
use crate::table::{Table, due};

/// Index of the hour's count in the transaction that redelivers.
const COUNTED: usize = 1;
/// Index of the slot in the transaction that moves a delivery.
const SLOT: usize = 1;

impl RecordDelivery for Table {
    async fn record_delivery(&self, delivery: &Delivery) -> Result<bool, Fault> {
        let put = PutItemInput::builder().table_name(&self.name).set_item(Some(delivery_item::write(delivery)?));
        written(self.client.send(put.condition_expression("attribute_not_exists(pk)")).await)
    }
}

impl GetDelivery for Table {
    async fn get_delivery(&self, org: OrgId, id: DeliveryId) -> Result<Option<Delivery>, Fault> {
        self.get(delivery_key(org, id)).await?.as_ref().map(delivery_item::read).transpose()
    }
}

impl MoveDelivery for Table {
    async fn move_delivery(&self, step: &DeliveryStep) -> Result<MoveOutcome, Fault> {
        let item = delivery_item::write(&step.delivery)?;
        if step.slot.is_none() && step.endpoint.is_none() {
            // Not a transaction, which would cost twice as much.
            let put = PutItemInput::builder().table_name(&self.name).set_item(Some(item));
            let put = put.condition_expression("revision = :seen");
            let put = put.expression_attribute_values(":seen", number(step.seen));
            let written = written(self.client.send(put).await)?;
            return Ok(if written { MoveOutcome::Committed } else { MoveOutcome::Conflict });
        }
        let org = step.delivery.org;
        let mut writes = vec![self.put_seen(item, step.seen)?];
        writes.extend(step.slot.map(|change| self.slot_change(org, change)).transpose()?);
        if let Some(of_endpoint) = &step.endpoint {
            writes.extend(self.endpoint_step(of_endpoint)?);
        }
        let refused = match self.transact(writes.clone()).await? {
            Outcome::Committed => return Ok(MoveOutcome::Committed),
            Outcome::Refused(failed) => failed,
        };
        let Some(SlotChange::Take(slot)) = step.slot else { return Ok(MoveOutcome::Conflict) };
        let Some(taken) = failed_at(&refused, SLOT) else { return Ok(MoveOutcome::Conflict) };
        let ended = ended_leases(taken, slot.started());
        if ended.is_empty() {
            return Ok(MoveOutcome::NoSlot);
        }
        self.free_slots(org, ended, slot.started()).await?;
        Ok(match self.transact(writes).await? {
            Outcome::Committed => MoveOutcome::Committed,
            Outcome::Refused(failed) if failed_at(&failed, SLOT).is_some() => MoveOutcome::NoSlot,
            Outcome::Refused(_) => MoveOutcome::Conflict,
        })
    }
}

impl Redeliver for Table {
    async fn redeliver(
        &self,
        step: &DeliveryStep,
        by: &UserId,
        idempotent: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> Result<WriteOutcome, Fault> {
        let hour = redelivery_hour(now);
        let counter = key(org_pk(step.delivery.org), format!("REDELIVERIES#{hour}"));
        let count = count_one(counter, "asked", REDELIVERIES_AN_HOUR, hour.plus(Duration::from_hours(25)));
        let delivery = self.put_seen(delivery_item::write(&step.delivery)?, step.seen)?;
        let writes = vec![delivery, self.update(count)?, self.require_open(by)?];
        match self.transact_once(writes, idempotent, now).await? {
            TransactionOutcome::Written(written) => Ok(written),
            TransactionOutcome::Refused(failed) if failed_at(&failed, COUNTED).is_some() => {
                Err(too_many_redeliveries(now))
            }
            TransactionOutcome::Refused(_) => Ok(WriteOutcome::Conflict),
        }
    }
}

impl ListDeliveries for Table {
    async fn list_deliveries(
        &self,
        org: OrgId,
        filter: &DeliveryFilter,
        page: &PageAsk,
    ) -> Result<Listed<Delivery>, Fault> {
        let (index, pk) = match filter.status {
            None => ("gsi1", delivery_item::of_endpoint(filter.endpoint)),
            Some(status) => ("gsi2", delivery_item::of_status(filter.endpoint, status)),
        };
        let query = self
            .partition(Some(index), pk)
            .key_condition_expression("#pk = :pk")
            .filter_expression("org_id = :org AND (attribute_not_exists(person) OR person = :viewer)")
            .expression_attribute_values(":org", text(org.to_string()))
            .expression_attribute_values(":viewer", text(filter.viewer.as_str()))
            .scan_index_forward(false);
        self.page(Some(index), query, page, delivery_item::read).await
    }
}

impl SnoozeDelivery for Table {
    async fn snooze_delivery(&self, delivery: &Delivery, until: Timestamp) -> Result<(), Fault> {
        let update = UpdateItemInput::builder()
            .table_name(&self.name)
            .set_key(Some(delivery_key(delivery.org, delivery.id)))
            .update_expression(format!("SET {} = :until", due::AT))
            .condition_expression("revision = :seen")
            .expression_attribute_values(":until", number(until.as_millis()))
            .expression_attribute_values(":seen", number(delivery.revision));
        match self.client.send(update).await {
            Ok(_) => Ok(()),
            Err(error)
                if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) =>
            {
                Ok(())
            }
            Err(error) => Err(Fault::unavailable(error)),
        }
    }
}

/// Converts the result of a conditional write: `true` if it was made, `false` if its condition failed.
fn written<T>(put: Result<T, Failure<PutItemError>>) -> Result<bool, Fault> {
    match put {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) => {
            Ok(false)
        }
        Err(error) => Err(Fault::unavailable(error)),
    }
}
