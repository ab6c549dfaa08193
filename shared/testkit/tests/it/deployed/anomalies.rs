//! Anomalies on the deployed stack: detected, mailed to the owners, keys suspended by policy, and resumed.

use std::time::Duration;

use consigne_runtime::clock;
use consigne_testkit::org_fixture::{HeldKey, OrgFixture};
use consigne_testkit::payload;
use consigne_testkit::schemas::faults;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::further_stack::FurtherStack;
use super::mail::{address, founder, mail_about};

/// Environment file of the stack that all tests share, for the operator's command line.
const SHARED_STACK: FurtherStack = FurtherStack { name: "consigne", env_file: "target/local/stack.env" };

/// Charges a key from so many countries.
async fn used_from(fixture: &OrgFixture<'_>, key: &HeldKey, countries: u8) {
    for n in 0..countries {
        let fields = json!({ "cost": 1, "country": format!("A{}", char::from(b'A' + n)) });
        let answer = fixture.verify(&key.text, &fields, None).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
}

/// Runs `anomaly-detect` at a time some minutes from now.
async fn detect(stack: &Stack, minutes: u64) -> Value {
    let mut tick = payload::event("anomaly-detect", "tick", "");
    tick["time"] = clock::now().plus(Duration::from_mins(minutes)).to_string().into();
    let done = stack.invoke("anomaly-detect", &tick).await.json();
    assert!(done["alerted"].is_u64(), "{done}");
    done
}

/// Returns the kinds of the anomalies in an organisation's audit log.
async fn noticed(fixture: &OrgFixture<'_>) -> Vec<String> {
    let log = fixture.owner.call("GET", &fixture.path("/audit")).await.json();
    let entries = log["data"].as_array().cloned().unwrap_or_default();
    let anomalies = entries.iter().filter(|entry| entry["action"] == "key.anomaly");
    anomalies.map(|entry| entry["details"]["kind"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn eleven_countries_cause_one_alert_but_ten_or_refused_calls_none() {
    let stack = Stack::find();
    let (few, many) = (OrgFixture::open(&stack, 100).await, OrgFixture::open(&stack, 100).await);
    let poor = OrgFixture::open(&stack, 0).await;
    let listener = BusListener::on(&stack, "org_id", &many.org).await;
    let keys = [few.issue("production", &json!({})).await, many.issue("production", &json!({})).await];
    used_from(&few, &keys[0], 10).await;
    used_from(&many, &keys[1], 11).await;
    used_from(&poor, &poor.issue("production", &json!({})).await, 20).await;
    // The index of receipts may lag for a moment.
    let detected = until(async || {
        detect(&stack, 0).await;
        (!noticed(&many).await.is_empty()).then_some(())
    });
    assert!(detected.await.is_some(), "no anomaly was detected");
    detect(&stack, 10).await;
    assert_eq!(noticed(&many).await, ["countries"]);
    assert_eq!((noticed(&few).await, noticed(&poor).await), (Vec::<String>::new(), Vec::new()));
    let event = listener.wait_for("key.anomaly").await["detail"].clone();
    assert_eq!(faults("key.anomaly", &event), Vec::<String>::new());
    assert_eq!((&event["details"]["countries"], &event["action"]), (&json!(11), &json!("alerted")));
    listener.close(&stack).await;
    assert_eq!(many.charge(&keys[1], None).await["valid"], true, "an alert must not stop the key");
}

#[tokio::test]
async fn a_policy_can_suspend_the_key_mail_its_owner_and_the_operator_resumes_it() {
    let stack = Stack::find();
    let (owner, org) = founder(&stack, "en").await;
    let fixture = OrgFixture::of(&stack, owner, org);
    fixture.grant_credits(100).await;
    let org = fixture.org.clone();
    let (well, said) = SHARED_STACK.consigne(&["org", "policy", &org, "suspend"], "").await;
    assert!(well && said.contains("is suspended"), "{said}");
    let key = fixture.issue("production", &json!({})).await;
    used_from(&fixture, &key, 11).await;
    let stopped = until(async || {
        detect(&stack, 0).await;
        (fixture.charge(&key, None).await["code"] == "SUSPENDED").then_some(())
    });
    assert!(stopped.await.is_some(), "the key still works");
    let mail = mail_about(&stack, &address(&fixture.owner), "unusual use of API keys").await;
    assert!(mail["BodyText"].as_str().unwrap().contains("from 11 countries in an hour"), "{mail}");

    let resume = ["key", "resume", &org, &key.id, "--reason", "it was our own test"];
    let (well, said) = SHARED_STACK.consigne(&resume, "").await;
    assert!(well && said.contains("works"), "{said}");
    assert_eq!(fixture.charge(&key, None).await["valid"], true);
    let (well, said) = SHARED_STACK.consigne(&resume, "").await;
    assert!(well, "resuming twice: {said}");
    let (well, said) =
        SHARED_STACK.consigne(&["key", "resume", &org, "key_01M7YREWKH7VM7Z3Z2KWSH2FTS", "--reason", "x"], "").await;
    assert!(!well && said.contains("has no key"), "{said}");
}
