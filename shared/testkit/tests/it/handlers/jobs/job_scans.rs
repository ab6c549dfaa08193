//! Outputs of jobs that are scanned for malware.

use std::time::Duration;

use consigne_core::Timestamp;
use consigne_core::files::{Arrival, Measured, ScanPolicy, ScanResult, Status, Unscanned, Verdict};
use consigne_core::jobs::JobStatus;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::json;

use crate::handlers::files::on_scan_result::SCANNED;
use crate::handlers::jobs::completions::{answered, picture, report};
use crate::handlers::jobs::requests::{job_events, job_in, taken};
use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::{GRANTED, KEY, assert_books_balance, file_in, ledger_of, ready};

/// Returns a world with a claimed job whose output was checked and waits for its verdict.
async fn waiting() -> World {
    let world = picture();
    assert_eq!(report(&world, "completed", "msg_1").await, answered("processing"));
    let file = file_in(&world);
    let arrival = Arrival { pinned: ready(&file).pinned.unwrap(), size: 1000, measured: Measured::default() };
    let step = file.arrive(arrival, ScanPolicy::Hold, GRANTED);
    world.change(|state| {
        step.ledger.apply(state.usage.get_mut(file.owner()).unwrap(), file.kind());
        state.files.insert((file.owner().clone(), file.id()), step.file);
    });
    world
}

async fn verdict(world: &World, case: &str) {
    let text = payload::event("on-scan-result", case, "").to_string().replace(SCANNED, KEY);
    let outcome = functions::deliver(world, "on-scan-result", serde_json::from_str(&text).unwrap()).await;
    assert_eq!(outcome, json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn a_job_completes_with_the_clean_verdict_about_its_last_file() {
    let world = waiting().await;
    assert_eq!((job_in(&world).status, job_events(&world).len()), (JobStatus::Processing, 0));
    for _ in 0..2 {
        verdict(&world, "clean").await;
    }
    assert_eq!(
        (job_in(&world).status, job_events(&world), taken(&world)),
        (JobStatus::Completed, vec!["job.completed".to_owned()], 1)
    );
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_job_with_malware_in_its_output_fails_and_returns_its_allowance() {
    let world = waiting().await;
    for _ in 0..2 {
        verdict(&world, "threats").await;
    }
    let failure = job_in(&world).failure.unwrap();
    assert_eq!(failure.code, "OUTPUT_LOST");
    assert_eq!(failure.message, "A file of the result was lost: it contains malware");
    assert_eq!((job_events(&world), taken(&world)), (vec!["job.failed".to_owned()], 0));
    assert_eq!((file_in(&world).status, ledger_of(&world)), (Status::Infected, [0, 0, 0, 0]));
    assert!(world.state().objects.is_empty());
    assert_books_balance(&world);
}

#[tokio::test]
async fn a_job_with_a_held_output_fails_at_its_deadline_and_returns_its_allowance() {
    let world = waiting().await;
    let verdict = Verdict::new(ScanResult::Unsupported, None);
    let held = file_in(&world).judged("v1", &verdict, ScanPolicy::Hold, GRANTED).unwrap().file;
    assert_eq!(held.scan.state.and_then(consigne_core::files::ScanState::why), Some(Unscanned::Unsupported));
    world.change(|state| drop(state.files.insert((held.owner().clone(), held.id()), held.clone())));
    // A sweep is never ahead of the clock.
    let long_ago = Timestamp::from_secs(clock::now().as_secs()).minus(Duration::from_hours(24));
    world.change(|state| {
        for job in state.jobs.jobs.values_mut() {
            (job.deadline, job.claimed_at) = (long_ago, Some(long_ago));
        }
    });
    let due = job_in(&world).due_at().unwrap();
    assert_eq!(sweep_at(&world, due).await["overdue"], 1);
    let failure = job_in(&world).failure.unwrap();
    assert_eq!((failure.code.as_str(), taken(&world)), ("DEADLINE_PASSED", 0));
    assert_eq!(file_in(&world), held);
}
