//! Contract of the ports that list finished texts and count a month's jobs.

use std::time::Duration;

use consigne_core::files::Kind;
use consigne_core::jobs::{Admission, Generations, Job, JobStatus, JobStep, Output, StepOutcome};
use consigne_core::periods::Month;
use consigne_core::ports::{ApplyJobStep, GetGenerations, ListTexts, PageAsk, RequestJob};
use consigne_core::{Plan, Timestamp, UserId};

use super::jobs::request;
use super::{eventually, file_of, now, on_both, owner};

/// The ports under test.
pub trait Texts: RequestJob + ApplyJobStep + ListTexts + GetGenerations {}
impl<T: RequestJob + ApplyJobStep + ListTexts + GetGenerations> Texts for T {}

on_both!(
    consigne_testkit::stack::Stack::table,
    finished_texts_are_listed_newest_first_until_their_file_is_gone,
    the_jobs_of_a_month_are_counted_by_allowance,
);

/// Requests a job, which must be accepted.
async fn accepted(jobs: &impl RequestJob, owner: &UserId, kind: Kind, now: Timestamp) -> Job {
    let new = request(owner, Plan::Pro, kind, now);
    assert_eq!(jobs.request_job(&new).await.unwrap(), Admission::Accepted);
    new.job
}

/// Completes a job at a time.
async fn finish(jobs: &impl ApplyJobStep, job: &Job, at: Timestamp) -> Job {
    let file = file_of(job.owner(), "text.md", 10, at);
    let output = Output { version: Some("v1".to_owned()), claimed: true, ..Output::of(&file) };
    let mut step = job.begun(at).unwrap();
    step.job = Job { status: JobStatus::Completed, outputs: vec![output], ..step.job };
    applied(jobs, step).await
}

async fn applied(jobs: &impl ApplyJobStep, step: JobStep) -> Job {
    assert_eq!(jobs.apply_job_step(&step, None).await.unwrap(), StepOutcome::Applied);
    step.job
}

/// Returns all pages of a list. Asserts that none is longer than requested and that none has a total.
async fn pages(jobs: &impl ListTexts, owner: &UserId, kind: Kind, limit: u32) -> Vec<Job> {
    let (mut seen, mut page) = (Vec::new(), PageAsk { limit, after: None });
    loop {
        let listed = jobs.list_texts(owner, kind, &page).await.unwrap();
        assert!(listed.items.len() <= limit as usize && listed.total.is_none());
        seen.extend(listed.items);
        page.after = listed.next;
        if page.after.is_none() {
            return seen;
        }
    }
}

async fn finished_texts_are_listed_newest_first_until_their_file_is_gone(jobs: &impl Texts) {
    let (owner, start) = (owner(), now());
    let mut books = Vec::new();
    for n in 0..4 {
        let job = accepted(jobs, &owner, Kind::Book, start.plus(Duration::from_millis(n))).await;
        // The first job is completed last.
        books.push(finish(jobs, &job, start.plus(Duration::from_secs(10 - n))).await);
    }
    let article = accepted(jobs, &owner, Kind::Blog, start).await;
    let article = finish(jobs, &article, start).await;
    let picture = accepted(jobs, &owner, Kind::Image, start).await;
    finish(jobs, &picture, start).await;
    accepted(jobs, &owner, Kind::Book, start).await;
    for limit in [100, 2, 1] {
        let found = eventually(async || pages(jobs, &owner, Kind::Book, limit).await, |found| *found == books).await;
        assert_eq!(found, books, "by {limit}");
    }
    assert_eq!(pages(jobs, &owner, Kind::Blog, 10).await, [article]);
    assert_eq!(pages(jobs, &owner, Kind::Image, 10).await, []);
    assert_eq!(pages(jobs, &super::owner(), Kind::Book, 10).await, []);

    let gone = books.remove(1);
    let step =
        JobStep { job: Job { text_gone: true, revision: gone.revision + 1, ..gone.clone() }, ..gone_step(&gone) };
    applied(jobs, step).await;
    let found = eventually(async || pages(jobs, &owner, Kind::Book, 100).await, |found| *found == books).await;
    assert_eq!(found, books);
}

/// Builds a step that changes nothing but the revision.
fn gone_step(job: &Job) -> JobStep {
    JobStep {
        seen: job.revision,
        job: job.clone(),
        gives_back: false,
        by_owner: false,
        event: None,
        adopted: Vec::new(),
        reported: Vec::new(),
    }
}

async fn the_jobs_of_a_month_are_counted_by_allowance(jobs: &impl Texts) {
    let (owner, now) = (owner(), now());
    let month = Month::of(now);
    assert_eq!(jobs.get_generations(&owner, month).await.unwrap(), Generations::default());
    let first = accepted(jobs, &owner, Kind::Image, now).await;
    for kind in [Kind::Image, Kind::Video, Kind::Book, Kind::Blog, Kind::Blog] {
        accepted(jobs, &owner, kind, now).await;
    }
    let counted = Generations { image: 2, video: 1, text: 3 };
    assert_eq!(jobs.get_generations(&owner, month).await.unwrap(), counted);
    applied(jobs, first.failed("SAFETY", "No", now).unwrap()).await;
    assert_eq!(jobs.get_generations(&owner, month).await.unwrap(), Generations { image: 1, ..counted });
    assert_eq!(jobs.get_generations(&owner, month.back(1)).await.unwrap(), Generations::default());
    assert_eq!(jobs.get_generations(&super::owner(), month).await.unwrap(), Generations::default());
}
