//! Completion webhooks of generators and their effects, in any order and any number of times.

use std::time::Duration;

use consigne_core::files::{File, FileView, Kind, ObjectKey};
use consigne_core::jobs::JobStatus;
use consigne_testkit::fakes::{State, World};
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use crate::handlers::jobs::requests::{
    BOOK_KEY, VIDEO_KEY, arrived, granted, job, job_events, job_in, output, signed, taken, world_of,
};
use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::people::accounts::{outbox, refusal};
use crate::handlers::{GRANTED, KEY, assert_books_balance, call, ledger_of, pending_at, ready};

/// Key of the second picture in `two-pictures`.
const SECOND: &str = "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTS-photo.png";

/// Sends the completion of a picture job, with a message id.
pub async fn report(world: &World, case: &str, id: &str) -> Value {
    signed(world, "webhook-image-completion", case, id, &json!({})).await
}

/// Returns what a world stores, without the ids of webhooks: those of reports that change nothing are stored too.
pub fn besides_webhooks(world: &World) -> State {
    let mut state = world.state();
    state.webhooks.clear();
    state
}

/// Sends an event about an object to on-object-event.
pub async fn object(world: &World, case: &str, key: &str) {
    let text = payload::event("on-object-event", case, "").to_string().replace(KEY, key);
    let outcome = functions::deliver(world, "on-object-event", serde_json::from_str(&text).unwrap()).await;
    assert_eq!(outcome, json!({ "batchItemFailures": [] }));
}

/// Creates a world with a job of a kind whose file was uploaded.
pub fn uploaded(kind: Kind, bytes: Vec<u8>) -> World {
    let file = output(kind);
    let world = world_of(&granted(&job(kind), std::slice::from_ref(&file)), std::slice::from_ref(&file));
    world.put_object(file.key.as_str(), "v1", bytes);
    world
}

/// Creates such a world with a job for one picture.
pub fn picture() -> World {
    uploaded(Kind::Image, pictures::png(640, 480, 1000))
}

/// Returns a stored file.
fn file_of(world: &World, key: &str) -> File {
    let key = ObjectKey::parse(key).unwrap();
    world.state().files[&(key.owner().clone(), key.file())].clone()
}

/// Returns the answer to an accepted report.
pub fn answered(status: &str) -> Value {
    json!({ "status": 200, "body": { "success": true, "status": status } })
}

#[tokio::test]
async fn a_completion_before_the_file_check_waits_for_it() {
    let world = picture();
    assert_eq!(report(&world, "completed", "msg_1").await, answered("processing"));
    let job = job_in(&world);
    assert_eq!((job.status, job.progress, job_events(&world).len()), (JobStatus::Processing, 95, 0));
    object(&world, "created", KEY).await;
    let job = job_in(&world);
    assert_eq!((job.status, job.progress, taken(&world)), (JobStatus::Completed, 100, 1));
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "file.ready",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "user_id": "user_ann1",
          "file_id": "<id>",
          "s3_key": "user_ann1/images/<id>-photo-ete.png",
          "filename": "phare 1.png",
          "kind": "image",
          "content_type": "image/png",
          "size": 1000,
          "width": 640,
          "height": 480,
          "job_id": "job_<id>ann1"
        }
      },
      {
        "kind": "job.completed",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "job_id": "job_<id>ann1",
          "user_id": "user_ann1",
          "kind": "image",
          "title": "un phare sous la pluie",
          "status": "completed",
          "files": [
            "user_ann1/images/<id>-photo-ete.png"
          ]
        }
      }
    ]
    "#);
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_completion_after_the_file_check_completes_the_job_at_once() {
    let world = picture();
    object(&world, "created", KEY).await;
    assert_eq!((job_in(&world).status, job_in(&world).progress), (JobStatus::Processing, 52));
    assert_eq!(report(&world, "completed", "msg_1").await, answered("completed"));
    assert_eq!((job_in(&world).status, taken(&world)), (JobStatus::Completed, 1));
    assert_eq!(job_events(&world), ["job.completed"]);
}

#[tokio::test]
async fn repeated_events_and_reports_complete_the_job_once() {
    for completion_first in [true, false] {
        let world = picture();
        for _ in 0..3 {
            if completion_first {
                report(&world, "completed", "msg_1").await;
            }
            object(&world, "created", KEY).await;
            assert_eq!(report(&world, "completed", "msg_1").await, answered("completed"));
        }
        let before = besides_webhooks(&world);
        // A report with another id changes nothing either.
        assert_eq!(report(&world, "completed", "msg_2").await, answered("completed"));
        object(&world, "created", KEY).await;
        assert_eq!(besides_webhooks(&world), before);
        assert_eq!((before.files.len(), before.outbox.len(), taken(&world)), (1, 2, 1));
        assert_eq!(ledger_of(&world), [1000, 0, 1, 1000]);
        assert_eq!(job_events(&world), ["job.completed"]);
    }
}

#[tokio::test]
async fn a_job_of_two_files_completes_with_the_second_and_keeps_their_order() {
    let second = File { job: Some(job(Kind::Image).id), ..pending_at(SECOND) };
    let files = [output(Kind::Image), second];
    // The grants were made in the opposite order.
    let job = granted(&job(Kind::Image), &[files[1].clone(), files[0].clone()]);
    let world = world_of(&job, &files);
    for key in [KEY, SECOND] {
        world.put_object(key, "v1", pictures::png(640, 480, 1000));
    }
    object(&world, "created", SECOND).await;
    assert_eq!(report(&world, "two-pictures", "msg_1").await, answered("processing"));
    object(&world, "created", KEY).await;
    let job = job_in(&world);
    assert_eq!(job.status, JobStatus::Completed);
    assert_eq!(job.delivered().map(|output| output.key.as_str()).collect::<Vec<_>>(), [KEY, SECOND]);
    assert_eq!(job_events(&world), ["job.completed"]);
}

#[tokio::test]
async fn fewer_files_than_granted_can_be_delivered() {
    let extra = File { job: Some(job(Kind::Image).id), ..pending_at(SECOND) };
    let files = [output(Kind::Image), extra];
    let world = world_of(&granted(&job(Kind::Image), &files), &files);
    world.put_object(KEY, "v1", pictures::png(640, 480, 1000));
    object(&world, "created", KEY).await;
    assert_eq!(report(&world, "completed", "msg_1").await, answered("completed"));
    // An unused grant expires and no longer belongs to the job.
    let done = job_in(&world);
    assert_eq!(sweep_at(&world, GRANTED.plus(Duration::from_mins(20))).await["expired"], 1);
    assert_eq!(job_in(&world), done);
    let shown = call(&world, "job-status", "ask").await;
    assert_eq!(shown["body"]["data"]["result"]["images"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_claimed_file_of_the_wrong_type_fails_the_job() {
    let world = uploaded(Kind::Image, pictures::gif(1000));
    assert_eq!(report(&world, "completed", "msg_1").await, answered("processing"));
    object(&world, "created", KEY).await;
    assert_eq!((job_in(&world).status, taken(&world), ledger_of(&world)), (JobStatus::Failed, 0, [0, 0, 0, 0]));
    insta::assert_json_snapshot!(outbox(&world)[1], @r#"
    {
      "kind": "job.failed",
      "detail": {
        "event_id": "<id>",
        "occurred_at": "<time>",
        "job_id": "job_<id>ann1",
        "user_id": "user_ann1",
        "kind": "image",
        "title": "un phare sous la pluie",
        "status": "failed",
        "error": {
          "code": "OUTPUT_LOST",
          "message": "A file of the result was lost: declared image/png, found image/gif"
        }
      }
    }
    "#);
    assert_eq!(report(&world, "completed", "msg_2").await, answered("failed"));
    assert_eq!((job_events(&world).len(), taken(&world)), (1, 0));
}

#[tokio::test]
async fn a_claimed_file_lost_before_the_job_completes_fails_it() {
    // The grant expires, the owner deletes the file, or somebody removes the object.
    for end in ["expires", "is deleted", "is removed"] {
        let waiting = File { job: Some(job(Kind::Image).id), ..pending_at(SECOND) };
        let files = [output(Kind::Image), waiting];
        let world = world_of(&granted(&job(Kind::Image), &files), &files);
        for key in [KEY, SECOND] {
            world.put_object(key, "v1", pictures::png(640, 480, 1000));
        }
        object(&world, "created", KEY).await;
        assert_eq!(report(&world, "two-pictures", "msg_1").await, answered("processing"));
        let why = match end {
            "expires" => {
                world.change(|state| drop(state.objects.remove(SECOND)));
                sweep_at(&world, GRANTED.plus(Duration::from_mins(20))).await;
                "it did not arrive"
            }
            "is deleted" => {
                assert_eq!(call(&world, "delete", "plain").await["status"], 200);
                object(&world, "deleted", KEY).await;
                "it was deleted"
            }
            _ => {
                world.change(|state| drop(state.objects.remove(KEY)));
                object(&world, "deleted", KEY).await;
                "it was deleted"
            }
        };
        let failure = job_in(&world).failure.unwrap();
        assert_eq!(failure.code, "OUTPUT_LOST", "{end}");
        assert_eq!(failure.message, format!("A file of the result was lost: {why}"), "{end}");
        // A ready file that its owner deletes counts as delivered.
        let expected = u32::from(end != "expires");
        assert_eq!((job_events(&world), taken(&world)), (vec!["job.failed".to_owned()], expected), "{end}");
        // The arrival of the other file changes nothing.
        let failed = job_in(&world);
        object(&world, "created", SECOND).await;
        assert_eq!(job_in(&world), failed, "{end}");
    }
}

#[tokio::test]
async fn an_unclaimed_file_that_is_lost_does_not_fail_the_job() {
    let world = uploaded(Kind::Image, pictures::gif(1000));
    object(&world, "created", KEY).await;
    let job = job_in(&world);
    assert_eq!((job.status, job.outputs.len(), taken(&world)), (JobStatus::Processing, 0, 1));
    assert_eq!(job_events(&world), Vec::<String>::new());
    // The lost file can no longer be claimed.
    assert_eq!(refusal(&report(&world, "completed", "msg_1").await), (422, "WEBHOOK_CONTENT_MISMATCH"));
}

#[tokio::test]
async fn a_processing_job_cannot_be_cancelled() {
    let world = world_of(&job(Kind::Image), &[]);
    let begun = json!({ "status": "processing", "error": null });
    for id in ["msg_1", "msg_1", "msg_2"] {
        assert_eq!(signed(&world, "webhook-image-completion", "failed", id, &begun).await, answered("processing"));
    }
    assert_eq!((job_in(&world).status, job_in(&world).revision), (JobStatus::Processing, 2));
    assert_eq!(refusal(&call(&world, "job-cancel", "ask").await), (409, "CONFLICT"));
    assert_eq!((taken(&world), job_events(&world)), (1, Vec::new()));
}

#[tokio::test]
async fn a_generator_cannot_report_our_own_error_codes() {
    for code in ["CANCELLED", "DEADLINE_PASSED", "OUTPUT_LOST"] {
        let world = world_of(&job(Kind::Image), &[]);
        let error = json!({ "error": { "code": code, "message": "No" } });
        assert_eq!(signed(&world, "webhook-image-completion", "failed", "msg_1", &error).await, answered("failed"));
        assert_eq!(job_in(&world).failure.unwrap().code, "FAILED");
    }
}

#[tokio::test]
async fn a_failure_returns_the_allowance_once() {
    for (kind, function) in [
        (Kind::Image, "webhook-image-completion"),
        (Kind::Video, "webhook-video-completion"),
        (Kind::Book, "webhook-text-completion"),
    ] {
        let world = world_of(&granted(&job(kind), &[output(kind)]), &[output(kind)]);
        assert_eq!(signed(&world, function, "failed", "msg_1", &json!({})).await, answered("failed"));
        assert_eq!((taken(&world), job_events(&world)), (0, vec!["job.failed".to_owned()]));
        let before = besides_webhooks(&world);
        for id in ["msg_1", "msg_2"] {
            assert_eq!(signed(&world, function, "failed", id, &json!({})).await, answered("failed"));
        }
        assert_eq!(besides_webhooks(&world), before);
    }
}

#[tokio::test]
async fn a_generators_error_message_is_shortened_and_cleaned() {
    let failed = async |error: Value| {
        let world = world_of(&job(Kind::Image), &[]);
        signed(&world, "webhook-image-completion", "failed", "msg_1", &json!({ "error": error })).await;
        let failure = job_in(&world).failure.unwrap();
        (failure.code, failure.message)
    };
    let long = failed(json!({ "code": "X".repeat(99), "message": "é".repeat(999) })).await;
    assert_eq!(long, ("X".repeat(64), "é".repeat(500)));
    let odd = failed(json!({ "code": "A\u{0}B\r\n", "message": "gnp.\u{202E}exe" })).await;
    assert_eq!(odd, ("AB".to_owned(), "gnp.exe".to_owned()));
    let none = failed(json!({ "code": "", "message": " \u{200B}" })).await;
    assert_eq!(none, ("FAILED".to_owned(), "Generation failed".to_owned()));
}

#[tokio::test]
async fn a_failure_after_a_delivery_changes_nothing() {
    let world = picture();
    report(&world, "completed", "msg_1").await;
    // Neither while the delivery is checked, nor afterwards. The delivery's message id is refused.
    let before = besides_webhooks(&world);
    assert_eq!(report(&world, "failed", "msg_2").await, answered("processing"));
    assert_eq!(refusal(&report(&world, "failed", "msg_1").await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(besides_webhooks(&world), before);
    object(&world, "created", KEY).await;
    let before = besides_webhooks(&world);
    assert_eq!(report(&world, "failed", "msg_3").await, answered("completed"));
    assert_eq!(refusal(&report(&world, "failed", "msg_1").await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!((besides_webhooks(&world), taken(&world)), (before, 1));
}

#[tokio::test]
async fn a_delivery_after_a_failure_changes_nothing() {
    let world = picture();
    report(&world, "failed", "msg_1").await;
    let before = besides_webhooks(&world);
    assert_eq!(report(&world, "completed", "msg_2").await, answered("failed"));
    assert_eq!((besides_webhooks(&world), taken(&world)), (before, 0));
}

#[tokio::test]
async fn a_file_from_the_owners_own_grant_can_be_delivered() {
    let own = File { job: None, ..output(Kind::Image) };
    let world = world_of(&job(Kind::Image), std::slice::from_ref(&own));
    world.put_object(KEY, "v1", pictures::png(640, 480, 1000));
    assert_eq!(report(&world, "completed", "msg_1").await, answered("processing"));
    assert_eq!(crate::handlers::file_in(&world).job, Some(job(Kind::Image).id));
    object(&world, "created", KEY).await;
    assert_eq!((job_in(&world).status, job_events(&world)), (JobStatus::Completed, vec!["job.completed".to_owned()]));
    // A file that was checked before completes the job at once and does not change.
    let world = world_of(&job(Kind::Image), &[ready(&own)]);
    assert_eq!(report(&world, "completed", "msg_1").await, answered("completed"));
    assert_eq!(crate::handlers::file_in(&world), ready(&own));
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_text_has_the_details_from_its_generator() {
    let world = uploaded(Kind::Book, pictures::markdown(1000));
    let done = signed(&world, "webhook-text-completion", "completed", "msg_1", &json!({})).await;
    assert_eq!(done, answered("processing"));
    object(&world, "created", BOOK_KEY).await;
    let facts = job_in(&world).text.unwrap();
    assert_eq!((facts.title.as_deref(), facts.chapters, facts.words), (Some("L’IA en clair"), Some(12), Some(30_000)));
    assert_eq!(job_in(&world).status, JobStatus::Completed);
    let stored_title = async |title: &str| {
        let world = world_of(&job(Kind::Book), &[arrived(Kind::Book)]);
        let texts = json!({ "texts": [{ "s3_key": BOOK_KEY, "title": title }] });
        signed(&world, "webhook-text-completion", "completed", "msg_1", &texts).await;
        job_in(&world).text.unwrap().title
    };
    assert_eq!(stored_title(&"é".repeat(300)).await, Some("é".repeat(200)));
    assert_eq!(stored_title("gnp.\u{202E}exe\r\n").await.as_deref(), Some("gnp.exe"));
    assert_eq!(stored_title(" \u{0}").await, None);
}

#[tokio::test]
async fn a_video_has_its_duration_in_seconds() {
    let world = uploaded(Kind::Video, pictures::mp4(1000));
    let done = signed(&world, "webhook-video-completion", "completed", "msg_1", &json!({})).await;
    assert_eq!(done, answered("processing"));
    object(&world, "created", VIDEO_KEY).await;
    let job = job_in(&world);
    assert_eq!((job.status, job.outputs[0].duration_seconds), (JobStatus::Completed, Some(8)));
    let shown = FileView::from(&file_of(&world, VIDEO_KEY));
    assert_eq!((shown.width, shown.height, shown.dimensions), (Some(1920), Some(1080), Some("reported")));
    // What is implausible is not kept.
    for (width, height) in [(json!(0), json!(10)), (json!(70_000), json!(10)), (json!(10), json!(null))] {
        let world = world_of(&self::job(Kind::Video), &[arrived(Kind::Video)]);
        let videos = json!({ "videos": [{ "s3_key": VIDEO_KEY, "width": width, "height": height }] });
        signed(&world, "webhook-video-completion", "completed", "msg_1", &videos).await;
        assert_eq!(FileView::from(&file_of(&world, VIDEO_KEY)).dimensions, None, "{width} x {height}");
    }
    for (reported, expected) in
        [(json!(7.6), Some(8)), (json!(-3), Some(0)), (json!(1e300), Some(u32::MAX)), (json!(null), None)]
    {
        let world = world_of(&self::job(Kind::Video), &[arrived(Kind::Video)]);
        let videos = json!({ "videos": [{ "s3_key": VIDEO_KEY, "duration_seconds": reported }] });
        signed(&world, "webhook-video-completion", "completed", "msg_1", &videos).await;
        assert_eq!(job_in(&world).outputs[0].duration_seconds, expected, "{reported}");
    }
}
