//! Contract of the ports for deliveries: what keeps one organisation from the share of others, and one URL from two
//! endpoints.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::deliveries::{Delivery, IN_FLIGHT_MAX, LEASE, MoveOutcome};
use consigne_core::endpoints::{Endpoint, EndpointPatch, HookUrl, NewEndpoint};
use consigne_core::idempotency::WriteOutcome;
use consigne_core::keys::ChangeContext;
use consigne_core::{Code, OrgId};
use consigne_testkit::{accounts, hooks};
use futures_util::future::join_all;
use serde_json::json;

use super::deliveries::{DeliveryStore, answered, endpoint, first, fresh, new, registered, url};
use super::{now, on_both};

on_both!(
    consigne_testkit::stack::Stack::table,
    of_concurrent_endpoints_with_one_url_one_is_registered,
    an_endpoint_cannot_take_the_url_of_another,
    an_organisation_has_only_so_many_calls_in_flight,
    slots_that_were_never_given_back_end_by_themselves,
);

async fn of_concurrent_endpoints_with_one_url_one_is_registered(table: &impl DeliveryStore) {
    let (org, ann) = (OrgId::mint(now()), accounts::person());
    let spellings = ["https://a.example/h?t=%41", "https://A.example:443/h?t=A", "https://a.example/%68?t=A"];
    let all: Vec<NewEndpoint> =
        spellings.iter().map(|text| new(&Endpoint { url: url(text), ..endpoint(org, &ann) })).collect();
    let made = join_all(all.iter().map(|new| table.create_endpoint(new))).await;
    let refused = made.iter().filter_map(|made| made.as_ref().err()).collect::<Vec<_>>();
    assert!(made.iter().filter(|made| made.is_ok()).count() == 1 && refused.len() == 2, "{made:?}");
    assert!(refused.iter().all(|fault| fault.code == Code::Conflict && fault.details["field"] == "url"), "{refused:?}");
    let listed = table.list_endpoints(org, &first(10)).await.unwrap();
    assert_eq!((listed.items.len(), listed.total), (1, Some(1)), "a refused one does not count");
    let elsewhere = Endpoint { url: url(spellings[0]), ..endpoint(OrgId::mint(now()), &ann) };
    assert_eq!(table.create_endpoint(&new(&elsewhere)).await.unwrap(), WriteOutcome::Applied, "another organisation");
    // A deleted endpoint leaves its URL to the next one.
    let audit = accounts::entry(org, AuditAction::EndpointDeleted, &ann, now());
    assert!(table.delete_endpoint(&listed.items[0], &audit).await.unwrap());
    let again = Endpoint { url: url(spellings[1]), ..endpoint(org, &ann) };
    assert_eq!(table.create_endpoint(&new(&again)).await.unwrap(), WriteOutcome::Applied);
}

async fn an_endpoint_cannot_take_the_url_of_another(table: &impl DeliveryStore) {
    let (org, ann) = (OrgId::mint(now()), accounts::person());
    let (one, other) = (registered(table, org, &ann).await, registered(table, org, &ann).await);
    let origin = accounts::origin(&ann);
    let by = ChangeContext { origin: &origin, now: now() };
    let moves = |from: &Endpoint, to: &HookUrl| {
        from.update(&EndpointPatch { url: Some(to.clone()), ..EndpointPatch::default() }, &by).unwrap()
    };
    let refused = table.change_endpoint(&moves(&one, &other.url)).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["field"]), (Code::Conflict, &json!("url")));
    // Another spelling of its own URL is no change of place.
    let spelled = url(&one.url.as_str().replace("hooks.example.com", "Hooks.example.com:443"));
    let step = moves(&one, &spelled);
    assert_eq!(table.change_endpoint(&step).await.unwrap(), WriteOutcome::Applied);
    // Once it has left its URL, another endpoint may have it.
    let step = moves(&step.endpoint, &url("https://hooks.example.com/elsewhere"));
    assert_eq!(table.change_endpoint(&step).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(table.change_endpoint(&moves(&other, &one.url)).await.unwrap(), WriteOutcome::Applied);
    let back = table.change_endpoint(&moves(&step.endpoint, &one.url)).await.unwrap_err();
    assert_eq!(back.code, Code::Conflict);
}

/// Starts attempts of so many new deliveries at the same time. Returns those that were claimed.
async fn begun(table: &impl DeliveryStore, endpoint: &Endpoint, many: u64) -> (Vec<Delivery>, usize) {
    let mut steps = Vec::new();
    for n in 0..many {
        let delivery = hooks::delivery(endpoint, now().plus(Duration::from_secs(n)));
        table.record_delivery(&delivery).await.unwrap();
        steps.push(delivery.begin(now()));
    }
    let moved = join_all(steps.iter().map(|step| table.move_delivery(step))).await;
    let (mut claimed, mut without) = (Vec::new(), 0);
    for (step, moved) in steps.into_iter().zip(moved) {
        match moved.unwrap() {
            MoveOutcome::Committed => claimed.push(step.delivery),
            MoveOutcome::NoSlot => without += 1,
            MoveOutcome::Conflict => panic!("nobody else changes the delivery"),
        }
    }
    (claimed, without)
}

async fn an_organisation_has_only_so_many_calls_in_flight(table: &impl DeliveryStore) {
    let (one, elsewhere) = (fresh(table).await, fresh(table).await);
    let other = registered(table, one.org, &one.created_by).await;
    let (most, half) = (IN_FLIGHT_MAX as usize, u64::from(IN_FLIGHT_MAX) / 2);
    let (first, without) = begun(table, &one, half + 1).await;
    assert_eq!((first.len() as u64, without), (half + 1, 0));
    let (second, without) = begun(table, &other, half + 1).await;
    assert_eq!((first.len() + second.len(), without), (most, 2), "its endpoints share the slots");
    assert_eq!(begun(table, &elsewhere, half).await.1, 0, "another organisation has its own");
    // Every way to end an attempt gives the slot back, and a second attempt to do so gives nothing more.
    let (delivered, _) = first[0].conclude(&answered(200), Duration::ZERO, &one, now());
    let (failed, _) = first[1].conclude(&answered(500), Duration::ZERO, &one, now());
    for step in [&delivered, &failed, &first[2].withdraw(None, now())] {
        assert!(table.move_delivery(step).await.unwrap().is_committed());
        assert!(!table.move_delivery(step).await.unwrap().is_committed());
    }
    let (third, without) = begun(table, &one, 5).await;
    assert_eq!((third.len(), without), (3, 2));
    // A delivery that found no slot is as it was before.
    let delivery = hooks::delivery(&one, now().plus(Duration::from_secs(99)));
    table.record_delivery(&delivery).await.unwrap();
    assert_eq!(table.move_delivery(&delivery.begin(now())).await.unwrap(), MoveOutcome::NoSlot);
    assert_eq!(table.get_delivery(delivery.org, delivery.id).await.unwrap(), Some(delivery.clone()));
    assert!(table.move_delivery(&delivery.wait_for_slot(now())).await.unwrap().is_committed());
}

async fn slots_that_were_never_given_back_end_by_themselves(table: &impl DeliveryStore) {
    let endpoint = fresh(table).await;
    let (claimed, _) = begun(table, &endpoint, u64::from(IN_FLIGHT_MAX)).await;
    let delivery = hooks::delivery(&endpoint, now().plus(Duration::from_secs(99)));
    table.record_delivery(&delivery).await.unwrap();
    let almost = claimed[0].open.unwrap().plus(LEASE).minus(Duration::from_secs(5));
    assert_eq!(table.move_delivery(&delivery.begin(almost)).await.unwrap(), MoveOutcome::NoSlot);
    let over = claimed.iter().filter_map(|claimed| claimed.open).max().unwrap().plus(LEASE);
    assert!(table.move_delivery(&delivery.begin(over)).await.unwrap().is_committed());
    // The late end of one whose lease is over changes nothing, and all slots but one are free.
    let (late, _) = claimed[0].conclude(&answered(200), Duration::ZERO, &endpoint, over);
    assert!(table.move_delivery(&late).await.unwrap().is_committed());
    let begin_late = async |secs: u64| {
        let delivery = hooks::delivery(&endpoint, now().plus(Duration::from_secs(secs)));
        table.record_delivery(&delivery).await.unwrap();
        table.move_delivery(&delivery.begin(over)).await.unwrap()
    };
    for n in 1..u64::from(IN_FLIGHT_MAX) {
        assert!(begin_late(100 + n).await.is_committed(), "{n}");
    }
    assert_eq!(begin_late(200).await, MoveOutcome::NoSlot);
}
