use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::files::{SWEEP_MARGIN, Status, UPLOAD_GRANT_VALID};
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use super::{GRANTED, KEY, assert_books_balance, file_in, ledger_of, pending, ready, world_with};

/// Lets `sweep` run as of a time.
pub async fn sweep_at(world: &World, at: Timestamp) -> Value {
    let mut event = payload::event("sweep", "tick", "");
    event["time"] = at.to_string().into();
    functions::tick(world, "sweep", event).await.unwrap()
}

fn after_the_grant() -> Timestamp {
    GRANTED.plus(UPLOAD_GRANT_VALID).plus(SWEEP_MARGIN)
}

#[tokio::test]
async fn a_grant_nobody_used_gives_its_bytes_back_once() {
    let world = world_with(&[pending()]);
    let early = sweep_at(&world, after_the_grant().minus(Duration::from_secs(1))).await;
    assert_eq!((&early["expired"], file_in(&world).status), (&json!(0), Status::Pending));
    insta::assert_json_snapshot!(sweep_at(&world, after_the_grant()).await, @r#"
    {
      "expired": 1,
      "arrived": 0,
      "removed": 0,
      "published": 0,
      "overdue": 0,
      "released": 0,
      "closed": 0,
      "woken": 0,
      "failed": 0
    }
    "#);
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
    assert_eq!(sweep_at(&world, after_the_grant()).await["expired"], 0);
    assert_books_balance(&world);
}

#[tokio::test]
async fn an_upload_whose_event_was_lost_is_checked_and_kept() {
    let world = world_with(&[pending()]);
    world.put_object(KEY, "v1", pictures::png(640, 480, 1000));
    assert_eq!(sweep_at(&world, after_the_grant()).await["arrived"], 1);
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Ready, [1000, 0, 1, 1000]));
}

#[tokio::test]
async fn a_deletion_cut_short_is_finished() {
    let world = world_with(&[ready(&pending()).deleting(GRANTED)]);
    assert_eq!(sweep_at(&world, GRANTED.plus(SWEEP_MARGIN)).await["removed"], 1);
    assert!(world.state().objects.is_empty());
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]));
}

#[tokio::test]
async fn events_the_stream_has_not_carried_are_published() {
    let world = world_with(&[pending()]);
    sweep_at(&world, after_the_grant()).await;
    assert_eq!(world.state().outbox.len(), 1);
    let done = sweep_at(&world, after_the_grant().plus(Duration::from_mins(2))).await;
    assert_eq!(done["published"], 1);
    assert_eq!(world.state().published[0].kind, "file.deleted");
    assert!(world.state().outbox.is_empty());
}

#[tokio::test]
async fn thousands_of_leftovers_are_swept_in_one_run() {
    let files: Vec<_> = (0..2_500)
        .map(|n| super::pending_at(&format!("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH{n:04}-photo.png")))
        .collect();
    let world = world_with(&files);
    assert_eq!(sweep_at(&world, after_the_grant()).await["expired"], 2_500);
    assert_eq!(ledger_of(&world), [0, 0, 0, 0]);
}

#[tokio::test]
async fn hundreds_that_cannot_be_ended_do_not_keep_the_younger_ones_from_it() {
    // Their objects are not what they say, and their versions cannot be removed.
    let stuck: Vec<_> = (0..250)
        .map(|n| super::pending_at(&format!("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH0{n:03}-photo.png")))
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
    // Nothing is lost by it: the next run ends them all.
    world.refuse_removals(false);
    let done = sweep_at(&world, after_the_grant().plus(Duration::from_secs(1))).await;
    assert_eq!((&done["failed"], &done["arrived"]), (&json!(0), &json!(250)));
    assert_eq!((world.state().objects.len(), ledger_of(&world)), (0, [0, 0, 0, 0]));
}

#[tokio::test]
async fn an_impostor_is_gone_in_the_end_wherever_a_run_is_cut_short() {
    let mut points = 0;
    for moment in [Moment::Before, Moment::After] {
        for skip in 0.. {
            let world = world_with(&[pending()]);
            world.put_object(KEY, "v1", pictures::gif(1000));
            world.fail_at(skip, moment);
            let mut event = payload::event("sweep", "tick", "");
            event["time"] = after_the_grant().to_string().into();
            // A run that fails is run again at the next tick.
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
