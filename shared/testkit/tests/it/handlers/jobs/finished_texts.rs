//! job-list on `/api/books` and `/api/blog`: the caller's finished texts.

use std::time::Duration;

use consigne_core::files::Kind;
use consigne_core::jobs::{Job, JobId, JobStatus, Output};
use consigne_core::{FileId, UserId};
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::jobs::completions::object;
use crate::handlers::jobs::job_status::delivered;
use crate::handlers::jobs::requests::{BOOK_KEY, add_job, arrived, job, job_in};
use crate::handlers::people::accounts::{refusal, with};
use crate::handlers::{GRANTED, call, call_as};

/// Adds five finished texts of Ann: books of the hours 0, 2 and 4, articles of the hours 1 and 3. The ids are in another
/// order. A job that failed is no text, and neither is a picture.
fn add_texts(world: &World) {
    for (hour, tail) in [(0, '4'), (1, '3'), (2, '2'), (3, '1'), (4, '0')] {
        let kind = if hour % 2 == 0 { Kind::Book } else { Kind::Blog };
        let finished = finished(kind, tail);
        add_job(world, &Job { updated_at: GRANTED.plus(Duration::from_hours(hour)), ..finished });
    }
    add_job(world, &Job { status: JobStatus::Failed, ..finished(Kind::Book, '5') });
    add_job(world, &Job { kind: Kind::Image, ..finished(Kind::Image, '6') });
    add_job(world, &Job { text_gone: true, ..finished(Kind::Book, '7') });
}

fn finished(kind: Kind, tail: char) -> Job {
    let file = FileId::parse(&format!("01M7YREWKH7VM7Z3Z2KWSH2FT{tail}")).unwrap();
    let output = Output { claimed: true, version: Some("v1".to_owned()), ..Output::of(&arrived(Kind::Book)) };
    let id = JobId::of(UserId::parse("user_ann1").unwrap(), file);
    Job { id, status: JobStatus::Completed, outputs: vec![output], ..job(kind) }
}

/// Lists texts. Returns the hours at which they were completed, and the next cursor.
async fn hours(world: &World, case: &str, query: &str) -> (Vec<i64>, Option<String>) {
    let mut event = payload::event("job-list", case, &functions::issuer().token("user_ann1", "pro"));
    event["rawQueryString"] = query.into();
    let answer = functions::call(world, "job-list", event).await;
    assert_eq!(answer["status"], 200, "{answer}");
    let list = if case == "books" { "books" } else { "articles" };
    let at = |text: &Value| consigne_core::Timestamp::parse(text["generatedAt"].as_str().unwrap()).unwrap();
    let hours =
        answer["body"][list].as_array().unwrap().iter().map(at).map(|at| (at.as_secs() - GRANTED.as_secs()) / 3600);
    (hours.collect(), answer["body"]["nextCursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn a_finished_book_is_listed_with_what_its_generator_reported() {
    let world = delivered(Kind::Book).await;
    insta::assert_json_snapshot!(call(&world, "job-list", "books").await, @r#"
    {
      "status": 200,
      "body": {
        "books": [
          {
            "jobId": "job_<id>ann1",
            "title": "L’IA en clair",
            "topic": "Intelligence artificielle",
            "s3Key": "user_ann1/books/<id>-photo-ete.md",
            "fileSize": 1000,
            "chapterCount": 12,
            "wordCount": 30000,
            "generatedAt": "<time>"
          }
        ],
        "nextCursor": null
      }
    }
    "#);
    assert_eq!(call(&world, "job-list", "articles").await["body"], json!({ "articles": [], "nextCursor": null }));
    let anothers = call_as(&world, "job-list", "books", "user_bob1", "pro").await;
    assert_eq!(anothers["body"], json!({ "books": [], "nextCursor": null }));
}

#[tokio::test]
async fn texts_are_listed_by_the_time_of_their_completion_in_pages() {
    let world = World::default();
    add_texts(&world);
    assert_eq!(hours(&world, "books", "").await, (vec![4, 2, 0], None));
    assert_eq!(hours(&world, "articles", "").await, (vec![3, 1], None));
    let (first, cursor) = hours(&world, "books", "limit=2").await;
    let cursor = cursor.unwrap();
    assert_eq!(first, [4, 2]);
    assert_eq!(hours(&world, "books", &format!("limit=2&cursor={cursor}")).await, (vec![0], None));
    for (case, user) in [("articles", "user_ann1"), ("books", "user_bob1"), ("all", "user_ann1")] {
        let mut event = payload::event("job-list", case, &functions::issuer().token(user, "pro"));
        event["rawQueryString"] = format!("limit=2&cursor={cursor}").into();
        assert_eq!(
            refusal(&functions::call(&world, "job-list", event).await),
            (400, "INVALID_CURSOR"),
            "{case} {user}"
        );
    }
}

#[tokio::test]
async fn a_page_of_texts_takes_one_query() {
    let world = World::default();
    add_texts(&world);
    world.fail_at(1, Moment::Before);
    assert_eq!(call(&world, "job-list", "books").await["status"], 200);
    assert!(world.fault_is_left());
}

#[tokio::test]
async fn a_text_whose_file_is_deleted_leaves_the_list_and_its_job_stays_completed() {
    let world = delivered(Kind::Book).await;
    let done = job_in(&world);
    let token = functions::issuer().token("user_ann1", "pro");
    let deletion = with(payload::event("delete", "plain", &token), &json!({ "s3Key": BOOK_KEY }));
    assert_eq!(functions::call(&world, "delete", deletion).await["status"], 200);
    for _ in 0..2 {
        object(&world, "deleted", BOOK_KEY).await;
    }
    let left = Job { text_gone: true, revision: done.revision + 1, ..done };
    assert_eq!(job_in(&world), left);
    assert_eq!(call(&world, "job-list", "books").await["body"]["books"], json!([]));
}
