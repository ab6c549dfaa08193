//! Anomalies in the use of keys: detected, reported once, and stopped if the policy says so.

use std::collections::BTreeMap;
use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::anomalies::OnAnomaly;
use consigne_core::keys::KeyStatus;
use consigne_core::periods::Day;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    ORG, acme, answer, audit_log, change_key, code_of, headed, key_in, org, outbox, put_production, sent_by,
    sent_by_service, verified, with,
};

/// Returns the n-th country code.
fn code(n: usize) -> String {
    let letter = |n: usize| char::from(b'A' + u8::try_from(n % 26).unwrap());
    format!("{}{}", letter(n / 26), letter(n))
}

async fn try_tick(world: &World, at: Timestamp) -> Result<Value, String> {
    let mut event = payload::event("anomaly-detect", "tick", "");
    event["time"] = at.to_string().into();
    functions::tick(world, "anomaly-detect", event).await
}

/// Runs `anomaly-detect` at a time some minutes from now. Returns `[alerted, suspended]`.
async fn tick(world: &World, minutes: u64) -> Value {
    let done = try_tick(world, clock::now().plus(Duration::from_mins(minutes))).await.unwrap();
    json!([done["alerted"], done["suspended"]])
}

/// Tries to charge the key from so many countries. Returns which charges succeeded.
async fn asked_from(world: &World, key: &str, countries: usize) -> Vec<bool> {
    let mut made = Vec::new();
    for n in 0..countries {
        let charge = with(sent_by_service(key, "key-verify", "charge"), &json!({ "country": code(n) }));
        let answer = functions::call(world, "key-verify", headed(charge, "idempotency-key", None)).await;
        made.push(answer["body"]["data"]["valid"].as_bool().unwrap());
    }
    made
}

/// Charges the key from so many countries.
async fn used_from(world: &World, key: &str, countries: usize) {
    assert_eq!(asked_from(world, key, countries).await, vec![true; countries]);
}

fn policy(world: &World, policy: OnAnomaly) {
    world.change(|state| state.accounts.orgs.get_mut(&org(ORG)).unwrap().on_anomaly = policy);
}

#[tokio::test]
async fn ten_countries_in_an_hour_cause_no_alert_and_eleven_cause_one() {
    let world = acme();
    let key = put_production(&world, |_| ());
    used_from(&world, &key, 10).await;
    assert_eq!(tick(&world, 0).await, json!([0, 0]));
    used_from(&world, &key, 11).await;
    assert_eq!(tick(&world, 0).await, json!([1, 0]));
    for minutes in [0, 10, 50, 89] {
        assert_eq!(tick(&world, minutes).await, json!([0, 0]), "after {minutes} minutes");
    }
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "key.anomaly",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "key_id": "key_<id>",
          "name": "Production API",
          "kind": "countries",
          "details": {
            "countries": 11,
            "codes": [
              "AA",
              "AB",
              "AC",
              "AD",
              "AE",
              "AF",
              "AG",
              "AH",
              "AI",
              "AJ",
              "AK"
            ],
            "within_minutes": 60
          },
          "action": "alerted"
        }
      }
    ]
    "#);
    let audit_log = audit_log(&world);
    assert_eq!(
        (audit_log.as_array().unwrap().len(), &audit_log[0]["action"], &audit_log[0]["actor"]),
        (1, &json!("key.anomaly"), &json!("service:anomaly-detect"))
    );
    assert_eq!(key_in(&world).status, KeyStatus::Active, "an alert must not stop the key");
}

#[tokio::test]
async fn refused_calls_from_twenty_countries_cause_no_alert() {
    let world = acme();
    let key = put_production(&world, |key| key.daily_quota = Some(0));
    assert_eq!(asked_from(&world, &key, 20).await, [false; 20]);
    assert_eq!(tick(&world, 0).await, json!([0, 0]));
    assert_eq!((outbox(&world), audit_log(&world)), (json!([]), json!([])));
}

#[tokio::test]
async fn countries_an_hour_apart_cause_no_alert() {
    let world = acme();
    let key = put_production(&world, |_| ());
    used_from(&world, &key, 11).await;
    // The first six calls were made 65 minutes before the others.
    world.change(|state| {
        let long_ago = Duration::from_mins(65);
        let early = |code: Option<&String>| code.is_some_and(|code| code.as_str() < "AG");
        for receipt in state.accounts.receipts.values_mut().filter(|receipt| early(receipt.call.country.as_ref())) {
            receipt.at = receipt.at.minus(long_ago);
        }
    });
    assert_eq!(tick(&world, 0).await, json!([0, 0]));
}

#[tokio::test]
async fn a_policy_can_suspend_the_key_and_no_others() {
    let world = acme();
    policy(&world, OnAnomaly::Suspend);
    let key = put_production(&world, |_| ());
    let other =
        accounts::put_key(&world, "key_01M7YREWKH7VM7Z3Z2KWSH2FTX", consigne_core::keys::KeyMode::Production, |_| ());
    used_from(&world, &key, 11).await;
    assert_eq!(tick(&world, 0).await, json!([0, 1]));
    assert_eq!((code_of(&world, &key).await, code_of(&world, &other).await), ("SUSPENDED".into(), "VALID".into()));
    insta::assert_json_snapshot!(verified(&world, &key, "charge", &json!({})).await, @r#"
    {
      "valid": false,
      "code": "SUSPENDED",
      "limiter": "key",
      "resets_at": null
    }
    "#);
    let actions: Vec<Value> =
        audit_log(&world).as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["key.suspended", "key.anomaly"]);
    assert_eq!(outbox(&world)[0]["detail"]["action"], "suspended");
    assert_eq!(tick(&world, 0).await, json!([0, 0]));
}

/// Issues keys as Ann.
async fn keys_made(world: &World, count: usize) {
    for _ in 0..count {
        let mut event = sent_by("user_ann1", "key-issue", "production");
        event["headers"].as_object_mut().unwrap().remove("idempotency-key");
        assert_eq!(answer(world, "key-issue", event).await["status"], 201);
    }
}

#[tokio::test]
async fn more_than_twenty_new_keys_in_ten_minutes_cause_an_alert_even_if_deleted() {
    let world = acme();
    keys_made(&world, 20).await;
    assert_eq!(tick(&world, 0).await, json!([0, 0]));
    keys_made(&world, 1).await;
    world.change(|state| state.accounts.keys.values_mut().for_each(|key| key.status = KeyStatus::Deleted));
    assert_eq!(tick(&world, 0).await, json!([1, 0]));
    assert_eq!(tick(&world, 10).await, json!([0, 0]));
    let events = outbox(&world);
    let alarm = events.as_array().unwrap().iter().find(|event| event["kind"] == "key.anomaly").unwrap();
    assert_eq!(alarm["detail"]["details"], json!({ "keys": 21, "within_minutes": 10 }));
    assert_eq!(alarm["detail"].get("key_id"), None);
}

#[tokio::test]
async fn a_policy_can_suspend_the_organisation_after_many_new_keys() {
    let world = acme();
    policy(&world, OnAnomaly::Suspend);
    let key = put_production(&world, |_| ());
    keys_made(&world, 21).await;
    assert_eq!(tick(&world, 0).await, json!([0, 1]));
    assert_eq!(code_of(&world, &key).await, "SUSPENDED");
}

#[tokio::test]
async fn ten_times_as_many_calls_as_usual_cause_one_alert() {
    let world = acme();
    let (today, month_ago) = (Day::of(clock::now()), clock::now().minus(Duration::from_hours(24 * 31)));
    let key = put_production(&world, |key| key.created_at = month_ago);
    let week = |calls: u64| (1..=7).map(move |days| (today.minus(days).to_string(), calls));
    let used =
        |calls: u64, usual: u64| -> BTreeMap<String, u64> { week(usual).chain([(today.to_string(), calls)]).collect() };
    assert_eq!(verified(&world, &key, "charge", &json!({})).await["valid"], true);
    change_key(&world, |key| key.used = used(1_000, 100));
    assert_eq!(tick(&world, 0).await, json!([0, 0]));
    change_key(&world, |key| key.used = used(1_001, 100));
    assert_eq!(tick(&world, 0).await, json!([1, 0]));
    assert_eq!(tick(&world, 0).await, json!([0, 0]));
    let details = outbox(&world)[0]["detail"]["details"].clone();
    assert_eq!((&details["calls"], &details["median"]), (&json!(1_001), &json!(100)));
}

#[tokio::test]
async fn an_anomaly_is_reported_once_wherever_a_run_is_interrupted() {
    let mut began = acme();
    policy(&began, OnAnomaly::Suspend);
    let key = put_production(&began, |_| ());
    used_from(&began, &key, 11).await;
    keys_made(&began, 21).await;
    let state = std::mem::take(&mut began).state();
    let prepare = || {
        let world = World::default();
        world.change(|known| *known = state.clone());
        world
    };
    // A failed run is repeated.
    let act = async |world: &World| drop(try_tick(world, clock::now()).await);
    let end = async |world: &World| {
        assert_eq!(tick(world, 0).await, json!([0, 0]), "another run must report nothing");
        // The order of the alerts does not matter.
        let sorted = |all: Value| {
            let mut lines: Vec<String> = all.as_array().unwrap().iter().map(Value::to_string).collect();
            lines.sort();
            lines
        };
        json!([sorted(outbox(world)), sorted(audit_log(world)), key_in(world).status.name()])
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn a_failed_check_does_not_prevent_the_others() {
    let world = acme();
    let key = put_production(&world, |_| ());
    used_from(&world, &key, 11).await;
    keys_made(&world, 21).await;
    // Reads are activity, keys, calls. The third one fails.
    world.fail_at(2, consigne_testkit::fakes::Moment::Before);
    assert!(try_tick(&world, clock::now()).await.unwrap_err().contains("1 checks failed"));
    let kinds: Vec<Value> =
        outbox(&world).as_array().unwrap().iter().map(|event| event["detail"]["kind"].clone()).collect();
    assert!(kinds.contains(&json!("keys_created")) && !kinds.contains(&json!("countries")), "{kinds:?}");
    assert_eq!(tick(&world, 0).await, json!([1, 0]));
}

#[tokio::test]
async fn members_can_revoke_a_suspended_key_but_not_change_it() {
    let world = acme();
    put_production(&world, |key| key.status = KeyStatus::Suspended);
    let rotated = answer(&world, "key-rotate", sent_by("user_ann1", "key-rotate", "default-grace")).await;
    assert_eq!((&rotated["status"], &rotated["body"]["error"]["code"]), (&json!(409), &json!("CONFLICT")));
    let listed = answer(&world, "key-list", sent_by("user_ann1", "key-list", "all")).await;
    assert_eq!(listed["body"]["data"][0]["status"], "suspended");
    let revoked = answer(&world, "key-revoke", sent_by("user_ann1", "key-revoke", "leaked")).await;
    assert_eq!((&revoked["status"], key_in(&world).status), (&json!(200), KeyStatus::Revoked));
    let refused =
        answer(&world, "key-verify", with(sent_by_service("sk_live_x", "key-verify", "charge"), &json!({}))).await;
    assert_eq!(refused["body"]["data"]["valid"], false);
}
