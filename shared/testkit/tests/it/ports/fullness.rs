//! A storage nearly full: its owner is told once each time it gets there, in the grant that takes it there.

use consigne_core::files::{Grant, GrantOutcome, Removal};
use consigne_core::ports::{ApplyTransition, GetFile, GetUsage, GrantUpload};
use consigne_core::{IdempotencyKey, Plan, UserId};
use futures_util::future::join_all;
use serde_json::json;

use super::committed_events::{CommittedEvents, told_by};
use super::{file_of, now, owner};

/// The event that tells of it.
const FULL: &str = "quota.exceeded";
/// Bytes of the mark of the free plan, of a GiB.
const MARK: u64 = 858_993_459;

/// Says the same of both: each suite is given a table and what it has told.
macro_rules! on_both {
    ($($suite:ident),* $(,)?) => {
        mod on_the_fake {
            $(#[tokio::test] async fn $suite() {
                let world = consigne_testkit::fakes::World::default();
                super::$suite(&world, || super::told_by(&world, super::FULL)).await;
            })*
        }
        mod on_the_real_one {
            $(#[tokio::test] async fn $suite() {
                let heard = super::CommittedEvents::on(&consigne_testkit::stack::Stack::find(), super::FULL);
                super::$suite(&heard.table, || heard.told()).await;
            })*
        }
    };
}

on_both!(
    the_grant_that_reaches_the_mark_tells_and_the_next_one_does_not,
    of_many_grants_at_once_one_tells,
    whoever_was_below_is_told_again,
    a_first_grant_can_be_the_one,
    a_grant_that_is_refused_or_repeated_tells_nothing,
);

/// What the suites need of a table.
trait Files: GrantUpload + GetUsage + GetFile + ApplyTransition + Sync {}
impl<T: GrantUpload + GetUsage + GetFile + ApplyTransition + Sync> Files for T {}

fn grant(owner: &UserId, size: u64, plan: Plan) -> Grant {
    Grant { file: file_of(owner, "a.png", size, now()), plan, job: None, idempotency: None, now: now() }
}

async fn granted(files: &impl Files, owner: &UserId, size: u64) -> Grant {
    let grant = grant(owner, size, Plan::Free);
    assert_eq!(files.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
    grant
}

async fn the_grant_that_reaches_the_mark_tells_and_the_next_one_does_not(
    files: &impl Files,
    told: impl Fn() -> Vec<serde_json::Value>,
) {
    let owner = owner();
    granted(files, &owner, MARK - 11).await;
    granted(files, &owner, 10).await;
    assert_eq!(told().len(), 0, "a byte below");
    granted(files, &owner, 5).await;
    let [notice] = &told()[..] else { panic!("it is told once") };
    assert_eq!(
        json!([notice["user_id"], notice["quota"], notice["percent"], notice["used"], notice["limit"]]),
        json!([owner, "storage", 80, MARK + 4, 1_u64 << 30])
    );
    granted(files, &owner, 1_000).await;
    assert_eq!(told().len(), 0, "it is known");
    assert_eq!(files.get_usage(&owner).await.unwrap().committed, MARK + 1_004);
}

async fn of_many_grants_at_once_one_tells(files: &impl Files, told: impl Fn() -> Vec<serde_json::Value>) {
    let owner = owner();
    granted(files, &owner, MARK - 100).await;
    let grants: Vec<Grant> = (0..30).map(|_| grant(&owner, 10, Plan::Free)).collect();
    let outcomes = join_all(grants.iter().map(|grant| files.grant_upload(grant))).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(GrantOutcome::Granted))), "{outcomes:?}");
    assert_eq!(told().len(), 1);
    assert_eq!(files.get_usage(&owner).await.unwrap().committed, MARK + 200);
}

async fn whoever_was_below_is_told_again(files: &impl Files, told: impl Fn() -> Vec<serde_json::Value>) {
    let owner = owner();
    granted(files, &owner, MARK - 1).await;
    let second = granted(files, &owner, 1).await;
    assert_eq!(told().len(), 1);
    assert!(files.apply_transition(&second.file.remove(Removal::Expired, now())).await.unwrap());
    assert_eq!(told().len(), 0);
    granted(files, &owner, 7).await;
    assert_eq!(told().len(), 1);
}

async fn a_first_grant_can_be_the_one(files: &impl Files, told: impl Fn() -> Vec<serde_json::Value>) {
    let (first, second) = (owner(), owner());
    granted(files, &first, MARK).await;
    assert_eq!(told().len(), 1);
    // The mark is the plan's that the grant is made under.
    let grant = grant(&second, MARK, Plan::Basic);
    assert_eq!(files.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
    assert_eq!(told().len(), 0);
    granted(files, &second, 1).await;
    assert_eq!(told().len(), 0, "it was above the smaller plan's before");
}

async fn a_grant_that_is_refused_or_repeated_tells_nothing(
    files: &impl Files,
    told: impl Fn() -> Vec<serde_json::Value>,
) {
    let owner = owner();
    granted(files, &owner, MARK - 1).await;
    let over = grant(&owner, 1 << 29, Plan::Free);
    assert_eq!(files.grant_upload(&over).await.unwrap(), GrantOutcome::OverQuota { committed: MARK - 1 });
    assert_eq!(told().len(), 0);
    let key = IdempotencyKey { key: "k".to_owned(), fingerprint: "f".to_owned() };
    let idempotent = Grant { idempotency: Some(key), ..grant(&owner, 1, Plan::Free) };
    assert_eq!(files.grant_upload(&idempotent).await.unwrap(), GrantOutcome::Granted);
    let again = Grant { file: file_of(&owner, "a.png", 1, now()), ..idempotent.clone() };
    assert_eq!(files.grant_upload(&again).await.unwrap(), GrantOutcome::Replayed(Box::new(idempotent.file)));
    assert_eq!(told().len(), 1);
}
