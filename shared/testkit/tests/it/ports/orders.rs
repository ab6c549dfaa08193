//! Contract of the ports for orders: recorded once, changed in steps with their photos, listed, due.

use std::time::Duration;

use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::PaymentId;
use consigne_core::files::{Arrival, File, Measured, Pinned, Status, UPLOAD_GRANT_VALID};
use consigne_core::idempotency::CommitOutcome;
use consigne_core::orders::{Order, OrderPhoto, OrderRequest, OrderStatus, OrderStep, PhotoKind, SUBMIT_WITHIN};
use consigne_core::ports::{
    ApplyOrderStep, ApplyTransition, Due, EndClosing, EraseOrder, FindClosings, FindDue, FindOldOrders, GetFiles,
    GetOrder, ListOrders, OldOrders, OpenOrder, PageAsk,
};
use consigne_core::{OrderId, Timestamp};
use consigne_testkit::stack::fresh_user;
use serde_json::{Map, json};

use super::{all_due, eventually, now, on_both};

/// The ports under test.
pub trait Orders:
    OpenOrder
    + GetOrder
    + ListOrders
    + ApplyOrderStep
    + ApplyTransition
    + GetFiles
    + FindDue
    + FindOldOrders
    + EraseOrder
    + FindClosings
    + EndClosing
{
}
impl<T> Orders for T where
    T: OpenOrder
        + GetOrder
        + ListOrders
        + ApplyOrderStep
        + ApplyTransition
        + GetFiles
        + FindDue
        + FindOldOrders
        + EraseOrder
        + FindClosings
        + EndClosing
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    an_order_is_recorded_once,
    a_step_writes_the_order_and_its_photos_together_and_once,
    a_step_of_a_photo_takes_its_order_along_or_nothing_is_written,
    lists_have_the_newest_first_in_pages_of_one_status,
    an_order_is_due_until_its_photos_are_there,
    a_form_that_is_signed_anew_extends_the_grant_unless_the_photo_has_come,
    an_erased_order_leaves_a_mark_and_a_closing,
    old_orders_of_a_status_are_found_the_oldest_first,
);

fn paid(at: Timestamp) -> Order {
    Order::paid(PaymentId::parse(&fresh_user().replace("user_", "pi_")).unwrap(), at)
}

fn ask() -> OrderRequest {
    let photo = |kind| OrderPhoto { kind, filename: "Été.jpg", content_type: "image/jpeg", size: 900 };
    let answers = Map::from_iter([("mood".to_owned(), json!({ "n": [1, 2.5, null], "é": "\u{1f600}" }))]);
    OrderRequest::parse(&PhotoKind::ALL.map(photo), "ann@example.com", answers, Some("fr")).unwrap()
}

fn submitted(order: &Order, at: Timestamp) -> OrderStep {
    order.submit(&ask(), &[], UPLOAD_GRANT_VALID, at).unwrap()
}

fn arrival() -> Arrival {
    let pinned = Pinned { version: "v1".to_owned(), etag: "e".to_owned(), sequencer: "1".to_owned() };
    Arrival { pinned, size: 900, measured: Measured::default() }
}

async fn opened(orders: &impl OpenOrder, at: Timestamp) -> Order {
    let order = paid(at);
    assert_eq!(orders.open_order(&order).await.unwrap(), CommitOutcome::Committed);
    order
}

async fn applied(orders: &impl ApplyOrderStep, step: OrderStep) -> OrderStep {
    assert_eq!(orders.apply_order_step(&step).await.unwrap(), CommitOutcome::Committed);
    step
}

async fn read(orders: &impl GetOrder, id: OrderId) -> Option<Order> {
    orders.get_order(id).await.unwrap()
}

async fn statuses(orders: &impl GetFiles, order: &Order) -> Vec<Status> {
    let photos = order.photos().map(consigne_core::orders::Photo::file).collect();
    let files = orders.get_files(&order.owner(), &photos).await.unwrap();
    files.into_values().map(|file| file.status).collect()
}

async fn an_order_is_recorded_once(orders: &impl Orders) {
    let order = paid(now());
    assert_eq!(read(orders, order.id).await, None);
    assert_eq!(orders.open_order(&order).await.unwrap(), CommitOutcome::Committed);
    let step = applied(orders, submitted(&order, now())).await;
    let told_again = Order { paid_at: now().plus(Duration::from_hours(1)), ..order };
    assert_eq!(orders.open_order(&told_again).await.unwrap(), CommitOutcome::Conflict);
    assert_eq!(read(orders, step.order.id).await, Some(step.order));
}

async fn a_step_writes_the_order_and_its_photos_together_and_once(orders: &impl Orders) {
    let order = opened(orders, now()).await;
    let (step, rival) = (submitted(&order, now()), submitted(&order, now()));
    let step = applied(orders, step).await;
    for stale in [&rival, &step] {
        assert_eq!(orders.apply_order_step(stale).await.unwrap(), CommitOutcome::Conflict);
    }
    assert_eq!(statuses(orders, &step.order).await, [Status::Pending; 2]);
    assert_eq!(statuses(orders, &rival.order).await, [], "its photos were not granted");

    // Photos that have changed since they were read are not discarded, and the order stays then.
    let due = now().plus(SUBMIT_WITHIN);
    let ready: Vec<File> = step.granted.iter().map(|file| file.accept(arrival(), now()).file).collect();
    let ending = step.order.expire(&ready, due).unwrap();
    assert_eq!(orders.apply_order_step(&ending).await.unwrap(), CommitOutcome::Conflict);
    for file in &step.granted {
        assert!(orders.apply_transition(&file.accept(arrival(), now())).await.unwrap().is_committed());
    }
    let ending = applied(orders, ending).await;
    assert_eq!(statuses(orders, &ending.order).await, [Status::Deleting; 2]);
    assert_eq!(read(orders, ending.order.id).await, Some(ending.order));
}

async fn a_step_of_a_photo_takes_its_order_along_or_nothing_is_written(orders: &impl Orders) {
    let order = opened(orders, now()).await;
    let first = applied(orders, submitted(&order, now())).await;
    let of_file = |order: &Order, file: &File| {
        let mut step = file.accept(arrival(), now());
        step.order = order.follow(&step.file, now()).map(Box::new);
        step
    };
    let [face, palm] = &first.granted[..] else { panic!("two photos") };
    let (one, rival) = (of_file(&first.order, face), of_file(&first.order, palm));
    assert!(orders.apply_transition(&one).await.unwrap().is_committed());
    assert!(!orders.apply_transition(&rival).await.unwrap().is_committed(), "the order has changed");
    let order = read(orders, order.id).await.unwrap();
    assert_eq!(Some(&order), one.order.as_ref().map(|step| &step.order));
    let last = of_file(&order, palm);
    assert!(orders.apply_transition(&last).await.unwrap().is_committed());
    assert_eq!(read(orders, order.id).await.unwrap().status, OrderStatus::Submitted);
    assert_eq!(statuses(orders, &order).await, [Status::Ready; 2]);
}

async fn lists_have_the_newest_first_in_pages_of_one_status(orders: &impl Orders) {
    // Other tests pay orders, too. So these are in the future, and first.
    let later = now().plus(Duration::from_hours(24 * 365));
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.insert(0, opened(orders, later.plus(Duration::from_secs(n))).await.id);
    }
    let page = async |after: Option<String>| {
        orders.list_orders(OrderStatus::Paid, &PageAsk { limit: 2, after }).await.unwrap()
    };
    let two_pages = async || {
        let first = page(None).await;
        let second = page(first.next.clone()).await;
        (first.items.len(), first.items.into_iter().chain(second.items).take(3).collect::<Vec<_>>())
    };
    let ids_of = |(_, found): &(usize, Vec<Order>)| found.iter().map(|order| order.id).collect::<Vec<_>>();
    let found = eventually(two_pages, |found| ids_of(found) == ids).await;
    assert_eq!((found.0, ids_of(&found)), (2, ids.clone()));
    let step = applied(orders, submitted(&found.1[0], later)).await;
    let left = eventually(two_pages, |found| !ids_of(found).contains(&step.order.id)).await;
    assert_eq!(ids_of(&left)[..2], ids[1..]);
}

async fn an_order_is_due_until_its_photos_are_there(orders: &impl Orders) {
    let order = opened(orders, now()).await;
    let step = applied(orders, submitted(&order, now())).await;
    let is_due = async |at: Timestamp| {
        let all = all_due(orders, at).await;
        all.iter().any(|due| matches!(due, Due::Order(due) if due.id == order.id))
    };
    let due = step.order.due_at().unwrap();
    assert!(!is_due(due.minus(Duration::from_millis(1))).await);
    assert!(eventually(async || is_due(due).await, |is_due| *is_due).await);
    let ending = step.order.expire(&[], due).unwrap();
    applied(orders, ending).await;
    assert!(!eventually(async || is_due(due).await, |is_due| !*is_due).await);
}

async fn a_form_that_is_signed_anew_extends_the_grant_unless_the_photo_has_come(orders: &impl Orders) {
    let order = opened(orders, now()).await;
    let first = applied(orders, submitted(&order, now())).await;
    let (late, ask) = (now().plus(Duration::from_mins(14) + Duration::from_secs(30)), ask());
    let renew = |order: &Order, at| order.submit(&ask, &first.granted, UPLOAD_GRANT_VALID, at).unwrap();
    let renewed = applied(orders, renew(&first.order, late)).await;
    assert_eq!((renewed.granted.len(), renewed.changed.len()), (0, 2));
    let ids = renewed.order.photos().map(consigne_core::orders::Photo::file).collect();
    let files = orders.get_files(&order.owner(), &ids).await.unwrap();
    for changed in &renewed.changed {
        assert_eq!(files.get(&changed.file.id()), Some(&changed.file));
        assert_eq!(changed.file.grant_expires_at, late.plus(UPLOAD_GRANT_VALID));
    }
    // The records have changed since they were read, so neither they nor the order are written.
    let stale = renew(&renewed.order, late.plus(UPLOAD_GRANT_VALID));
    assert_eq!(orders.apply_order_step(&stale).await.unwrap(), CommitOutcome::Conflict);
    assert_eq!(read(orders, order.id).await, Some(renewed.order));
}

async fn an_erased_order_leaves_a_mark_and_a_closing(orders: &impl Orders) {
    // Far in the future, because the deployed `account-close` ends everything that is due now.
    let at = now().plus(Duration::from_hours(10_000));
    let order = opened(orders, now()).await;
    let origin = Origin { actor: Actor::Operator("zoë".to_owned()), ip: None, user_agent: None, plan: None };
    let entry = AuditEntry::new(None, AuditAction::OrderErased, order.id.to_string(), &origin, now(), json!({}));
    let stale = order.erase(Some(entry.clone()), at);
    let step = applied(orders, submitted(&order, now())).await;
    assert_eq!(orders.erase_order(&stale).await.unwrap(), CommitOutcome::Conflict);
    assert_eq!(read(orders, order.id).await, Some(step.order.clone()));

    let erasure = step.order.erase(Some(entry), at);
    assert_eq!(orders.erase_order(&erasure).await.unwrap(), CommitOutcome::Committed);
    assert_eq!(orders.erase_order(&erasure).await.unwrap(), CommitOutcome::Conflict);
    assert_eq!(read(orders, order.id).await, None);
    assert_eq!(orders.open_order(&order).await.unwrap(), CommitOutcome::Conflict, "the payment is used");
    assert_eq!(orders.apply_order_step(&submitted(&step.order, now())).await.unwrap(), CommitOutcome::Conflict);
    let owner = order.owner();
    let closing = async || orders.find_closings(at).await.unwrap().closings.into_iter().find(|due| due.user == owner);
    assert_eq!(eventually(closing, Option::is_some).await, Some(erasure.closing()));
    let due = all_due(orders, step.order.due_at().unwrap()).await;
    assert!(!due.iter().any(|due| matches!(due, Due::Order(due) if due.id == order.id)));
    orders.end_closing(&owner).await.unwrap();
    assert_eq!(eventually(closing, Option::is_none).await, None);
}

async fn old_orders_of_a_status_are_found_the_oldest_first(orders: &impl Orders) {
    // Older than the orders of other tests, so that these are the first.
    let then = Timestamp::from_millis(now().as_millis() % 1_000_000_000);
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(opened(orders, then.plus(Duration::from_millis(n))).await.id);
    }
    let found = async |before: Timestamp, limit| {
        let old = orders.find_old_orders(OrderStatus::Paid, before, limit).await.unwrap();
        assert!(old.unreadable.is_empty() && old.orders.len() <= limit as usize);
        old.orders.into_iter().map(|order| order.id).filter(|id| ids.contains(id)).collect::<Vec<_>>()
    };
    let before = then.plus(Duration::from_millis(2));
    assert_eq!(eventually(async || found(before, 1_000).await, |found| found.len() == 2).await, ids[..2]);
    assert_eq!(orders.find_old_orders(OrderStatus::Paid, before, 1).await.unwrap().orders.len(), 1);
    assert_eq!(orders.find_old_orders(OrderStatus::Expired, then, 10).await.unwrap(), OldOrders::default());
}
