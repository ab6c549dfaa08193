//! Contract of the ports for checkouts: places are limited, each request records one offer, and an offer is found by
//! organisation and session.

use std::time::Duration;

use consigne_core::credits::{
    CHECKOUTS_A_DAY, CHECKOUTS_AN_HOUR, Checkout, CheckoutAnswer, CheckoutAsk, CheckoutReservation, OpenSession, PACKS,
    SessionId, checkout_hour,
};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::ports::{
    GetCheckout, GetIdempotencyRecord, RecordCheckout, ReleaseCheckout, ReserveCheckout, StartCheckout,
};
use consigne_core::{Code, IdempotencyKey, OrgId, UserId};
use consigne_outgoing::stripe::Stripe;
use consigne_runtime::Start;
use consigne_runtime::settings::{APPLICATION_URL, EnvVars, STRIPE_API_KEY_ARN, STRIPE_URL};
use consigne_testkit::accounts;
use consigne_testkit::stack::Stack;
use futures_util::future::join_all;
use serde_json::json;

use super::{now, on_both};

/// The ports under test.
pub trait Checkouts:
    ReserveCheckout + ReleaseCheckout + RecordCheckout + GetCheckout + GetIdempotencyRecord + Sync
{
}
impl<T: ReserveCheckout + ReleaseCheckout + RecordCheckout + GetCheckout + GetIdempotencyRecord + Sync> Checkouts
    for T
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    an_offer_is_found_by_organisation_and_session,
    a_retry_records_one_session_and_another_body_is_refused,
    concurrent_retries_record_one_session,
    places_are_limited_per_organisation_and_hour,
    places_are_limited_per_person_and_day,
    concurrent_requests_take_no_place_above_the_limit,
    a_place_that_is_given_back_can_be_taken_again,
    a_session_without_its_place_is_not_recorded,
);

/// Creates the checkout session of a new organisation.
fn checkout(name: &str) -> Checkout {
    let org = OrgId::mint(now());
    let ask = CheckoutAsk::new(org, PACKS[1], None, name);
    let id = SessionId::parse(&format!("cs_test_{name}")).unwrap();
    Checkout::of(&ask, OpenSession { id, url: format!("https://checkout.example/{name}") }, accounts::person(), now())
}

fn idempotent(checkout: &Checkout, fingerprint: &str) -> IdempotentRequest {
    IdempotentRequest {
        key: IdempotencyKey { key: "buy 17".to_owned(), fingerprint: fingerprint.to_owned() },
        owner: checkout.user.clone().into(),
        operation: "checkout",
        result: checkout.session.as_str().to_owned(),
    }
}

/// Builds the reservation of a request. `idempotent` is the request, if it has an idempotency key.
fn reservation(checkout: &Checkout, idempotent: Option<&IdempotentRequest>) -> CheckoutReservation {
    CheckoutReservation::new(checkout.org, checkout.user.clone(), idempotent, checkout.at)
}

/// Takes the place of a request and records its session.
async fn record(
    store: &impl Checkouts,
    checkout: &Checkout,
    idempotent: Option<&IdempotentRequest>,
) -> Result<WriteOutcome, consigne_core::Fault> {
    let reservation = reservation(checkout, idempotent);
    drop(store.reserve_checkout(&reservation).await?);
    store.record_checkout(checkout, idempotent, &reservation).await
}

async fn an_offer_is_found_by_organisation_and_session(store: &impl Checkouts) {
    let (offered, other) = (checkout("1"), checkout("2"));
    assert_eq!(store.get_checkout(offered.org, &offered.session).await.unwrap(), None);
    for offered in [&offered, &other, &offered] {
        assert_eq!(record(store, offered, None).await.unwrap(), WriteOutcome::Applied);
    }
    assert_eq!(store.get_checkout(offered.org, &offered.session).await.unwrap(), Some(offered.clone()));
    assert_eq!(store.get_checkout(other.org, &offered.session).await.unwrap(), None, "of another organisation");
    assert_eq!(store.get_checkout(offered.org, &other.session).await.unwrap(), None);
}

async fn a_retry_records_one_session_and_another_body_is_refused(store: &impl Checkouts) {
    let offered = checkout("1");
    let idempotency_key = idempotent(&offered, "f");
    assert_eq!(store.get_idempotency_record(&idempotency_key, now()).await.unwrap(), None);
    assert_eq!(record(store, &offered, Some(&idempotency_key)).await.unwrap(), WriteOutcome::Applied);
    let before = WriteOutcome::Replayed("cs_test_1".to_owned());
    assert_eq!(record(store, &offered, Some(&idempotency_key)).await.unwrap(), before);
    assert_eq!(store.get_idempotency_record(&idempotency_key, now()).await.unwrap(), Some(before));
    let other = Checkout { session: SessionId::parse("cs_test_2").unwrap(), ..offered.clone() };
    assert_eq!(record(store, &other, Some(&idempotent(&other, "g"))).await.unwrap(), WriteOutcome::KeyReused);
    assert_eq!(store.get_checkout(other.org, &other.session).await.unwrap(), None, "the session that was not recorded");
    let somebody = UserId::parse("user_somebody").unwrap();
    let anothers = IdempotentRequest { owner: somebody.into(), ..idempotent(&offered, "g") };
    assert_eq!(store.get_idempotency_record(&anothers, now()).await.unwrap(), None);
}

async fn concurrent_retries_record_one_session(store: &impl Checkouts) {
    let offered = checkout("1");
    let idempotency_key = idempotent(&offered, "f");
    let all = join_all((0..6).map(|_| record(store, &offered, Some(&idempotency_key)))).await;
    let now = all.iter().filter(|written| matches!(written, Ok(WriteOutcome::Applied))).count();
    let before =
        all.iter().filter(|written| matches!(written, Ok(WriteOutcome::Replayed(id)) if id == "cs_test_1")).count();
    assert_eq!((now, before), (1, 5), "{all:?}");
}

async fn places_are_limited_per_organisation_and_hour(store: &impl Checkouts) {
    let first = checkout("1");
    let idempotency_key = idempotent(&first, "f");
    let keyed = reservation(&first, Some(&idempotency_key));
    assert_eq!(store.reserve_checkout(&keyed).await.unwrap(), WriteOutcome::Applied);
    let place = reservation(&first, None);
    for number in 1..CHECKOUTS_AN_HOUR {
        assert_eq!(store.reserve_checkout(&place).await.unwrap(), WriteOutcome::Applied, "{number}");
    }
    let refused = store.reserve_checkout(&place).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["limit"]), (Code::RateLimited, &json!(CHECKOUTS_AN_HOUR)));
    let again = store.reserve_checkout(&keyed).await.unwrap();
    let at = first.at.as_millis().to_string();
    assert_eq!(again, WriteOutcome::Replayed(at), "a retry shares the place");
    let other = reservation(&first, Some(&idempotent(&first, "g")));
    assert_eq!(store.reserve_checkout(&other).await.unwrap(), WriteOutcome::KeyReused);
    let elsewhere = reservation(&checkout("2"), None);
    assert_eq!(store.reserve_checkout(&elsewhere).await.unwrap(), WriteOutcome::Applied, "another organisation");
    let later = CheckoutReservation { at: checkout_hour(first.at).plus(Duration::from_hours(1)), ..place };
    assert_eq!(store.reserve_checkout(&later).await.unwrap(), WriteOutcome::Applied, "another hour");
}

async fn places_are_limited_per_person_and_day(store: &impl Checkouts) {
    let user = accounts::person();
    let somewhere = |at| CheckoutReservation::new(OrgId::mint(at), user.clone(), None, at);
    let at = now();
    for number in 0..CHECKOUTS_A_DAY {
        assert_eq!(store.reserve_checkout(&somewhere(at)).await.unwrap(), WriteOutcome::Applied, "{number}");
    }
    let refused = store.reserve_checkout(&somewhere(at)).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["limit"]), (Code::RateLimited, &json!(CHECKOUTS_A_DAY)));
    let tomorrow = somewhere(at.plus(Duration::from_hours(24)));
    assert_eq!(store.reserve_checkout(&tomorrow).await.unwrap(), WriteOutcome::Applied, "another day");
    let another = CheckoutReservation { user: accounts::person(), ..somewhere(at) };
    assert_eq!(store.reserve_checkout(&another).await.unwrap(), WriteOutcome::Applied, "another person");
}

async fn concurrent_requests_take_no_place_above_the_limit(store: &impl Checkouts) {
    let place = reservation(&checkout("1"), None);
    // All but two places are taken.
    for _ in 2..CHECKOUTS_AN_HOUR {
        assert_eq!(store.reserve_checkout(&place).await.unwrap(), WriteOutcome::Applied);
    }
    let all = join_all((0..6).map(|_| store.reserve_checkout(&place))).await;
    let taken = all.iter().filter(|outcome| matches!(outcome, Ok(WriteOutcome::Applied))).count();
    let refused = all.iter().filter(|outcome| outcome.as_ref().is_err_and(|fault| fault.code == Code::RateLimited));
    assert_eq!((taken, refused.count()), (2, 4), "{all:?}");
}

async fn a_place_that_is_given_back_can_be_taken_again(store: &impl Checkouts) {
    let first = checkout("1");
    let place = reservation(&first, None);
    let keyed = reservation(&first, Some(&idempotent(&first, "f")));
    for _ in 1..CHECKOUTS_AN_HOUR {
        assert_eq!(store.reserve_checkout(&place).await.unwrap(), WriteOutcome::Applied);
    }
    assert_eq!(store.reserve_checkout(&keyed).await.unwrap(), WriteOutcome::Applied);
    for _ in 0..3 {
        store.release_checkout(&keyed).await.unwrap();
    }
    assert_eq!(store.reserve_checkout(&keyed).await.unwrap(), WriteOutcome::Applied, "its record is gone too");
    assert_eq!(store.reserve_checkout(&place).await.unwrap_err().code, Code::RateLimited, "given back once");
    store.release_checkout(&place).await.unwrap();
    assert_eq!(store.reserve_checkout(&place).await.unwrap(), WriteOutcome::Applied);
}

async fn a_session_without_its_place_is_not_recorded(store: &impl Checkouts) {
    let offered = checkout("1");
    let request = idempotent(&offered, "f");
    let place = reservation(&offered, Some(&request));
    assert_eq!(store.reserve_checkout(&place).await.unwrap(), WriteOutcome::Applied);
    store.release_checkout(&place).await.unwrap();
    assert_eq!(store.record_checkout(&offered, Some(&request), &place).await.unwrap(), WriteOutcome::Conflict);
    assert_eq!(store.get_checkout(offered.org, &offered.session).await.unwrap(), None);
}

/// Contract of the payment provider, for the fake and for the real adapter with the stand-in.
mod provider {
    use consigne_testkit::fakes::World;

    use super::*;

    /// Creates the adapter as the function does.
    async fn stripe() -> Stripe {
        let stack = Stack::find();
        let names = [&STRIPE_URL, &STRIPE_API_KEY_ARN, &APPLICATION_URL].map(|setting| setting.name);
        let aws = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"];
        let all = names.into_iter().chain(aws).map(|name| {
            let value = if name == APPLICATION_URL.name { "https://app.example.com" } else { stack.name(name) };
            (name.to_owned(), value.to_owned())
        });
        Start::new(EnvVars::fixed(all)).payments().unwrap().await.unwrap()
    }

    async fn retries_open_one_session(provider: &impl StartCheckout) {
        let org = OrgId::mint(now());
        let ask = CheckoutAsk::new(org, PACKS[0], None, "n");
        let opened = async |ask: &CheckoutAsk| match provider.start_checkout(ask).await.unwrap() {
            CheckoutAnswer::Opened(session) => session,
            CheckoutAnswer::Refused(why) => panic!("{why}"),
        };
        let first = opened(&ask).await;
        assert!(first.url.starts_with("http") && first.id.as_str().starts_with("cs_"), "{first:?}");
        assert_eq!(opened(&ask).await, first);
        let other = CheckoutAsk::new(org, PACKS[0], None, "another");
        assert_ne!(opened(&other).await.id, first.id);
    }

    #[tokio::test]
    async fn the_fake_fulfils_the_contract() {
        retries_open_one_session(&World::default()).await;
    }

    #[tokio::test]
    async fn the_adapter_fulfils_the_contract_on_the_stand_in() {
        retries_open_one_session(&stripe().await).await;
    }
}
