//! Orders that are erased: by an operator, or because the installation keeps them for a time only.

use std::time::Duration;

use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::PaymentId;
use consigne_core::files::{LedgerState, ObjectKey, Status};
use consigne_core::orders::{Order, OrderStatus};
use consigne_core::ports::{EraseOrder, GetOrder};
use consigne_core::{OrderId, Timestamp};
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, SimClock, World};
use consigne_testkit::functions::{self, Fakes};
use consigne_testkit::{payload, pictures};
use serde_json::{Value, json};

use super::nightly::sweep::sweep_at;
use super::orders::{
    announce, as_role, derive, file_of, keys, order_id, order_in, paid, pay, submit, upload, upload_both,
};
use super::people::closing::close_accounts_at;

/// Runs `account-close` this many days from now, where orders are kept for `days`. Returns what it did.
pub async fn try_close_with_retention(world: &World, days: &'static str, after: u64) -> Result<Value, String> {
    let start = Fakes::start_with(world, &SimClock::at(clock::now()), [("ORDER_RETENTION_DAYS", days)]);
    let mut event = payload::event("account-close", "tick", "");
    event["time"] = clock::now().plus(Duration::from_hours(24 * after)).to_string().into();
    functions::tick_started(&start, "account-close", event).await
}

async fn close_with_retention(world: &World, days: &'static str, after: u64) -> Value {
    let done = try_close_with_retention(world, days, after).await.unwrap();
    assert_eq!(done["failed"], 0, "{done}");
    done["orders_erased"].clone()
}

/// Erases the order as an operator does.
async fn erase(world: &World) {
    let origin = Origin { actor: Actor::Operator("zoe".to_owned()), ip: None, user_agent: None, plan: None };
    let action = AuditAction::OrderErased;
    let entry =
        AuditEntry::new(None, action, order_id().to_string(), &origin, clock::now(), json!({ "reason": "asked" }));
    let order = world.get_order(order_id()).await.unwrap().unwrap();
    assert!(world.erase_order(&order.erase(Some(entry), clock::now())).await.unwrap().is_committed());
}

/// Returns the time of the next run of `account-close`.
fn soon() -> Timestamp {
    clock::now().plus(Duration::from_mins(5))
}

/// Creates a world with a complete order, whose clean copies are made.
async fn complete() -> World {
    let world = paid();
    submit(&world).await;
    upload_both(&world).await;
    for key in keys(&world) {
        derive(&world, &key).await;
    }
    world
}

#[tokio::test]
async fn an_erased_order_leaves_nothing_and_cannot_be_submitted_again() {
    let world = complete().await;
    let photos = keys(&world);
    erase(&world).await;
    close_accounts_at(&world, soon()).await;
    for key in &photos {
        assert!(!world.state().objects.contains_key(key), "{key} is left");
        assert_eq!(file_of(&world, key).status, Status::Deleted);
    }
    let deleted = world.state().outbox.iter().filter(|(_, entry)| entry.kind == "file.deleted").count();
    assert_eq!(deleted, 2, "`derive-image` hears that it has copies to remove");
    assert_eq!(submit(&world).await["status"], 404);
    assert_eq!(pay(&world).await["status"], 200, "Stripe tells of the payment again");
    assert!(world.state().orders.is_empty());
    let mut event = payload::event("order-get", "order", &as_role("expert"));
    event["pathParameters"]["id"] = order_id().to_string().into();
    assert_eq!(functions::call(&world, "order-get", event).await["status"], 404);
    let audit = world.state().accounts.audit.clone();
    assert_eq!(
        (audit.len(), audit[0].action, audit[0].subject.clone()),
        (1, AuditAction::OrderErased, order_id().to_string())
    );
    close_accounts_at(&world, clock::now().plus(Duration::from_hours(2))).await;
    assert!(world.state().closings.is_empty());
}

#[tokio::test]
async fn a_photo_that_arrives_after_the_erasure_is_removed() {
    for runs_before in [true, false] {
        let world = paid();
        submit(&world).await;
        let [face, _] = keys(&world);
        erase(&world).await;
        if runs_before {
            close_accounts_at(&world, soon()).await;
        }
        world.put_object(&face, "v1", pictures::heic());
        announce(&world, &face, "v1").await;
        close_accounts_at(&world, clock::now().plus(Duration::from_hours(2))).await;
        let state = world.state();
        assert!(state.objects.is_empty() && state.closings.is_empty(), "{:?}", state.objects.keys());
    }
}

#[tokio::test]
async fn orders_are_erased_when_they_are_older_than_the_installation_keeps_them() {
    let world = complete().await;
    assert_eq!(close_with_retention(&world, "0", 4_000).await, 0, "they are kept");
    assert_eq!(close_with_retention(&world, "30", 29).await, 0);
    assert_eq!(order_in(&world).status, OrderStatus::Submitted);
    assert_eq!(close_with_retention(&world, "30", 31).await, 1);
    assert_eq!(close_with_retention(&world, "30", 31).await, 0, "the next run deletes the photos");
    let state = world.state();
    assert!(state.orders.is_empty() && state.accounts.audit.is_empty());
    let kept: Vec<&String> = state.objects.keys().filter(|key| key.starts_with("uploads/")).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

/// Adds orders that were submitted as the order of the payloads was, after it. Returns the first and the last one's ids.
fn add_orders(world: &World, count: i64) -> [OrderId; 2] {
    let mut ids = Vec::new();
    world.change(|state| {
        let old = state.orders[&order_id()].clone();
        for n in 1..=count {
            let payment = PaymentId::parse(&format!("pi_more{n}")).unwrap();
            let since = old.status_since.plus(Duration::from_millis(n.unsigned_abs()));
            let order = Order { id: OrderId::of(&payment), payment, status_since: since, ..old.clone() };
            ids.push(order.id);
            state.orders.insert(order.id, order);
        }
    });
    [ids[0], ids[ids.len() - 1]]
}

#[tokio::test]
async fn an_order_that_cannot_be_read_is_reported_and_stops_no_other() {
    let world = complete().await;
    let [_, last] = add_orders(&world, 2);
    world.change(|state| state.unreadable_orders.extend([order_id()]));
    let done = try_close_with_retention(&world, "30", 31).await.unwrap();
    assert_eq!((&done["orders_erased"], &done["failed"]), (&json!(2), &json!(1)), "{done}");
    assert!(world.state().erased_orders.contains(&last) && world.state().orders.contains_key(&order_id()));
}

#[tokio::test]
async fn an_order_whose_erasure_fails_stops_no_other() {
    let world = complete().await;
    add_orders(&world, 2);
    // After the search for closings and the one for orders.
    world.fail_at(2, Moment::Before);
    let done = try_close_with_retention(&world, "30", 31).await.unwrap();
    assert_eq!((&done["orders_erased"], &done["failed"]), (&json!(2), &json!(1)), "{done}");
    assert_eq!(close_with_retention(&world, "30", 31).await, 1, "the next run erases it");
}

#[tokio::test]
async fn many_old_orders_take_several_runs() {
    let world = complete().await;
    add_orders(&world, 150);
    for erased in [100, 51, 0] {
        assert_eq!(close_with_retention(&world, "30", 31).await, erased);
    }
    assert!(world.state().orders.is_empty());
}

#[tokio::test]
async fn versions_whose_events_were_lost_are_removed_with_the_order() {
    let world = paid();
    submit(&world).await;
    let [face, palm] = keys(&world);
    world.put_object(&face, "v1", pictures::heic());
    upload(&world, &palm, "v1", pictures::photo_with_place()).await;
    world.put_object(&palm, "v2", pictures::photo_with_place());
    assert_eq!([&face, &palm].map(|key| file_of(&world, key).status), [Status::Pending, Status::Ready]);
    erase(&world).await;
    close_accounts_at(&world, soon()).await;
    assert!(world.state().objects.is_empty(), "{:?}", world.state().objects.keys());
    assert_eq!([&face, &palm].map(|key| file_of(&world, key).status), [Status::Deleted; 2]);
}

#[tokio::test]
async fn all_versions_of_an_infected_photo_are_removed_with_the_order() {
    let world = complete().await;
    let [face, _] = keys(&world);
    world.change(|state| {
        let photo = ObjectKey::parse(&face).unwrap();
        let file = state.files.get_mut(&(photo.owner().clone(), photo.file())).unwrap();
        (file.status, file.pinned, file.ledger_state) = (Status::Infected, None, LedgerState::Nothing);
    });
    world.put_object(&face, "v2", pictures::heic());
    erase(&world).await;
    close_accounts_at(&world, soon()).await;
    assert!(!world.state().objects.contains_key(&face));
}

#[tokio::test]
async fn a_photo_of_an_erased_order_never_becomes_ready() {
    let world = paid();
    submit(&world).await;
    let [face, palm] = keys(&world);
    erase(&world).await;
    upload(&world, &face, "v1", pictures::heic()).await;
    let told: Vec<String> = world.state().outbox.into_iter().map(|(_, entry)| entry.kind).collect();
    assert!(!told.iter().any(|kind| kind == "file.ready"), "{told:?}");
    world.put_object(&palm, "v1", pictures::photo_with_place());
    sweep_at(&world, clock::now().plus(Duration::from_mins(30))).await;
    assert_eq!([&face, &palm].map(|key| file_of(&world, key).status), [Status::Rejected; 2]);
    assert!(world.state().objects.is_empty());
}

#[tokio::test]
async fn an_order_that_waits_for_its_customer_is_kept() {
    let world = paid();
    assert_eq!(close_with_retention(&world, "30", 400).await, 0, "they have paid");
    submit(&world).await;
    assert_eq!(close_with_retention(&world, "30", 400).await, 0, "`sweep` ends it first");
    world.change(|state| state.orders.get_mut(&order_id()).unwrap().status = OrderStatus::Expired);
    assert_eq!(close_with_retention(&world, "30", 400).await, 1);
}
