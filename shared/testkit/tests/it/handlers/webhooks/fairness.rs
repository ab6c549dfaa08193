//! dispatch-webhook: an organisation whose endpoints do not answer leaves workers, and hosts, to the others.

use std::time::Duration;

use consigne_core::deliveries::{Delivery, DeliveryMessage, DeliveryStatus, IN_FLIGHT_MAX, LASTS, Line, Posted, Slot};
use consigne_core::endpoints::{FAILING_GRACE, FAILING_INTERVAL};
use consigne_core::pacing::Pace;
use consigne_core::ports::{Clock as _, RecordDelivery as _};
use consigne_core::{DeliveryId, Timestamp};
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::hooks;
use serde_json::Value;

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{ORG, org};
use crate::handlers::webhooks::deliveries::{deliver_all, dispatched, the_delivery};
use crate::handlers::webhooks::endpoints::{endpoint_in, with_endpoint};

/// The pace of the host to which the endpoint of the payloads leads.
const HOST: &str = "host#hooks.example.com";

/// Records a delivery that is due. Returns the message for it.
async fn due(world: &World, n: u64) -> String {
    let delivery = hooks::delivery(&endpoint_in(world), GRANTED.minus(Duration::from_secs(n)));
    let delivery = Delivery { next_at: Some(GRANTED), ..delivery };
    assert!(world.record_delivery(&delivery).await.unwrap());
    DeliveryMessage::attempt(delivery.org, delivery.id).unwrap()
}

/// Takes all slots of the organisation, until a time.
fn take_all_slots(world: &World, until: Timestamp) {
    let slot = |n: u32| Slot { until, delivery: DeliveryId::derive(&[&n.to_string()]) };
    world.change(|state| drop(state.hooks.slots.insert(org(ORG), (0..IN_FLIGHT_MAX).map(slot).collect())));
}

fn slots_taken(world: &World) -> usize {
    world.state().hooks.slots.get(&org(ORG)).map_or(0, std::collections::BTreeSet::len)
}

/// Attempts a delivery. Returns the outcome in the log.
async fn outcome(world: &World, clock: &SimClock, message: &str) -> Value {
    let (done, log) = dispatched(world, clock, message).await;
    assert!(done, "{log}");
    log["delivery.outcome"].clone()
}

#[tokio::test]
async fn a_delivery_that_finds_no_slot_waits_in_the_queue_and_is_sent_later() {
    let (world, clock) = (with_endpoint(|_| ()), SimClock::at(GRANTED));
    let message = due(&world, 0).await;
    take_all_slots(&world, GRANTED.plus(Duration::from_secs(20)));
    let began = clock.now();
    assert_eq!(outcome(&world, &clock, &message).await, "waits for a slot");
    assert!(clock.now().since(began) < Duration::from_millis(50), "it must not wait in the function");
    let state = world.state();
    assert_eq!((state.hooks.posted.len(), the_delivery(&world).attempts_made), (0, 0));
    let (sent, wait) = &state.later[0];
    assert!(*sent == message && *wait >= Duration::from_secs(2) && *wait <= Duration::from_secs(4), "{wait:?}");
    deliver_all(&world, &clock).await;
    let delivery = the_delivery(&world);
    assert_eq!((delivery.status, delivery.attempts_made), (DeliveryStatus::Delivered, 1));
    let late = delivery.attempts[0].at.since(GRANTED);
    assert!(late >= Duration::from_secs(20) && late < Duration::from_secs(80), "{late:?}");
    assert_eq!(slots_taken(&world), 0, "the slot is given back, and those that have ended are gone");
}

#[test]
fn waiting_deliveries_ask_less_and_less_often_and_end_after_three_days() {
    let (world, mut now) = (with_endpoint(|_| ()), GRANTED);
    let mut delivery = Delivery { began: GRANTED, ..hooks::delivery(&endpoint_in(&world), GRANTED) };
    let mut asked = 0;
    while delivery.status == DeliveryStatus::Pending {
        let step = delivery.wait_for_slot(now);
        delivery = step.delivery;
        now = delivery.next_at.unwrap_or(now);
        asked += 1;
    }
    assert_eq!((delivery.status, delivery.wake_at), (DeliveryStatus::Failed, None));
    assert!(now.since(GRANTED) <= LASTS && asked < 80, "{asked} times until {now}");
}

#[tokio::test]
async fn a_delivery_that_found_no_slot_for_three_days_has_failed() {
    let (world, clock) = (with_endpoint(|_| ()), SimClock::at(GRANTED));
    let message = due(&world, 0).await;
    world
        .change(|state| state.hooks.deliveries.values_mut().for_each(|delivery| delivery.began = GRANTED.minus(LASTS)));
    take_all_slots(&world, GRANTED.plus(Duration::from_secs(20)));
    outcome(&world, &clock, &message).await;
    assert_eq!((the_delivery(&world).status, world.state().later.len()), (DeliveryStatus::Failed, 0));
}

#[tokio::test]
async fn every_outcome_of_an_attempt_gives_its_slot_back() {
    for answer in [200, 307, 410, 500] {
        let (world, clock) = (with_endpoint(|_| ()), SimClock::at(GRANTED));
        world.change(|state| state.hooks.answers.push_back(Posted::answered(answer, None, b"")));
        let message = due(&world, 0).await;
        outcome(&world, &clock, &message).await;
        assert_eq!((world.state().hooks.posted.len(), slots_taken(&world)), (1, 0), "{answer}");
    }
}

#[tokio::test]
async fn a_busy_host_is_not_called_and_the_attempt_does_not_count() {
    let (world, clock) = (with_endpoint(|_| ()), SimClock::at(GRANTED));
    let message = due(&world, 0).await;
    let free = GRANTED.plus(Duration::from_secs(5));
    world.change(|state| {
        state.hooks.paces.insert(HOST.to_owned(), Pace { opens: Some(free), line: None });
    });
    assert_eq!(outcome(&world, &clock, &message).await, "waits for its host");
    let delivery = the_delivery(&world);
    assert_eq!(
        (delivery.attempts_made, delivery.tries, delivery.open, delivery.in_line),
        (0, 0, None, Some(Line::Host))
    );
    assert_eq!((world.state().hooks.posted.len(), slots_taken(&world)), (0, 0));
    deliver_all(&world, &clock).await;
    let delivery = the_delivery(&world);
    assert_eq!((delivery.status, delivery.attempts.len()), (DeliveryStatus::Delivered, 1));
    assert!(delivery.attempts[0].at >= free);
    assert_eq!(delivery.attempts[0].number, 1);
}

#[tokio::test]
async fn a_host_is_called_fifty_times_a_second_by_all_endpoints_together() {
    let (world, clock) = (
        with_endpoint(|endpoint| endpoint.rate = consigne_core::pacing::Rate::new(100).unwrap()),
        SimClock::at(GRANTED),
    );
    for n in 0..60 {
        let message = due(&world, n).await;
        assert_eq!(outcome(&world, &clock, &message).await, "delivered");
    }
    let state = world.state();
    let mut at: Vec<Timestamp> = state.hooks.deliveries.values().map(|delivery| delivery.attempts[0].at).collect();
    at.sort();
    // An attempt starts before it waits for its host, for at most a call's interval.
    let whole = clock.now().since(at[0]);
    assert!(whole >= Duration::from_millis(59 * 20), "{whole:?}");
}

#[tokio::test]
async fn an_endpoint_that_only_fails_is_called_every_ten_seconds_until_it_works() {
    let failing = GRANTED.minus(FAILING_GRACE);
    let (world, clock) = (with_endpoint(|endpoint| endpoint.failing_since = Some(failing)), SimClock::at(GRANTED));
    let (first, second) = (due(&world, 0).await, due(&world, 1).await);
    world.change(|state| state.hooks.answers.push_back(Posted::answered(500, None, b"")));
    assert_eq!(outcome(&world, &clock, &first).await, "to retry");
    assert_eq!(outcome(&world, &clock, &second).await, "waits for its turn");
    let (_, wait) = world.state().later.last().cloned().unwrap();
    assert!(wait + Duration::from_secs(1) >= FAILING_INTERVAL, "{wait:?}");
    deliver_all(&world, &clock).await;
    assert_eq!(endpoint_in(&world).failing_since, None);
    // It works again, so its own rate counts again once the short line is gone.
    clock.advance(clock.now().plus(FAILING_GRACE));
    for n in 2..5 {
        let message = due(&world, n).await;
        let began = clock.now();
        assert_eq!(outcome(&world, &clock, &message).await, "delivered");
        assert!(clock.now().since(began) < Duration::from_secs(1));
    }
}
