//! stats-aggregate and stats-organisation: count the last days every night, so that late receipts are included.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use consigne_core::credits::{CallFacts, Receipt};
use consigne_core::periods::Day;
use consigne_core::stats::{CountedCall, Figures, Tally};
use consigne_core::{OrgId, Timestamp};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::handlers::nightly::stats::{days_ago, outcome, put_receipt, receipt};
use crate::handlers::people::accounts::{ORG, OTHER_ORG, acme, found, org, outbox};

/// Runs stats-aggregate at a time. Returns what it did.
pub async fn start_night(world: &World, at: Timestamp) -> Value {
    let mut event = payload::event("stats-aggregate", "night", "");
    event["time"] = at.to_string().into();
    functions::tick(world, "stats-aggregate", event).await.unwrap()
}

/// Runs all functions of a night.
async fn night(world: &World, at: Timestamp) {
    start_night(world, at).await;
    functions::deliver_night(world).await;
}

/// Returns today at 03:00.
fn tonight() -> Timestamp {
    days_ago(0).starts().plus(Duration::from_hours(3))
}

/// Returns the payload's message for another day.
pub fn message(day: Day) -> Value {
    let event = payload::event("stats-organisation", "day", "").to_string();
    serde_json::from_str(&event.replace("2026-11-21", &day.to_string())).unwrap()
}

/// Counts statistics from all receipts in a simple way.
fn counted(world: &World) -> BTreeMap<(OrgId, Day), Figures> {
    let mut tallies: BTreeMap<(OrgId, Day), Tally> = BTreeMap::new();
    for receipt in world.state().accounts.receipts.values() {
        tallies.entry((receipt.id.org(), Day::of(receipt.at))).or_default().count(&CountedCall::of(receipt));
    }
    tallies.into_iter().map(|(place, tally)| (place, tally.figures())).collect()
}

fn stored(world: &World) -> BTreeMap<(OrgId, Day), Figures> {
    world.state().stats.into_iter().map(|(place, stats)| (place, stats.figures)).collect()
}

#[tokio::test]
async fn a_night_sends_messages_for_three_days_of_every_organisation() {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &[]);
    let done =
        functions::tick(&world, "stats-aggregate", payload::event("stats-aggregate", "night", "")).await.unwrap();
    insta::assert_json_snapshot!(done, @r#"
    {
      "organisations": 2,
      "days": [
        "2026-11-21",
        "2026-11-20",
        "2026-11-19"
      ]
    }
    "#);
    insta::assert_json_snapshot!(world.state().messages, @r#"
    [
      "{\"day\":\"2026-11-22\"}",
      "{\"org\":\"org_01M7YREWKH7VM7Z3Z2KWSH2FTR\",\"day\":\"2026-11-21\"}",
      "{\"org\":\"org_01M7YREWKH7VM7Z3Z2KWSH2FTR\",\"day\":\"2026-11-20\"}",
      "{\"org\":\"org_01M7YREWKH7VM7Z3Z2KWSH2FTR\",\"day\":\"2026-11-19\"}",
      "{\"org\":\"org_01M7YREWKH7VM7Z3Z2KWSH2FTT\",\"day\":\"2026-11-21\"}",
      "{\"org\":\"org_01M7YREWKH7VM7Z3Z2KWSH2FTT\",\"day\":\"2026-11-20\"}",
      "{\"org\":\"org_01M7YREWKH7VM7Z3Z2KWSH2FTT\",\"day\":\"2026-11-19\"}"
    ]
    "#);
}

#[tokio::test]
async fn a_counted_day_is_stored_and_published_once() {
    let world = acme();
    let day = days_ago(1);
    for (at, status, ms) in [(day.starts(), 200, 30), (day.ends().minus(Duration::from_millis(1)), 503, 90)] {
        put_receipt(&world, at, |receipt| receipt.outcome = Some(outcome(status, ms)));
    }
    put_receipt(&world, day.ends(), |_| ());
    put_receipt(&world, day.starts().minus(Duration::from_millis(1)), |_| ());
    for _ in 0..2 {
        let answer = functions::deliver_until(&world, "stats-organisation", message(day), soon()).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }
    let figures = stored(&world).remove(&(org(ORG), day)).unwrap();
    assert_eq!((figures.requests, figures.credits, figures.outcomes), (2, 4, 2));
    assert_eq!((figures.p50_ms, figures.p95_ms), (Some(30), Some(90)));
    assert_eq!(figures.success_rate(), Some(50));
    assert_eq!(stored(&world).len(), 1);
    let events = outbox(&world).to_string().replace(&day.to_string(), "<yesterday>");
    insta::assert_json_snapshot!(serde_json::from_str::<Value>(&events).unwrap(), @r#"
    [
      {
        "kind": "stats.ready",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "date": "<yesterday>"
        }
      }
    ]
    "#);
}

fn soon() -> SystemTime {
    within(Duration::from_mins(1))
}

/// Returns the time after a duration from now.
pub fn within(time: Duration) -> SystemTime {
    let now = u64::try_from(clock::now().as_millis()).unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_millis(now) + time
}

#[tokio::test]
async fn a_day_without_calls_is_neither_stored_nor_published() {
    let world = acme();
    let mut before = world.state();
    night(&world, tonight()).await;
    before.storage = world.state().storage;
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn late_receipts_are_counted_in_the_next_two_nights() {
    let world = acme();
    let day = days_ago(3);
    put_receipt(&world, day.starts(), |_| ());
    for nights in (0..3).rev() {
        let at = days_ago(nights).starts().plus(Duration::from_hours(3));
        put_receipt(&world, day.starts(), |_| ());
        world.change(|state| {
            let late = state.accounts.receipts.values_mut().find(|receipt| receipt.outcome.is_none()).unwrap();
            late.outcome = Some(outcome(200, 5));
        });
        night(&world, at).await;
        assert_eq!(stored(&world), counted(&world));
    }
    assert_eq!(outbox(&world).as_array().unwrap().len(), 1, "only the first count of a day is published");
}

#[tokio::test]
async fn a_large_day_is_counted_in_several_messages() {
    let world = acme();
    let day = days_ago(1);
    for n in 0..2_500_u64 {
        put_receipt(&world, day.starts().plus(Duration::from_millis(n / 3)), |receipt| {
            receipt.credits = n;
            receipt.outcome = Some(outcome(if n % 7 == 0 { 500 } else { 200 }, n));
        });
    }
    // Without time left, each message counts one page and sends a message for the rest.
    let short = || within(Duration::from_secs(5));
    let mut batch = message(day);
    let mut messages = 0;
    loop {
        messages += 1;
        let answer = functions::deliver_until(&world, "stats-organisation", batch.clone(), short()).await;
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
        // Messages may be delivered twice, which must not change the result.
        functions::deliver_until(&world, "stats-organisation", batch.clone(), short()).await;
        let mut waiting = Vec::new();
        world.change(|state| waiting = std::mem::take(&mut state.messages));
        let Some(body) = waiting.first() else { break };
        assert_eq!(waiting.len(), 2);
        batch["Records"][0]["body"] = body.clone().into();
        assert!(world.state().stats.is_empty(), "no statistics before everything is counted");
    }
    assert_eq!(messages, 3);
    assert_eq!(stored(&world), counted(&world));
}

#[tokio::test]
async fn an_older_count_does_not_replace_a_newer_one() {
    let world = acme();
    let day = days_ago(1);
    put_receipt(&world, day.starts(), |_| ());
    functions::deliver_until(&world, "stats-organisation", message(day), soon()).await;
    let later = clock::now().plus(Duration::from_hours(1));
    world.change(|state| state.stats.get_mut(&(org(ORG), day)).unwrap().counted_at = later);
    put_receipt(&world, day.starts(), |_| ());
    functions::deliver_until(&world, "stats-organisation", message(day), soon()).await;
    assert_eq!(stored(&world)[&(org(ORG), day)].requests, 1);
}

#[tokio::test]
async fn a_day_whose_receipts_have_expired_keeps_its_statistics() {
    let world = acme();
    let (gone, there) = (days_ago(400), days_ago(399));
    for day in [gone, there] {
        put_receipt(&world, day.ends().minus(Duration::from_millis(1)), |_| ());
        functions::deliver_until(&world, "stats-organisation", message(day), soon()).await;
    }
    assert_eq!(stored(&world).into_keys().collect::<Vec<_>>(), [(org(ORG), there)]);
}

#[tokio::test]
async fn only_the_malformed_message_of_a_batch_is_redelivered() {
    let world = acme();
    put_receipt(&world, days_ago(1).starts(), |_| ());
    let mut batch = message(days_ago(1));
    for (n, body) in [(2, "?"), (3, r#"{"org": "org_x", "day": "2026-11-21"}"#)] {
        let mut poison = batch["Records"][0].clone();
        poison["messageId"] = format!("message-{n}").into();
        poison["body"] = body.into();
        batch["Records"].as_array_mut().unwrap().push(poison);
    }
    let answer = functions::deliver_until(&world, "stats-organisation", batch, soon()).await;
    assert_eq!(
        answer,
        json!({ "batchItemFailures": [{ "itemIdentifier": "message-2" }, { "itemIdentifier": "message-3" }] })
    );
    assert_eq!(stored(&world), counted(&world));
}

#[tokio::test]
async fn two_thousand_receipts_of_twenty_organisations_are_counted_correctly() {
    let world = World::default();
    let orgs: Vec<OrgId> = (0..20).map(|_| OrgId::mint(clock::now())).collect();
    for (n, id) in orgs.iter().enumerate() {
        found(&world, &id.to_string(), &format!("Number {n}"), &[]);
    }
    for n in 0..2_000_u64 {
        let org = orgs[usize::try_from(n * n % 20).unwrap()];
        let at = days_ago(u16::try_from(1 + n % 3).unwrap()).starts().plus(Duration::from_secs(n * 43));
        let mut receipt = receipt(org, at);
        receipt.credits = n % 5 + 1;
        receipt.outcome = (n % 4 > 0).then(|| outcome(200 + u16::try_from(n % 4).unwrap() * 100, n));
        receipt.call.country = (n % 3 > 0).then(|| ["FR", "DE"][usize::from(n % 2 == 0)].to_owned());
        world.change(|state| drop(state.accounts.receipts.insert(receipt.id, receipt)));
    }
    night(&world, tonight()).await;
    assert_eq!(stored(&world), counted(&world));
    assert_eq!(stored(&world).values().map(|figures| figures.requests).sum::<u64>(), 2_000);
}

/// What happens between two checks of the statistics.
#[derive(Clone, Debug)]
enum Event {
    /// Calls were charged some hours ago.
    Calls { hours_back: u64, count: u64, reported: bool },
    /// Outcomes are reported for receipts without one.
    Outcomes { status: u16, ms: u64 },
    /// A night runs, possibly again. Its messages are delivered once or twice.
    Night { twice: bool },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u64..72, 1_u64..12, any::<bool>())
            .prop_map(|(hours_back, count, reported)| Event::Calls { hours_back, count, reported }),
        2 => (100_u16..600, 0_u64..5_000).prop_map(|(status, ms)| Event::Outcomes { status, ms }),
        2 => any::<bool>().prop_map(|twice| Event::Night { twice }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn statistics_equal_the_receipts_after_every_night(
        events in prop::collection::vec(event(), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = acme();
            for event in events.into_iter().chain([Event::Night { twice: false }]) {
                match event {
                    Event::Calls { hours_back, count, reported } => for n in 0..count {
                        let at = days_ago(0).starts().minus(Duration::from_hours(hours_back) + Duration::from_millis(1));
                        put_receipt(&world, at, |receipt| {
                            receipt.credits = n + 1;
                            receipt.outcome = reported.then(|| outcome(200, n * 10));
                            receipt.call.service = (n % 2 == 0).then(|| "ai".to_owned());
                        });
                    },
                    Event::Outcomes { status, ms } => world.change(|state| {
                        let open = |receipt: &&mut Receipt| receipt.outcome.is_none();
                        for receipt in state.accounts.receipts.values_mut().filter(open).take(5) {
                            receipt.outcome = Some(outcome(status, ms));
                        }
                    }),
                    Event::Night { twice } => {
                        start_night(&world, tonight()).await;
                        if twice {
                            world.change(|state| state.messages.extend(state.messages.clone()));
                        }
                        functions::deliver_night(&world).await;
                        assert_eq!(stored(&world), counted(&world));
                    }
                }
            }
            let days = stored(&world).len();
            assert_eq!(outbox(&world).as_array().unwrap().len(), days, "each day is published once");
        });
    }
}

#[test]
fn a_call_without_an_outcome_is_counted() {
    let mut receipt = receipt(org(ORG), clock::now());
    receipt.call = CallFacts::default();
    let mut tally = Tally::default();
    tally.count(&CountedCall::of(&receipt));
    let figures = tally.figures();
    let unknown = BTreeMap::from([("unknown".to_owned(), 1)]);
    assert_eq!((&figures.services, &figures.countries), (&unknown, &unknown));
}
