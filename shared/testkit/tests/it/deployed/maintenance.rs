//! Nightly maintenance: it deletes old counters and expires lots, and changes no answer.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::KeyId;
use consigne_core::credits::{ChargeOutcome, CreditGrantOutcome, LotKind};
use consigne_core::periods::{Day, Month};
use consigne_core::ports::{ChargeKey, GetKey, GrantCredits};
use consigne_runtime::clock;
use consigne_testkit::accounts;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, until};
use serde_json::json;

use super::bus_listener::BusListener;

/// Reads an item from the table.
async fn item(stack: &Stack, pk: &str, sk: &str) -> HashMap<String, AttributeValue> {
    let client = aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config());
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let get = client.get_item().table_name(stack.name("TABLE_NAME")).key("pk", text(pk)).key("sk", text(sk));
    get.consistent_read(true).send().await.unwrap().item.unwrap()
}

#[tokio::test]
async fn maintenance_deletes_old_counters_and_expires_lots() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 100).await;
    let (live, test) =
        (fixture.issue("production", &json!({ "daily_quota": 2 })).await, fixture.issue("test", &json!({})).await);
    let (table, now) = (stack.table(), clock::now());
    let ago = |days: u64| now.minus(Duration::from_hours(24 * days));
    for (key, cost, at) in [(&live, 1, ago(45)), (&live, 1, ago(500)), (&test, 70, ago(31))] {
        let key = table.get_key(fixture.id(), KeyId::parse(&key.id).unwrap()).await.unwrap().unwrap();
        let charged = table.charge_key(&accounts::charge(&key.facts(), cost, None, at)).await.unwrap();
        assert_eq!(charged, ChargeOutcome::Charged);
    }
    assert_eq!(fixture.charge(&live, None).await["valid"], true);
    let (org, owner) = (format!("ORG#{}", fixture.org), format!("USER#{}", fixture.owner.id));
    let used = async || {
        let key = item(&stack, &org, &format!("KEY#{}", live.id)).await;
        let mut used: Vec<String> =
            key.keys().filter_map(|name| name.strip_prefix("used.")).map(str::to_owned).collect();
        used.sort();
        used
    };
    assert_eq!(used().await.len(), 6 - usize::from(Month::of(ago(45)) == Month::of(now)));

    // And somebody whose only credits were promotional, until an hour ago.
    let poor = OrgFixture::open(&stack, 0).await;
    let (given, ended) = (ago(2), now.minus(Duration::from_hours(1)));
    let promo = accounts::credits(poor.id(), LotKind::Promo, 50, Some(ended), given);
    assert_eq!(table.grant_credits(&promo).await.unwrap(), CreditGrantOutcome::Granted);
    let listener = BusListener::on(&stack, "org_id", &poor.org).await;

    let done = stack.invoke("quota-reset", &json!({ "time": now.to_string() })).await;
    assert_eq!(done.status, 200, "{}", done.json());
    let mut expected = vec![Month::of(ago(45)).to_string(), Month::of(now).to_string(), Day::of(now).to_string()];
    expected.sort();
    expected.dedup();
    until(async || (used().await == expected).then_some(())).await.expect("old counters must be deleted");
    let settled = until(async || {
        let wallet = item(&stack, &owner, "TESTWALLET").await;
        let number = |name: &str| wallet[name].as_n().unwrap().parse::<i64>().unwrap();
        (number("next_expiry") > now.as_millis()).then(|| [number("balance"), number("used"), number("expired")])
    });
    assert_eq!(settled.await.expect("the test wallet's period must be renewed"), [100, 70, 30]);

    let alerted = listener.wait_for("wallet.low").await["detail"].clone();
    assert_eq!((&alerted["percent"], &alerted["balance"]), (&json!(0), &json!(0)), "its last credits have expired");

    assert_eq!(fixture.charge(&live, None).await["valid"], true);
    assert_eq!(fixture.charge(&live, None).await["code"], "DAILY_QUOTA_EXCEEDED", "today's counters must be kept");
    assert_eq!(fixture.charge(&test, None).await["valid"], true);
}
