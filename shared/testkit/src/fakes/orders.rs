//! Fakes for orders.

use consigne_core::files::{File, Transition};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::orders::{OldOrder, Order, OrderErasure, OrderStatus, OrderStep};
use consigne_core::ports::{
    ApplyOrderStep, EraseOrder, FindOldOrders, GetOrder, ListOrders, Listed, OldOrders, OpenOrder, PageAsk,
};
use consigne_core::{Fault, OrderId, Timestamp};

use super::accounts::page;
use super::{State, World};

impl State {
    /// Returns whether a step of an order may be applied: the order has not changed since it was read.
    pub(super) fn is_current_order(&self, step: &OrderStep) -> bool {
        self.orders.get(&step.order.id).is_some_and(|order| order.revision == step.seen)
    }

    /// Applies a step of an order that is current.
    pub(super) fn take_order_step(&mut self, step: &OrderStep) {
        self.orders.insert(step.order.id, step.order.clone());
        if let Some(event) = &step.event {
            self.push_event(event);
        }
    }
}

impl OpenOrder for World {
    async fn open_order(&self, order: &Order) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            if state.orders.contains_key(&order.id) || state.erased_orders.contains(&order.id) {
                return CommitOutcome::Conflict;
            }
            state.orders.insert(order.id, order.clone());
            CommitOutcome::Committed
        })
    }
}

impl GetOrder for World {
    async fn get_order(&self, order: OrderId) -> Result<Option<Order>, Fault> {
        self.effect(|state| state.orders.get(&order).cloned())
    }
}

impl ListOrders for World {
    async fn list_orders(&self, status: OrderStatus, ask: &PageAsk) -> Result<Listed<Order>, Fault> {
        self.effect(|state| {
            let mut listed: Vec<Order> =
                state.orders.values().filter(|order| order.status == status).cloned().collect();
            listed.sort_by_key(|order| std::cmp::Reverse((order.status_since, order.id)));
            page(&listed, ask)
        })?
    }
}

impl ApplyOrderStep for World {
    async fn apply_order_step(&self, step: &OrderStep) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            let place = |file: &File| (file.owner().clone(), file.id());
            let is_current =
                |step: &Transition| state.files.get(&place(&step.file)).is_some_and(|file| file.revision == step.seen);
            let are_new = step.granted.iter().all(|file| !state.files.contains_key(&place(file)));
            if !state.is_current_order(step) || !are_new || !step.changed.iter().all(is_current) {
                return CommitOutcome::Conflict;
            }
            for file in step.granted.iter().chain(step.changed.iter().map(|changed| &changed.file)) {
                state.files.insert(place(file), file.clone());
            }
            state.take_order_step(step);
            CommitOutcome::Committed
        })
    }
}

impl FindOldOrders for World {
    async fn find_old_orders(&self, status: OrderStatus, before: Timestamp, limit: u32) -> Result<OldOrders, Fault> {
        self.effect(|state| {
            let old = |order: &&Order| order.status == status && order.status_since < before;
            let mut found: Vec<&Order> = state.orders.values().filter(old).collect();
            found.sort_by_key(|order| (order.status_since, order.id));
            found.truncate(limit as usize);
            let mut old = OldOrders::default();
            for Order { id, payment, revision, .. } in found {
                if state.unreadable_orders.contains(id) {
                    old.unreadable.push(format!("USER#{id}"));
                } else {
                    old.orders.push(OldOrder { id: *id, payment: payment.clone(), revision: *revision });
                }
            }
            old
        })
    }
}

impl EraseOrder for World {
    async fn erase_order(&self, erasure: &OrderErasure) -> Result<CommitOutcome, Fault> {
        self.effect(|state| {
            if state.orders.get(&erasure.order).is_none_or(|order| order.revision != erasure.seen) {
                return CommitOutcome::Conflict;
            }
            state.orders.remove(&erasure.order);
            state.erased_orders.insert(erasure.order);
            let closing = erasure.closing();
            state.closings.insert(closing.user.clone(), closing);
            state.accounts.audit.extend(erasure.audit.clone());
            CommitOutcome::Committed
        })
    }
}
