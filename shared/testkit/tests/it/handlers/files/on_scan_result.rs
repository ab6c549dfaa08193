use std::time::Duration;

use consigne_core::files::{File, FileView, Removal, ScanState, Status, Unscanned, VERDICT_WITHIN};
use consigne_core::{Code, Timestamp};
use consigne_runtime::log::RequestLog;
use consigne_runtime::queue::Message;
use consigne_runtime::{BatchFunction as _, Wire as _, clock};
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::functions::{self, Fakes, wired};
use consigne_testkit::{payload, pictures};
use serde_json::{Value, json};

use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::{GRANTED, assert_books_balance, pending_at, ready, world_with};

/// The key in the payloads. The fakes scan the files of people whose ids begin with `user_scan`.
pub const SCANNED: &str = "user_scan1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-photo-ete.png";

/// Creates the pending file of the payloads.
pub fn scanned() -> File {
    pending_at(SCANNED)
}

/// Creates a world with the pending file and its upload.
pub fn uploaded() -> World {
    let world = world_with(&[scanned()]);
    world.put_object(SCANNED, "v1", pictures::png(640, 480, 1000));
    world
}

/// Delivers S3's event about the upload.
pub async fn created(world: &World) {
    let mut event = payload::event("on-object-event", "created", "");
    event["Records"][0]["body"] =
        event["Records"][0]["body"].as_str().unwrap().replace("user_ann1", "user_scan1").into();
    assert_eq!(functions::deliver(world, "on-object-event", event).await, json!({"batchItemFailures": []}));
}

/// Delivers a verdict.
pub async fn verdict(world: &World, case: &str) {
    let event = payload::event("on-scan-result", case, "");
    assert_eq!(functions::deliver(world, "on-scan-result", event).await, json!({"batchItemFailures": []}));
}

/// Delivers a verdict in an installation that releases files which could not be scanned.
async fn verdict_that_releases(world: &World, case: &str) {
    let settings = [functions::MAIL_FROM, ("UNSCANNED_FILES", "released")];
    let start = Fakes::start_with(world, &SimClock::at(GRANTED), settings);
    let body = payload::event("on-scan-result", case, "")["Records"][0]["body"].as_str().unwrap().to_owned();
    let log = RequestLog::default();
    let message = Message { body, id: "m".to_owned(), receives: 1, now: GRANTED, log };
    wired(&start, on_scan_result::Function::wire).await.handle(&message).await.unwrap();
}

/// Returns the stored file of the payloads.
pub fn file_in(world: &World) -> File {
    let key = scanned().key;
    world.state().files[&(key.owner().clone(), key.file())].clone()
}

/// Returns the owner's ledger as `[committed, reserved, files, bytes]`.
fn ledger_of(world: &World) -> [u64; 4] {
    assert_books_balance(world);
    let usage = world.state().usage.get(scanned().owner()).cloned().unwrap_or_default();
    [usage.committed, usage.reserved, usage.files(None), usage.bytes()]
}

/// Returns the kinds of the events that were told.
fn told(world: &World) -> Vec<String> {
    let state = world.state();
    let waiting = state.outbox.iter().map(|(_, entry)| entry);
    state.published.iter().chain(waiting).map(|entry| entry.kind.clone()).collect()
}

#[tokio::test]
async fn a_file_is_ready_after_its_check_and_its_verdict_in_either_order() {
    let world = uploaded();
    created(&world).await;
    let waiting = file_in(&world);
    assert_eq!((waiting.status, waiting.scan.state), (Status::Processing, Some(ScanState::Waiting)));
    assert_eq!((ledger_of(&world), told(&world)), ([1000, 1000, 0, 0], Vec::<String>::new()));
    assert_eq!(waiting.readable().unwrap_err().code, Code::NotReady);
    verdict(&world, "clean").await;
    let after = (file_in(&world).status, ledger_of(&world), told(&world));
    assert_eq!(after, (Status::Ready, [1000, 0, 1, 1000], vec!["file.ready".to_owned()]));

    let world = uploaded();
    verdict(&world, "clean").await;
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Pending, [1000, 1000, 0, 0]));
    created(&world).await;
    assert_eq!((file_in(&world).status, ledger_of(&world), told(&world)), after);
}

#[tokio::test]
async fn a_repeated_verdict_has_no_second_effect() {
    let world = uploaded();
    for _ in 0..3 {
        verdict(&world, "clean").await;
    }
    assert_eq!(file_in(&world).revision, 2);
    created(&world).await;
    for _ in 0..3 {
        verdict(&world, "clean").await;
    }
    assert_eq!((file_in(&world).revision, told(&world).len()), (3, 1));
}

#[tokio::test]
async fn malware_ends_the_file_and_every_version_of_its_object() {
    let ready_already = || world_with(&[ready(&scanned())]);
    let cases: [(fn() -> World, bool); 3] = [(uploaded, false), (uploaded, true), (ready_already, false)];
    for (make, check_first) in cases {
        let world = make();
        world.put_object(SCANNED, "v2", pictures::gif(20));
        if check_first {
            created(&world).await;
        }
        for _ in 0..3 {
            verdict(&world, "threats").await;
        }
        if file_in(&world).status == Status::Pending {
            created(&world).await;
            // Only the announced version is removed at once. `sweep` looks for others.
            sweep_at(&world, consigne_runtime::clock::now().plus(Duration::from_mins(6))).await;
        }
        let file = file_in(&world);
        assert_eq!((file.status, file.pinned.as_ref(), file.due_at()), (Status::Infected, None, None));
        let reason = "contains malware: EICAR-Test-File (not a virus)";
        assert_eq!(file.rejected_reason.as_deref(), Some(reason));
        assert_eq!(file.readable().unwrap_err().code, Code::FileInfected);
        assert!(world.state().objects.is_empty());
        assert_eq!(ledger_of(&world), [0, 0, 0, 0]);
        assert_eq!(told(&world).iter().filter(|kind| *kind == "file.infected").count(), 1, "{:?}", told(&world));
    }
}

#[tokio::test]
async fn the_event_about_malware_names_it() {
    let world = world_with(&[ready(&scanned())]);
    verdict(&world, "threats").await;
    let published: Value = serde_json::from_str(&world.state().outbox[0].1.detail).unwrap();
    insta::assert_json_snapshot!(payload::steady(&published), @r#"
    {
      "event_id": "<id>",
      "occurred_at": "<time>",
      "user_id": "user_scan1",
      "file_id": "<id>",
      "s3_key": "user_scan1/images/<id>-photo-ete.png",
      "filename": "photo été.png",
      "kind": "image",
      "content_type": "image/png",
      "size": 1000,
      "width": 640,
      "height": 480,
      "threat": "EICAR-Test-File (not a virus)"
    }
    "#);
}

#[tokio::test]
async fn a_replayed_upload_of_an_infected_file_is_removed() {
    let world = uploaded();
    created(&world).await;
    verdict(&world, "threats").await;
    world.put_object(SCANNED, "v1", pictures::png(640, 480, 1000));
    created(&world).await;
    assert!(world.state().objects.is_empty());
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Infected, [0, 0, 0, 0]));
}

#[tokio::test]
async fn a_verdict_about_another_version_changes_nothing() {
    for case in ["clean", "threats", "unsupported"] {
        let world = uploaded();
        created(&world).await;
        let before = world.state();
        let mut event = payload::event("on-scan-result", case, "");
        event["Records"][0]["body"] = event["Records"][0]["body"].as_str().unwrap().replace("\"v1\"", "\"v2\"").into();
        functions::deliver(&world, "on-scan-result", event).await;
        assert_eq!(world.state(), before, "{case}");
    }
}

#[tokio::test]
async fn verdicts_about_ended_files_and_unknown_objects_are_acknowledged() {
    let deleted = ready(&scanned()).remove(Removal::Deleted, GRANTED).file;
    let rejected = scanned().reject("no", GRANTED).file;
    for file in [Some(deleted), Some(rejected), Some(ready(&scanned()).deleting(GRANTED)), None] {
        let world = world_with(file.as_slice());
        let before = world.state();
        for case in ["clean", "threats", "failed"] {
            verdict(&world, case).await;
        }
        assert_eq!(world.state(), before);
    }
    let mut event = payload::event("on-scan-result", "threats", "");
    let strange =
        event["Records"][0]["body"].as_str().unwrap().replace(SCANNED, "malware-protection-resource-validation-object");
    event["Records"][0]["body"] = strange.into();
    let world = World::default();
    functions::deliver(&world, "on-scan-result", event).await;
    assert_eq!(world.state(), World::default().state());
}

#[tokio::test]
async fn a_file_that_cannot_be_scanned_is_held_or_released() {
    for (case, why) in [
        ("unsupported", Unscanned::Unsupported),
        ("failed", Unscanned::Failed),
        ("access-denied", Unscanned::AccessDenied),
    ] {
        let world = uploaded();
        created(&world).await;
        verdict(&world, case).await;
        let file = file_in(&world);
        assert_eq!((file.status, file.scan.state), (Status::Processing, Some(ScanState::Held(why))));
        assert_eq!((ledger_of(&world), told(&world).len()), ([1000, 1000, 0, 0], 0));

        let world = uploaded();
        created(&world).await;
        verdict_that_releases(&world, case).await;
        let file = file_in(&world);
        assert_eq!((file.status, file.scan.state), (Status::Ready, Some(ScanState::Released(why))));
        assert_eq!((ledger_of(&world), told(&world)), ([1000, 0, 1, 1000], vec!["file.ready".to_owned()]));
        // Its owner sees that nobody has scanned it.
        assert_eq!(FileView::from(&file).scan, Some("unscanned"));
    }
}

#[tokio::test]
async fn a_result_that_is_not_known_counts_as_a_failed_scan() {
    let world = uploaded();
    created(&world).await;
    let mut event = payload::event("on-scan-result", "failed", "");
    event["Records"][0]["body"] = event["Records"][0]["body"].as_str().unwrap().replace("FAILED", "PERHAPS").into();
    functions::deliver(&world, "on-scan-result", event).await;
    assert_eq!(file_in(&world).scan.state, Some(ScanState::Held(Unscanned::Failed)));
}

#[tokio::test]
async fn a_file_without_a_verdict_is_held_once_after_thirty_minutes() {
    let world = uploaded();
    created(&world).await;
    // An hour ago: a sweep is never ahead of the clock.
    let then = Timestamp::from_secs(clock::now().as_secs()).minus(Duration::from_hours(1));
    world.change(|state| state.files.values_mut().for_each(|file| file.changed_at = then));
    let due = then.plus(VERDICT_WITHIN);
    assert_eq!(sweep_at(&world, due.minus(Duration::from_secs(1))).await["unscanned"], 0);
    assert_eq!(file_in(&world).scan.state, Some(ScanState::Waiting));
    assert_eq!(sweep_at(&world, due).await["unscanned"], 1);
    assert_eq!(file_in(&world).scan.state, Some(ScanState::Held(Unscanned::NoVerdict)));
    assert_eq!(sweep_at(&world, due).await["unscanned"], 0);
    assert_eq!((ledger_of(&world), told(&world).len()), ([1000, 1000, 0, 0], 0));
    // A late verdict still counts.
    verdict(&world, "clean").await;
    assert_eq!((file_in(&world).status, told(&world)), (Status::Ready, vec!["file.ready".to_owned()]));
}

#[tokio::test]
async fn the_owner_can_delete_a_file_in_every_state_of_its_scan() {
    for cases in [&[][..], &["unsupported"], &["threats"], &["clean"]] {
        let world = uploaded();
        created(&world).await;
        for case in cases {
            verdict(&world, case).await;
        }
        let mut event = payload::event("delete", "plain", &functions::issuer().token("user_scan1", "pro"));
        event["body"] = event["body"].as_str().unwrap().replace("user_ann1", "user_scan1").into();
        let answer = functions::call(&world, "delete", event).await;
        assert_eq!(answer["status"], 200, "{cases:?}: {answer}");
        sweep_at(&world, consigne_runtime::clock::now().plus(Duration::from_mins(6))).await;
        assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Deleted, [0, 0, 0, 0]), "{cases:?}");
        assert!(world.state().objects.is_empty(), "{cases:?}");
    }
}
