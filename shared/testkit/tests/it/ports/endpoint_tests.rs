//! Contract of the port that tests endpoints.

use std::time::Duration;

use consigne_core::endpoints::{Endpoint, EndpointTest, TESTS_AN_HOUR, test_hour};
use consigne_core::events::EventKind;
use consigne_core::idempotency::{IdempotencyKey, WriteOutcome};
use consigne_core::ports::{CloseAccount, TestEndpoint};
use consigne_core::profiles::Closing;
use consigne_core::webhooks::{Received, Source, WebhookId};
use consigne_core::{Code, OrgId, Timestamp};
use consigne_testkit::{accounts, hooks};
use futures_util::future::join_all;

use super::{now, on_both};

/// The ports under test.
pub trait Tests: TestEndpoint + CloseAccount {}
impl<T: TestEndpoint + CloseAccount> Tests for T {}

on_both!(
    consigne_testkit::stack::Stack::table,
    tests_are_counted_by_organisation_and_hour_and_a_retry_is_no_second_one,
    a_closed_account_tests_nothing,
);

/// Creates an endpoint, which need not be stored.
fn endpoint() -> Endpoint {
    hooks::endpoint(OrgId::mint(now()), &accounts::person(), now())
}

fn test(endpoint: &Endpoint, key: Option<&str>, at: Timestamp) -> EndpointTest {
    let key = key.map(|key| IdempotencyKey { key: key.to_owned(), fingerprint: "f".to_owned() });
    EndpointTest::new(endpoint, endpoint.created_by.clone(), key, "endpoint-test", at)
}

async fn tests_are_counted_by_organisation_and_hour_and_a_retry_is_no_second_one(table: &impl Tests) {
    let (endpoint, at) = (endpoint(), now());
    let first = test(&endpoint, Some("once"), at);
    assert_eq!(first.event.kind(), EventKind::EndpointTest);
    assert_eq!(table.test_endpoint(&first).await.unwrap(), WriteOutcome::Applied);
    let again = test(&endpoint, Some("once"), at);
    let replayed = WriteOutcome::Replayed(first.delivery.to_string());
    assert_eq!(table.test_endpoint(&again).await.unwrap(), replayed);
    let tests: Vec<EndpointTest> = (0..TESTS_AN_HOUR).map(|_| test(&endpoint, None, at)).collect();
    let mut applied = 0;
    for some in tests.chunks(10) {
        for outcome in join_all(some.iter().map(|test| table.test_endpoint(test))).await {
            match outcome {
                Ok(WriteOutcome::Applied) => applied += 1,
                Err(fault) if fault.code == Code::RateLimited => {}
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(applied, TESTS_AN_HOUR - 1);
    assert_eq!(table.test_endpoint(&again).await.unwrap(), replayed, "a retry gets the recorded answer");
    let next = test_hour(at).plus(Duration::from_hours(1));
    assert_eq!(table.test_endpoint(&test(&endpoint, None, next)).await.unwrap(), WriteOutcome::Applied);
    let other = Endpoint { org: OrgId::mint(at), ..endpoint };
    assert_eq!(table.test_endpoint(&test(&other, None, at)).await.unwrap(), WriteOutcome::Applied);
}

async fn a_closed_account_tests_nothing(table: &impl Tests) {
    let (endpoint, at) = (endpoint(), now());
    let user = endpoint.created_by.clone();
    let id = WebhookId::parse(&format!("msg_{user}")).unwrap();
    let (fingerprint, result) = ("f".to_owned(), "r".to_owned());
    let received = Received { source: Source::Clerk, id, fingerprint, result, now: at };
    table.close_account(&Closing::begin(user, at), &received).await.unwrap();
    let refused = table.test_endpoint(&test(&endpoint, None, at)).await.unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
}
