//! Contract of the ports for statistics: organisations are listed, receipts read, statistics stored.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_core::credits::{ChargeOutcome, CreditGrantOutcome, LotKind, Outcome};
use consigne_core::events::{Event, EventData, StatsReady};
use consigne_core::keys::KeyMode;
use consigne_core::periods::Day;
use consigne_core::ports::{
    ChargeKey, CreateOrg, GrantCredits, IssueKey, KeepOutcome, KeepStats, ListStats, PageAsk, ReadCalls, WalkOrgs,
};
use consigne_core::stats::{CountedCall, DaySpan, DayStats, Figures, StatsKept};
use consigne_core::{OrgId, Timestamp};
use consigne_testkit::accounts;
use futures_util::future::join_all;
use serde_json::json;

use super::{eventually, now, on_both};

/// The ports under test.
pub trait Stats:
    WalkOrgs + ReadCalls + KeepStats + ListStats + CreateOrg + IssueKey + GrantCredits + ChargeKey + KeepOutcome + Sync
{
}
impl<T> Stats for T where
    T: WalkOrgs
        + ReadCalls
        + KeepStats
        + ListStats
        + CreateOrg
        + IssueKey
        + GrantCredits
        + ChargeKey
        + KeepOutcome
        + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    every_organisation_is_listed_once_with_any_page_size,
    receipts_are_read_by_day_oldest_first,
    a_day_without_receipts_has_none,
    the_first_count_of_a_day_is_published_and_later_ones_replace_it,
    an_older_count_does_not_replace_a_newer_one,
    of_many_concurrent_counts_one_is_the_first,
    statistics_are_listed_by_day_and_organisation,
);

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn span(from: &str, to: &str) -> DaySpan {
    DaySpan { from: day(from), to: day(to) }
}

async fn walk<S: Stats>(store: &S, step: u32) -> Vec<OrgId> {
    let (mut walk, mut met) = (S::Walk::default(), Vec::new());
    loop {
        let page = store.walk_orgs(step, &mut walk).await.unwrap();
        if page.is_empty() {
            return met;
        }
        met.extend(page);
    }
}

async fn every_organisation_is_listed_once_with_any_page_size<S: Stats>(store: &S) {
    let mut founded = Vec::new();
    for _ in 0..9 {
        founded.push(accounts::found(store, now()).await.0);
    }
    for step in [2, 1_000] {
        let all = |met: &Vec<OrgId>| founded.iter().all(|org| met.contains(org));
        let met = eventually(async || walk(store, step).await, all).await;
        for org in &founded {
            assert_eq!(met.iter().filter(|met| *met == org).count(), 1, "in steps of {step}");
        }
    }
}

/// Creates an organisation with charges at these times. Returns its id.
async fn charged(store: &impl Stats, moments: &[&str]) -> OrgId {
    let (org, owner) = accounts::found(store, now()).await;
    let grant = accounts::credits(org, LotKind::Promo, 1_000, None, now());
    assert_eq!(store.grant_credits(&grant).await.unwrap(), CreditGrantOutcome::Granted);
    let live = accounts::issue(store, &accounts::key(org, &owner, false, now())).await;
    let test = accounts::issue(store, &accounts::key(org, &owner, true, now())).await;
    for (n, moment) in (0_u64..).zip(moments) {
        let facts = if n % 2 == 0 { &live } else { &test };
        let mut charge = accounts::charge(facts, n + 1, None, Timestamp::parse(moment).unwrap());
        charge.receipt.call.service = (n > 0).then(|| "pdf".to_owned());
        charge.receipt.call.country = (n > 1).then(|| "FR".to_owned());
        assert_eq!(store.charge_key(&charge).await.unwrap(), ChargeOutcome::Charged);
        if n % 3 == 0 {
            let outcome = Outcome { status_code: 204, response_ms: 40 + n, details: json!({ "pages": 3 }) };
            store.keep_outcome(charge.receipt.id, "pdf-api", &outcome, now()).await.unwrap();
        }
    }
    org
}

async fn read(store: &impl Stats, org: OrgId, span: DaySpan, limit: u32) -> Vec<CountedCall> {
    let (mut ask, mut calls) = (PageAsk { limit, after: None }, Vec::new());
    loop {
        let page = store.read_calls(org, span, &ask).await.unwrap();
        assert!(page.items.len() <= limit as usize && page.total.is_none());
        calls.extend(page.items);
        ask.after = page.next;
        if ask.after.is_none() {
            return calls;
        }
    }
}

async fn receipts_are_read_by_day_oldest_first(store: &impl Stats) {
    let moments = [
        "2027-02-28T23:59:59.999Z",
        "2027-03-01T00:00:00Z",
        "2027-03-01T12:00:00Z",
        "2027-03-02T23:59:59.999Z",
        "2027-03-03T00:00:00Z",
    ];
    let (org, other) = (charged(store, &moments).await, charged(store, &moments[..1]).await);
    let all = span("2027-01-01", "2027-12-31");
    let with_outcome = |calls: &Vec<CountedCall>| calls.iter().filter(|call| call.outcome.is_some()).count();
    let calls = async || read(store, org, all, 2).await;
    let calls = eventually(calls, |calls| calls.len() == 5 && with_outcome(calls) == 2).await;
    let at: Vec<Timestamp> = calls.iter().map(|call| call.at).collect();
    assert_eq!(at, moments.map(|moment| Timestamp::parse(moment).unwrap()));
    let credits: Vec<u64> = calls.iter().map(|call| call.credits).collect();
    assert_eq!(credits, [1, 2, 3, 4, 5]);
    assert_eq!(calls[0].outcome, Some((204, 40)));
    assert_eq!((calls[1].outcome, calls[3].outcome), (None, Some((204, 43))));
    assert_eq!((&calls[0].service, &calls[1].service), (&None, &Some("pdf".to_owned())));
    assert_eq!((&calls[1].country, &calls[2].country), (&None, &Some("FR".to_owned())));
    assert_eq!((calls[0].environment, calls[1].environment), (KeyMode::Production, KeyMode::Test));
    assert!(calls[0].key == calls[2].key && calls[0].key != calls[1].key);

    let credits = async |from: &str, to: &str| -> Vec<u64> {
        read(store, org, span(from, to), 10).await.iter().map(|call| call.credits).collect()
    };
    assert_eq!(credits("2027-03-01", "2027-03-01").await, [2, 3]);
    assert_eq!(credits("2027-03-01", "2027-03-02").await, [2, 3, 4]);
    assert_eq!(credits("2027-03-04", "2027-03-09").await, [0; 0]);
    let others = eventually(async || read(store, other, all, 10).await, |calls| calls.len() == 1).await;
    assert_eq!(others.len(), 1, "receipts of other organisations must not be read");
}

async fn a_day_without_receipts_has_none(store: &impl Stats) {
    let org = charged(store, &[]).await;
    for (from, to) in [("0001-01-01", "0001-03-01"), ("1969-12-31", "1970-01-01"), ("9999-12-30", "9999-12-31")] {
        assert_eq!(read(store, org, span(from, to), 10).await, [], "{from}");
    }
}

fn stats(org: OrgId, day: &str, requests: u64, counted_at: Timestamp) -> DayStats {
    let counts = BTreeMap::from([("pdf".to_owned(), requests)]);
    let figures = Figures { requests, services: counts, p50_ms: Some(12), ..Figures::default() };
    DayStats { org, day: self::day(day), figures, counted_at }
}

fn ready(org: OrgId, now: Timestamp) -> Event {
    Event::new(now, EventData::StatsReady(StatsReady { org_id: org, date: day("2027-03-01") }))
}

async fn the_first_count_of_a_day_is_published_and_later_ones_replace_it(store: &impl Stats) {
    let (org, at) = (accounts::found(store, now()).await.0, now());
    let store_count =
        async |requests, at| store.keep_stats(&stats(org, "2027-03-01", requests, at), &ready(org, at)).await.unwrap();
    assert_eq!(store_count(3, at).await, StatsKept::First);
    assert_eq!(store_count(4, at.plus(Duration::from_millis(1))).await, StatsKept::Again);
    assert_eq!(store_count(5, at.plus(Duration::from_millis(1))).await, StatsKept::Again, "the same message twice");
    let stored = store.list_stats(org, span("2027-03-01", "2027-03-01")).await.unwrap();
    assert_eq!(stored, [stats(org, "2027-03-01", 5, at.plus(Duration::from_millis(1)))]);
    assert_eq!(store_count(1, at).await, StatsKept::Outdated);
}

async fn an_older_count_does_not_replace_a_newer_one(store: &impl Stats) {
    let (org, at) = (accounts::found(store, now()).await.0, now());
    for (requests, at, want) in
        [(4, at, StatsKept::First), (3, at.minus(Duration::from_millis(1)), StatsKept::Outdated)]
    {
        let stored = store.keep_stats(&stats(org, "2027-03-01", requests, at), &ready(org, at)).await.unwrap();
        assert_eq!(stored, want);
    }
    let stored = store.list_stats(org, span("2027-03-01", "2027-03-01")).await.unwrap();
    assert_eq!(stored[0].figures.requests, 4);
}

async fn of_many_concurrent_counts_one_is_the_first(store: &impl Stats) {
    let (org, at) = (accounts::found(store, now()).await.0, now());
    let store_count = async |n: u64| {
        let at = at.plus(Duration::from_millis(n));
        store.keep_stats(&stats(org, "2027-03-01", n, at), &ready(org, at)).await.unwrap()
    };
    let outcomes = join_all((0..8).map(store_count)).await;
    assert_eq!(outcomes.iter().filter(|stored| **stored == StatsKept::First).count(), 1, "{outcomes:?}");
    let stored = store.list_stats(org, span("2027-03-01", "2027-03-01")).await.unwrap();
    assert_eq!((stored.len(), stored[0].figures.requests), (1, 7), "the latest count must be stored");
}

async fn statistics_are_listed_by_day_and_organisation(store: &impl Stats) {
    let (org, other, at) = (accounts::found(store, now()).await.0, accounts::found(store, now()).await.0, now());
    for (org, day) in [(org, "2027-03-01"), (org, "2027-02-27"), (org, "2026-12-31"), (other, "2027-02-28")] {
        store.keep_stats(&stats(org, day, 1, at), &ready(org, at)).await.unwrap();
    }
    let list = async |from, to| -> Vec<String> {
        let listed = store.list_stats(org, span(from, to)).await.unwrap();
        assert!(listed.iter().all(|stats| stats.org == org));
        listed.iter().map(|stats| stats.day.to_string()).collect()
    };
    assert_eq!(list("2026-12-31", "2027-03-01").await, ["2026-12-31", "2027-02-27", "2027-03-01"]);
    assert_eq!(list("2027-01-01", "2027-02-28").await, ["2027-02-27"]);
    assert_eq!(list("2027-03-02", "2027-12-31").await, [""; 0]);
}
