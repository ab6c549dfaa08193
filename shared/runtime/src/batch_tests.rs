use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;
use crate::queue::Message;

/// A function that does what each message's body says.
struct ScriptedFunction;

impl Named for ScriptedFunction {
    const NAME: &'static str = "test";
}

impl BatchFunction for ScriptedFunction {
    type Record = Message;

    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        follow_script(message).await
    }
}

/// Handles a message as its body says.
async fn follow_script(message: &Message) -> Result<(), Fault> {
    // Lets the other messages run in between.
    tokio::task::yield_now().await;
    match message.body.as_str() {
        "good" => Ok(()),
        "bad" => Err(Fault::internal("planned")),
        "odd" => Err(Fault::field("body", "planned")),
        "stuck" => std::future::pending().await,
        other => panic!("planned: {other}"),
    }
}

/// Processes messages with these bodies within a time. Returns the answer to Lambda. A message's id is its index.
async fn answer_within(time: Duration, bodies: &[&str]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(at, body)| json!({ "messageId": at.to_string(), "body": body, "eventSource": "aws:sqs" }))
        .collect();
    let batch = serde_json::from_value(json!({ "Records": records })).unwrap();
    let now = Duration::from_millis(u64::try_from(clock::now().as_millis()).unwrap());
    let outcome = process(&ScriptedFunction, batch, UNIX_EPOCH + now + time);
    json!(outcome.await)
}

async fn answer(bodies: &[&str]) -> Value {
    answer_within(Duration::from_secs(10), bodies).await
}

/// Returns the expected answer to Lambda if the messages with these indices fail.
fn failed(places: impl IntoIterator<Item = usize>) -> Value {
    let failures: Vec<Value> = places.into_iter().map(|at| json!({ "itemIdentifier": at.to_string() })).collect();
    json!({ "batchItemFailures": failures })
}

#[tokio::test]
async fn exactly_the_failed_messages_are_reported() {
    for subset in 0..1_u32 << 10 {
        let fails = |at: &usize| subset & (1 << at) != 0;
        // A failure is reported whether the message caused it or we did.
        let body = |at| {
            if !fails(&at) {
                "good"
            } else if at % 2 == 0 {
                "bad"
            } else {
                "odd"
            }
        };
        let bodies: Vec<&str> = (0..10).map(body).collect();
        assert_eq!(answer(&bodies).await, failed((0..10).filter(fails)), "{bodies:?}");
    }
}

#[tokio::test]
async fn only_the_message_that_panics_is_reported() {
    for place in 0..10 {
        let mut bodies = ["good"; 10];
        bodies[place] = "a panic of the test";
        assert_eq!(answer(&bodies).await, failed([place]));
    }
    assert_eq!(answer(&["a panic of the test"; 3]).await, failed(0..3));
}

#[tokio::test]
async fn only_the_message_that_never_ends_is_reported() {
    let outcome = answer_within(Duration::from_millis(400), &["good", "stuck", "good"]).await;
    assert_eq!(outcome, failed([1]));
}

#[tokio::test]
async fn an_empty_batch_is_done() {
    assert_eq!(answer(&[]).await, failed([]));
}
