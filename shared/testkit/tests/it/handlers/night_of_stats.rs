//! stats-aggregate and stats-organisation: a night counts the days, and counts again what came late.

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

use super::accounts::{ORG, OTHER_ORG, acme, found, org, outbox};
use super::stats::{days_ago, outcome, put_receipt, receipt};

/// Lets the night's first function run as of a time and gives what it has done.
pub async fn hand_out(world: &World, at: Timestamp) -> Value {
    let mut event = payload::event("stats-aggregate", "night", "");
    event["time"] = at.to_string().into();
    functions::tick(world, "stats-aggregate", event).await.unwrap()
}

/// Lets a whole night pass.
async fn night(world: &World, at: Timestamp) {
    hand_out(world, at).await;
    functions::deliver_night(world).await;
}

/// Gives three in the morning of today.
fn tonight() -> Timestamp {
    days_ago(0).starts().plus(Duration::from_hours(3))
}

/// Gives the payload's message about another day.
pub fn message(day: Day) -> Value {
    let event = payload::event("stats-organisation", "day", "").to_string();
    serde_json::from_str(&event.replace("2026-11-21", &day.to_string())).unwrap()
}

/// Counts as one would by hand, from all receipts there are.
fn counted(world: &World) -> BTreeMap<(OrgId, Day), Figures> {
    let mut tallies: BTreeMap<(OrgId, Day), Tally> = BTreeMap::new();
    for receipt in world.state().accounts.receipts.values() {
        tallies.entry((receipt.id.org(), Day::of(receipt.at))).or_default().count(&CountedCall::of(receipt));
    }
    tallies.into_iter().map(|(place, tally)| (place, tally.figures())).collect()
}

fn kept(world: &World) -> BTreeMap<(OrgId, Day), Figures> {
    world.state().stats.into_iter().map(|(place, stats)| (place, stats.figures)).collect()
}

#[tokio::test]
async fn a_night_hands_out_three_days_of_every_organisation() {
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
async fn a_counted_day_is_kept_and_told_once() {
    let world = acme();
    let day = days_ago(1);
    for (at, status, ms) in [(day.starts(), 200, 30), (day.ends().minus(Duration::from_millis(1)), 503, 90)] {
        put_receipt(&world, at, |receipt| receipt.outcome = Some(outcome(status, ms)));
    }
    put_receipt(&world, day.ends(), |_| ());
    put_receipt(&world, day.starts().minus(Duration::from_millis(1)), |_| ());
    for _ in 0..2 {
        let told = functions::deliver_until(&world, "stats-organisation", message(day), soon()).await;
        assert_eq!(told, json!({ "batchItemFailures": [] }));
    }
    let figures = kept(&world).remove(&(org(ORG), day)).unwrap();
    assert_eq!((figures.requests, figures.credits, figures.outcomes), (2, 4, 2));
    assert_eq!((figures.p50_ms, figures.p95_ms), (Some(30), Some(90)));
    assert_eq!(figures.success_rate(), Some(0.5));
    assert_eq!(kept(&world).len(), 1);
    let told = outbox(&world).to_string().replace(&day.to_string(), "<yesterday>");
    insta::assert_json_snapshot!(serde_json::from_str::<Value>(&told).unwrap(), @r#"
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

/// Gives the moment a while from now.
pub fn within(time: Duration) -> SystemTime {
    let now = u64::try_from(clock::now().as_millis()).unwrap();
    SystemTime::UNIX_EPOCH + Duration::from_millis(now) + time
}

#[tokio::test]
async fn a_day_without_calls_leaves_nothing_and_is_not_told() {
    let world = acme();
    let mut before = world.state();
    night(&world, tonight()).await;
    before.storage = world.state().storage;
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn what_comes_late_is_counted_in_the_two_nights_behind() {
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
        assert_eq!(kept(&world), counted(&world));
    }
    assert_eq!(outbox(&world).as_array().unwrap().len(), 1, "only the first figures of a day are told");
}

#[tokio::test]
async fn a_day_too_large_for_one_message_is_counted_in_several() {
    let world = acme();
    let day = days_ago(1);
    for n in 0..2_500_u64 {
        put_receipt(&world, day.starts().plus(Duration::from_millis(n / 3)), |receipt| {
            receipt.credits = n;
            receipt.outcome = Some(outcome(if n % 7 == 0 { 500 } else { 200 }, n));
        });
    }
    // Without a second to spare each message counts one page and hands on the rest.
    let short = || within(Duration::from_secs(5));
    let mut batch = message(day);
    let mut messages = 0;
    loop {
        messages += 1;
        let told = functions::deliver_until(&world, "stats-organisation", batch.clone(), short()).await;
        assert_eq!(told, json!({ "batchItemFailures": [] }));
        // Delivered twice, as it may be: both lead to the same.
        functions::deliver_until(&world, "stats-organisation", batch.clone(), short()).await;
        let mut waiting = Vec::new();
        world.change(|state| waiting = std::mem::take(&mut state.messages));
        let Some(body) = waiting.first() else { break };
        assert_eq!(waiting.len(), 2);
        batch["Records"][0]["body"] = body.clone().into();
        assert!(world.state().stats.is_empty(), "no figures before all is counted");
    }
    assert_eq!(messages, 3);
    assert_eq!(kept(&world), counted(&world));
}

#[tokio::test]
async fn a_count_that_began_earlier_does_not_replace_a_later_one() {
    let world = acme();
    let day = days_ago(1);
    put_receipt(&world, day.starts(), |_| ());
    functions::deliver_until(&world, "stats-organisation", message(day), soon()).await;
    let later = clock::now().plus(Duration::from_hours(1));
    world.change(|state| state.stats.get_mut(&(org(ORG), day)).unwrap().counted_at = later);
    put_receipt(&world, day.starts(), |_| ());
    functions::deliver_until(&world, "stats-organisation", message(day), soon()).await;
    assert_eq!(kept(&world)[&(org(ORG), day)].requests, 1);
}

#[tokio::test]
async fn a_day_whose_receipts_are_forgotten_keeps_the_figures_it_has() {
    let world = acme();
    let (gone, there) = (days_ago(400), days_ago(399));
    for day in [gone, there] {
        put_receipt(&world, day.ends().minus(Duration::from_millis(1)), |_| ());
        functions::deliver_until(&world, "stats-organisation", message(day), soon()).await;
    }
    assert_eq!(kept(&world).into_keys().collect::<Vec<_>>(), [(org(ORG), there)]);
}

#[tokio::test]
async fn a_message_nobody_understands_comes_back_alone() {
    let world = acme();
    put_receipt(&world, days_ago(1).starts(), |_| ());
    let mut batch = message(days_ago(1));
    for (n, body) in [(2, "?"), (3, r#"{"org": "org_x", "day": "2026-11-21"}"#)] {
        let mut poison = batch["Records"][0].clone();
        poison["messageId"] = format!("message-{n}").into();
        poison["body"] = body.into();
        batch["Records"].as_array_mut().unwrap().push(poison);
    }
    let told = functions::deliver_until(&world, "stats-organisation", batch, soon()).await;
    assert_eq!(
        told,
        json!({ "batchItemFailures": [{ "itemIdentifier": "message-2" }, { "itemIdentifier": "message-3" }] })
    );
    assert_eq!(kept(&world), counted(&world));
}

#[tokio::test]
async fn two_thousand_receipts_of_twenty_organisations_come_to_what_they_are() {
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
    assert_eq!(kept(&world), counted(&world));
    assert_eq!(kept(&world).values().map(|figures| figures.requests).sum::<u64>(), 2_000);
}

/// What happens between two looks at the figures.
#[derive(Clone, Debug)]
enum Event {
    /// Calls are charged, some hours back.
    Calls { hours_back: u64, count: u64, told: bool },
    /// Outcomes that nobody had told come in.
    Outcomes { status: u16, ms: u64 },
    /// A night passes, or passes again; what it hands out arrives once or twice.
    Night { twice: bool },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u64..72, 1_u64..12, any::<bool>())
            .prop_map(|(hours_back, count, told)| Event::Calls { hours_back, count, told }),
        2 => (100_u16..600, 0_u64..5_000).prop_map(|(status, ms)| Event::Outcomes { status, ms }),
        2 => any::<bool>().prop_map(|twice| Event::Night { twice }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn figures_equal_the_receipts_after_every_night_whatever_came_before(
        events in prop::collection::vec(event(), 1..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = acme();
            for event in events.into_iter().chain([Event::Night { twice: false }]) {
                match event {
                    Event::Calls { hours_back, count, told } => for n in 0..count {
                        let at = days_ago(0).starts().minus(Duration::from_hours(hours_back) + Duration::from_millis(1));
                        put_receipt(&world, at, |receipt| {
                            receipt.credits = n + 1;
                            receipt.outcome = told.then(|| outcome(200, n * 10));
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
                        hand_out(&world, tonight()).await;
                        if twice {
                            world.change(|state| state.messages.extend(state.messages.clone()));
                        }
                        functions::deliver_night(&world).await;
                        assert_eq!(kept(&world), counted(&world));
                    }
                }
            }
            let days = kept(&world).len();
            assert_eq!(outbox(&world).as_array().unwrap().len(), days, "each day is told once");
        });
    }
}

#[test]
fn a_call_of_which_nothing_was_told_counts_too() {
    let mut receipt = receipt(org(ORG), clock::now());
    receipt.call = CallFacts::default();
    let mut tally = Tally::default();
    tally.count(&CountedCall::of(&receipt));
    let figures = tally.figures();
    let unknown = BTreeMap::from([("unknown".to_owned(), 1)]);
    assert_eq!((&figures.services, &figures.countries), (&unknown, &unknown));
}
