//! Contract of the ports for endpoints, deliveries and the rate of calls to a destination.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::deliveries::{
    Delivery, DeliveryStatus, IN_FLIGHT_MAX, LEASE, Line, MoveOutcome, Posted, REDELIVERIES_AN_HOUR, SNOOZE,
};
use consigne_core::endpoints::{DisabledBecause, ENDPOINTS_MAX, Endpoint, EndpointPatch, HookUrl, NewEndpoint};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::keys::ChangeContext;
use consigne_core::pacing::{PaceAsk, Paced, Rate};
use consigne_core::ports::{
    ChangeEndpoint, CreateEndpoint, DeleteEndpoint, DeliveryFilter, Due, FindDue, FindEndpoints, ForgetEndpoints,
    GetDelivery, GetEndpoint, ListDeliveries, ListEndpoints, MoveDelivery, PaceCall, PageAsk, RecordDelivery,
    Redeliver, SnoozeDelivery,
};
use consigne_core::{Code, IdempotencyKey, OrgId, Timestamp, UserId};
use consigne_testkit::{accounts, hooks};
use futures_util::future::join_all;
use serde_json::json;

use super::{eventually, now, on_both};

/// The ports under test.
pub trait DeliveryStore:
    CreateEndpoint
    + GetEndpoint
    + ListEndpoints
    + FindEndpoints
    + ForgetEndpoints
    + ChangeEndpoint
    + DeleteEndpoint
    + RecordDelivery
    + GetDelivery
    + MoveDelivery
    + Redeliver
    + ListDeliveries
    + SnoozeDelivery
    + PaceCall
    + FindDue
    + Sync
{
}
impl<
    T: CreateEndpoint
        + GetEndpoint
        + ListEndpoints
        + FindEndpoints
        + ForgetEndpoints
        + ChangeEndpoint
        + DeleteEndpoint
        + RecordDelivery
        + GetDelivery
        + MoveDelivery
        + Redeliver
        + ListDeliveries
        + SnoozeDelivery
        + PaceCall
        + FindDue
        + Sync,
> DeliveryStore for T
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    an_endpoint_is_found_by_its_organisation_and_by_its_registrar,
    concurrent_registrations_do_not_exceed_the_limit_of_endpoints,
    a_retry_registers_one_endpoint,
    of_concurrent_endpoints_with_one_url_one_is_registered,
    an_endpoint_cannot_take_the_url_of_another,
    an_organisation_has_only_so_many_calls_in_flight,
    slots_that_were_never_given_back_end_by_themselves,
    an_endpoint_changes_only_if_it_was_not_changed_in_between,
    a_delivery_is_recorded_once_and_read_back_after_every_step,
    of_many_concurrent_claims_of_an_attempt_one_succeeds,
    an_endpoint_is_disabled_together_with_its_delivery,
    deliveries_are_listed_newest_first_by_status_and_viewer,
    a_delivery_is_due_when_it_has_no_message_on_the_queue,
    redeliveries_are_limited_per_hour_and_retries_count_once,
    many_workers_do_not_exceed_a_destinations_rate_and_each_gets_a_turn,
    turns_are_given_for_at_most_ten_minutes_ahead,
);

fn new(endpoint: &Endpoint) -> NewEndpoint {
    let audit = accounts::entry(endpoint.org, AuditAction::EndpointCreated, &endpoint.created_by, endpoint.created_at);
    NewEndpoint { endpoint: endpoint.clone(), audit, idempotent: None }
}

/// Creates an endpoint with a URL of its own.
fn endpoint(org: OrgId, user: &UserId) -> Endpoint {
    let endpoint = hooks::endpoint(org, user, now());
    Endpoint { url: url(&format!("https://hooks.example.com/{}", endpoint.id)), ..endpoint }
}

fn url(text: &str) -> HookUrl {
    HookUrl::kept(text).unwrap()
}

async fn registered(table: &impl DeliveryStore, org: OrgId, user: &UserId) -> Endpoint {
    let endpoint = endpoint(org, user);
    assert_eq!(table.create_endpoint(&new(&endpoint)).await.unwrap(), WriteOutcome::Applied);
    endpoint
}

async fn fresh(table: &impl DeliveryStore) -> Endpoint {
    registered(table, OrgId::mint(now()), &accounts::person()).await
}

fn first(limit: u32) -> PageAsk {
    PageAsk { limit, after: None }
}

fn answered(status: u16) -> Posted {
    Posted::answered(status, None, b"")
}

async fn an_endpoint_is_found_by_its_organisation_and_by_its_registrar(table: &impl DeliveryStore) {
    let (org, ann) = (OrgId::mint(now()), accounts::person());
    let older = registered(table, org, &ann).await;
    let newer = registered(table, org, &ann).await;
    let elsewhere = registered(table, OrgId::mint(now()), &ann).await;
    assert_eq!(table.get_endpoint(org, older.id).await.unwrap(), Some(older.clone()));
    assert_eq!(table.get_endpoint(elsewhere.org, older.id).await.unwrap(), None, "of another organisation");
    let listed = table.list_endpoints(org, &first(10)).await.unwrap();
    let mut want = vec![newer.clone(), older.clone()];
    want.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.id));
    assert_eq!((listed.items, listed.total), (want, Some(2)));
    let mut found = table.find_endpoints(&ann).await.unwrap();
    found.sort();
    let mut want = vec![(org, older.id), (org, newer.id), (elsewhere.org, elsewhere.id)];
    want.sort();
    assert_eq!(found, want);

    let audit = accounts::entry(org, AuditAction::EndpointDeleted, &ann, now());
    assert!(table.delete_endpoint(&older, &audit).await.unwrap());
    assert!(!table.delete_endpoint(&older, &audit).await.unwrap(), "twice");
    assert_eq!(table.get_endpoint(org, older.id).await.unwrap(), None);
    assert_eq!(table.find_endpoints(&ann).await.unwrap().len(), 2);
    table.forget_endpoints(&ann).await.unwrap();
    assert_eq!(table.find_endpoints(&ann).await.unwrap(), []);
    assert_eq!(
        table.get_endpoint(org, newer.id).await.unwrap(),
        Some(newer),
        "the endpoint belongs to its organisation"
    );
}

async fn concurrent_registrations_do_not_exceed_the_limit_of_endpoints(table: &impl DeliveryStore) {
    let (org, ann) = (OrgId::mint(now()), accounts::person());
    for _ in 0..ENDPOINTS_MAX - 2 {
        registered(table, org, &ann).await;
    }
    let all: Vec<NewEndpoint> = (0..6).map(|_| new(&endpoint(org, &ann))).collect();
    let all = join_all(all.iter().map(|new| table.create_endpoint(new))).await;
    let made = all.iter().filter(|made| matches!(made, Ok(WriteOutcome::Applied))).count();
    let refused = all.iter().filter(|made| made.as_ref().is_err_and(|fault| fault.code == Code::Conflict)).count();
    assert_eq!((made, refused), (2, 4), "{all:?}");
    let listed = table.list_endpoints(org, &first(100)).await.unwrap().items;
    assert_eq!(listed.len(), ENDPOINTS_MAX as usize);
    let audit = accounts::entry(org, AuditAction::EndpointDeleted, &ann, now());
    assert!(table.delete_endpoint(&listed[0], &audit).await.unwrap());
    registered(table, org, &ann).await;
}

async fn a_retry_registers_one_endpoint(table: &impl DeliveryStore) {
    let (org, ann) = (OrgId::mint(now()), accounts::person());
    let promised = |fingerprint: &str| {
        let endpoint = endpoint(org, &ann);
        let key = IdempotencyKey { key: "register".to_owned(), fingerprint: fingerprint.to_owned() };
        let idempotent = IdempotentRequest {
            key,
            owner: ann.clone().into(),
            operation: "endpoint-create",
            result: endpoint.id.to_string(),
        };
        NewEndpoint { idempotent: Some(idempotent), ..new(&endpoint) }
    };
    let one = promised("f");
    assert_eq!(table.create_endpoint(&one).await.unwrap(), WriteOutcome::Applied);
    let again = table.create_endpoint(&promised("f")).await.unwrap();
    assert_eq!(again, WriteOutcome::Replayed(one.endpoint.id.to_string()));
    assert_eq!(table.create_endpoint(&promised("g")).await.unwrap(), WriteOutcome::KeyReused);
    assert_eq!(table.list_endpoints(org, &first(10)).await.unwrap().items.len(), 1);
}

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
    let almost = claimed[0].open.unwrap().plus(LEASE - Duration::from_secs(5));
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

async fn an_endpoint_changes_only_if_it_was_not_changed_in_between(table: &impl DeliveryStore) {
    let endpoint = fresh(table).await;
    let origin = accounts::origin(&endpoint.created_by);
    let by = ChangeContext { origin: &origin, now: now() };
    let patch = EndpointPatch { rate: Rate::new(3), ..EndpointPatch::default() };
    let step = endpoint.update(&patch, &by).unwrap();
    let rotation = endpoint.rotate(Duration::from_mins(1), None, &by).unwrap();
    assert_eq!(table.change_endpoint(&step).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(table.change_endpoint(&rotation).await.unwrap(), WriteOutcome::Conflict);
    let disabled = step.endpoint.disable(DisabledBecause::Failing, now());
    assert_eq!(table.change_endpoint(&disabled).await.unwrap(), WriteOutcome::Applied);
    let read = table.get_endpoint(endpoint.org, endpoint.id).await.unwrap().unwrap();
    assert_eq!(read, disabled.endpoint);
    let rotation = read.rotate(Duration::from_mins(1), None, &by).unwrap();
    assert_eq!(table.change_endpoint(&rotation).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(table.get_endpoint(endpoint.org, endpoint.id).await.unwrap(), Some(rotation.endpoint));
}

async fn a_delivery_is_recorded_once_and_read_back_after_every_step(table: &impl DeliveryStore) {
    let endpoint = fresh(table).await;
    let mut delivery = hooks::delivery(&endpoint, now());
    delivery.person = Some(endpoint.created_by.clone());
    assert!(table.record_delivery(&delivery).await.unwrap());
    assert!(!table.record_delivery(&delivery).await.unwrap());
    assert_eq!(table.get_delivery(OrgId::mint(now()), delivery.id).await.unwrap(), None, "of another organisation");
    let steps: [&dyn Fn(&Delivery) -> consigne_core::deliveries::DeliveryStep; 6] = [
        &|delivery| delivery.postpone(Line::Endpoint, now().plus(Duration::from_secs(9)), now()),
        &|delivery| delivery.begin(now()),
        // The outcome of the first attempt is not known.
        &|delivery| delivery.begin(now()),
        &|delivery| delivery.conclude(&answered(500), Duration::from_millis(7), &endpoint, now()).0,
        &|delivery| delivery.begin(now()),
        &|delivery| delivery.conclude(&answered(200), Duration::from_millis(8), &endpoint, now()).0,
    ];
    for step in steps {
        let mut step = step(&delivery);
        step.endpoint = None;
        assert!(table.move_delivery(&step).await.unwrap().is_committed());
        assert!(!table.move_delivery(&step).await.unwrap().is_committed(), "the delivery has changed");
        delivery = step.delivery;
        assert_eq!(table.get_delivery(delivery.org, delivery.id).await.unwrap(), Some(delivery.clone()));
    }
    assert_eq!((delivery.status, delivery.attempts.len()), (DeliveryStatus::Delivered, 3));
    let again = Delivery { id: delivery.id, ..hooks::delivery(&endpoint, now()) };
    assert!(!table.record_delivery(&again).await.unwrap(), "whatever its state");
}

async fn of_many_concurrent_claims_of_an_attempt_one_succeeds(table: &impl DeliveryStore) {
    let delivery = hooks::delivery(&fresh(table).await, now());
    table.record_delivery(&delivery).await.unwrap();
    let claims: Vec<_> = (0..8).map(|n| delivery.begin(now().plus(Duration::from_millis(n)))).collect();
    let won = join_all(claims.iter().map(|claim| table.move_delivery(claim))).await;
    assert_eq!(won.iter().filter(|won| won.as_ref().unwrap().is_committed()).count(), 1);
}

async fn an_endpoint_is_disabled_together_with_its_delivery(table: &impl DeliveryStore) {
    let endpoint = fresh(table).await;
    let [one, other] = [0, 1].map(|secs| hooks::delivery(&endpoint, now().plus(Duration::from_secs(secs))));
    for delivery in [&one, &other] {
        table.record_delivery(delivery).await.unwrap();
        assert!(table.move_delivery(&delivery.begin(now())).await.unwrap().is_committed());
    }
    let begun = |delivery: &Delivery| delivery.begin(now()).delivery;
    let (gone, _) = begun(&one).conclude(&answered(410), Duration::ZERO, &endpoint, now());
    assert!(table.move_delivery(&gone).await.unwrap().is_committed());
    let read = table.get_endpoint(endpoint.org, endpoint.id).await.unwrap().unwrap();
    assert!(!read.is_active() && read.revision == 2, "{read:?}");
    // A step computed from an older state of the endpoint changes neither of them.
    let (failed, _) = begun(&other).conclude(&answered(500), Duration::ZERO, &endpoint, now());
    assert!(!table.move_delivery(&failed).await.unwrap().is_committed());
    let (failed, _) = begun(&other).conclude(&answered(500), Duration::ZERO, &read, now());
    assert!(table.move_delivery(&failed).await.unwrap().is_committed());
}

async fn deliveries_are_listed_newest_first_by_status_and_viewer(table: &impl DeliveryStore) {
    let (endpoint, viewer, stranger) = (fresh(table).await, accounts::person(), accounts::person());
    let at = |secs: u64| now().plus(Duration::from_secs(secs));
    let mut all = Vec::new();
    for (secs, person) in [(0, None), (1, Some(&viewer)), (2, Some(&stranger)), (3, None)] {
        let delivery = Delivery { person: person.cloned(), ..hooks::delivery(&endpoint, at(secs)) };
        table.record_delivery(&delivery).await.unwrap();
        all.push(delivery);
    }
    let ended = all[0].cancel();
    assert!(table.move_delivery(&ended).await.unwrap().is_committed());
    let ids = async |status, limit: u32| {
        let filter = DeliveryFilter { endpoint: endpoint.id, status, viewer: viewer.clone() };
        let mut found = Vec::new();
        let mut page = first(limit);
        loop {
            let listed = table.list_deliveries(endpoint.org, &filter, &page).await.unwrap();
            assert!(listed.items.len() <= limit as usize);
            found.extend(listed.items.iter().map(|delivery| delivery.id));
            page.after = listed.next;
            if page.after.is_none() {
                return found;
            }
        }
    };
    let [a, b, _, d] = [0, 1, 2, 3].map(|at: usize| all[at].id);
    let want = vec![d, b, a];
    assert_eq!(eventually(async || ids(None, 10).await, |found| *found == want).await, want);
    assert_eq!(ids(None, 1).await, want, "pages of one delivery");
    let cancelled = Some(DeliveryStatus::Cancelled);
    assert_eq!(eventually(async || ids(cancelled, 10).await, |found| found.len() == 1).await, [a]);
    assert_eq!(ids(Some(DeliveryStatus::Pending), 10).await, [d, b]);
    let filter = DeliveryFilter { endpoint: endpoint.id, status: None, viewer: viewer.clone() };
    let elsewhere = table.list_deliveries(OrgId::mint(now()), &filter, &first(10)).await.unwrap();
    assert_eq!(elsewhere.items, [], "of another organisation");
}

/// Returns whether a delivery is due at a time.
async fn is_due(table: &impl DeliveryStore, delivery: &Delivery, at: Timestamp) -> bool {
    let mut walk = Default::default();
    loop {
        let due = table.find_due(at, 1_000, &mut walk).await.unwrap();
        if due.is_empty() {
            return false;
        }
        if due.iter().any(|due| matches!(due, Due::Delivery(found) if found.id == delivery.id)) {
            return true;
        }
    }
}

async fn a_delivery_is_due_when_it_has_no_message_on_the_queue(table: &impl DeliveryStore) {
    let long_ago = now().minus(Duration::from_hours(24 * 365));
    let after = |secs: u64| long_ago.plus(Duration::from_secs(secs));
    let delivery = hooks::delivery(&fresh(table).await, long_ago);
    table.record_delivery(&delivery).await.unwrap();
    assert!(eventually(async || is_due(table, &delivery, after(121)).await, |due| *due).await);
    assert!(!is_due(table, &delivery, after(119)).await, "a message for it is on the queue");
    table.snooze_delivery(&delivery, after(121).plus(SNOOZE)).await.unwrap();
    assert!(!eventually(async || is_due(table, &delivery, after(122)).await, |due| !*due).await);
    let read = table.get_delivery(delivery.org, delivery.id).await.unwrap().unwrap();
    assert_eq!((read.revision, read.next_at), (delivery.revision, delivery.next_at), "it must not change");
    let far = delivery.postpone(Line::Endpoint, after(3_600), long_ago);
    assert!(table.move_delivery(&far).await.unwrap().is_committed());
    assert!(eventually(async || is_due(table, &delivery, after(3_600)).await, |due| *due).await);
    assert!(!is_due(table, &delivery, after(3_599)).await, "no message can wait so long, so none is expected");
    assert!(table.move_delivery(&far.delivery.cancel()).await.unwrap().is_committed());
    assert!(!eventually(async || is_due(table, &delivery, now()).await, |due| !*due).await);
}

async fn redeliveries_are_limited_per_hour_and_retries_count_once(table: &impl DeliveryStore) {
    let endpoint = fresh(table).await;
    let mut delivery = hooks::delivery(&endpoint, now());
    table.record_delivery(&delivery).await.unwrap();
    let ended = delivery.cancel();
    assert!(table.move_delivery(&ended).await.unwrap().is_committed());
    delivery = ended.delivery;
    let key = IdempotencyKey { key: "again".to_owned(), fingerprint: "f".to_owned() };
    let (caller, result) = (endpoint.created_by.clone().into(), "r".to_owned());
    let idempotent = IdempotentRequest { key, owner: caller, operation: "delivery-redeliver", result };
    for n in 0..REDELIVERIES_AN_HOUR {
        let again = delivery.again(now()).unwrap();
        let idempotency_key = (n == 0).then_some(&idempotent);
        assert_eq!(
            table.redeliver(&again, &endpoint.created_by, idempotency_key, endpoint.created_at).await.unwrap(),
            WriteOutcome::Applied,
            "{n}"
        );
        if n == 0 {
            assert_eq!(
                table.redeliver(&again, &endpoint.created_by, None, endpoint.created_at).await.unwrap(),
                WriteOutcome::Conflict
            );
        }
        let ended = again.delivery.cancel();
        assert!(table.move_delivery(&ended).await.unwrap().is_committed());
        delivery = ended.delivery;
    }
    let again = delivery.again(now()).unwrap();
    let refused = table.redeliver(&again, &endpoint.created_by, None, endpoint.created_at).await.unwrap_err();
    assert_eq!(refused.code, Code::RateLimited);
    let before = table.redeliver(&again, &endpoint.created_by, Some(&idempotent), endpoint.created_at).await.unwrap();
    assert_eq!(before, WriteOutcome::Replayed("r".to_owned()), "a retry gets the recorded answer");
    let later = endpoint.created_at.plus(Duration::from_hours(1));
    assert_eq!(
        table.redeliver(&again, &endpoint.created_by, None, later).await.unwrap(),
        WriteOutcome::Applied,
        "another hour"
    );
}

/// Number of workers that request turns of a destination, and of calls that they make.
const WORKERS: usize = 6;
const CALLS: usize = 120;

async fn many_workers_do_not_exceed_a_destinations_rate_and_each_gets_a_turn(table: &impl DeliveryStore) {
    let (destination, rate) = (accounts::person().to_string(), Rate::new(20).unwrap());
    let left =
        std::sync::Mutex::new((0..CALLS).map(|_| (now(), None)).collect::<Vec<(Timestamp, Option<Timestamp>)>>());
    let made = std::sync::Mutex::new(Vec::new());
    // Each worker takes the next delivery. It has its own clock, so nothing really waits.
    let worker = async |_: usize| {
        loop {
            let next = {
                let mut left = left.lock().unwrap();
                let at = (0..left.len()).min_by_key(|at| left[*at].0);
                at.map(|at| left.swap_remove(at))
            };
            let Some((when, place)) = next else { return };
            let ask = PaceAsk { destination: destination.clone(), interval: rate.interval(), place, now: when };
            match table.pace_call(&ask).await.unwrap() {
                Paced::Now => made.lock().unwrap().push(when),
                Paced::At(then) => {
                    let place = if ask.is_in_turn() { place } else { Some(then) };
                    left.lock().unwrap().push((then, place));
                }
                Paced::Full => panic!("no turn is far in the future"),
            }
        }
    };
    join_all((0..WORKERS).map(worker)).await;
    let mut made = made.into_inner().unwrap();
    made.sort();
    assert_eq!(made.len(), CALLS, "every delivery had a turn");
    assert!(made.windows(2).all(|pair| pair[1].since(pair[0]) >= rate.interval()), "{made:?}");
    let whole = made[CALLS - 1].since(made[0]);
    assert!(whole <= rate.interval() * u32::try_from(CALLS).unwrap() * 2, "{whole:?}: turns were left unused");
}

async fn turns_are_given_for_at_most_ten_minutes_ahead(table: &impl DeliveryStore) {
    let (rate, now) = (Rate::new(1).unwrap(), now());
    let mut ask = PaceAsk { destination: accounts::person().to_string(), interval: rate.interval(), place: None, now };
    assert_eq!(table.pace_call(&ask).await.unwrap(), Paced::Now);
    for second in 1..=600 {
        let place = now.plus(Duration::from_secs(second));
        assert_eq!(table.pace_call(&ask).await.unwrap(), Paced::At(place));
    }
    assert_eq!(table.pace_call(&ask).await.unwrap(), Paced::Full);
    ask.now = now.plus(Duration::from_secs(1));
    assert_eq!(table.pace_call(&ask).await.unwrap(), Paced::At(now.plus(Duration::from_secs(601))));
}
