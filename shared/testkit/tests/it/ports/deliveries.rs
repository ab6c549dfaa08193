//! Contract of the ports for endpoints, deliveries and the rate of calls to a destination.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::deliveries::{Delivery, DeliveryStatus, Line, Posted, REDELIVERIES_AN_HOUR, SNOOZE};
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

use super::{all_due, eventually, now, on_both};

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

pub fn new(endpoint: &Endpoint) -> NewEndpoint {
    let audit = accounts::entry(endpoint.org, AuditAction::EndpointCreated, &endpoint.created_by, endpoint.created_at);
    NewEndpoint { endpoint: endpoint.clone(), audit, idempotent: None }
}

/// Creates an endpoint with a URL of its own.
pub fn endpoint(org: OrgId, user: &UserId) -> Endpoint {
    let endpoint = hooks::endpoint(org, user, now());
    Endpoint { url: url(&format!("https://hooks.example.com/{}", endpoint.id)), ..endpoint }
}

pub fn url(text: &str) -> HookUrl {
    HookUrl::kept(text).unwrap()
}

pub async fn registered(table: &impl DeliveryStore, org: OrgId, user: &UserId) -> Endpoint {
    let endpoint = endpoint(org, user);
    assert_eq!(table.create_endpoint(&new(&endpoint)).await.unwrap(), WriteOutcome::Applied);
    endpoint
}

pub async fn fresh(table: &impl DeliveryStore) -> Endpoint {
    registered(table, OrgId::mint(now()), &accounts::person()).await
}

pub fn first(limit: u32) -> PageAsk {
    PageAsk { limit, after: None }
}

pub fn answered(status: u16) -> Posted {
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
        // The outcome of the first attempt is not known. Two attempts do not start in one millisecond.
        &|delivery| delivery.begin(now().plus(Duration::from_millis(5))),
        &|delivery| delivery.conclude(&answered(500), Duration::from_millis(7), &endpoint, now()).0,
        &|delivery| delivery.begin(now().plus(Duration::from_millis(10))),
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
    let due = all_due(table, at).await;
    due.iter().any(|due| matches!(due, Due::Delivery(found) if found.id == delivery.id))
}

async fn a_delivery_is_due_when_it_has_no_message_on_the_queue(table: &impl DeliveryStore) {
    let start = now().plus(Duration::from_hours(1_000));
    let after = |secs: u64| start.plus(Duration::from_secs(secs));
    let delivery = hooks::delivery(&fresh(table).await, start);
    table.record_delivery(&delivery).await.unwrap();
    assert!(eventually(async || is_due(table, &delivery, after(121)).await, |due| *due).await);
    assert!(!is_due(table, &delivery, after(119)).await, "a message for it is on the queue");
    table.snooze_delivery(&delivery, after(121).plus(SNOOZE)).await.unwrap();
    assert!(!eventually(async || is_due(table, &delivery, after(122)).await, |due| !*due).await);
    let read = table.get_delivery(delivery.org, delivery.id).await.unwrap().unwrap();
    assert_eq!((read.revision, read.next_at), (delivery.revision, delivery.next_at), "it must not change");
    let far = delivery.postpone(Line::Endpoint, after(3_600), start);
    assert!(table.move_delivery(&far).await.unwrap().is_committed());
    assert!(eventually(async || is_due(table, &delivery, after(3_600)).await, |due| *due).await);
    assert!(!is_due(table, &delivery, after(3_599)).await, "no message can wait so long, so none is expected");
    assert!(table.move_delivery(&far.delivery.cancel()).await.unwrap().is_committed());
    assert!(!eventually(async || is_due(table, &delivery, after(3_600)).await, |due| !*due).await);
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
