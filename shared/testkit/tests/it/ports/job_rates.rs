//! Contract of what requests and cancellations of jobs count: in a minute, and in a day.

use std::time::Duration;

use consigne_core::files::Kind;
use consigne_core::jobs::{Admission, CancelOutcome, JobStatus, NewJob};
use consigne_core::periods::Day;
use consigne_core::ports::{CancelJob, GetJob, GetUsage, RequestJob};
use consigne_core::rates::{OverRate, Rate};
use consigne_core::{Plan, Timestamp, UserId};
use consigne_testkit::stack::fresh_user;
use futures_util::future::join_all;

use super::jobs::{accepted, keyed, read, request};
use super::{now, on_both, owner};

/// The ports under test.
pub trait JobRates: RequestJob + CancelJob + GetJob + GetUsage + Sync {}
impl<T> JobRates for T where T: RequestJob + CancelJob + GetJob + GetUsage + Sync {}

on_both!(
    consigne_testkit::stack::Stack::table,
    the_eleventh_request_of_a_minute_waits_for_the_next,
    concurrent_requests_are_all_counted,
    a_retried_request_is_counted_once,
    the_twenty_first_cancellation_of_a_day_gives_nothing_back,
    concurrent_cancellations_of_a_job_are_counted_once,
);

/// Returns what is counted in a person's windows of writes, jobs and cancellations.
async fn counted(jobs: &impl GetUsage, owner: &UserId) -> [u64; 3] {
    let windows = jobs.get_usage(owner).await.unwrap().windows;
    [windows.writes, windows.jobs, windows.refunds].map(|window| window.map_or(0, |window| window.count))
}

async fn the_eleventh_request_of_a_minute_waits_for_the_next(jobs: &impl JobRates) {
    let (owner, start) = (owner(), now());
    let at = |seconds| start.plus(Duration::from_secs(seconds));
    let requested =
        async |kind, seconds| jobs.request_job(&request(&owner, Plan::Free, kind, at(seconds))).await.unwrap();
    for n in 0..10 {
        let kind = if n < 5 { Kind::Blog } else { Kind::Image };
        assert_eq!(requested(kind, n).await, Admission::Accepted, "{n}");
    }
    let over = OverRate { rate: Rate::Jobs, started: start };
    assert_eq!(requested(Kind::Image, 59).await, Admission::OverRate(over));
    assert_eq!(counted(jobs, &owner).await, [10, 10, 0], "a refusal counts nothing");
    assert_eq!(requested(Kind::Image, 60).await, Admission::Accepted);
    assert_eq!(counted(jobs, &owner).await, [1, 1, 0]);
}

async fn concurrent_requests_are_all_counted(jobs: &impl JobRates) {
    let (owner, at) = (owner(), now());
    let new: Vec<NewJob> = (0..12).map(|_| request(&owner, Plan::Free, Kind::Image, at)).collect();
    let outcomes = join_all(new.iter().map(|new| jobs.request_job(new))).await;
    let accepted = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Admission::Accepted))).count();
    assert_eq!((accepted, counted(jobs, &owner).await), (10, [10, 10, 0]), "{outcomes:?}");
}

async fn a_retried_request_is_counted_once(jobs: &impl JobRates) {
    let (owner, at) = (owner(), now());
    let key = format!("order {}", fresh_user());
    for _ in 0..3 {
        jobs.request_job(&keyed(request(&owner, Plan::Free, Kind::Image, at), &key, "f")).await.unwrap();
    }
    assert_eq!(counted(jobs, &owner).await, [1, 1, 0]);
}

/// Requests a job of a plan with a large allowance and cancels it.
async fn cancelled(jobs: &impl JobRates, owner: &UserId, gives_back: bool, at: Timestamp) -> CancelOutcome {
    let new = request(owner, Plan::Enterprise, Kind::Image, at);
    assert_eq!(jobs.request_job(&new).await.unwrap(), Admission::Accepted);
    jobs.cancel_job(&new.job.cancelled(gives_back, at).unwrap().unwrap(), Plan::Basic).await.unwrap()
}

async fn the_twenty_first_cancellation_of_a_day_gives_nothing_back(jobs: &impl JobRates) {
    let (owner, midnight) = (owner(), Day::of(now()).ends());
    let start = midnight.minus(Duration::from_secs(30));
    for n in 0..20 {
        assert_eq!(cancelled(jobs, &owner, true, start).await, CancelOutcome::Cancelled, "{n}");
    }
    let over = CancelOutcome::OverRate(OverRate { rate: Rate::Refunds, started: start });
    assert_eq!(cancelled(jobs, &owner, true, start).await, over);
    assert_eq!(counted(jobs, &owner).await, [41, 21, 20], "a refusal counts nothing");
    assert_eq!(cancelled(jobs, &owner, false, start).await, CancelOutcome::Cancelled);
    assert_eq!(counted(jobs, &owner).await, [43, 22, 20]);
    assert_eq!(cancelled(jobs, &owner, true, midnight).await, CancelOutcome::Cancelled, "the next day");
    assert_eq!(counted(jobs, &owner).await[2], 1);
}

async fn concurrent_cancellations_of_a_job_are_counted_once(jobs: &impl JobRates) {
    let (owner, at) = (owner(), now());
    let job = accepted(jobs, &owner, at).await;
    let step = job.cancelled(true, at).unwrap().unwrap();
    let outcomes = join_all((0..6).map(|_| jobs.cancel_job(&step, Plan::Pro))).await;
    let done = outcomes.iter().filter(|outcome| matches!(outcome, Ok(CancelOutcome::Cancelled))).count();
    assert_eq!((done, counted(jobs, &owner).await), (1, [2, 1, 1]), "{outcomes:?}");
    assert!(read(jobs, &job.id).await.status == JobStatus::Failed);
}
