use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload};
use serde_json::json;

#[tokio::test]
async fn entries_are_published_unchanged() {
    let world = World::default();
    let outcome = functions::deliver(&world, "publish-events", payload::event("publish-events", "two", "")).await;
    assert_eq!(outcome, json!({"batchItemFailures": []}));
    let published = world.state().published;
    assert_eq!(published.iter().map(|entry| entry.kind.as_str()).collect::<Vec<_>>(), ["file.ready", "file.ready"]);
    let detail: serde_json::Value = serde_json::from_str(&published[0].detail).unwrap();
    assert_eq!(detail["filename"], "photo été.png");
}

#[tokio::test]
async fn an_entry_that_always_fails_is_parked_and_the_stream_continues() {
    let world = World::default();
    let outcome =
        functions::deliver(&world, "publish-events", payload::event("publish-events", "poison-between-two", "")).await;
    assert_eq!(outcome, json!({"batchItemFailures": []}));
    assert_eq!(world.state().published.len(), 2);
    let parked: serde_json::Value = serde_json::from_str(&world.state().messages[0]).unwrap();
    assert_eq!(parked["dynamodb"]["SequenceNumber"], "101");
}

#[tokio::test]
async fn the_stream_retries_a_record_if_the_bus_does_not_answer() {
    let world = World::default();
    world.fail_at(0, Moment::Before);
    let outcome = functions::deliver(&world, "publish-events", payload::event("publish-events", "two", "")).await;
    assert_eq!(outcome, json!({"batchItemFailures": [{"itemIdentifier": "100"}]}));
    assert_eq!(world.state().published.len(), 1);
}
