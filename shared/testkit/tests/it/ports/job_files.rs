//! Contract of the ports for files of jobs: one transaction changes both a file and its job, or neither.

use std::sync::atomic::{AtomicU32, Ordering};

use consigne_core::files::{
    Arrival, Dimensions, File, Grant, GrantOutcome, Kind, Measured, Pinned, Removal, Status, Transition, Usage,
};
use consigne_core::idempotency::IdempotencyKey;
use consigne_core::jobs::{Admission, Job, JobStatus, JobStep, StepOutcome};
use consigne_core::ports::{
    ApplyJobStep, ApplyTransition, GetFile, GetJob, GetOrder, GetUsage, GrantUpload, RequestJob,
};
use consigne_core::{Plan, Timestamp, UserId};
use consigne_testkit::generator::fresh_id;
use consigne_usecases::jobs::follow;
use futures_util::future::join_all;

use super::jobs::{accepted, read, request};
use super::{file_of, now, on_both, owner};

/// The ports under test.
pub trait JobStore:
    RequestJob + GetJob + GetOrder + ApplyJobStep + GrantUpload + GetFile + GetUsage + ApplyTransition + Sync
{
}
impl<T> JobStore for T where
    T: RequestJob + GetJob + GetOrder + ApplyJobStep + GrantUpload + GetFile + GetUsage + ApplyTransition + Sync
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    a_grant_is_stored_with_its_job_or_not_at_all,
    a_refused_grant_does_not_change_the_job,
    a_generators_retry_gets_its_grant_even_if_the_job_has_changed,
    of_ten_concurrent_grants_one_succeeds,
    an_arrival_changes_file_and_job_or_neither,
    the_last_of_four_concurrent_arrivals_completes_the_job,
    a_lost_claimed_file_fails_the_job_and_returns_its_allowance,
    reported_dimensions_are_stored_with_a_file_that_exists,
);

/// Creates a grant of a file for a job in its current state.
fn grant_for(job: &Job, size: u64, now: Timestamp) -> Grant {
    let file = File { job: Some(job.id.clone()), ..file_of(job.owner(), "a.png", size, now) };
    let step = job.granted(&file, now).unwrap();
    Grant { file, plan: Plan::Pro, job: Some(Box::new(step)), seen: None, idempotency: None, now }
}

/// Grants files for a job, one after the other. Returns them and the job after that.
async fn granted(store: &impl JobStore, job: &Job, count: usize, now: Timestamp) -> (Vec<File>, Job) {
    let (mut files, mut job) = (Vec::new(), job.clone());
    for _ in 0..count {
        let grant = grant_for(&job, 10, now);
        assert_eq!(store.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
        job = grant.job.unwrap().job;
        files.push(grant.file);
    }
    (files, job)
}

/// Creates the step that accepts a completion with all outputs of a job.
fn claim(job: &Job, now: Timestamp) -> JobStep {
    let mut step = job.failed("", "", now).unwrap();
    (step.job, step.gives_back, step.event) = (job.clone(), false, None);
    (step.job.status, step.job.claimed_at, step.job.revision) = (JobStatus::Processing, Some(now), job.revision + 1);
    for output in &mut step.job.outputs {
        output.claimed = true;
    }
    step
}

fn arrival() -> Arrival {
    let pinned = Pinned { version: "v1".to_owned(), etag: "e1".to_owned(), sequencer: "05".to_owned() };
    Arrival { pinned, size: 10, measured: Measured::default() }
}

async fn file(store: &impl GetFile, file: &File) -> Option<File> {
    store.get_file(file.owner(), file.id()).await.unwrap()
}

async fn usage(store: &impl GetUsage, owner: &UserId) -> [u64; 3] {
    let usage: Usage = store.get_usage(owner).await.unwrap();
    [usage.committed, usage.reserved, usage.files(None)]
}

async fn a_grant_is_stored_with_its_job_or_not_at_all(store: &impl JobStore) {
    let (owner, now) = (owner(), now());
    let job = accepted(store, &owner, now).await;
    let grant = grant_for(&job, 10, now);
    assert_eq!(store.grant_upload(&grant).await.unwrap(), GrantOutcome::Granted);
    let step = grant.job.as_ref().unwrap();
    assert_eq!(read(store, &job.id).await, step.job);
    assert_eq!(file(store, &grant.file).await, Some(grant.file.clone()));
    assert_eq!((step.job.status, step.job.outputs.len()), (JobStatus::Processing, 1));
    let late = grant_for(&job, 10, now);
    assert_eq!(store.grant_upload(&late).await.unwrap(), GrantOutcome::Conflict);
    assert_eq!((file(store, &late.file).await, usage(store, &owner).await), (None, [10, 10, 0]));
    assert_eq!(read(store, &job.id).await, step.job);
}

async fn a_refused_grant_does_not_change_the_job(store: &impl JobStore) {
    let (owner, now) = (owner(), now());
    let job = accepted(store, &owner, now).await;
    let limit = Plan::Pro.allowances().storage;
    let most = grant_for(&job, limit - 10, now);
    assert_eq!(store.grant_upload(&most).await.unwrap(), GrantOutcome::Granted);
    let job = most.job.unwrap().job;
    for size in [11, limit + 1] {
        let refused = store.grant_upload(&grant_for(&job, size, now)).await.unwrap();
        assert!(matches!(refused, GrantOutcome::OverQuota { .. }), "{refused:?}");
    }
    assert_eq!(read(store, &job.id).await, job);
    assert_eq!(usage(store, &owner).await, [limit - 10, limit - 10, 0]);
}

async fn a_generators_retry_gets_its_grant_even_if_the_job_has_changed(store: &impl JobStore) {
    let (owner, now) = (owner(), now());
    let job = accepted(store, &owner, now).await;
    let message = fresh_id();
    let idempotency_key =
        |fingerprint: &str| Some(IdempotencyKey { key: message.clone(), fingerprint: fingerprint.to_owned() });
    let asked = |fingerprint| Grant { idempotency: idempotency_key(fingerprint), ..grant_for(&job, 10, now) };
    let first = asked("f1");
    assert_eq!(store.grant_upload(&first).await.unwrap(), GrantOutcome::Granted);
    // Each is computed from the job before the first grant.
    let before = GrantOutcome::Replayed(Box::new(first.file.clone()));
    assert_eq!(store.grant_upload(&asked("f1")).await.unwrap(), before);
    assert_eq!(store.grant_upload(&asked("f2")).await.unwrap(), GrantOutcome::KeyReused);
    // The owner's own idempotency key with the same text is independent.
    let own = Grant { job: None, file: file_of(&owner, "b.png", 10, now), ..asked("f2") };
    assert_eq!(store.grant_upload(&own).await.unwrap(), GrantOutcome::Granted);
    assert_eq!(read(store, &job.id).await.outputs.len(), 1);
    assert_eq!(usage(store, &owner).await, [20, 20, 0]);
    // The message is not valid for a job of another owner.
    let other = accepted(store, &self::owner(), now).await;
    let overheard = Grant { idempotency: idempotency_key("f3"), ..grant_for(&other, 10, now) };
    assert_eq!(store.grant_upload(&overheard).await.unwrap(), GrantOutcome::KeyReused);
}

async fn of_ten_concurrent_grants_one_succeeds(store: &impl JobStore) {
    let (owner, now) = (owner(), now());
    let job = accepted(store, &owner, now).await;
    let grants: Vec<Grant> = (0..10).map(|_| grant_for(&job, 10, now)).collect();
    let outcomes = join_all(grants.iter().map(|grant| store.grant_upload(grant))).await;
    let count = |want| outcomes.iter().filter(|outcome| *outcome.as_ref().unwrap() == want).count();
    assert_eq!((count(GrantOutcome::Granted), count(GrantOutcome::Conflict)), (1, 9), "{outcomes:?}");
    assert_eq!(usage(store, &owner).await, [10, 10, 0]);
    assert_eq!(read(store, &job.id).await.outputs.len(), 1);
}

async fn an_arrival_changes_file_and_job_or_neither(store: &impl JobStore) {
    let (owner, now) = (owner(), now());
    let (files, job) = granted(store, &accepted(store, &owner, now).await, 2, now).await;
    let settled = follow(store, files[0].accept(arrival(), now), now).await.unwrap();
    let follows = settled.job.clone().unwrap();
    // The job has changed since, so neither changes.
    let stale_job = Box::new(JobStep { seen: follows.seen - 1, ..(*follows).clone() });
    assert!(
        !store.apply_transition(&Transition { job: Some(stale_job), ..settled.clone() }).await.unwrap().is_committed()
    );
    // The file has changed since, so neither changes.
    let stale = Transition { seen: settled.seen + 1, ..settled.clone() };
    assert!(!store.apply_transition(&stale).await.unwrap().is_committed());
    assert_eq!((file(store, &files[0]).await, read(store, &job.id).await), (Some(files[0].clone()), job.clone()));
    assert_eq!(usage(store, &owner).await, [20, 20, 0]);
    assert!(store.apply_transition(&settled).await.unwrap().is_committed());
    assert_eq!(file(store, &files[0]).await.unwrap().status, Status::Ready);
    let moved = read(store, &job.id).await;
    assert_eq!(moved, follows.job);
    assert_eq!(moved.outputs[0].version.as_deref(), Some("v1"));
    assert_eq!(usage(store, &owner).await, [20, 10, 1]);
    // An expired file that no completion named is removed from the job.
    let expired = follow(store, files[1].remove(Removal::Expired, now), now).await.unwrap();
    assert!(store.apply_transition(&expired).await.unwrap().is_committed());
    let moved = read(store, &job.id).await;
    assert_eq!((moved.outputs.len(), moved.status), (1, JobStatus::Processing));
}

async fn the_last_of_four_concurrent_arrivals_completes_the_job(store: &impl JobStore) {
    let (owner, now) = (owner(), now());
    let new = request(&owner, Plan::Pro, Kind::Image, now);
    assert_eq!(store.request_job(&new).await.unwrap(), Admission::Accepted);
    let (files, job) = granted(store, &new.job, 4, now).await;
    assert_eq!(store.apply_job_step(&claim(&job, now), None).await.unwrap(), StepOutcome::Applied);
    let completed = AtomicU32::new(0);
    join_all(files.iter().map(async |waiting| {
        for _ in 0..8 {
            let step = follow(store, waiting.accept(arrival(), now), now).await.unwrap();
            if store.apply_transition(&step).await.unwrap().is_committed() {
                completed.fetch_add(u32::from(step.job.unwrap().event.is_some()), Ordering::SeqCst);
                return;
            }
        }
        panic!("the job changed at every attempt");
    }))
    .await;
    let job = read(store, &job.id).await;
    assert_eq!((job.status, job.progress, completed.into_inner()), (JobStatus::Completed, 100, 1));
    assert!(job.delivered().count() == 4 && job.delivered().all(|output| output.readable().is_some()));
    assert_eq!(usage(store, &owner).await, [40, 0, 4]);
}

async fn a_lost_claimed_file_fails_the_job_and_returns_its_allowance(store: &impl JobStore) {
    let (owner, now) = (owner(), now());
    let asked = async || store.request_job(&request(&owner, Plan::Basic, Kind::Video, now)).await.unwrap();
    let new = request(&owner, Plan::Basic, Kind::Video, now);
    assert_eq!(store.request_job(&new).await.unwrap(), Admission::Accepted);
    for _ in 0..4 {
        assert_eq!(asked().await, Admission::Accepted);
    }
    assert_eq!(asked().await, Admission::Spent);
    let (files, job) = granted(store, &new.job, 1, now).await;
    assert_eq!(store.apply_job_step(&claim(&job, now), None).await.unwrap(), StepOutcome::Applied);
    let step = follow(store, files[0].reject("declared video/mp4, found text", now), now).await.unwrap();
    assert!(store.apply_transition(&step).await.unwrap().is_committed());
    assert!(!store.apply_transition(&step).await.unwrap().is_committed());
    let job = read(store, &job.id).await;
    assert_eq!((job.status, job.failure.unwrap().code.as_str()), (JobStatus::Failed, "OUTPUT_LOST"));
    assert_eq!(usage(store, &owner).await, [0, 0, 0]);
    assert_eq!((asked().await, asked().await), (Admission::Accepted, Admission::Spent));
}

async fn reported_dimensions_are_stored_with_a_file_that_exists(store: &impl JobStore) {
    let (owner, now) = (owner(), now());
    let job = accepted(store, &owner, now).await;
    let file = file_of(&owner, "a.png", 10, now);
    let reported = Dimensions { width: 1920, height: 1080 };
    let step = JobStep { reported: vec![(file.key.clone(), reported)], ..job.begun(now).unwrap() };
    assert_eq!(store.apply_job_step(&step, None).await.unwrap(), StepOutcome::Conflict, "there is no such file");
    let grant = Grant { file: file.clone(), plan: Plan::Pro, job: None, seen: None, idempotency: None, now };
    store.grant_upload(&grant).await.unwrap();
    assert_eq!(store.apply_job_step(&step, None).await.unwrap(), StepOutcome::Applied);
    let stored = store.get_file(&owner, file.id()).await.unwrap();
    assert_eq!(stored, Some(File { reported: Some(reported), revision: file.revision + 1, ..file }));
}
