//! key-verify: requests, and why a key is refused. `key_charge` has the tests of charges.

use std::time::Duration;

use consigne_auth::{KeyPrefix, KeyText};
use consigne_core::Timestamp;
use consigne_core::credits::WalletId;
use consigne_core::keys::{KeyMode, KeyStatus};
use consigne_core::periods::{Day, Month};
use consigne_core::rates::Window;
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    KEY_ID, ORG, acme, answer, credit, headed, in_days, org, put_key, put_production, receipts, refusal,
    sent_by_service, used, verified, with,
};

/// Suspends Acme, as an operator does.
fn suspend(world: &World) {
    world.change(|state| {
        state.accounts.orgs.get_mut(&org(ORG)).unwrap().suspended = true;
        state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap().open = false;
    });
}

/// Sets the credits left in Acme's wallet.
fn leave(world: &World, credits: u64) {
    world.change(|state| {
        let wallet = state.accounts.wallets.get_mut(&WalletId::Organisation(org(ORG))).unwrap();
        wallet.debit(wallet.balance.unsigned_abs() - credits);
    });
}

#[tokio::test]
async fn a_check_without_a_charge_writes_nothing() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let before = world.state();
    insta::assert_json_snapshot!(answer(&world, "key-verify", sent_by_service(&text, "key-verify", "probe")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "The key is valid",
        "data": {
          "valid": true,
          "code": "VALID",
          "key_id": "key_<id>",
          "org_id": "org_<id>",
          "environment": "production",
          "receipt_id": null
        },
        "timestamp": "<time>"
      }
    }
    "#);
    for fields in [
        json!({ "service": "pdf", "cost": 0 }),
        json!({ "cost": 0, "scope": null, "include": ["remaining"] }),
        json!({ "include": ["remaining", "remaining"] }),
    ] {
        let probed = verified(&world, &text, "probe", &fields).await;
        assert_eq!((&probed["valid"], &probed["receipt_id"]), (&json!(true), &Value::Null), "{fields}");
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_check_of_a_test_key_creates_no_test_wallet() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    let before = world.state();
    let probed = verified(&world, &text, "probe", &json!({ "include": ["remaining"] })).await;
    assert_eq!(probed["environment"], "test");
    assert_eq!(probed["remaining"], json!({ "credits": 100, "minute": null, "daily": null, "monthly": null }));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_empty_wallet_does_not_refuse_free_checks() {
    let world = acme();
    let text = put_production(&world, |_| ());
    leave(&world, 0);
    assert_eq!(verified(&world, &text, "probe", &json!({})).await["code"], "VALID");
}

#[tokio::test]
async fn a_key_with_a_wrong_checksum_is_not_looked_up() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let changed = format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { '1' } else { '0' });
    let renamed = text.replacen("live", "test", 1);
    let spaced = format!("{} {}", &text[..10], &text[10..]);
    let before = world.state();
    world.fail_at(0, Moment::Before);
    insta::assert_json_snapshot!(answer(&world, "key-verify", sent_by_service("", "key-verify", "misspelt-key")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "The key is refused",
        "data": {
          "valid": false,
          "code": "NOT_FOUND",
          "limiter": null,
          "resets_at": null
        },
        "timestamp": "<time>"
      }
    }
    "#);
    for bad in ["", "sk_live_", &text[..text.len() - 1], changed.as_str(), renamed.as_str(), spaced.as_str()] {
        let answer = verified(&world, bad, "charge", &json!({})).await;
        assert_eq!(answer["code"], "NOT_FOUND", "{bad}");
    }
    assert!(world.fault_is_left(), "nothing must be read from the table");
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_unknown_key_is_not_found() {
    let world = acme();
    put_production(&world, |_| ());
    let unknown = KeyText::write(&KeyPrefix::parse("sk").unwrap(), KeyMode::Production, [9; 32]);
    let refused = verified(&world, unknown.expose(), "charge", &json!({})).await;
    assert_eq!(refused, json!({ "valid": false, "code": "NOT_FOUND", "limiter": null, "resets_at": null }));
}

#[tokio::test]
async fn an_unknown_service_is_refused_before_the_key_is_read() {
    let world = acme();
    let text = put_production(&world, |_| ());
    world.fail_at(0, Moment::Before);
    insta::assert_json_snapshot!(answer(&world, "key-verify", sent_by_service(&text, "key-verify", "unknown-service")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "The key is refused",
        "data": {
          "valid": false,
          "code": "SERVICE_UNKNOWN",
          "limiter": null,
          "resets_at": null
        },
        "timestamp": "<time>"
      }
    }
    "#);
    assert!(world.fault_is_left());
    let paid = verified(&world, &text, "unknown-service", &json!({ "cost": 2 })).await;
    assert_eq!(paid["code"], "VALID", "with a cost, the catalogue is not needed");
}

/// Returns why a probe is refused. Asserts that a charge is refused in the same way, and that neither writes anything.
async fn refused(world: &World, text: &str) -> Value {
    let before = world.state();
    let probed = verified(world, text, "probe", &json!({})).await;
    let charged = verified(world, text, "probe", &json!({ "cost": 1 })).await;
    assert_eq!(probed, charged);
    assert_eq!(world.state(), before);
    json!([charged["code"], charged["limiter"], charged["resets_at"]])
}

#[tokio::test]
async fn every_refusal_names_its_reason_and_when_it_ends() {
    let now = clock::now();
    let (day, month) = (Day::of(now).ends().to_string(), Month::of(now).ends().to_string());
    let world = acme();
    let put = |change: fn(&mut consigne_core::keys::ApiKey)| put_production(&world, change);
    assert_eq!(refused(&world, &put(|key| key.status = KeyStatus::Deleted)).await, json!(["NOT_FOUND", null, null]));
    assert_eq!(refused(&world, &put(|key| key.status = KeyStatus::Revoked)).await, json!(["REVOKED", "key", null]));
    let expired = put(|key| key.expires_at = Some(in_days(-1)));
    assert_eq!(refused(&world, &expired).await, json!(["EXPIRED", "key", null]));
    let scopeless = put(|key| key.scopes = ["pdf:write".to_owned()].into());
    assert_eq!(refused(&world, &scopeless).await, json!(["INSUFFICIENT_SCOPE", "key", null]));
    let daily = put(|key| (key.daily_quota, key.used) = (Some(7), used(7)));
    assert_eq!(refused(&world, &daily).await, json!(["DAILY_QUOTA_EXCEEDED", "key", day]));
    let monthly = put(|key| (key.monthly_quota, key.used) = (Some(7), used(8)));
    assert_eq!(refused(&world, &monthly).await, json!(["MONTHLY_QUOTA_EXCEEDED", "key", month]));
    let both = put(|key| (key.daily_quota, key.monthly_quota, key.used) = (Some(7), Some(7), used(7)));
    assert_eq!(refused(&world, &both).await[0], "MONTHLY_QUOTA_EXCEEDED", "the limit that lasts longer is named");
    let minute = put(|key| {
        (key.minute_quota, key.minute) = (Some(7), Some(Window { started: clock::now(), count: 7 }));
    });
    let answer = refused(&world, &minute).await;
    assert_eq!((&answer[0], &answer[1]), (&json!("MINUTE_QUOTA_EXCEEDED"), &json!("key")));
    let resets_at = Timestamp::parse(answer[2].as_str().unwrap()).unwrap();
    assert!(resets_at > now && resets_at <= clock::now().plus(Duration::from_mins(1)), "{resets_at}");
    let past = put(|key| {
        (key.daily_quota, key.used) = (Some(7), [("2020-01-01".to_owned(), 9)].into());
        let started = clock::now().minus(Duration::from_mins(1));
        (key.minute_quota, key.minute) = (Some(7), Some(Window { started, count: 7 }));
    });
    assert_eq!(verified(&world, &past, "probe", &json!({})).await["code"], "VALID", "past periods must not count");
    suspend(&world);
    assert_eq!(refused(&world, &put(|_| ())).await, json!(["SUSPENDED", "organisation", null]));
    let test = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    assert_eq!(refused(&world, &test).await, json!(["SUSPENDED", "organisation", null]));
}

#[tokio::test]
async fn a_refusal_is_a_200_with_valid_false() {
    let world = acme();
    let text = put_production(&world, |key| (key.daily_quota, key.used) = (Some(7), used(7)));
    insta::assert_json_snapshot!(answer(&world, "key-verify", sent_by_service(&text, "key-verify", "charge")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "The key is refused",
        "data": {
          "valid": false,
          "code": "DAILY_QUOTA_EXCEEDED",
          "limiter": "key",
          "resets_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
}

#[tokio::test]
async fn too_few_credits_are_refused_by_the_wallet() {
    let world = acme();
    let text = put_production(&world, |_| ());
    leave(&world, 4);
    let before = world.state();
    let refused = verified(&world, &text, "cost-and-remaining", &json!({})).await;
    assert_eq!(
        refused,
        json!({ "valid": false, "code": "INSUFFICIENT_CREDITS", "limiter": "wallet", "resets_at": null })
    );
    assert_eq!(world.state(), before);
    credit(&world, 1);
    assert_eq!(verified(&world, &text, "cost-and-remaining", &json!({})).await["remaining"]["credits"], 0);
}

#[tokio::test]
async fn a_refusal_of_an_empty_test_wallet_says_when_it_is_refilled() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    verified(&world, &text, "probe", &json!({ "cost": 98 })).await;
    let before = world.state();
    let refused = verified(&world, &text, "probe", &json!({ "cost": 3 })).await;
    let resets = before.accounts.wallets[&WalletId::Test(accounts::user("user_dev1"))].next_expiry.unwrap();
    assert_eq!(
        refused,
        json!({ "valid": false, "code": "INSUFFICIENT_CREDITS", "limiter": "test_wallet",
            "resets_at": resets.to_string() })
    );
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_refused_first_use_creates_no_test_wallet() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    let before = world.state();
    assert_eq!(verified(&world, &text, "probe", &json!({ "cost": 101 })).await["code"], "INSUFFICIENT_CREDITS");
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn every_invalid_field_is_named_and_nothing_is_read() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let mut outcomes = Vec::new();
    for (field, value) in [
        ("key", json!(null)),
        ("key", json!(7)),
        ("ip", json!("localhost")),
        ("ip", json!("198.51.100.7:443")),
        ("ip", json!("")),
        ("country", json!("fr")),
        ("country", json!("FRA")),
        ("country", json!("")),
        ("cost", json!(1_000_001)),
        ("cost", json!(u64::MAX)),
        ("cost", json!(-1)),
        ("cost", json!(0.5)),
        ("cost", json!("1")),
        ("scope", json!("")),
        ("scope", json!("pdf read")),
        ("scope", json!("x".repeat(65))),
        ("service", json!("")),
        ("service", json!("é")),
        ("method", json!("")),
        ("method", json!("GET /")),
        ("method", json!("x".repeat(17))),
        ("include", json!("remaining")),
        ("include", json!(["everything"])),
        ("org_id", json!(ORG)),
    ] {
        world.fail_at(0, Moment::Before);
        let event = with(sent_by_service(&text, "key-verify", "charge"), &json!({ field: value }));
        let answer = functions::call(&world, "key-verify", event).await;
        assert!(world.fault_is_left(), "{field} {value}");
        let error = &answer["body"]["error"];
        assert!(error["details"]["field"].as_str().unwrap_or_default().starts_with(field), "{field} {value}: {answer}");
        assert_eq!(refusal(&answer), (400, "INVALID_REQUEST"), "{field} {value}");
        let shown: String = value.to_string().escape_default().take(30).collect();
        outcomes.push(format!("{field} {shown}: {}", error["message"].as_str().unwrap()));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "key null: key: invalid type: null, expected a string",
      "key 7: key: invalid type: integer `7`, expected a string",
      "ip \\\"localhost\\\": ip must be an IPv4 or IPv6 address",
      "ip \\\"198.51.100.7:443\\\": ip must be an IPv4 or IPv6 address",
      "ip \\\"\\\": ip must be an IPv4 or IPv6 address",
      "country \\\"fr\\\": country must be two capital letters, such as FR",
      "country \\\"FRA\\\": country must be two capital letters, such as FR",
      "country \\\"\\\": country must be two capital letters, such as FR",
      "cost 1000001: cost must be 0 to 1000000",
      "cost 18446744073709551615: cost must be 0 to 1000000",
      "cost -1: cost: invalid value: integer `-1`, expected a whole number, 0 or greater",
      "cost 0.5: cost: invalid type: number `0.5`, expected a whole number, 0 or greater",
      "cost \\\"1\\\": cost: invalid type: string \"1\", expected a whole number, 0 or greater",
      "scope \\\"\\\": scope must be 1 to 64 visible ASCII characters",
      "scope \\\"pdf read\\\": scope must be 1 to 64 visible ASCII characters",
      "scope \\\"xxxxxxxxxxxxxxxxxxxxxxxxxxxx: scope must be 1 to 64 visible ASCII characters",
      "service \\\"\\\": service must be 1 to 64 visible ASCII characters",
      "service \\\"\\u{e9}\\\": service must be 1 to 64 visible ASCII characters",
      "method \\\"\\\": method must be 1 to 16 visible ASCII characters",
      "method \\\"GET /\\\": method must be 1 to 16 visible ASCII characters",
      "method \\\"xxxxxxxxxxxxxxxxx\\\": method must be 1 to 16 visible ASCII characters",
      "include \\\"remaining\\\": include: invalid type: string \"remaining\", expected an array",
      "include [\\\"everything\\\"]: include[0]: unknown variant `everything`, expected `remaining`",
      "org_id \\\"org_01M7YREWKH7VM7Z3Z2KWSH2F: unknown field org_id"
    ]
    "#);
    let long = "x".repeat(256);
    for key in ["", long.as_str()] {
        let event = headed(sent_by_service(&text, "key-verify", "charge"), "idempotency-key", Some(key));
        let answer = functions::call(&world, "key-verify", event).await;
        assert_eq!(answer["body"]["error"]["details"]["field"], "Idempotency-Key");
    }
    assert_eq!(receipts(&world), []);
}

#[tokio::test]
async fn long_details_of_a_call_are_truncated() {
    let world = acme();
    let text = put_production(&world, |_| ());
    let fields =
        json!({ "endpoint": "é".repeat(300), "user_agent": "x".repeat(300), "ip": "2001:db8::7", "cost": 1_000 });
    assert_eq!(verified(&world, &text, "charge", &fields).await["code"], "VALID");
    let call = receipts(&world)[0].call.clone();
    assert_eq!(call.endpoint.unwrap().chars().count(), 256);
    assert_eq!(call.user_agent.unwrap().len(), 256);
    assert_eq!(call.ip.as_deref(), Some("2001:db8::7"));
}

#[tokio::test]
async fn a_probe_returns_what_is_left_of_every_limit() {
    let world = acme();
    let text = put_production(&world, |key| {
        (key.daily_quota, key.monthly_quota, key.used) = (Some(10), Some(100), used(9));
        (key.minute_quota, key.minute) = (Some(5), Some(Window { started: clock::now(), count: 2 }));
    });
    let probed = verified(&world, &text, "probe", &json!({ "include": ["remaining"] })).await;
    assert_eq!(probed["remaining"], json!({ "credits": 1000, "minute": 3, "daily": 1, "monthly": 91 }));
}
