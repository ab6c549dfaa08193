//! Orders: recording and reading them, listing, and applying steps.

pub(crate) mod order_item;

use aws_sdk_dynamodb::types::TransactWriteItem;
use consigne_core::idempotency::CommitOutcome;
use consigne_core::orders::{Order, OrderErasure, OrderStatus, OrderStep};
use consigne_core::ports::{
    ApplyOrderStep, EraseOrder, FindOldOrders, GetOrder, ListOrders, Listed, OldOrders, OpenOrder, PageAsk,
};
use consigne_core::{Fault, OrderId, Timestamp};

use crate::table::Table;
use crate::table::files::file_item;
use crate::table::item::{Item, Reader, sortable, text};
use crate::table::people::closings;
use crate::table::{audit, outbox};

impl OpenOrder for Table {
    async fn open_order(&self, order: &Order) -> Result<CommitOutcome, Fault> {
        let write = self.put_new(order_item::write(order))?;
        self.commit(vec![write]).await
    }
}

impl GetOrder for Table {
    async fn get_order(&self, order: OrderId) -> Result<Option<Order>, Fault> {
        let item = self.get(order_item::key(order)).await?;
        item.as_ref().filter(|item| !order_item::is_erased(item)).map(order_item::read).transpose()
    }
}

impl ListOrders for Table {
    async fn list_orders(&self, status: OrderStatus, page: &PageAsk) -> Result<Listed<Order>, Fault> {
        let query = self.partition(Some("gsi1"), order_item::by_status(status));
        let query = query.key_condition_expression("#pk = :pk").scan_index_forward(false);
        self.page(Some("gsi1"), query, page, order_item::read).await
    }
}

impl ApplyOrderStep for Table {
    async fn apply_order_step(&self, step: &OrderStep) -> Result<CommitOutcome, Fault> {
        let mut writes = self.order_writes(step)?;
        for file in &step.granted {
            writes.push(self.put_new(file_item::write(file))?);
        }
        for changed in &step.changed {
            writes.push(self.put_seen(file_item::write(&changed.file), changed.seen)?);
        }
        self.commit(writes).await
    }
}

impl FindOldOrders for Table {
    async fn find_old_orders(&self, status: OrderStatus, before: Timestamp, limit: u32) -> Result<OldOrders, Fault> {
        // Answers and photos are up to 160 kB of an order, and the erasure needs none of them.
        let query = self
            .partition(Some("gsi1"), order_item::by_status(status))
            .key_condition_expression("#pk = :pk AND gsi1sk < :before")
            .expression_attribute_values(":before", text(sortable(before)))
            .projection_expression("pk, sk, gsi1pk, gsi1sk, payment, revision");
        let read = |item: &Item| {
            Ok(order_item::read_old(item).map_err(|_| Reader(item).optional_text("pk").unwrap_or_default().to_owned()))
        };
        let mut found = OldOrders::default();
        for one in self.entries(Some("gsi1"), &query, limit, None, read).await?.0 {
            match one {
                Ok(order) => found.orders.push(order),
                Err(pk) => found.unreadable.push(pk),
            }
        }
        Ok(found)
    }
}

impl EraseOrder for Table {
    async fn erase_order(&self, erasure: &OrderErasure) -> Result<CommitOutcome, Fault> {
        let mut writes = vec![
            self.put_seen(order_item::erased(erasure), erasure.seen)?,
            self.put(closings::write(&erasure.closing()))?,
        ];
        if let Some(entry) = &erasure.audit {
            writes.push(self.put(audit::write(entry))?);
        }
        self.commit(writes).await
    }
}

impl Table {
    /// Returns the writes of a step of an order, except those of photos.
    pub(crate) fn order_writes(&self, step: &OrderStep) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut writes = vec![self.put_seen(order_item::write(&step.order), step.seen)?];
        if let Some(event) = &step.event {
            writes.push(self.put(outbox::write(event))?);
        }
        Ok(writes)
    }
}
