//! The function of the reconciliation: one run a day, a page at each tick if there is no time for more.

use std::time::Duration;

use consigne_core::Timestamp;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

/// Ticks until the run of the day has ended. Returns the last answer.
async fn until_over(world: &World, at: Timestamp) -> Value {
    let mut event = payload::event("reconcile", "tick", "");
    for minutes in 0..200 {
        event["time"] = at.plus(Duration::from_mins(10 * minutes)).to_string().into();
        let done = functions::tick(world, "reconcile", event.clone()).await;
        match done {
            Ok(done) if done["ended"] == true => return done,
            _ => {}
        }
    }
    panic!("the run did not end");
}

#[tokio::test]
async fn the_function_reports_once_a_day_and_removes_nothing() {
    let world = World::default();
    world.put_object("user_ann1/books/01M7YREWKH7VM7Z3Z2KWSH2FTR-a.pdf", "v1", vec![0; 5]);
    let at = Timestamp::parse("2026-11-21T04:00:00Z").unwrap();
    insta::assert_json_snapshot!(until_over(&world, at).await, @r#"
    {
      "started_at": "2026-11-21T04:00:00Z",
      "ended": true,
      "versions": 1,
      "records": 0,
      "users": 1,
      "uploads": 0,
      "found": {
        "object_without_record": 1
      },
      "repaired": {}
    }
    "#);
    assert_eq!(world.state().objects.len(), 1);
    let entry = world.state().outbox.last().unwrap().1.clone();
    assert_eq!(entry.kind, "storage.reconciled");
    let mut event = payload::event("reconcile", "tick", "");
    event["time"] = "2026-11-21T23:50:00Z".into();
    assert_eq!(functions::tick(&world, "reconcile", event).await.unwrap(), json!({ "due": false }));
}
