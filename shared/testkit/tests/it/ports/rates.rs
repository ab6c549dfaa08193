//! Contract of what audited actions count: a write of the person who acts.

use std::time::Duration;

use consigne_core::audit::Origin;
use consigne_core::idempotency::{IdempotencyKey, IdempotentRequest, WriteOutcome};
use consigne_core::ports::{CreateOrg, GetKey, GetUsage, GrantUpload, IssueKey, NewKey};
use consigne_core::rates::Window;
use consigne_core::{Code, Fault, OrgId, Plan, Timestamp, UserId};
use consigne_testkit::accounts;
use futures_util::future::join_all;

use super::{now, on_both};

/// The ports under test.
pub trait Actions: CreateOrg + IssueKey + GetKey + GetUsage + GrantUpload + Sync {}
impl<T> Actions for T where T: CreateOrg + IssueKey + GetKey + GetUsage + GrantUpload + Sync {}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_member_writes_as_often_as_their_plan_allows,
    concurrent_actions_never_exceed_the_plan,
    a_replayed_action_counts_once,
    the_actions_of_operators_are_not_counted,
);

/// Creates the request to issue a key, by a member on a plan whose writes are counted.
fn issuing(org: OrgId, owner: &UserId, plan: Option<Plan>, at: Timestamp) -> NewKey {
    let mut new = accounts::new_key(&accounts::key(org, owner, false, at));
    new.audit.origin = Origin { plan, ..accounts::origin(owner) };
    new
}

async fn writes_of(store: &impl Actions, user: &UserId) -> Option<Window> {
    store.get_usage(user).await.unwrap().windows.writes
}

fn is_refused(outcome: &Result<WriteOutcome, Fault>) -> bool {
    matches!(outcome, Err(fault) if fault.code == Code::RateLimited)
}

async fn a_member_writes_as_often_as_their_plan_allows(store: &impl Actions) {
    let (org, owner) = accounts::found(store, now()).await;
    let start = now();
    let issued = async |new: NewKey| store.issue_key(&new).await;
    for n in 0..60 {
        let at = start.plus(Duration::from_millis(n * 900));
        assert_eq!(issued(issuing(org, &owner, Some(Plan::Free), at)).await.unwrap(), WriteOutcome::Applied, "{n}");
    }
    let late = start.plus(Duration::from_secs(59));
    let refused = issuing(org, &owner, Some(Plan::Free), late);
    let fault = store.issue_key(&refused).await.unwrap_err();
    assert_eq!((fault.code, &fault.details["limit"]), (Code::RateLimited, &60.into()));
    assert!(fault.headers.contains(&("retry-after", "1".to_owned())), "{:?}", fault.headers);
    assert_eq!(store.get_key(org, refused.key.id).await.unwrap(), None, "a refusal writes nothing");
    assert_eq!(writes_of(store, &owner).await, Some(Window { started: start, count: 60 }));
    // A larger plan has room at once, and so has the next minute.
    assert_eq!(issued(issuing(org, &owner, Some(Plan::Basic), late)).await.unwrap(), WriteOutcome::Applied);
    let anew = start.plus(Duration::from_mins(1));
    assert_eq!(issued(issuing(org, &owner, Some(Plan::Free), anew)).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(writes_of(store, &owner).await, Some(Window { started: anew, count: 1 }));
}

async fn concurrent_actions_never_exceed_the_plan(store: &impl Actions) {
    let (org, owner) = accounts::found(store, now()).await;
    let start = now();
    for _ in 0..55 {
        let new = issuing(org, &owner, Some(Plan::Free), start);
        assert_eq!(store.issue_key(&new).await.unwrap(), WriteOutcome::Applied);
    }
    let tries: Vec<NewKey> = (0..10).map(|_| issuing(org, &owner, Some(Plan::Free), start)).collect();
    let outcomes = join_all(tries.iter().map(|new| store.issue_key(new))).await;
    let applied = outcomes.iter().filter(|outcome| matches!(outcome, Ok(WriteOutcome::Applied))).count();
    let refused = outcomes.iter().filter(|outcome| is_refused(outcome)).count();
    assert_eq!((applied, refused), (5, 5), "{outcomes:?}");
    assert_eq!(writes_of(store, &owner).await, Some(Window { started: start, count: 60 }));
}

async fn a_replayed_action_counts_once(store: &impl Actions) {
    let (org, owner) = accounts::found(store, now()).await;
    let at = now();
    let request = |fingerprint: &str| {
        let key = IdempotencyKey { key: format!("order of {owner}"), fingerprint: fingerprint.to_owned() };
        let result = "key#1".to_owned();
        IdempotentRequest { key, owner: owner.clone().into(), operation: "key-issue", result }
    };
    let outcome = async |fingerprint: &str| {
        let new = issuing(org, &owner, Some(Plan::Free), at);
        store.issue_key(&NewKey { idempotent: Some(request(fingerprint)), ..new }).await.unwrap()
    };
    assert_eq!(outcome("f1").await, WriteOutcome::Applied);
    assert_eq!(outcome("f1").await, WriteOutcome::Replayed("key#1".to_owned()));
    assert_eq!(outcome("f2").await, WriteOutcome::KeyReused);
    assert_eq!(writes_of(store, &owner).await, Some(Window { started: at, count: 1 }));
}

async fn the_actions_of_operators_are_not_counted(store: &impl Actions) {
    let (org, owner) = accounts::found(store, now()).await;
    assert_eq!(store.issue_key(&issuing(org, &owner, None, now())).await.unwrap(), WriteOutcome::Applied);
    assert_eq!(writes_of(store, &owner).await, None);
}
