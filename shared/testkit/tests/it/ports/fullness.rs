//! Contract of nearly full storage: an event is published in the grant that crosses the threshold, and only then.

use consigne_core::files::{Grant, GrantOutcome, Removal};
use consigne_core::ports::{ApplyTransition, GetFile, GetUsage, GrantUpload};
use consigne_core::{IdempotencyKey, Plan, UserId};
use futures_util::future::join_all;
use serde_json::json;

use super::committed_events::{CommittedEvents, events_in};
use super::{file_of, now, owner};

/// The kind of the event.
const FULL: &str = "quota.exceeded";
/// The threshold of the free plan in bytes, 80 % of a GiB.
const MARK: u64 = 858_993_459;

/// Runs each test on the fake and on the real table, with the events that it has published.
macro_rules! on_both {
    ($($suite:ident),* $(,)?) => {
        mod on_the_fake {
            $(#[tokio::test] async fn $suite() {
                let world = consigne_testkit::fakes::World::default();
                super::$suite(&world, || super::events_in(&world, super::FULL)).await;
            })*
        }
        mod on_the_real_one {
            $(#[tokio::test] async fn $suite() {
                let recorder = super::CommittedEvents::on(&consigne_testkit::stack::Stack::find(), super::FULL);
                super::$suite(&recorder.table, || recorder.events()).await;
            })*
        }
    };
}

on_both!(
    only_the_grant_that_crosses_the_threshold_publishes_an_event,
    of_many_concurrent_grants_one_publishes_an_event,
    an_event_is_published_again_after_usage_was_below_the_threshold,
    the_first_grant_can_cross_the_threshold,
    refused_and_repeated_grants_publish_no_event,
);

/// The ports under test.
trait Files: GrantUpload + GetUsage + GetFile + ApplyTransition + Sync {}
impl<T: GrantUpload + GetUsage + GetFile + ApplyTransition + Sync> Files for T {}

fn grant(owner: &UserId, size: u64, plan: Plan) -> Grant {
    Grant { file: file_of(owner, "a.png", size, now()), plan, job: None, seen: None, idempotency: None, now: now() }
}

async fn granted(files: &impl Files, owner: &UserId, size: u64) -> Grant {
    let grant = grant(owner, size, Plan::Free);
    assert_eq!(files.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
    grant
}

async fn only_the_grant_that_crosses_the_threshold_publishes_an_event(
    files: &impl Files,
    published: impl Fn() -> Vec<serde_json::Value>,
) {
    let owner = owner();
    granted(files, &owner, MARK - 11).await;
    granted(files, &owner, 10).await;
    assert_eq!(published().len(), 0, "a byte below");
    granted(files, &owner, 5).await;
    let [notice] = &published()[..] else { panic!("the event must be published once") };
    assert_eq!(
        json!([notice["user_id"], notice["quota"], notice["percent"], notice["used"], notice["limit"]]),
        json!([owner, "storage", 80, MARK + 4, 1_u64 << 30])
    );
    granted(files, &owner, 1_000).await;
    assert_eq!(published().len(), 0, "the threshold was crossed before");
    assert_eq!(files.get_usage(&owner).await.unwrap().committed, MARK + 1_004);
}

async fn of_many_concurrent_grants_one_publishes_an_event(
    files: &impl Files,
    published: impl Fn() -> Vec<serde_json::Value>,
) {
    let owner = owner();
    granted(files, &owner, MARK - 100).await;
    let grants: Vec<Grant> = (0..30).map(|_| grant(&owner, 10, Plan::Free)).collect();
    let outcomes = join_all(grants.iter().map(|grant| files.grant_upload(grant))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(GrantOutcome::Granted))), "{outcomes:?}");
    assert_eq!(published().len(), 1);
    assert_eq!(files.get_usage(&owner).await.unwrap().committed, MARK + 200);
}

async fn an_event_is_published_again_after_usage_was_below_the_threshold(
    files: &impl Files,
    published: impl Fn() -> Vec<serde_json::Value>,
) {
    let owner = owner();
    granted(files, &owner, MARK - 1).await;
    let second = granted(files, &owner, 1).await;
    assert_eq!(published().len(), 1);
    assert!(files.apply_transition(&second.file.remove(Removal::Expired, now())).await.unwrap().is_committed());
    assert_eq!(published().len(), 0);
    granted(files, &owner, 7).await;
    assert_eq!(published().len(), 1);
}

async fn the_first_grant_can_cross_the_threshold(files: &impl Files, published: impl Fn() -> Vec<serde_json::Value>) {
    let (first, second) = (owner(), owner());
    granted(files, &first, MARK).await;
    assert_eq!(published().len(), 1);
    // The threshold is that of the plan at the grant.
    let grant = grant(&second, MARK, Plan::Basic);
    assert_eq!(files.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
    assert_eq!(published().len(), 0);
    granted(files, &second, 1).await;
    assert_eq!(published().len(), 0, "the usage was above the smaller plan's threshold before");
}

async fn refused_and_repeated_grants_publish_no_event(
    files: &impl Files,
    published: impl Fn() -> Vec<serde_json::Value>,
) {
    let owner = owner();
    granted(files, &owner, MARK - 1).await;
    let over = grant(&owner, 1 << 29, Plan::Free);
    assert_eq!(files.grant_upload(&over).await.unwrap(), GrantOutcome::OverQuota { committed: MARK - 1 });
    assert_eq!(published().len(), 0);
    let key = IdempotencyKey { key: "k".to_owned(), fingerprint: "f".to_owned() };
    let idempotent = Grant { idempotency: Some(key), ..grant(&owner, 1, Plan::Free) };
    assert_eq!(files.grant_upload(&idempotent).await.unwrap(), GrantOutcome::Granted);
    let again = Grant { file: file_of(&owner, "a.png", 1, now()), ..idempotent.clone() };
    assert_eq!(files.grant_upload(&again).await.unwrap(), GrantOutcome::Replayed(Box::new(idempotent.file)));
    assert_eq!(published().len(), 1);
}
