//! Contract of the ports for activity and anomalies.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::anomalies::{
    Activity, Alarm, Finding, LOOK_BACK, OnAnomaly, RaiseOutcome, SPAN, countries, keys_created,
};
use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::{ChargeOutcome, CreditGrantOutcome, LotKind, OpeningOutcome};
use consigne_core::keys::{ChangeContext, KeyFacts, KeyStatus, RefusalCode};
use consigne_core::ports::{
    ChangeKey, ChargeKey, CreateOrg, GetKey, GetKeys, GetOrg, GetWallet, GrantCredits, IssueKey, ListActivity,
    ListAudit, ListCalls, OpenHold, PageAsk, RaiseAnomaly, SetOnAnomaly, SuspendOrg,
};
use consigne_core::{KeyId, OrgId, Timestamp};
use consigne_testkit::accounts;
use serde_json::json;

use super::{eventually, now, on_both};

/// The ports under test, and those that create activity.
pub trait AnomalyStore:
    CreateOrg
    + GetOrg
    + SuspendOrg
    + IssueKey
    + GetKey
    + ChangeKey
    + GrantCredits
    + GetWallet
    + ChargeKey
    + OpenHold
    + ListAudit
    + ListActivity
    + GetKeys
    + ListCalls
    + RaiseAnomaly
    + SetOnAnomaly
    + Sync
{
}
impl<T> AnomalyStore for T where
    T: CreateOrg
        + GetOrg
        + SuspendOrg
        + IssueKey
        + GetKey
        + ChangeKey
        + GrantCredits
        + GetWallet
        + ChargeKey
        + OpenHold
        + ListAudit
        + ListActivity
        + GetKeys
        + ListCalls
        + RaiseAnomaly
        + SetOnAnomaly
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    charges_and_new_keys_are_recorded_as_activity_with_countries,
    refused_charges_are_not_recorded_as_activity,
    calls_are_listed_newest_first_back_to_a_day,
    many_keys_can_be_read_at_once,
    an_alert_is_raised_once_within_its_quiet_period,
    of_many_concurrent_alerts_one_is_raised,
    an_alert_can_suspend_a_key_until_it_is_resumed,
    an_alert_about_a_changed_key_changes_nothing,
    an_alert_can_suspend_an_organisation,
    a_policy_can_be_set_for_existing_organisations_only,
);

/// An organisation with credits and a key.
struct Acme {
    org: OrgId,
    facts: KeyFacts,
}

async fn acme(store: &impl AnomalyStore, at: Timestamp) -> Acme {
    let (org, owner) = accounts::found(store, at).await;
    let credits = accounts::credits(org, LotKind::Promo, 1_000, None, at);
    assert_eq!(store.grant_credits(&credits).await.unwrap(), CreditGrantOutcome::Granted);
    let facts = accounts::issue(store, &accounts::key(org, &owner, false, at)).await;
    Acme { org, facts }
}

async fn charged(store: &impl AnomalyStore, key: &KeyFacts, country: Option<&str>, at: Timestamp) -> ChargeOutcome {
    let mut charge = accounts::charge(key, 1, None, at);
    charge.receipt.call.country = country.map(str::to_owned);
    store.charge_key(&charge).await.unwrap()
}

/// Returns an organisation's activity, as key and countries.
async fn did(
    store: &impl AnomalyStore,
    org: OrgId,
    from: Timestamp,
    to: Timestamp,
) -> Vec<(Option<KeyId>, BTreeSet<String>)> {
    let all: Vec<Activity> = store.list_activity(from, to).await.unwrap();
    all.into_iter().filter(|activity| activity.org == org).map(|activity| (activity.key, activity.countries)).collect()
}

fn set(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}

async fn charges_and_new_keys_are_recorded_as_activity_with_countries(store: &impl AnomalyStore) {
    // In the middle of a span, so long ago that no other test has activity then.
    let start = now().floor(SPAN).minus(SPAN * 4).plus(SPAN / 2);
    let acme = acme(store, start).await;
    for country in [Some("FR"), Some("DE"), Some("FR"), None] {
        assert_eq!(charged(store, &acme.facts, country, start).await, ChargeOutcome::Charged);
    }
    let later = start.plus(SPAN);
    charged(store, &acme.facts, Some("IT"), later).await;
    let key = Some(acme.facts.id);
    let both = vec![(None, set(&[])), (key, set(&["DE", "FR", "IT"]))];
    assert_eq!(did(store, acme.org, start, later).await, both);
    assert_eq!(did(store, acme.org, start, start).await, [(None, set(&[])), (key, set(&["DE", "FR"]))]);
    assert_eq!(did(store, acme.org, later, later).await, [(key, set(&["IT"]))]);
    let after = later.plus(SPAN);
    assert_eq!(did(store, acme.org, after, after).await, []);
    let hold = accounts::opening(&acme.facts, 5, None, after);
    assert!(matches!(store.open_hold(&hold).await.unwrap(), OpeningOutcome::Opened(_)));
    assert_eq!(did(store, acme.org, after, after).await, [(key, set(&[]))]);
}

async fn refused_charges_are_not_recorded_as_activity(store: &impl AnomalyStore) {
    let start = now();
    let (org, owner) = accounts::found(store, start).await;
    let long_ago = start.minus(Duration::from_hours(24));
    let facts = accounts::issue(store, &accounts::key(org, &owner, false, long_ago)).await;
    for n in 0..20_u8 {
        let refused = charged(store, &facts, Some(&format!("{}X", char::from(b'A' + n))), start).await;
        assert!(matches!(refused, ChargeOutcome::Refused(_)), "{refused:?}");
    }
    assert_eq!(did(store, org, start, start).await, []);
}

async fn calls_are_listed_newest_first_back_to_a_day(store: &impl AnomalyStore) {
    let start = now();
    let acme = acme(store, start).await;
    let at = |seconds: u64| start.plus(Duration::from_secs(seconds));
    for (n, country) in [Some("FR"), None, Some("DE"), Some("IT")].into_iter().enumerate() {
        charged(store, &acme.facts, country, at(n as u64)).await;
    }
    let calls = async |since, limit| store.list_calls(acme.org, acme.facts.id, since, limit).await.unwrap();
    let call = |n, code: &str| (at(n), code.to_owned());
    let all = eventually(async || calls(start, 100).await, |calls| calls.len() == 3).await;
    assert_eq!(all, [call(3, "IT"), call(2, "DE"), call(0, "FR")]);
    assert_eq!(calls(at(2), 100).await, [call(3, "IT"), call(2, "DE")]);
    assert_eq!(calls(start, 1).await, [call(3, "IT")]);
    assert_eq!(store.list_calls(acme.org, KeyId::mint(start), start, 9).await.unwrap(), []);
}

async fn many_keys_can_be_read_at_once(store: &impl AnomalyStore) {
    let (org, owner) = accounts::found(store, now()).await;
    let mut places = vec![(org, KeyId::mint(now()))];
    for n in 0..120 {
        // An organisation issues 60 keys an hour at most.
        let at = now().minus(Duration::from_hours(n / 60));
        places.push((org, accounts::issue(store, &accounts::key(org, &owner, false, at)).await.id));
    }
    let read = store.get_keys(&places).await.unwrap();
    let ids = |keys: Vec<KeyId>| keys.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(ids(read.iter().map(|key| key.id).collect()), ids(places[1..].iter().map(|place| place.1).collect()));
}

/// Creates the finding for eleven countries.
fn finding(at: Timestamp) -> Finding {
    let codes = ["AT", "BE", "CH", "DE", "ES", "FR", "GB", "IT", "LU", "NL", "PT"];
    countries(&codes.map(|code| (at, code)), at).unwrap()
}

async fn alarm(store: &impl AnomalyStore, acme: &Acme, finding: &Finding, about_key: bool, at: Timestamp) -> Alarm {
    let origin = Origin { actor: Actor::Service("anomaly-detect".to_owned()), ip: None, user_agent: None, plan: None };
    let org = store.get_org(acme.org).await.unwrap().unwrap();
    let key = if about_key { store.get_key(acme.org, acme.facts.id).await.unwrap() } else { None };
    Alarm::of(finding, &org, key.as_ref(), &origin, at).unwrap()
}

/// Returns the newest actions in the audit log.
async fn audit_log(store: &impl AnomalyStore, org: OrgId) -> Vec<&'static str> {
    let page = PageAsk { limit: 100, after: None };
    let mut entries = store.list_audit(org, &page).await.unwrap().items;
    entries.sort_by_key(|entry| entry.action.name());
    entries
        .iter()
        .map(|entry| entry.action.name())
        .filter(|name| !name.contains("issued") && !name.contains("grant"))
        .collect()
}

async fn an_alert_is_raised_once_within_its_quiet_period(store: &impl AnomalyStore) {
    let start = now();
    let acme = acme(store, start).await;
    let first = alarm(store, &acme, &finding(start), true, start).await;
    assert_eq!(store.raise_anomaly(&first).await.unwrap(), RaiseOutcome::Raised);
    let soon = start.plus(LOOK_BACK).minus(Duration::from_secs(2));
    for at in [start, soon] {
        let again = alarm(store, &acme, &finding(at), true, at).await;
        assert_eq!(store.raise_anomaly(&again).await.unwrap(), RaiseOutcome::Repeated);
    }
    // An alert of another kind, or about another subject, is independent.
    let made = keys_created(&[start; 21], start).unwrap();
    let other = alarm(store, &acme, &made, false, start).await;
    assert_eq!(store.raise_anomaly(&other).await.unwrap(), RaiseOutcome::Raised);
    let late = start.plus(LOOK_BACK);
    let anew = alarm(store, &acme, &finding(late), true, late).await;
    assert_eq!(store.raise_anomaly(&anew).await.unwrap(), RaiseOutcome::Raised);
    assert_eq!(audit_log(store, acme.org).await, ["key.anomaly", "key.anomaly", "key.anomaly", "org.created"]);
    assert_eq!(store.get_key(acme.org, acme.facts.id).await.unwrap().unwrap().status, KeyStatus::Active);
}

async fn of_many_concurrent_alerts_one_is_raised(store: &impl AnomalyStore) {
    let start = now();
    let acme = acme(store, start).await;
    let mut alarms = Vec::new();
    for _ in 0..10 {
        alarms.push(alarm(store, &acme, &finding(start), true, start).await);
    }
    let raised = futures_util::future::join_all(alarms.iter().map(|alarm| store.raise_anomaly(alarm))).await;
    let now = raised.iter().filter(|raised| matches!(raised, Ok(RaiseOutcome::Raised))).count();
    assert_eq!(now, 1, "{raised:?}");
}

async fn set_policy(store: &impl AnomalyStore, org: OrgId, policy: OnAnomaly) -> bool {
    let origin = Origin { actor: Actor::Operator("op".to_owned()), ip: None, user_agent: None, plan: None };
    let entry = AuditEntry::new(org, AuditAction::OrgPolicyChanged, org.to_string(), &origin, now(), json!({}));
    store.set_on_anomaly(org, policy, &entry).await.unwrap()
}

async fn an_alert_can_suspend_a_key_until_it_is_resumed(store: &impl AnomalyStore) {
    let start = now();
    let acme = acme(store, start).await;
    assert!(set_policy(store, acme.org, OnAnomaly::Suspend).await);
    charged(store, &acme.facts, None, start).await;
    let stops = alarm(store, &acme, &finding(start), true, start).await;
    assert_eq!(store.raise_anomaly(&stops).await.unwrap(), RaiseOutcome::Raised);
    let refused = charged(store, &acme.facts, None, start).await;
    let ChargeOutcome::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.code, RefusalCode::Suspended);
    let key = store.get_key(acme.org, acme.facts.id).await.unwrap().unwrap();
    assert_eq!(key.used.values().copied().collect::<BTreeSet<_>>(), BTreeSet::from([1]), "counters must stay");
    let origin = Origin { actor: Actor::Operator("op".to_owned()), ip: None, user_agent: None, plan: None };
    let resume = key.resume("it was us", &ChangeContext { origin: &origin, now: start }).unwrap().unwrap();
    store.change_key(&resume).await.unwrap();
    assert_eq!(charged(store, &acme.facts, None, start).await, ChargeOutcome::Charged);
    assert_eq!(
        audit_log(store, acme.org).await,
        ["key.anomaly", "key.resumed", "key.suspended", "org.created", "org.policy_changed"]
    );
}

async fn an_alert_about_a_changed_key_changes_nothing(store: &impl AnomalyStore) {
    let start = now();
    let acme = acme(store, start).await;
    set_policy(store, acme.org, OnAnomaly::Suspend).await;
    let stale = alarm(store, &acme, &finding(start), true, start).await;
    let origin = Origin { actor: Actor::Operator("op".to_owned()), ip: None, user_agent: None, plan: None };
    let key = store.get_key(acme.org, acme.facts.id).await.unwrap().unwrap();
    let revoke = key.revoke("leaked", &ChangeContext { origin: &origin, now: start }).unwrap().unwrap();
    store.change_key(&revoke).await.unwrap();
    assert_eq!(store.raise_anomaly(&stale).await.unwrap(), RaiseOutcome::Conflict);
    assert_eq!(store.get_key(acme.org, acme.facts.id).await.unwrap().unwrap(), revoke.key);
    // It is reported once it was computed again, and the key does not change.
    let anew = alarm(store, &acme, &finding(start), true, start).await;
    assert_eq!(store.raise_anomaly(&anew).await.unwrap(), RaiseOutcome::Raised);
    assert_eq!(store.get_key(acme.org, acme.facts.id).await.unwrap().unwrap(), revoke.key);
}

async fn an_alert_can_suspend_an_organisation(store: &impl AnomalyStore) {
    let start = now();
    let acme = acme(store, start).await;
    set_policy(store, acme.org, OnAnomaly::Suspend).await;
    let made = keys_created(&[start; 21], start).unwrap();
    let stops = alarm(store, &acme, &made, false, start).await;
    assert_eq!(store.raise_anomaly(&stops).await.unwrap(), RaiseOutcome::Raised);
    let refused = charged(store, &acme.facts, None, start).await;
    let ChargeOutcome::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.code, RefusalCode::Suspended);
    assert!(store.get_org(acme.org).await.unwrap().unwrap().suspended);
    let entry = accounts::entry(acme.org, AuditAction::OrgResumed, &accounts::person(), start);
    assert!(store.suspend_org(acme.org, false, &entry).await.unwrap());
    assert_eq!(charged(store, &acme.facts, None, start).await, ChargeOutcome::Charged);
}

async fn a_policy_can_be_set_for_existing_organisations_only(store: &impl AnomalyStore) {
    let (org, _) = accounts::found(store, now()).await;
    let policy = async || store.get_org(org).await.unwrap().unwrap().on_anomaly;
    assert_eq!(policy().await, OnAnomaly::Alert);
    for chosen in [OnAnomaly::Suspend, OnAnomaly::Suspend, OnAnomaly::Alert] {
        assert!(set_policy(store, org, chosen).await);
        assert_eq!(policy().await, chosen);
    }
    assert!(!set_policy(store, OrgId::mint(now()), OnAnomaly::Suspend).await);
}
