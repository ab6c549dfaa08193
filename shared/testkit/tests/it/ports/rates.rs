//! Contract of what audited actions count: a write of the person who acts.

use std::time::Duration;

use consigne_core::audit::{AuditAction, AuditEntry, Origin};
use consigne_core::idempotency::{IdempotencyKey, IdempotentRequest, WriteOutcome};
use consigne_core::ports::{CreateOrg, GetOrg, GetUsage, IssueKey, NewKey, RenameOrg};
use consigne_core::rates::Window;
use consigne_core::{Code, Fault, OrgId, Plan, Timestamp, UserId};
use consigne_testkit::accounts;
use futures_util::future::join_all;
use serde_json::json;

use super::{now, on_both};

/// The ports under test.
pub trait Actions: CreateOrg + GetOrg + RenameOrg + IssueKey + GetUsage + Sync {}
impl<T> Actions for T where T: CreateOrg + GetOrg + RenameOrg + IssueKey + GetUsage + Sync {}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_member_writes_as_often_as_their_plan_allows,
    concurrent_actions_never_exceed_the_plan,
    a_replayed_action_counts_once,
    the_actions_of_operators_are_not_counted,
);

/// Who acts: a member on a plan whose writes are counted.
fn origin(owner: &UserId, plan: Option<Plan>) -> Origin {
    Origin { plan, ..accounts::origin(owner) }
}

/// Renames an organisation, as a member on a plan whose writes are counted.
async fn renamed(
    store: &impl Actions,
    (org, owner): &(OrgId, UserId),
    plan: Option<Plan>,
    name: &str,
    at: Timestamp,
) -> Result<bool, Fault> {
    let (subject, origin) = (org.to_string(), origin(owner, plan));
    let entry = AuditEntry::new(*org, AuditAction::OrgUpdated, subject, &origin, at, json!({ "to": name }));
    store.rename_org(*org, name, &entry).await
}

async fn writes_of(store: &impl Actions, user: &UserId) -> Option<Window> {
    store.get_usage(user).await.unwrap().windows.writes
}

async fn a_member_writes_as_often_as_their_plan_allows(store: &impl Actions) {
    let acme = accounts::found(store, now()).await;
    let start = now();
    for n in 0..60 {
        let at = start.plus(Duration::from_millis(n * 900));
        assert!(renamed(store, &acme, Some(Plan::Free), &n.to_string(), at).await.unwrap(), "{n}");
    }
    let late = start.plus(Duration::from_secs(59));
    let fault = renamed(store, &acme, Some(Plan::Free), "late", late).await.unwrap_err();
    assert_eq!((fault.code, &fault.details["limit"]), (Code::RateLimited, &60.into()));
    assert!(fault.headers.contains(&("retry-after", "1".to_owned())), "{:?}", fault.headers);
    assert_eq!(store.get_org(acme.0).await.unwrap().unwrap().name, "59", "a refusal writes nothing");
    assert_eq!(writes_of(store, &acme.1).await, Some(Window { started: start, count: 60 }));
    // A larger plan has room at once, and so has the next minute.
    assert!(renamed(store, &acme, Some(Plan::Basic), "larger", late).await.unwrap());
    let anew = start.plus(Duration::from_mins(1));
    assert!(renamed(store, &acme, Some(Plan::Free), "anew", anew).await.unwrap());
    assert_eq!(writes_of(store, &acme.1).await, Some(Window { started: anew, count: 1 }));
}

async fn concurrent_actions_never_exceed_the_plan(store: &impl Actions) {
    let acme = accounts::found(store, now()).await;
    let start = now();
    for n in 0..55 {
        assert!(renamed(store, &acme, Some(Plan::Free), &n.to_string(), start).await.unwrap());
    }
    let outcomes = join_all((0..10).map(|_| renamed(store, &acme, Some(Plan::Free), "x", start))).await;
    let done = outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    let refused = |outcome: &&Result<bool, Fault>| matches!(outcome, Err(fault) if fault.code == Code::RateLimited);
    assert_eq!((done, outcomes.iter().filter(refused).count()), (5, 5), "{outcomes:?}");
    assert_eq!(writes_of(store, &acme.1).await, Some(Window { started: start, count: 60 }));
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
        let mut new = accounts::new_key(&accounts::key(org, &owner, false, at));
        new.audit.origin = origin(&owner, Some(Plan::Free));
        store.issue_key(&NewKey { idempotent: Some(request(fingerprint)), ..new }).await.unwrap()
    };
    assert_eq!(outcome("f1").await, WriteOutcome::Applied);
    assert_eq!(outcome("f1").await, WriteOutcome::Replayed("key#1".to_owned()));
    assert_eq!(outcome("f2").await, WriteOutcome::KeyReused);
    assert_eq!(writes_of(store, &owner).await, Some(Window { started: at, count: 1 }));
}

async fn the_actions_of_operators_are_not_counted(store: &impl Actions) {
    let acme = accounts::found(store, now()).await;
    assert!(renamed(store, &acme, None, "by an operator", now()).await.unwrap());
    assert_eq!(writes_of(store, &acme.1).await, None);
}
