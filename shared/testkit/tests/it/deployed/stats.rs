//! Statistics on the deployed stack: those counted for a request and those counted at night are the same.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use consigne_core::OrgId;
use consigne_core::credits::{ChargeOutcome, Outcome};
use consigne_core::periods::Day;
use consigne_core::ports::{ChargeKey, EnrolOrgs, GetKey, KeepOutcome, ListStats, ListStorage as _, WalkOrgs};
use consigne_core::stats::{DaySpan, DayStats, StatsMessage, StorageMessage};
use consigne_core::{KeyId, Plan, Timestamp};
use consigne_runtime::clock;
use consigne_storage::Table;
use consigne_testkit::accounts;
use consigne_testkit::busy_day::BusyDay;
use consigne_testkit::org_fixture::{HeldKey, OrgFixture};
use consigne_testkit::pictures::png;
use consigne_testkit::stack::{Stack, until};
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::{assert_field_refused, text};

/// Runs the nightly count at a time.
async fn night(stack: &Stack, at: Timestamp) {
    let tick = json!({ "source": "aws.events", "time": at.to_string() });
    let done = stack.invoke("stats-aggregate", &tick).await;
    assert_eq!(done.status, 200, "{}", done.json());
    assert!(done.json()["organisations"].as_u64() >= Some(1), "{}", done.json());
}

/// Counts a day of an organisation, as the nightly job does for all.
async fn count(stack: &Stack, org: OrgId, day: Day) {
    put_on_queue(stack, "stats", StatsMessage::new(org, day).message().unwrap()).await;
}

/// Puts a message on a queue of the stack.
pub(super) async fn put_on_queue(stack: &Stack, name: &str, message: String) {
    let sqs = aws_sdk_sqs::Client::new(&stack.aws().sdk_config());
    let queue = sqs.get_queue_url().queue_name(format!("{}-{name}", stack.name("STACK_NAME"))).send().await.unwrap();
    sqs.send_message().set_queue_url(queue.queue_url).message_body(message).send().await.unwrap();
}

/// Returns the row of a day.
async fn row(fixture: &OrgFixture<'_>, day: Day) -> Value {
    let shown = fixture.owner.call("GET", &fixture.path(&format!("/stats?from={day}&to={day}"))).await;
    assert_eq!(shown.status, 200, "{}", shown.json());
    shown.json()["data"][0].clone()
}

/// Waits until the statistics of a day are stored. Returns them.
async fn stored(table: &Table, org: OrgId, day: Day) -> DayStats {
    let stored = until(async || table.list_stats(org, DaySpan::of(day)).await.unwrap().pop());
    stored.await.unwrap_or_else(|| panic!("{day} of {org} was not counted"))
}

/// Charges a key from a country, and reports the outcome if given.
async fn call(stack: &Stack, fixture: &OrgFixture<'_>, key: &HeldKey, country: &str, outcome: Option<(u16, u64)>) {
    let charged = fixture.verify(&key.text, &json!({ "service": "pdf", "country": country }), None).await.json();
    let id = text(&charged["data"], "receipt_id");
    if let Some((status, ms)) = outcome {
        let body = json!({ "status_code": status, "response_ms": ms });
        let answer = stack.serve(&format!("/api/keys/receipts/{id}/outcome"), &body, None).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
    }
}

#[tokio::test]
async fn counts_for_a_request_and_nightly_counts_are_the_same() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 100).await;
    let (live, test) = (fixture.issue("production", &json!({})).await, fixture.issue("test", &json!({})).await);
    let today = Day::of(clock::now());
    for (key, country, outcome) in [
        (&live, "FR", Some((200, 120))),
        (&live, "FR", Some((503, 900))),
        (&live, "DE", Some((302, 80))),
        (&test, "FR", None),
    ] {
        call(&stack, &fixture, key, country, outcome).await;
    }
    let fresh = until(async || {
        let row = row(&fixture, today).await;
        (row["requests"] == 4 && row["outcomes"] == 3).then_some(row)
    });
    let fresh = fresh.await.expect("the receipts must be counted");
    for (field, want) in [
        ("date", json!(today.to_string())),
        ("credits", json!(4)),
        ("test_credits", json!(1)),
        ("success_rate", json!(67)),
        ("services", json!({ "pdf": 4 })),
        ("countries", json!({ "DE": 1, "FR": 3 })),
        ("p50_ms", json!(120)),
        ("p95_ms", json!(900)),
        ("complete", json!(false)),
    ] {
        assert_eq!(fresh[field], want, "{field}");
    }
    assert_eq!((&fresh["keys"][&live.id], &fresh["keys"][&test.id]), (&json!(3), &json!(1)));

    count(&stack, fixture.id(), today).await;
    let figures = stored(&stack.table(), fixture.id(), today).await.figures;
    assert_eq!((figures.requests, figures.credits, figures.test_credits), (4, 4, 1));
    assert_eq!(
        (json!(figures.services), json!(figures.countries)),
        (fresh["services"].clone(), fresh["countries"].clone())
    );
    assert_eq!(json!(figures.keys), fresh["keys"]);
    assert_eq!((json!(figures.p50_ms), json!(figures.p95_ms)), (fresh["p50_ms"].clone(), fresh["p95_ms"].clone()));
    // The day is not over, so its stored statistics are not used.
    call(&stack, &fixture, &live, "FR", None).await;
    let later = until(async || (row(&fixture, today).await["requests"] == 5).then_some(()));
    later.await.expect("a call after the count must be included");
}

#[tokio::test]
async fn a_night_stores_a_day_publishes_it_once_and_adds_late_receipts() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 100).await;
    let (table, held) = (stack.table(), fixture.issue("production", &json!({})).await);
    let key = table.get_key(fixture.id(), KeyId::parse(&held.id).unwrap()).await.unwrap().unwrap();
    let today = Day::of(clock::now());
    let (day, tonight) = (today.minus(2), today.starts().plus(Duration::from_hours(3)));
    let charge = async |at: Timestamp| {
        let charge = accounts::charge(&key.facts(), 2, None, at);
        assert_eq!(table.charge_key(&charge).await.unwrap(), ChargeOutcome::Charged);
        charge.receipt.id
    };
    let receipt = charge(day.starts()).await;
    let listener = BusListener::on(&stack, "org_id", &fixture.org).await;
    until(async || (row(&fixture, day).await["requests"] == 1).then_some(()))
        .await
        .expect("the receipt must be counted");
    assert_eq!(row(&fixture, day).await["complete"], true, "the day is over");
    night(&stack, tonight).await;
    let ready = listener.wait_for("stats.ready").await;
    assert_eq!((&ready["detail"]["org_id"], &ready["detail"]["date"]), (&json!(fixture.org), &json!(day.to_string())));
    let first = row(&fixture, day).await;
    assert_eq!((&first["requests"], &first["credits"], &first["success_rate"]), (&json!(1), &json!(2), &Value::Null));

    charge(day.ends().minus(Duration::from_millis(1))).await;
    let outcome = Outcome { status_code: 200, response_ms: 33, details: json!({}) };
    table.keep_outcome(receipt, "pdf-api", &outcome, clock::now()).await.unwrap();
    assert_eq!(row(&fixture, day).await, first, "stored statistics are shown until the next count");
    count(&stack, fixture.id(), day).await;
    let again = until(async || {
        let row = row(&fixture, day).await;
        (row["requests"] == 2 && row["outcomes"] == 1).then_some(row)
    });
    let again = again.await.expect("late receipts must be counted");
    assert_eq!((&again["success_rate"], &again["p50_ms"]), (&json!(100), &json!(33)));
}

#[tokio::test]
async fn a_night_counts_the_days_of_many_organisations_correctly() {
    let stack = Stack::find();
    let (table, now) = (stack.table(), clock::now());
    let busy = BusyDay::make(&table, Day::of(now).minus(1), 6, 61).await;
    assert_eq!(busy.calls(), 61);
    night(&stack, now).await;
    let counted = until(async || (busy.missing(&table).await == 0).then_some(())).await;
    counted.unwrap_or_else(|| panic!("an organisation's statistics differ from its receipts"));
}

#[tokio::test]
async fn days_without_calls_are_zero_and_wrong_dates_are_named() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let shown = fixture.owner.call("GET", &fixture.path("/stats")).await.json();
    let rows = shown["data"].as_array().unwrap();
    assert_eq!((rows.len(), &shown["metadata"]), (30, &json!({ "next_cursor": null, "total": 30 })));
    for row in rows {
        assert_eq!((&row["requests"], &row["credits"], &row["services"]), (&json!(0), &json!(0), &json!({})));
    }
    for (query, field) in [("from=x", "from"), ("to=2026-02-30", "to"), ("from=2026-01-01&to=2026-06-01", "from")] {
        let refused = fixture.owner.call("GET", &fixture.path(&format!("/stats?{query}"))).await;
        assert_field_refused(&refused, 400, "INVALID_REQUEST", field);
    }
    let old = fixture.owner.call("GET", &fixture.path("/stats?from=0001-01-01&to=0001-01-02")).await;
    assert_eq!(old.status, 200, "{}", old.json());
}

#[tokio::test]
async fn an_organisation_from_before_the_index_is_counted_once_enrolled() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let table = stack.table();
    let client = aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config());
    let key = |name: &str| AttributeValue::S(name.to_owned());
    let unlist = client.update_item().table_name(stack.name("TABLE_NAME"));
    let unlist = unlist.key("pk", key(&format!("ORG#{}", fixture.org))).key("sk", key("ORG"));
    unlist.update_expression("REMOVE gsi2pk, gsi2sk").send().await.unwrap();
    let is_met = async || {
        let mut walk = <Table as WalkOrgs>::Walk::default();
        loop {
            let page = table.walk_orgs(100, &mut walk).await.unwrap();
            if page.is_empty() || page.contains(&fixture.id()) {
                return !page.is_empty();
            }
        }
    };
    until(async || (!is_met().await).then_some(())).await.expect("it must not be found");
    let (mut after, mut listed): (Option<String>, u32) = (None, 0);
    loop {
        let (some, next) = table.enrol_orgs(after.as_deref()).await.unwrap();
        listed += some;
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert!(listed >= 1);
    until(async || is_met().await.then_some(())).await.expect("it must be found again");
    assert_eq!(fixture.owner.call("GET", &fixture.path("/stats")).await.status, 200);
}

#[tokio::test]
async fn stored_bytes_are_counted_by_plan() {
    let stack = Stack::find();
    let (user, table, today) = (stack.newcomer("premium"), stack.table(), Day::of(clock::now()));
    let key = user.upload("night.png", "image/png", png(3, 2, 500)).await;
    user.wait_for(&key, "ready").await;
    let began = clock::now();
    put_on_queue(&stack, "storage", StorageMessage::new(today).message().unwrap()).await;
    let counted = until(async || {
        let day = table.list_storage(DaySpan::of(today)).await.unwrap().pop()?;
        (day.counted_at >= began).then_some(day.totals.of(Plan::Premium))
    });
    let stored = counted.await.expect("stored bytes must be counted");
    assert!(stored.users >= 1 && stored.files >= 1 && stored.bytes >= 500, "{stored:?}");
}
