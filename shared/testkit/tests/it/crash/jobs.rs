//! Crash points of jobs: job, files, ledger and allowance end the same as without a fault, and each event is published
//! once.

use std::collections::BTreeSet;

use consigne_core::Timestamp;
use consigne_core::files::{File, Kind};
use consigne_core::jobs::{Job, JobId};
use consigne_core::rates::Window;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload, pictures};
use serde_json::{Value, json};

use crate::crash::{counts, survives_to};
use crate::handlers::jobs::completions::{answered, picture, report, uploaded};
use crate::handlers::jobs::requests::{add_job, granted, job, output, signed, taken, world_of};
use crate::handlers::people::accounts::headed;
use crate::handlers::people::closing::{close, try_close_accounts};
use crate::handlers::{GRANTED, KEY, assert_books_balance, ledger_of};

/// Returns the state that must be the same in the end: everything about jobs except ids and times.
fn essence(world: &World) -> Value {
    assert_books_balance(world);
    let state = world.state();
    let jobs: Vec<Value> = state
        .jobs
        .jobs
        .values()
        .map(|job| {
            let outputs: Vec<Value> =
                job.outputs.iter().map(|output| json!([output.claimed, output.version, output.size])).collect();
            let failure = job.failure.as_ref().map(|failure| failure.code.as_str());
            json!([job.status.name(), job.progress, job.claimed_at.is_some(), outputs, failure, job.revision])
        })
        .collect();
    let files: Vec<Value> =
        state.files.values().map(|file| json!([file.status.name(), file.job.is_some(), file.revision])).collect();
    let waiting = state.outbox.iter().map(|(_, entry)| entry);
    let events: BTreeSet<(&str, String)> =
        state.published.iter().chain(waiting).map(|entry| (entry.kind.as_str(), entry.id.to_string())).collect();
    let events: Vec<&str> = events.into_iter().map(|(kind, _)| kind).collect();
    let counted: Vec<_> = state.usage.values().map(|usage| counts(&usage.windows)).collect();
    json!({ "jobs": jobs, "files": files, "ledger": ledger_of(world), "counted": counted, "taken": taken(world), "events": events,
        "objects": state.objects.len(), "promises": state.accounts.idempotency_records.len(), "webhooks": state.webhooks.len() })
}

async fn end(world: &World) -> Value {
    essence(world)
}

/// Sends the event that the picture of the payloads was created, and again if that fails.
async fn arrives(world: &World) {
    functions::deliver(world, "on-object-event", payload::event("on-object-event", "created", "")).await;
}

async fn completion(world: &World) {
    report(world, "completed", "msg_1").await;
}

/// Runs `account-close` at a time. If that fails, the next tick tries again.
async fn close_accounts(world: &World, at: Timestamp) {
    drop(try_close_accounts(world, at).await);
}

/// Runs `sweep` at a time, and again at the next tick if that fails.
async fn sweep(world: &World, at: Timestamp) {
    let mut tick = payload::event("sweep", "tick", "");
    tick["time"] = at.to_string().into();
    drop(functions::tick(world, "sweep", tick).await);
}

#[tokio::test]
async fn a_request_with_an_idempotency_key_survives_every_fault() {
    let asked = async |world: &World| {
        let event = payload::event("generate", "images", &functions::issuer().token("user_ann1", "pro"));
        functions::call(world, "generate", headed(event, "idempotency-key", Some("order-17"))).await
    };
    let end = async |world: &World| {
        let before = world.state();
        let again = asked(world).await;
        assert_eq!((&again["status"], world.state()), (&json!(201), before));
        essence(world)
    };
    survives_to(World::default, async |world| drop(asked(world).await), end).await;
}

#[tokio::test]
async fn a_generators_upload_survives_every_fault() {
    let asked = async |world: &World| signed(world, "job-upload-grant", "picture", "msg_1", &json!({})).await;
    let end = async |world: &World| {
        let before = world.state();
        let again = asked(world).await;
        assert_eq!((&again["status"], world.state()), (&json!(201), before));
        essence(world)
    };
    survives_to(|| world_of(&job(Kind::Image), &[]), async |world| drop(asked(world).await), end).await;
}

#[tokio::test]
async fn a_completion_before_the_file_check_survives_every_fault() {
    let act = async |world: &World| {
        completion(world).await;
        arrives(world).await;
    };
    survives_to(picture, act, end).await;
}

#[tokio::test]
async fn a_completion_after_the_file_check_survives_every_fault() {
    let act = async |world: &World| {
        arrives(world).await;
        completion(world).await;
    };
    let end = async |world: &World| {
        assert_eq!(report(world, "completed", "msg_2").await, answered("completed"));
        essence(world)
    };
    survives_to(picture, act, end).await;
}

#[tokio::test]
async fn a_completion_that_names_the_owners_own_file_survives_every_fault() {
    let prepare = || {
        let own = File { job: None, ..output(Kind::Image) };
        let world = world_of(&job(Kind::Image), std::slice::from_ref(&own));
        world.put_object(KEY, "v1", pictures::png(640, 480, 1000));
        world
    };
    let end = async |world: &World| {
        arrives(world).await;
        essence(world)
    };
    survives_to(prepare, completion, end).await;
}

/// Creates a world with a job that waits for the check of its delivered file.
fn claimed(bytes: Vec<u8>) -> World {
    let world = uploaded(Kind::Image, bytes);
    let job = granted(&job(Kind::Image), &[output(Kind::Image)]);
    let mut outputs = job.outputs.clone();
    outputs[0].claimed = true;
    let job = Job { outputs, claimed_at: Some(GRANTED), progress: 95, ..job };
    world.change(|state| drop(state.jobs.jobs.insert(job.id.clone(), job)));
    world
}

#[tokio::test]
async fn an_upload_that_completes_a_job_survives_every_fault() {
    survives_to(|| claimed(pictures::png(640, 480, 1000)), arrives, end).await;
}

#[tokio::test]
async fn a_rejected_file_that_fails_a_job_survives_every_fault() {
    survives_to(|| claimed(pictures::gif(1000)), arrives, end).await;
}

#[tokio::test]
async fn a_removed_file_that_fails_a_job_survives_every_fault() {
    let prepare = || {
        let world = claimed(Vec::new());
        world.change(|state| state.objects.clear());
        world
    };
    let act = async |world: &World| {
        functions::deliver(world, "on-object-event", payload::event("on-object-event", "deleted", "")).await;
    };
    survives_to(prepare, act, end).await;
}

#[tokio::test]
async fn a_reported_failure_survives_every_fault() {
    survives_to(picture, async |world| drop(report(world, "failed", "msg_1").await), end).await;
}

#[tokio::test]
async fn cancelling_a_job_survives_every_fault() {
    let act = async |world: &World| {
        let event = payload::event("job-cancel", "ask", &functions::issuer().token("user_ann1", "pro"));
        functions::call(world, "job-cancel", event).await;
    };
    survives_to(|| world_of(&job(Kind::Image), &[]), act, end).await;
    // The last cancellation of the day that gives back, and the first that does not.
    for count in [199, 200] {
        let prepare = || {
            let world = world_of(&job(Kind::Image), &[]);
            let refunds = Window { started: clock::now(), count };
            world.change(|state| state.windows(job(Kind::Image).owner()).refunds = Some(refunds));
            world
        };
        let end = async |world: &World| {
            assert_eq!(taken(world), u32::from(count == 200), "a unit is given back once or not at all");
            essence(world)
        };
        survives_to(prepare, act, end).await;
    }
}

#[tokio::test]
async fn sweeping_an_overdue_job_and_its_unused_grant_survives_every_fault() {
    let minutes = |minutes| GRANTED.plus(std::time::Duration::from_mins(minutes));
    let begun = || world_of(&granted(&job(Kind::Image), &[output(Kind::Image)]), &[]);
    survives_to(begun, async |world| sweep(world, minutes(61)).await, end).await;
    let gone = || {
        let world = claimed(Vec::new());
        world.change(|state| state.objects.clear());
        world
    };
    survives_to(gone, async |world| sweep(world, minutes(20)).await, end).await;
}

#[tokio::test]
async fn closing_an_account_with_jobs_survives_every_fault() {
    let minutes = |minutes| GRANTED.plus(std::time::Duration::from_mins(minutes));
    let prepare = || {
        let world = picture();
        add_job(&world, &Job { id: JobId::parse("job_01M7YREWKH7VM7Z3Z2KWSH2FTXann1").unwrap(), ..job(Kind::Image) });
        close(&world, "user_ann1");
        world
    };
    let end = async |world: &World| {
        for later in [60, 120] {
            sweep(world, minutes(later)).await;
            close_accounts(world, minutes(later)).await;
        }
        assert!(world.state().closings.is_empty());
        let mut end = essence(world);
        // The file or the job may end first. Only the job's last view of the file then differs.
        end["jobs"] = world.state().jobs.jobs.values().map(|job| json!([job.status.name(), job.progress])).collect();
        end
    };
    survives_to(prepare, async |world| close_accounts(world, minutes(1)).await, end).await;
}
