//! Crash points of texts: wherever the worker is killed, the text is the same in the end, its file is registered once,
//! and its events are published once. Only model calls that were in flight are repeated.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use consigne_core::files::Kind;
use consigne_core::jobs::JobStatus;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::functions;
use consigne_testkit::model::ModelFault;
use serde_json::{Value, json};

use crate::crash::survives_to;
use crate::handlers::jobs::requests::{job_events, job_in, taken};
use crate::handlers::jobs::texts::{arrive, asks_of_a_book, message, requested, text_in, written};
use crate::handlers::{GRANTED, assert_books_balance, ledger_of};

/// Returns the state that must be the same in the end: everything except ids, times and the number of model calls.
async fn end(world: &World) -> Value {
    arrive(world).await;
    assert_books_balance(world);
    let (job, state) = (job_in(world), world.state());
    let text = job.text.as_ref().map(|text| json!([text.title, text.chapters, text.words]));
    let failure = job.failure.as_ref().map(|failure| failure.code.as_str());
    let content = if state.objects.is_empty() { String::new() } else { text_in(world) };
    json!({ "job": [job.status.name(), job.progress], "text": text, "failure": failure, "content": content,
        "ledger": ledger_of(world), "files": state.files.len(), "taken": taken(world), "events": job_events(world) })
}

async fn write(world: &World) {
    written(world).await;
}

#[tokio::test]
async fn an_article_survives_every_fault() {
    survives_to(|| requested(Kind::Blog), write, end).await;
}

#[tokio::test]
async fn giving_up_an_article_survives_every_fault() {
    let refused = || {
        let world = requested(Kind::Blog);
        world.change(|state| state.texts.always = Some(ModelFault::Filtered));
        world
    };
    survives_to(refused, write, end).await;
}

/// Kills the worker of a book of twelve chapters at each of its effects in turn: before the first read, and before and
/// after every model call, checkpoint, message, the grant, the upload and the claim. SQS then delivers the message
/// again.
#[tokio::test]
async fn a_book_is_the_same_wherever_its_worker_is_killed() {
    let calm = requested(Kind::Book);
    written(&calm).await;
    let want = end(&calm).await;
    assert_eq!(calm.state().texts.asked, asks_of_a_book());
    let mut kills = 0;
    for moment in [Moment::Before, Moment::After] {
        for skip in 0.. {
            let world = requested(Kind::Book);
            world.fail_at(skip, moment);
            let done = written(&world).await;
            if world.fault_is_left() {
                break;
            }
            kills += 1;
            assert_eq!(done.dead, 0, "{moment:?} effect {skip}");
            assert_asked_once(&world, 0..=1);
            assert_eq!(end(&world).await, want, "the worker was killed {moment:?} effect {skip}");
        }
    }
    assert!(kills > 2 * 13 * 5, "{kills}");
}

/// Kills the worker once in each chapter of the same book: between the model call and its checkpoint, or after the
/// checkpoint and before the next message is sent.
#[tokio::test]
async fn a_book_is_the_same_if_its_worker_is_killed_in_every_chapter() {
    for (after_the_call, asked_again) in [(true, 13), (false, 0)] {
        let calm = requested(Kind::Book);
        written(&calm).await;
        let world = requested(Kind::Book);
        let mut now = GRANTED;
        for part in 0..13 {
            // The effects: reads of job and draft, claim, model call, checkpoint, message, progress of the job.
            let shown = u32::from(part != 1);
            world.fail_at(3 + shown + u32::from(!after_the_call), Moment::After);
            let body = message();
            let id = format!("message-{part}");
            let killed = functions::text_message(&world, &body, &id, now).await;
            assert!(killed.is_err() && !world.fault_is_left(), "{part}");
            now = now.plus(Duration::from_mins(12));
            if after_the_call {
                functions::text_message(&world, &body, &id, now).await.unwrap();
            }
        }
        world.change(|state| state.later.clear());
        functions::text_message(&world, &message(), "last", now).await.unwrap();
        assert_asked_once(&world, asked_again..=asked_again);
        assert_eq!(end(&world).await, end(&calm).await);
        assert_eq!(job_in(&world).status, JobStatus::Completed);
    }
}

/// Asserts that each task was requested once, except for the calls in flight, whose number is in `in_flight`.
fn assert_asked_once(world: &World, in_flight: RangeInclusive<usize>) {
    let mut asks: BTreeMap<String, usize> = BTreeMap::new();
    let asked = world.state().texts.asked;
    for ask in &asked {
        *asks.entry(ask.clone()).or_default() += 1;
    }
    assert_eq!(asks.len(), 13);
    assert!(asks.values().all(|times| *times <= 2), "{asks:?}");
    assert!(in_flight.contains(&(asked.len() - 13)), "{asks:?}");
}
