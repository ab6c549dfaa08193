//! stats: an organisation's statistics by day, from stored counts and from receipts.

use std::time::Duration;

use consigne_core::credits::{CallFacts, Outcome, Receipt, ReceiptId};
use consigne_core::keys::KeyMode;
use consigne_core::periods::Day;
use consigne_core::stats::{CountedCall, DayStats, Tally};
use consigne_core::{OrgId, Timestamp};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{
    KEY_ID, ORG, OTHER_ORG, PEOPLE, acme, answer, found, key_id, org, refusal, sent_by,
};

/// Returns the day so many days before today.
pub fn days_ago(days: u16) -> Day {
    Day::of(clock::now()).minus(days)
}

/// Creates a receipt of Acme's production key for two credits.
pub fn receipt(org: OrgId, at: Timestamp) -> Receipt {
    let call = CallFacts { service: Some("pdf".to_owned()), country: Some("FR".to_owned()), ..CallFacts::default() };
    Receipt {
        id: ReceiptId::fresh(org, at),
        key: key_id(KEY_ID),
        environment: KeyMode::Production,
        credits: 2,
        at,
        caller: "pdf-api".to_owned(),
        fingerprint: String::new(),
        call,
        outcome: None,
    }
}

/// Puts a receipt into the world after `change`.
pub fn put_receipt(world: &World, at: Timestamp, change: impl FnOnce(&mut Receipt)) {
    let mut receipt = receipt(org(ORG), at);
    change(&mut receipt);
    world.change(|state| drop(state.accounts.receipts.insert(receipt.id, receipt)));
}

/// Creates an outcome with a response time in milliseconds.
pub fn outcome(status_code: u16, response_ms: u64) -> Outcome {
    Outcome { status_code, response_ms, details: json!({}) }
}

/// Stores the statistics of Acme's receipts of a day, as counted at a time.
fn store_stats(world: &World, day: Day, counted_at: Timestamp) {
    let mut tally = Tally::default();
    for receipt in world.state().accounts.receipts.values().filter(|receipt| Day::of(receipt.at) == day) {
        tally.count(&CountedCall::of(receipt));
    }
    let stats = DayStats { org: org(ORG), day, figures: tally.figures(), counted_at };
    world.change(|state| drop(state.stats.insert((org(ORG), day), stats)));
}

/// Calls the function as a member, with another query than the payload's.
async fn asked(world: &World, person: &str, query: &str) -> Value {
    let mut event = sent_by(person, "stats", "two-days");
    event["rawQueryString"] = query.into();
    functions::call(world, "stats", event).await
}

async fn rows(world: &World, query: &str) -> Vec<Value> {
    let answer = asked(world, "user_bill1", query).await;
    assert_eq!(answer["status"], 200, "{answer}");
    assert_eq!(answer["body"]["metadata"]["next_cursor"], json!(null));
    let rows = answer["body"]["data"].as_array().unwrap().clone();
    assert_eq!(answer["body"]["metadata"]["total"], rows.len());
    rows
}

#[tokio::test]
async fn days_with_and_without_calls_are_shown() {
    let (world, today) = (acme(), clock::now());
    for (status, ms) in [(200, 20), (399, 40), (400, 60), (500, 80)] {
        put_receipt(&world, today, |receipt| receipt.outcome = Some(outcome(status, ms)));
    }
    put_receipt(&world, today, |receipt| receipt.environment = KeyMode::Test);
    put_receipt(&world, today, |receipt| receipt.call = CallFacts::default());
    let mut event = sent_by("user_dev1", "stats", "two-days");
    event["rawQueryString"] = format!("from={}&to={}", days_ago(1), days_ago(0)).into();
    let shown = answer(&world, "stats", event).await.to_string();
    let shown = shown.replace(&days_ago(1).to_string(), "<yesterday>").replace(&days_ago(0).to_string(), "<today>");
    let mut shown: Value = serde_json::from_str(&shown).unwrap();
    // Whether yesterday is complete depends on the hour at which the tests run.
    let whole = clock::now() >= days_ago(0).starts().plus(Duration::from_hours(3));
    assert_eq!(shown["body"]["data"][0]["complete"].take(), json!(whole));
    insta::assert_json_snapshot!(shown, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Statistics",
        "data": [
          {
            "date": "<yesterday>",
            "requests": 0,
            "credits": 0,
            "test_credits": 0,
            "outcomes": 0,
            "success_rate": null,
            "services": {},
            "keys": {},
            "countries": {},
            "p50_ms": null,
            "p95_ms": null,
            "complete": null,
            "counted_until": "<time>"
          },
          {
            "date": "<today>",
            "requests": 6,
            "credits": 12,
            "test_credits": 2,
            "outcomes": 4,
            "success_rate": 50,
            "services": {
              "pdf": 5,
              "unknown": 1
            },
            "keys": {
              "key_01M7YREWKH7VM7Z3Z2KWSH2FTS": 6
            },
            "countries": {
              "FR": 5,
              "unknown": 1
            },
            "p50_ms": 40,
            "p95_ms": 80,
            "complete": false,
            "counted_until": "<time>"
          }
        ],
        "timestamp": "<time>",
        "metadata": {
          "next_cursor": null,
          "total": 2
        }
      }
    }
    "#);
}

#[tokio::test]
async fn thirty_days_are_shown_by_default() {
    let world = acme();
    put_receipt(&world, days_ago(29).starts(), |_| ());
    put_receipt(&world, days_ago(30).ends().minus(Duration::from_millis(1)), |_| ());
    let answer = functions::call(&world, "stats", sent_by("user_ann1", "stats", "last-thirty-days")).await;
    let rows = answer["body"]["data"].as_array().unwrap();
    let dates: Vec<&str> = rows.iter().map(|row| row["date"].as_str().unwrap()).collect();
    let wanted: Vec<String> = (0..30).rev().map(|back| days_ago(back).to_string()).collect();
    assert_eq!(dates, wanted);
    assert_eq!((&rows[0]["requests"], &rows[1]["requests"], &rows[29]["requests"]), (&json!(1), &json!(0), &json!(0)));
}

#[tokio::test]
async fn stored_statistics_are_shown_unchanged() {
    let world = acme();
    put_receipt(&world, days_ago(5).starts(), |receipt| receipt.outcome = Some(outcome(200, 7)));
    let counted_at = days_ago(4).starts().plus(Duration::from_hours(3));
    store_stats(&world, days_ago(5), counted_at);
    // A receipt after the last count of its day is only in the usage log.
    put_receipt(&world, days_ago(5).starts(), |_| ());
    put_receipt(&world, days_ago(3).starts(), |_| ());
    let rows = rows(&world, &format!("from={}&to={}", days_ago(6), days_ago(3))).await;
    let shown: Vec<_> = rows.iter().map(|row| (row["requests"].as_u64().unwrap(), &row["complete"])).collect();
    let yes = &json!(true);
    assert_eq!(shown, [(0, yes), (1, yes), (0, yes), (1, yes)], "one stored day between days counted now");
    assert_eq!((&rows[1]["p50_ms"], &rows[1]["success_rate"]), (&json!(7), &json!(100)));
    assert_eq!(rows[1]["counted_until"], counted_at.to_string());
    assert_ne!(rows[3]["counted_until"], counted_at.to_string());
}

#[tokio::test]
async fn statistics_stored_before_the_day_was_over_are_not_used() {
    let world = acme();
    put_receipt(&world, days_ago(5).starts(), |_| ());
    store_stats(&world, days_ago(5), days_ago(5).ends());
    put_receipt(&world, days_ago(5).starts(), |_| ());
    let five = format!("from={0}&to={0}", days_ago(5));
    assert_eq!(rows(&world, &five).await[0]["requests"], 2);
}

#[tokio::test]
async fn future_days_are_empty_and_incomplete() {
    let world = acme();
    let tomorrow = days_ago(0).plus(1);
    let rows = rows(&world, &format!("from={}&to={}", days_ago(0), tomorrow.plus(1))).await;
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!((&row["requests"], &row["complete"]), (&json!(0), &json!(false)), "{row}");
    }
}

#[tokio::test]
async fn an_invalid_date_is_named() {
    let world = acme();
    let (today, tomorrow) = (days_ago(0), days_ago(0).plus(1));
    for (query, field) in [
        ("from=yesterday".to_owned(), "from"),
        ("to=2026-11-31".to_owned(), "to"),
        ("from=2026-1-1".to_owned(), "from"),
        (format!("from={tomorrow}"), "from"),
        (format!("from={today}&to={}", days_ago(1)), "from"),
        (format!("from={}", days_ago(92)), "from"),
    ] {
        let answer = asked(&world, "user_ann1", &query).await;
        assert_eq!(refusal(&answer), (400, "INVALID_REQUEST"), "{query}");
        assert_eq!(answer["body"]["error"]["details"]["field"], field, "{query}");
    }
    assert_eq!(rows(&world, &format!("from={}", days_ago(91))).await.len(), 92);
}

#[tokio::test]
async fn every_member_may_read_statistics_and_nobody_else() {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &[PEOPLE[0]]);
    put_receipt(&world, clock::now(), |_| ());
    for (person, _) in PEOPLE {
        assert_eq!(asked(&world, person, "").await["status"], 200, "{person}");
    }
    assert_eq!(refusal(&asked(&world, "user_eve1", "").await), (404, "NOT_FOUND"));
    let mut event = sent_by("user_ann1", "stats", "last-thirty-days");
    event["pathParameters"]["org"] = OTHER_ORG.into();
    let other = functions::call(&world, "stats", event).await;
    assert_eq!(other["body"]["data"][29]["requests"], 0, "another organisation's calls must not be counted");
    let nobody = functions::call(&world, "stats", payload::event("stats", "last-thirty-days", "x")).await;
    assert_eq!(nobody["status"], 401);
}

#[tokio::test]
async fn reading_statistics_changes_nothing() {
    let world = acme();
    put_receipt(&world, clock::now(), |_| ());
    let before = world.state();
    rows(&world, "").await;
    assert_eq!(world.state(), before);
}
