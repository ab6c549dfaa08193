//! Checkout sessions: what was offered is found by organisation and session, and a request records one.

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

/// Everything the table can do for checkouts.
pub trait Checkouts: RecordCheckout + GetCheckout + GetIdempotencyRecord + Sync {}
impl<T: RecordCheckout + GetCheckout + GetIdempotencyRecord + Sync> Checkouts for T {}

on_both!(
    consigne_testkit::stack::Stack::table,
    what_was_offered_is_found_by_organisation_and_session,
    the_same_request_records_one_session_and_another_body_none,
    of_the_same_request_at_once_one_is_recorded,
    an_organisation_opens_so_many_an_hour,
);

/// Makes a session of an organisation nobody has used.
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

async fn what_was_offered_is_found_by_organisation_and_session(store: &impl Checkouts) {
    let (offered, other) = (checkout("1"), checkout("2"));
    assert_eq!(store.get_checkout(offered.org, &offered.session).await.unwrap(), None);
    for offered in [&offered, &other, &offered] {
        assert_eq!(store.record_checkout(offered, None).await.unwrap(), WriteOutcome::Applied);
    }
    assert_eq!(store.get_checkout(offered.org, &offered.session).await.unwrap(), Some(offered.clone()));
    assert_eq!(store.get_checkout(other.org, &offered.session).await.unwrap(), None, "of another organisation");
    assert_eq!(store.get_checkout(offered.org, &other.session).await.unwrap(), None);
}

async fn the_same_request_records_one_session_and_another_body_none(store: &impl Checkouts) {
    let offered = checkout("1");
    let idempotency_key = idempotent(&offered, "f");
    assert_eq!(store.get_idempotency_record(&idempotency_key, now()).await.unwrap(), None);
    assert_eq!(store.record_checkout(&offered, Some(&idempotency_key)).await.unwrap(), WriteOutcome::Applied);
    let before = WriteOutcome::Replayed("cs_test_1".to_owned());
    assert_eq!(store.record_checkout(&offered, Some(&idempotency_key)).await.unwrap(), before);
    assert_eq!(store.get_idempotency_record(&idempotency_key, now()).await.unwrap(), Some(before));
    let other = Checkout { session: SessionId::parse("cs_test_2").unwrap(), ..offered.clone() };
    assert_eq!(store.record_checkout(&other, Some(&idempotent(&other, "g"))).await.unwrap(), WriteOutcome::KeyReused);
    assert_eq!(store.get_checkout(other.org, &other.session).await.unwrap(), None, "of which nobody was told");
    let somebody = UserId::parse("user_somebody").unwrap();
    let anothers = IdempotentRequest { owner: somebody.into(), ..idempotent(&offered, "g") };
    assert_eq!(store.get_idempotency_record(&anothers, now()).await.unwrap(), None);
}

async fn of_the_same_request_at_once_one_is_recorded(store: &impl Checkouts) {
    let offered = checkout("1");
    let idempotency_key = idempotent(&offered, "f");
    let all = join_all((0..6).map(|_| store.record_checkout(&offered, Some(&idempotency_key)))).await;
    let now = all.iter().filter(|written| matches!(written, Ok(WriteOutcome::Applied))).count();
    let before =
        all.iter().filter(|written| matches!(written, Ok(WriteOutcome::Replayed(id)) if id == "cs_test_1")).count();
    assert_eq!((now, before), (1, 5), "{all:?}");
}

async fn an_organisation_opens_so_many_an_hour(store: &impl Checkouts) {
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
    assert_eq!(again, WriteOutcome::Replayed("cs_test_1".to_owned()), "what was promised is kept");
    assert_eq!(
        store.record_checkout(&checkout("2"), None).await.unwrap(),
        WriteOutcome::Applied,
        "another organisation"
    );
    let later = Checkout { at: checkout_hour(first.at).plus(Duration::from_hours(1)), ..next(101) };
    assert_eq!(store.record_checkout(&later, None).await.unwrap(), WriteOutcome::Applied, "another hour");
}

/// The provider's side, asked of its fake and of its stand-in through the real adapter.
mod provider {
    use consigne_testkit::fakes::World;

    use super::*;

    /// Makes the adapter as the function does.
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

    async fn the_same_ask_opens_one_session(provider: &impl StartCheckout) {
        let org = OrgId::mint(now());
        let ask = CheckoutAsk::new(org, PACKS[0], None, "n");
        let first = provider.start_checkout(&ask).await.unwrap();
        assert!(first.url.starts_with("http") && first.id.as_str().starts_with("cs_"), "{first:?}");
        assert_eq!(provider.start_checkout(&ask).await.unwrap(), first);
        let other = CheckoutAsk::new(org, PACKS[0], None, "another");
        assert_ne!(provider.start_checkout(&other).await.unwrap().id, first.id);
    }

    #[tokio::test]
    async fn on_the_fake() {
        the_same_ask_opens_one_session(&World::default()).await;
    }

    #[tokio::test]
    async fn on_the_stand_in() {
        the_same_ask_opens_one_session(&stripe().await).await;
    }
}
