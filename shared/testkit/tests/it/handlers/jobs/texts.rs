//! generate-worker: writes texts with a language model, from the event to the file, one message at a time.

use std::time::Duration;

use consigne_core::files::{Kind, Status};
use consigne_core::jobs::{Job, JobStatus};
use consigne_core::texts::{LEASE, Tokens};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::functions::{self, Delivered};
use consigne_testkit::payload;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::handlers::jobs::requests::{JOB, job, job_events, job_in, taken, world_of};
use crate::handlers::people::closing;
use crate::handlers::{GRANTED, assert_books_balance, call, ledger_of};

/// Creates a world with a requested text.
pub fn requested(kind: Kind) -> World {
    world_of(&job(kind), &[])
}

/// Returns the message that continues the text.
pub fn message() -> String {
    json!({ "job_id": JOB }).to_string()
}

/// Delivers the message of a job and all later ones, from the time when the job was accepted.
pub async fn written(world: &World) -> Delivered {
    Delivered::from(world, &message(), GRANTED, 1).await
}

/// Sends an event for every object that was not checked yet, as S3 does.
pub async fn arrive(world: &World) {
    for (key, versions) in world.state().objects {
        let mut event = payload::event("on-object-event", "created", "");
        let body = event["Records"][0]["body"].as_str().unwrap();
        let mut body: Value = serde_json::from_str(body).unwrap();
        (body["detail"]["object"]["key"], body["detail"]["object"]["version-id"]) = (json!(key), json!(versions[0].id));
        event["Records"][0]["body"] = body.to_string().into();
        functions::deliver(world, "on-object-event", event).await;
    }
}

/// Returns the only text in the bucket.
pub fn text_in(world: &World) -> String {
    let state = world.state();
    let contents: Vec<_> = state.objects.values().flatten().map(|version| version.bytes.clone()).collect();
    assert_eq!(contents.len(), 1, "there must be one file with one version");
    String::from_utf8(contents[0].clone()).unwrap()
}

/// Returns the tasks of the model calls for a book of twelve chapters, each once.
pub fn asks_of_a_book() -> Vec<String> {
    let chapters = (1..=12).map(|number| format!("chapter {number}"));
    ["outline".to_owned()].into_iter().chain(chapters).collect()
}

#[tokio::test]
async fn a_book_is_outlined_written_chapter_by_chapter_and_delivered() {
    // Lambda's deadline uses the real clock.
    let deadline = clock::now().plus(Duration::from_hours(12));
    let world = world_of(&Job { deadline, ..job(Kind::Book) }, &[]);
    let answers =
        functions::deliver(&world, "generate-worker", payload::event("generate-worker", "requested", "")).await;
    assert_eq!(answers, json!({ "batchItemFailures": [] }));
    let began = job_in(&world);
    assert_eq!(
        (began.status, began.progress, world.state().texts.asked),
        (JobStatus::Processing, 10, vec!["outline".to_owned()])
    );
    assert_eq!(world.state().later, [(payload_of("next"), Duration::ZERO)]);

    world.change(|state| state.later.clear());
    let done = Delivered::from(&world, &payload_of("next"), clock::now(), 1).await;
    assert_eq!((done.deliveries, done.dead, world.state().texts.asked), (13, 0, asks_of_a_book()));
    assert_eq!((job_in(&world).status, job_in(&world).progress), (JobStatus::Processing, 95));
    arrive(&world).await;
    assert_eq!((job_in(&world).status, job_events(&world)), (JobStatus::Completed, vec!["job.completed".to_owned()]));
    assert_books_balance(&world);

    let text = text_in(&world);
    // The text has the requested title.
    assert!(
        text.starts_with("# L’IA en clair\n\n## Part 1\n\nThis is chapter 1 of Intelligence artificielle"),
        "{text}"
    );
    assert_eq!(text.matches("\n## Part ").count(), 12);
    let noted = world.state().files.values().next().unwrap().shown_metadata();
    assert_eq!(json!(noted), json!({ "title": "L’IA en clair", "job_id": JOB }));
    let shown = call(&world, "job-status", "ask").await;
    let result = &shown["body"]["data"]["result"];
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count() as u64;
    assert_eq!(result["book_title"], "L’IA en clair");
    assert_eq!((&result["topic"], &result["chapter_count"]), (&json!("Intelligence artificielle"), &json!(12)));
    // The titles count, too: three words for the book and two for each chapter.
    assert_eq!(result["word_count"], words - 3 - 24);
    assert_eq!(result["file_size"], text.len());
    assert_eq!(result["tokens"], json!({ "prompt": 1300, "completion": 650 }));
    assert_eq!(ledger_of(&world)[2..], [1, text.len() as u64]);
}

/// Returns the body of the message in a payload.
fn payload_of(case: &str) -> String {
    let event = payload::event("generate-worker", case, "");
    let body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    body.to_string()
}

#[tokio::test]
async fn an_article_has_four_sections_and_shows_its_progress() {
    let world = requested(Kind::Blog);
    let mut seen = Vec::new();
    for round in 0..6 {
        functions::text_message(&world, &message(), &format!("message-{round}"), GRANTED).await.unwrap();
        seen.push(job_in(&world).progress);
    }
    assert_eq!(seen, [10, 10, 31, 52, 73, 95]);
    let key = world.state().objects.keys().next().unwrap().clone();
    assert!(key.starts_with("user_ann1/blogs/") && key.ends_with("-l-ia-en-clair.md"), "{key}");
    arrive(&world).await;
    assert_eq!(job_in(&world).status, JobStatus::Completed);
    assert_eq!(job_in(&world).text.unwrap().tokens, Some(Tokens { prompt: 500, completion: 250 }));
}

#[tokio::test]
async fn repeated_messages_lead_to_the_same_text_without_repeated_model_calls() {
    let idempotent = requested(Kind::Book);
    written(&idempotent).await;
    for copies in [2, 3] {
        let world = requested(Kind::Book);
        let done = Delivered::from(&world, &message(), GRANTED, copies).await;
        assert_eq!((world.state().texts.asked, done.dead), (asks_of_a_book(), 0));
        assert_eq!(text_in(&world), text_in(&idempotent));
        assert_eq!((world.state().files.len(), taken(&world)), (1, 1));
    }
}

#[tokio::test]
async fn of_concurrent_messages_only_one_calls_the_model() {
    let world = requested(Kind::Blog);
    let ids: Vec<String> = (0..8).map(|n| format!("message-{n}")).collect();
    let message = message();
    let answers = join_all(ids.iter().map(|id| functions::text_message(&world, &message, id, GRANTED))).await;
    assert!(answers.iter().all(Result::is_ok));
    let asked = world.state().texts.asked;
    let mut idempotent = asked.clone();
    idempotent.dedup();
    assert!(!asked.is_empty() && asked == idempotent, "{asked:?}");
}

#[tokio::test]
async fn during_a_claim_its_own_message_is_redelivered_and_others_are_dropped() {
    let world = requested(Kind::Blog);
    // The worker is killed after it claimed the outline. The effects: reads of job and draft, a job step, claim, model
    // call.
    world.fail_at(4, consigne_testkit::fakes::Moment::Before);
    assert!(functions::text_message(&world, &message(), "message-1", GRANTED).await.is_err());
    let before = world.state();
    assert!(before.texts.drafts.values().all(|text| text.lease.is_some()) && before.texts.asked.is_empty());
    assert!(functions::text_message(&world, &message(), "message-1", GRANTED).await.is_err());
    functions::text_message(&world, &message(), "message-2", GRANTED).await.unwrap();
    assert_eq!(world.state(), before);
    let later = GRANTED.plus(LEASE);
    functions::text_message(&world, &message(), "message-1", later).await.unwrap();
    assert_eq!(world.state().texts.asked, ["outline"]);
}

#[tokio::test]
async fn ended_overdue_and_other_jobs_are_not_written() {
    let deadline = job(Kind::Blog).deadline;
    let ended = job(Kind::Blog).failed("SAFETY", "No", GRANTED).unwrap().job;
    let claimed = Job { status: JobStatus::Processing, claimed_at: Some(GRANTED), ..job(Kind::Blog) };
    for (job, now) in [(ended, GRANTED), (claimed, GRANTED), (job(Kind::Blog), deadline), (job(Kind::Image), GRANTED)] {
        let world = world_of(&job, &[]);
        let before = world.state();
        functions::text_message(&world, &message(), "message-1", now).await.unwrap();
        assert_eq!(world.state(), before, "{:?} {:?}", job.kind, job.status);
    }
    let nobody = World::default();
    functions::text_message(&nobody, &message(), "message-1", GRANTED).await.unwrap();
    assert_eq!(nobody.state(), World::default().state());
    assert!(functions::text_message(&nobody, "{}", "message-1", GRANTED).await.is_err());
}

#[tokio::test]
async fn a_text_written_in_time_is_delivered_after_the_deadline() {
    let (world, deadline) = (requested(Kind::Blog), job(Kind::Blog).deadline);
    let mut round = 0;
    // The outline and four sections.
    while world.state().texts.asked.len() < 5 {
        round += 1;
        functions::text_message(&world, &message(), &format!("message-{round}"), GRANTED).await.unwrap();
    }
    assert!(world.state().objects.is_empty());
    functions::text_message(&world, &message(), "message-last", deadline).await.unwrap();
    assert!(text_in(&world).starts_with("# "));
    assert_eq!(job_in(&world).claimed_at, Some(deadline));
}

#[tokio::test]
async fn writing_stops_when_the_job_ends() {
    let world = requested(Kind::Blog);
    for round in 0..3 {
        functions::text_message(&world, &message(), &format!("message-{round}"), GRANTED).await.unwrap();
    }
    world.change(|state| {
        state.later.clear();
        let job = state.jobs.jobs.values_mut().next().unwrap();
        *job = job.failed("CANCELLED", "The account was closed", GRANTED).unwrap().job;
    });
    let done = written(&world).await;
    assert_eq!((done.deliveries, world.state().texts.asked.len()), (1, 3));
    assert!(world.state().files.is_empty());
}

#[tokio::test]
async fn a_grant_that_expired_before_the_upload_is_replaced() {
    let world = requested(Kind::Blog);
    // The bucket does not answer, so the worker is killed after the grant, in the sixth message.
    for round in 0..5 {
        functions::text_message(&world, &message(), &format!("message-{round}"), GRANTED).await.unwrap();
    }
    world.change(|state| state.later.clear());
    world.fail_at(8, consigne_testkit::fakes::Moment::Before);
    assert!(functions::text_message(&world, &message(), "message-5", GRANTED).await.is_err());
    assert_eq!((world.state().files.len(), world.state().objects.len()), (1, 0));
    let later = GRANTED.plus(Duration::from_mins(30));
    let mut tick = payload::event("sweep", "tick", "");
    tick["time"] = later.to_string().into();
    functions::tick(&world, "sweep", tick).await.unwrap();
    assert_eq!(ledger_of(&world), [0; 4]);

    functions::text_message(&world, &message(), "message-5", later).await.unwrap();
    arrive(&world).await;
    assert_eq!(job_in(&world).status, JobStatus::Completed);
    let statuses: Vec<Status> = world.state().files.values().map(|file| file.status).collect();
    assert_eq!(statuses, [Status::Deleted, Status::Ready]);
    assert_eq!(world.state().texts.asked.len(), 5);
    assert_books_balance(&world);
}

#[tokio::test]
async fn closing_an_account_deletes_its_drafts() {
    let world = requested(Kind::Book);
    for round in 0..4 {
        functions::text_message(&world, &message(), &format!("message-{round}"), GRANTED).await.unwrap();
    }
    assert_eq!(world.state().texts.chapters.len(), 3);
    closing::close(&world, "user_ann1");
    for minutes in [1, 62, 122] {
        closing::close_accounts_at(&world, GRANTED.plus(Duration::from_mins(minutes))).await;
    }
    let state = world.state();
    assert!(state.jobs.jobs.is_empty() && state.texts.drafts.is_empty() && state.texts.chapters.is_empty());
}
