//! Contract of the ports for checkouts: each request records one offer, which is found by organisation and session.

use std::time::Duration;

use consigne_core::credits::{CHECKOUTS_AN_HOUR, Checkout, CheckoutAsk, OpenSession, PACKS, SessionId, checkout_hour};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome};
use consigne_core::ports::{GetCheckout, GetIdempotencyRecord, RecordCheckout, StartCheckout};
use consigne_core::{Code, IdempotencyKey, OrgId, UserId};
use consigne_runtime::settings::{APPLICATION_URL, EnvVars, STRIPE_API_KEY_ARN, STRIPE_URL};
use consigne_runtime::{Start, stripe::Stripe};
use consigne_testkit::accounts;
use consigne_testkit::stack::Stack;
use futures_util::future::join_all;
use serde_json::json;

use super::{now, on_both};

/// The ports under test.
pub trait Checkouts: RecordCheckout + GetCheckout + GetIdempotencyRecord + Sync {}
impl<T: RecordCheckout + GetCheckout + GetIdempotencyRecord + Sync> Checkouts for T {}

on_both!(
    consigne_testkit::stack::Stack::table,
    an_offer_is_found_by_organisation_and_session,
    a_retry_records_one_session_and_another_body_is_refused,
    concurrent_retries_record_one_session,
    sessions_are_limited_per_organisation_and_hour,
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

async fn an_offer_is_found_by_organisation_and_session(store: &impl Checkouts) {
    let (offered, other) = (checkout("1"), checkout("2"));
    assert_eq!(store.get_checkout(offered.org, &offered.session).await.unwrap(), None);
    for offered in [&offered, &other, &offered] {
        assert_eq!(store.record_checkout(offered, None).await.unwrap(), WriteOutcome::Applied);
    }
    assert_eq!(store.get_checkout(offered.org, &offered.session).await.unwrap(), Some(offered.clone()));
    assert_eq!(store.get_checkout(other.org, &offered.session).await.unwrap(), None, "of another organisation");
    assert_eq!(store.get_checkout(offered.org, &other.session).await.unwrap(), None);
}

async fn a_retry_records_one_session_and_another_body_is_refused(store: &impl Checkouts) {
    let offered = checkout("1");
    let idempotency_key = idempotent(&offered, "f");
    assert_eq!(store.get_idempotency_record(&idempotency_key, now()).await.unwrap(), None);
    assert_eq!(store.record_checkout(&offered, Some(&idempotency_key)).await.unwrap(), WriteOutcome::Applied);
    let before = WriteOutcome::Replayed("cs_test_1".to_owned());
    assert_eq!(store.record_checkout(&offered, Some(&idempotency_key)).await.unwrap(), before);
    assert_eq!(store.get_idempotency_record(&idempotency_key, now()).await.unwrap(), Some(before));
    let other = Checkout { session: SessionId::parse("cs_test_2").unwrap(), ..offered.clone() };
    assert_eq!(store.record_checkout(&other, Some(&idempotent(&other, "g"))).await.unwrap(), WriteOutcome::KeyReused);
    assert_eq!(store.get_checkout(other.org, &other.session).await.unwrap(), None, "the session that was not recorded");
    let somebody = UserId::parse("user_somebody").unwrap();
    let anothers = IdempotentRequest { owner: somebody.into(), ..idempotent(&offered, "g") };
    assert_eq!(store.get_idempotency_record(&anothers, now()).await.unwrap(), None);
}

async fn concurrent_retries_record_one_session(store: &impl Checkouts) {
    let offered = checkout("1");
    let idempotency_key = idempotent(&offered, "f");
    let all = join_all((0..6).map(|_| store.record_checkout(&offered, Some(&idempotency_key)))).await;
    let now = all.iter().filter(|written| matches!(written, Ok(WriteOutcome::Applied))).count();
    let before =
        all.iter().filter(|written| matches!(written, Ok(WriteOutcome::Replayed(id)) if id == "cs_test_1")).count();
    assert_eq!((now, before), (1, 5), "{all:?}");
}

async fn sessions_are_limited_per_organisation_and_hour(store: &impl Checkouts) {
    let first = checkout("1");
    let idempotency_key = idempotent(&first, "f");
    assert_eq!(store.record_checkout(&first, Some(&idempotency_key)).await.unwrap(), WriteOutcome::Applied);
    let next =
        |number: u32| Checkout { session: SessionId::parse(&format!("cs_test_n{number}")).unwrap(), ..first.clone() };
    for number in 1..CHECKOUTS_AN_HOUR {
        assert_eq!(store.record_checkout(&next(number), None).await.unwrap(), WriteOutcome::Applied, "{number}");
    }
    let refused = store.record_checkout(&next(100), None).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["limit"]), (Code::RateLimited, &json!(CHECKOUTS_AN_HOUR)));
    assert_eq!(store.get_checkout(first.org, &next(100).session).await.unwrap(), None);
    let again = store.record_checkout(&first, Some(&idempotency_key)).await.unwrap();
    assert_eq!(again, WriteOutcome::Replayed("cs_test_1".to_owned()), "a retry gets the recorded session");
    assert_eq!(
        store.record_checkout(&checkout("2"), None).await.unwrap(),
        WriteOutcome::Applied,
        "another organisation"
    );
    let later = Checkout { at: checkout_hour(first.at).plus(Duration::from_hours(1)), ..next(101) };
    assert_eq!(store.record_checkout(&later, None).await.unwrap(), WriteOutcome::Applied, "another hour");
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
        let first = provider.start_checkout(&ask).await.unwrap();
        assert!(first.url.starts_with("http") && first.id.as_str().starts_with("cs_"), "{first:?}");
        assert_eq!(provider.start_checkout(&ask).await.unwrap(), first);
        let other = CheckoutAsk::new(org, PACKS[0], None, "another");
        assert_ne!(provider.start_checkout(&other).await.unwrap().id, first.id);
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
