//! What `sweep` finishes because nobody was told of it: uploads without their event, an event that the stream could not
//! read, a delivery without its message.

use std::time::Duration;

use consigne_core::UserId;
use consigne_core::audit::AuditAction;
use consigne_core::deliveries::{Delivery, DeliveryStatus};
use consigne_core::endpoints::{HookUrl, NewEndpoint};
use consigne_core::events::{Event, EventData, StatsReady};
use consigne_core::files::ObjectKey;
use consigne_core::periods::Day;
use consigne_core::ports::{CreateEndpoint, GetDelivery, ListVersions, RecordDelivery};
use consigne_runtime::clock;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, until};
use consigne_testkit::{accounts, hooks, pictures};
use serde_json::{Value, json};

use super::bus_listener::BusListener;
use super::text;

/// How long an event of S3 takes at most, while other tests run.
const EVENT_TAKES: Duration = Duration::from_secs(3);

/// Runs `sweep` now.
pub(super) async fn sweep(stack: &Stack) {
    let swept = stack.invoke("sweep", &json!({ "time": clock::now().to_string() })).await;
    assert_eq!(swept.status, 200, "{}", swept.json());
}

/// A file's record that was taken out of the table.
pub(super) struct AbsentRecord<'a> {
    stack: &'a Stack,
    item: Value,
}

impl<'a> AbsentRecord<'a> {
    /// Takes the record away while something is uploaded, so that S3's event is about a file that nobody knows.
    pub(super) async fn during(stack: &'a Stack, key: &str, upload: impl Future) -> Self {
        let file = ObjectKey::parse(key).unwrap();
        let pk = json!({ "S": format!("USER#{}", file.owner()) });
        let key = json!({ "pk": pk, "sk": { "S": format!("FILE#{}", file.file()) } });
        let named = json!({ "TableName": stack.name("TABLE_NAME"), "Key": key, "ConsistentRead": true });
        let item = stack.ask_table("GetItem", &named).await["Item"].clone();
        stack.ask_table("DeleteItem", &json!({ "TableName": stack.name("TABLE_NAME"), "Key": key })).await;
        upload.await;
        tokio::time::sleep(EVENT_TAKES).await;
        Self { stack, item }
    }

    /// Puts the record back as it was.
    pub(super) async fn restore(self) {
        let put = json!({ "TableName": self.stack.name("TABLE_NAME"), "Item": self.item });
        self.stack.ask_table("PutItem", &put).await;
    }

    /// Puts the record back, with a grant that ended an hour ago.
    pub(super) async fn restore_overdue(mut self) {
        let past = clock::now().minus(Duration::from_hours(1)).as_millis().to_string();
        for name in ["due_at", "grant_expires_at"] {
            self.item[name] = json!({ "N": past });
        }
        self.restore().await;
    }
}

#[tokio::test]
async fn a_film_whose_event_was_lost_is_found_and_measured() {
    let stack = Stack::find();
    let ann = stack.newcomer("pro");
    // Its index is behind what is read first, so it takes a second read.
    let whole = pictures::film();
    let index = whole.windows(4).position(|window| window == b"moov").unwrap() - 4;
    let space = [&400_000_u32.to_be_bytes()[..], b"free", &vec![0; 399_992]].concat();
    let film = [&whole[..index], &space, &whole[index..]].concat();
    let grant = ann.grant("film.mp4", "video/mp4", film.len()).await.json();
    let key = text(&grant, "s3Key");
    let upload = async { assert_eq!(ann.put(&grant, film.clone()).await.status, 200) };
    AbsentRecord::during(&stack, &key, upload).await.restore_overdue().await;
    sweep(&stack).await;
    let facts = ann.wait_for(&key, "ready").await;
    assert_eq!((&facts["width"], &facts["durationSeconds"]), (&json!(64), &json!(0.4)));
    assert_eq!(stack.bucket().list_versions(&key).await.unwrap().len(), 1);
    ann.wait_for_usage(1, film.len() as u64, 0).await;
}

#[tokio::test]
async fn an_event_that_the_stream_cannot_read_is_parked_and_published_once_it_is_mended() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let listener = BusListener::on(&stack, "org_id", &fixture.org).await;
    let now = clock::now();
    let ready = StatsReady { org_id: fixture.id(), date: Day::of(now).minus(1) };
    let event = Event::new(now, EventData::StatsReady(ready));
    let (id, table) = (event.id.to_string(), stack.name("TABLE_NAME"));
    let key = json!({ "pk": { "S": format!("OUTBOX#{id}") }, "sk": { "S": "OUTBOX" } });
    let mut item = key.clone();
    item["event_kind"] = json!({ "S": event.kind().name() });
    item["occurred_at"] = json!({ "N": now.as_millis().to_string() });
    stack.ask_table("PutItem", &json!({ "TableName": table, "Item": item })).await;
    let parked = take_message(&stack, "parked-events", &id).await;
    assert!(parked.contains("stats.ready"), "{parked}");

    // A change of an entry is nothing that the stream's filter lets through.
    let past = clock::now().minus(Duration::from_hours(1)).as_millis().to_string();
    let shard = format!("DUE#{}", id.as_bytes().last().unwrap() % 4);
    let mend = json!({
        "TableName": table, "Key": key, "UpdateExpression": "SET detail = :detail, due_shard = :shard, due_at = :past",
        "ExpressionAttributeValues": {
            ":detail": { "S": event.detail().to_string() }, ":shard": { "S": shard }, ":past": { "N": past },
        },
    });
    stack.ask_table("UpdateItem", &mend).await;
    sweep(&stack).await;
    assert_eq!(listener.wait_for("stats.ready").await["detail"]["event_id"], json!(id));
    let get = json!({ "TableName": table, "Key": key, "ConsistentRead": true });
    let cleared = until(async || stack.ask_table("GetItem", &get).await["Item"].is_null().then_some(())).await;
    assert_eq!(cleared, Some(()), "it is still in the outbox");
    listener.close(&stack).await;
}

#[tokio::test]
async fn a_delivery_without_its_message_is_woken_and_a_malformed_message_is_parked() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (table, long_ago) = (stack.table(), clock::now().minus(Duration::from_hours(1)));
    let owner = UserId::parse(&fixture.owner.id).unwrap();
    let mut endpoint = hooks::endpoint(fixture.id(), &owner, long_ago);
    endpoint.url = HookUrl::kept(&format!("{}/{}", stack.name("RECEIVER_URL"), endpoint.id)).unwrap();
    let audit = accounts::entry(fixture.id(), AuditAction::EndpointCreated, &owner, clock::now());
    let new = NewEndpoint { endpoint: endpoint.clone(), audit, idempotent: None };
    table.create_endpoint(&new).await.unwrap();
    let delivery = Delivery { wake_at: Some(long_ago), ..hooks::delivery(&endpoint, long_ago) };
    assert!(table.record_delivery(&delivery).await.unwrap());
    sweep(&stack).await;
    let delivered = until(async || {
        let now = table.get_delivery(delivery.org, delivery.id).await.unwrap().unwrap();
        (now.status == DeliveryStatus::Delivered).then_some(())
    });
    assert_eq!(delivered.await, Some(()), "the delivery was not made");
    let path = fixture.path(&format!("/endpoints/{}/deliveries?status=", endpoint.id));
    let listed = async |status: &str| fixture.owner.call("GET", &format!("{path}{status}")).await.json();
    let found = until(async || {
        let found = listed("delivered").await;
        (found["data"][0]["id"] == json!(delivery.id)).then_some(())
    });
    assert_eq!(found.await, Some(()), "{}", listed("delivered").await);
    assert_eq!(listed("failed").await["data"], json!([]));

    let malformed = format!("no message of {}", fixture.org);
    super::stats::put_on_queue(&stack, "deliveries", malformed.clone()).await;
    assert_eq!(take_message(&stack, "deliveries-dead", &fixture.org).await, malformed);
}

/// Waits for a message with a text on a queue of the stack, and takes it away.
async fn take_message(stack: &Stack, queue: &str, holding: &str) -> String {
    let sqs = aws_sdk_sqs::Client::new(&stack.aws().sdk_config());
    let name = format!("{}-{queue}", stack.name("STACK_NAME"));
    let url = sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
    let found = until(async || {
        let ask = sqs.receive_message().queue_url(&url).max_number_of_messages(10).visibility_timeout(1);
        for message in ask.send().await.unwrap().messages.unwrap_or_default() {
            let body = message.body.unwrap_or_default();
            if body.contains(holding) {
                let done = sqs.delete_message().queue_url(&url).receipt_handle(message.receipt_handle.unwrap());
                done.send().await.unwrap();
                return Some(body);
            }
        }
        None
    });
    found.await.unwrap_or_else(|| panic!("{queue} has no message with {holding}"))
}
