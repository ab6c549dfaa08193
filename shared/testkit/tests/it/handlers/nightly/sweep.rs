use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::files::{SWEEP_MARGIN, Status, UPLOAD_GRANT_VALID};
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use crate::handlers::{GRANTED, KEY, assert_books_balance, file_in, ledger_of, pending, ready, world_with};

/// Runs `sweep` at a time. Returns what it did.
pub async fn sweep_at(world: &World, at: Timestamp) -> Value {
    let mut event = payload::event("sweep", "tick", "");
    event["time"] = at.to_string().into();
    functions::tick(world, "sweep", event).await.unwrap()
}

fn after_the_grant() -> Timestamp {
    GRANTED.plus(UPLOAD_GRANT_VALID).plus(SWEEP_MARGIN)
}

#[tokio::test]
async fn an_unused_grant_releases_its_bytes_once() {
    let world = world_with(&[pending()]);
    let early = sweep_at(&world, after_the_grant().minus(Duration::from_secs(1))).await;
    assert_eq!((&early["expired"], file_in(&world).status), (&json!(0), Status::Pending));
    insta::assert_json_snapshot!(sweep_at(&world, after_the_grant()).await, @r#"
    {
      "expired": 1,
      "arrived": 0,
      "unscanned": 0,
      "removed": 0,
      "published": 0,
      "overdue": 0,
      "orders": 0,
      "released": 0,
      "woken": 0,
      "failed": 0
    }
    "#);
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
    assert_eq!(sweep_at(&world, after_the_grant()).await["expired"], 0);
    assert_books_balance(&world);
}

#[tokio::test]
async fn an_upload_whose_event_was_lost_is_checked() {
    let world = world_with(&[pending()]);
    world.put_object(KEY, "v1", pictures::png(640, 480, 1000));
    assert_eq!(sweep_at(&world, after_the_grant()).await["arrived"], 1);
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Ready, [1000, 0, 1, 1000]));
}

#[tokio::test]
async fn an_interrupted_deletion_is_finished() {
    let world = world_with(&[ready(&pending()).deleting(GRANTED)]);
    assert_eq!(sweep_at(&world, GRANTED.plus(SWEEP_MARGIN)).await["removed"], 1);
    assert!(world.state().objects.is_empty());
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

#[tokio::test]
async fn events_left_in_the_outbox_are_published() {
    let world = world_with(&[pending()]);
    sweep_at(&world, after_the_grant()).await;
    assert_eq!(world.state().outbox.len(), 1);
    let done = sweep_at(&world, after_the_grant().plus(Duration::from_mins(2))).await;
    assert_eq!(done["published"], 1);
    assert_eq!(world.state().published[0].kind, "file.deleted");
    assert!(world.state().outbox.is_empty());
}

#[tokio::test]
async fn thousands_of_unused_grants_are_swept_in_one_run() {
    let files: Vec<_> = (0..2_500)
        .map(|n| crate::handlers::pending_at(&format!("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH{n:04}-photo.png")))
        .collect();
    let world = world_with(&files);
    assert_eq!(sweep_at(&world, after_the_grant()).await["expired"], 2_500);
    assert_eq!(ledger_of(&world), [0, 0, 0, 0]);
}

#[tokio::test]
async fn hundreds_of_failing_files_do_not_delay_the_newer_ones() {
    // Their objects have the wrong type, and their versions cannot be removed.
    let stuck: Vec<_> = (0..250)
        .map(|n| crate::handlers::pending_at(&format!("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH0{n:03}-photo.png")))
        .collect();
    let mut younger = pending();
    younger.grant_expires_at = younger.grant_expires_at.plus(Duration::from_secs(1));
    let world = world_with(&[&stuck[..], &[younger]].concat());
    for file in &stuck {
        world.put_object(file.key.as_str(), "v1", pictures::gif(1000));
    }
    world.refuse_removals(true);
    let done = sweep_at(&world, after_the_grant().plus(Duration::from_secs(1))).await;
    assert_eq!((&done["failed"], &done["expired"]), (&json!(250), &json!(1)));
    assert_eq!(file_in(&world).status, Status::Deleted);
    // Nothing is lost: the next run ends them all.
    world.refuse_removals(false);
    let done = sweep_at(&world, after_the_grant().plus(Duration::from_secs(1))).await;
    assert_eq!((&done["failed"], &done["arrived"]), (&json!(0), &json!(250)));
    assert_eq!((world.state().objects.len(), ledger_of(&world)), (0, [0, 0, 0, 0]));
}

#[tokio::test]
async fn a_file_of_the_wrong_type_is_removed_wherever_a_run_is_interrupted() {
    let mut points = 0;
    for moment in [Moment::Before, Moment::After] {
        for skip in 0.. {
            let world = world_with(&[pending()]);
            world.put_object(KEY, "v1", pictures::gif(1000));
            world.fail_at(skip, moment);
            let mut event = payload::event("sweep", "tick", "");
            event["time"] = after_the_grant().to_string().into();
            // A failed run is repeated at the next tick.
            drop(functions::tick(&world, "sweep", event).await);
            if world.fault_is_left() {
                break;
            }
            points += 1;
            sweep_at(&world, after_the_grant()).await;
            assert!(world.state().objects.is_empty(), "after a fault {moment:?} effect {skip}");
            assert_eq!(ledger_of(&world), [0, 0, 0, 0], "after a fault {moment:?} effect {skip}");
            assert_books_balance(&world);
        }
    }
    assert!(points >= 6, "no crash point was reached");
}
