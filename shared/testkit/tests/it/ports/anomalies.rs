//! What was going on, and the alarm about it.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::anomalies::{Activity, Alarm, Finding, LOOK_BACK, OnAnomaly, RaiseOutcome, countries, keys_created};
use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::{ChargeOutcome, CreditGrantOutcome, LotKind, OpeningOutcome};
use consigne_core::keys::{ChangeContext, KeyFacts, KeyStatus, RefusalCode};
use consigne_core::ports::{
    ChangeKey, ChargeKey, CreateOrg, GetKey, GetKeys, GetOrg, GetWallet, GrantCredits, IssueKey, ListActivity,
    ListAudit, ListCalls, OpenHold, PageAsk, RaiseAnomaly, SetOnAnomaly, SuspendOrg,
};
use consigne_core::{KeyId, OrgId, Timestamp};
use consigne_testkit::desk;
use serde_json::json;

use super::{eventually, now, on_both};

/// Everything the table can do about anomalies, and what is needed to have some.
pub trait Desk:
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
impl<T> Desk for T where
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
    who_was_charged_and_who_made_keys_is_known_with_the_countries,
    what_was_refused_was_never_going_on,
    calls_are_told_newest_first_as_far_back_as_asked,
    many_keys_are_read_at_once,
    an_alarm_is_raised_once_while_it_is_quiet,
    of_many_who_raise_an_alarm_one_does,
    an_alarm_stops_a_key_until_it_is_resumed,
    an_alarm_about_a_key_that_has_changed_changes_nothing,
    an_alarm_stops_an_organisation,
    a_policy_is_chosen_for_organisations_there_are,
);

/// An organisation with credits and a key.
struct Acme {
    org: OrgId,
    facts: KeyFacts,
}

async fn acme(desk: &impl Desk, at: Timestamp) -> Acme {
    let (org, owner) = desk::found(desk, at).await;
    let credits = desk::credits(org, LotKind::Promo, 1_000, None, at);
    assert_eq!(desk.grant_credits(&credits).await.unwrap(), CreditGrantOutcome::Granted);
    let facts = desk::issue(desk, &desk::key(org, &owner, false, at)).await;
    Acme { org, facts }
}

async fn charged(desk: &impl Desk, key: &KeyFacts, country: Option<&str>, at: Timestamp) -> ChargeOutcome {
    let mut charge = desk::charge(key, 1, None, at);
    charge.receipt.call.country = country.map(str::to_owned);
    desk.charge_key(&charge).await.unwrap()
}

/// Gives what an organisation did, as key and countries.
async fn did(desk: &impl Desk, org: OrgId, from: Timestamp, to: Timestamp) -> Vec<(Option<KeyId>, BTreeSet<String>)> {
    let all: Vec<Activity> = desk.list_activity(from, to).await.unwrap();
    all.into_iter().filter(|activity| activity.org == org).map(|activity| (activity.key, activity.countries)).collect()
}

fn set(codes: &[&str]) -> BTreeSet<String> {
    codes.iter().map(|code| (*code).to_owned()).collect()
}

async fn who_was_charged_and_who_made_keys_is_known_with_the_countries(desk: &impl Desk) {
    // In the middle of a span, long ago enough that nobody else's clock is there.
    let start = now().floor(Duration::from_mins(10)).minus(Duration::from_hours(2)).plus(Duration::from_mins(5));
    let acme = acme(desk, start).await;
    for country in [Some("FR"), Some("DE"), Some("FR"), None] {
        assert_eq!(charged(desk, &acme.facts, country, start).await, ChargeOutcome::Charged);
    }
    let later = start.plus(Duration::from_mins(10));
    charged(desk, &acme.facts, Some("IT"), later).await;
    let key = Some(acme.facts.id);
    let both = vec![(None, set(&[])), (key, set(&["DE", "FR", "IT"]))];
    assert_eq!(did(desk, acme.org, start, later).await, both);
    assert_eq!(did(desk, acme.org, start, start).await, [(None, set(&[])), (key, set(&["DE", "FR"]))]);
    assert_eq!(did(desk, acme.org, later, later).await, [(key, set(&["IT"]))]);
    let after = later.plus(Duration::from_mins(10));
    assert_eq!(did(desk, acme.org, after, after).await, []);
    let hold = desk::opening(&acme.facts, 5, None, after);
    assert!(matches!(desk.open_hold(&hold).await.unwrap(), OpeningOutcome::Opened(_)));
    assert_eq!(did(desk, acme.org, after, after).await, [(key, set(&[]))]);
}

async fn what_was_refused_was_never_going_on(desk: &impl Desk) {
    let start = now();
    let (org, owner) = desk::found(desk, start).await;
    let long_ago = start.minus(Duration::from_hours(24));
    let facts = desk::issue(desk, &desk::key(org, &owner, false, long_ago)).await;
    for n in 0..20_u8 {
        let refused = charged(desk, &facts, Some(&format!("{}X", char::from(b'A' + n))), start).await;
        assert!(matches!(refused, ChargeOutcome::Refused(_)), "{refused:?}");
    }
    assert_eq!(did(desk, org, start, start).await, []);
}

async fn calls_are_told_newest_first_as_far_back_as_asked(desk: &impl Desk) {
    let start = now();
    let acme = acme(desk, start).await;
    let at = |seconds: u64| start.plus(Duration::from_secs(seconds));
    for (n, country) in [Some("FR"), None, Some("DE"), Some("IT")].into_iter().enumerate() {
        charged(desk, &acme.facts, country, at(n as u64)).await;
    }
    let calls = async |since, limit| desk.list_calls(acme.org, acme.facts.id, since, limit).await.unwrap();
    let call = |n, code: &str| (at(n), code.to_owned());
    let all = eventually(async || calls(start, 100).await, |calls| calls.len() == 3).await;
    assert_eq!(all, [call(3, "IT"), call(2, "DE"), call(0, "FR")]);
    assert_eq!(calls(at(2), 100).await, [call(3, "IT"), call(2, "DE")]);
    assert_eq!(calls(start, 1).await, [call(3, "IT")]);
    assert_eq!(desk.list_calls(acme.org, KeyId::mint(start), start, 9).await.unwrap(), []);
}

async fn many_keys_are_read_at_once(desk: &impl Desk) {
    let (org, owner) = desk::found(desk, now()).await;
    let mut places = vec![(org, KeyId::mint(now()))];
    for _ in 0..120 {
        places.push((org, desk::issue(desk, &desk::key(org, &owner, false, now())).await.id));
    }
    let read = desk.get_keys(&places).await.unwrap();
    let ids = |keys: Vec<KeyId>| keys.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(ids(read.iter().map(|key| key.id).collect()), ids(places[1..].iter().map(|place| place.1).collect()));
}

/// Makes what eleven countries are found to be.
fn finding(at: Timestamp) -> Finding {
    let codes = ["AT", "BE", "CH", "DE", "ES", "FR", "GB", "IT", "LU", "NL", "PT"];
    countries(&codes.map(|code| (at, code)), at).unwrap()
}

async fn alarm(desk: &impl Desk, acme: &Acme, finding: &Finding, about_key: bool, at: Timestamp) -> Alarm {
    let origin = Origin { actor: Actor::Service("anomaly-detect".to_owned()), ip: None, user_agent: None };
    let org = desk.get_org(acme.org).await.unwrap().unwrap();
    let key = if about_key { desk.get_key(acme.org, acme.facts.id).await.unwrap() } else { None };
    Alarm::of(finding, &org, key.as_ref(), &origin, at).unwrap()
}

/// Gives the trail's newest actions.
async fn trail(desk: &impl Desk, org: OrgId) -> Vec<&'static str> {
    let page = PageAsk { limit: 100, after: None };
    let mut entries = desk.list_audit(org, &page).await.unwrap().items;
    entries.sort_by_key(|entry| entry.action.name());
    entries
        .iter()
        .map(|entry| entry.action.name())
        .filter(|name| !name.contains("issued") && !name.contains("grant"))
        .collect()
}

async fn an_alarm_is_raised_once_while_it_is_quiet(desk: &impl Desk) {
    let start = now();
    let acme = acme(desk, start).await;
    let first = alarm(desk, &acme, &finding(start), true, start).await;
    assert_eq!(desk.raise_anomaly(&first).await.unwrap(), RaiseOutcome::Raised);
    let soon = start.plus(LOOK_BACK).minus(Duration::from_secs(2));
    for at in [start, soon] {
        let again = alarm(desk, &acme, &finding(at), true, at).await;
        assert_eq!(desk.raise_anomaly(&again).await.unwrap(), RaiseOutcome::Repeated);
    }
    // Of another kind, or about another thing, is another one.
    let made = keys_created(&[start; 21], start).unwrap();
    let other = alarm(desk, &acme, &made, false, start).await;
    assert_eq!(desk.raise_anomaly(&other).await.unwrap(), RaiseOutcome::Raised);
    let late = start.plus(LOOK_BACK);
    let anew = alarm(desk, &acme, &finding(late), true, late).await;
    assert_eq!(desk.raise_anomaly(&anew).await.unwrap(), RaiseOutcome::Raised);
    assert_eq!(trail(desk, acme.org).await, ["key.anomaly", "key.anomaly", "key.anomaly", "org.created"]);
    assert_eq!(desk.get_key(acme.org, acme.facts.id).await.unwrap().unwrap().status, KeyStatus::Active);
}

async fn of_many_who_raise_an_alarm_one_does(desk: &impl Desk) {
    let start = now();
    let acme = acme(desk, start).await;
    let mut alarms = Vec::new();
    for _ in 0..10 {
        alarms.push(alarm(desk, &acme, &finding(start), true, start).await);
    }
    let raised = futures_util::future::join_all(alarms.iter().map(|alarm| desk.raise_anomaly(alarm))).await;
    let now = raised.iter().filter(|raised| matches!(raised, Ok(RaiseOutcome::Raised))).count();
    assert_eq!(now, 1, "{raised:?}");
}

async fn set_policy(desk: &impl Desk, org: OrgId, policy: OnAnomaly) -> bool {
    let origin = Origin { actor: Actor::Operator("op".to_owned()), ip: None, user_agent: None };
    let entry = AuditEntry::new(org, AuditAction::OrgPolicyChanged, org.to_string(), &origin, now(), json!({}));
    desk.set_on_anomaly(org, policy, &entry).await.unwrap()
}

async fn an_alarm_stops_a_key_until_it_is_resumed(desk: &impl Desk) {
    let start = now();
    let acme = acme(desk, start).await;
    assert!(set_policy(desk, acme.org, OnAnomaly::Suspend).await);
    charged(desk, &acme.facts, None, start).await;
    let stops = alarm(desk, &acme, &finding(start), true, start).await;
    assert_eq!(desk.raise_anomaly(&stops).await.unwrap(), RaiseOutcome::Raised);
    let refused = charged(desk, &acme.facts, None, start).await;
    let ChargeOutcome::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.code, RefusalCode::Suspended);
    let key = desk.get_key(acme.org, acme.facts.id).await.unwrap().unwrap();
    assert_eq!(key.used.values().copied().collect::<BTreeSet<_>>(), BTreeSet::from([1]), "what was counted stays");
    let origin = Origin { actor: Actor::Operator("op".to_owned()), ip: None, user_agent: None };
    let resume = key.resume("it was us", &ChangeContext { origin: &origin, now: start }).unwrap().unwrap();
    desk.change_key(&resume).await.unwrap();
    assert_eq!(charged(desk, &acme.facts, None, start).await, ChargeOutcome::Charged);
    assert_eq!(
        trail(desk, acme.org).await,
        ["key.anomaly", "key.resumed", "key.suspended", "org.created", "org.policy_changed"]
    );
}

async fn an_alarm_about_a_key_that_has_changed_changes_nothing(desk: &impl Desk) {
    let start = now();
    let acme = acme(desk, start).await;
    set_policy(desk, acme.org, OnAnomaly::Suspend).await;
    let stale = alarm(desk, &acme, &finding(start), true, start).await;
    let origin = Origin { actor: Actor::Operator("op".to_owned()), ip: None, user_agent: None };
    let key = desk.get_key(acme.org, acme.facts.id).await.unwrap().unwrap();
    let revoke = key.revoke("leaked", &ChangeContext { origin: &origin, now: start }).unwrap().unwrap();
    desk.change_key(&revoke).await.unwrap();
    assert_eq!(desk.raise_anomaly(&stale).await.unwrap(), RaiseOutcome::Conflict);
    assert_eq!(desk.get_key(acme.org, acme.facts.id).await.unwrap().unwrap(), revoke.key);
    // It is still told, once it is computed anew, and the key stays what it is.
    let anew = alarm(desk, &acme, &finding(start), true, start).await;
    assert_eq!(desk.raise_anomaly(&anew).await.unwrap(), RaiseOutcome::Raised);
    assert_eq!(desk.get_key(acme.org, acme.facts.id).await.unwrap().unwrap(), revoke.key);
}

async fn an_alarm_stops_an_organisation(desk: &impl Desk) {
    let start = now();
    let acme = acme(desk, start).await;
    set_policy(desk, acme.org, OnAnomaly::Suspend).await;
    let made = keys_created(&[start; 21], start).unwrap();
    let stops = alarm(desk, &acme, &made, false, start).await;
    assert_eq!(desk.raise_anomaly(&stops).await.unwrap(), RaiseOutcome::Raised);
    let refused = charged(desk, &acme.facts, None, start).await;
    let ChargeOutcome::Refused(refusal) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.code, RefusalCode::Suspended);
    assert!(desk.get_org(acme.org).await.unwrap().unwrap().suspended);
    let entry = desk::entry(acme.org, AuditAction::OrgResumed, &desk::person(), start);
    assert!(desk.suspend_org(acme.org, false, &entry).await.unwrap());
    assert_eq!(charged(desk, &acme.facts, None, start).await, ChargeOutcome::Charged);
}

async fn a_policy_is_chosen_for_organisations_there_are(desk: &impl Desk) {
    let (org, _) = desk::found(desk, now()).await;
    let policy = async || desk.get_org(org).await.unwrap().unwrap().on_anomaly;
    assert_eq!(policy().await, OnAnomaly::Alert);
    for chosen in [OnAnomaly::Suspend, OnAnomaly::Suspend, OnAnomaly::Alert] {
        assert!(set_policy(desk, org, chosen).await);
        assert_eq!(policy().await, chosen);
    }
    assert!(!set_policy(desk, OrgId::mint(now()), OnAnomaly::Suspend).await);
}
