//! Contract of the ports for jobs: accepted within a monthly allowance, listed, and changed in steps.

use std::time::Duration;

use consigne_core::audit::AuditAction;
use consigne_core::files::{Dimensions, File, Kind};
use consigne_core::idempotency::{IdempotencyKey, IdempotentRequest};
use consigne_core::jobs::{Admission, Ask, Job, JobId, JobStatus, JobStep, NewJob, Output, StepOutcome, TextFacts};
use consigne_core::periods::Month;
use consigne_core::ports::{
    ApplyJobStep, CloseAccount, Due, FindDue, GetFile, GetJob, GrantUpload, ListAudit, ListJobs, PageAsk, RequestJob,
    WriteAudit,
};
use consigne_core::profiles::{Closing, Contact, Language, Sighting};
use consigne_core::texts::Tokens;
use consigne_core::webhooks::{Received, Source, WebhookId};
use consigne_core::{Code, OrgId, Plan, Timestamp, UserId};
use consigne_testkit::accounts;
use consigne_testkit::stack::fresh_user;
use futures_util::future::join_all;

use super::{all_due, eventually, file_of, now, on_both, owner};

/// The ports under test.
pub trait Jobs:
    RequestJob + GetJob + ListJobs + ApplyJobStep + WriteAudit + ListAudit + CloseAccount + FindDue + GrantUpload + GetFile
{
}
impl<T> Jobs for T where
    T: RequestJob
        + GetJob
        + ListJobs
        + ApplyJobStep
        + WriteAudit
        + ListAudit
        + CloseAccount
        + FindDue
        + GrantUpload
        + GetFile
{
}

on_both!(
    consigne_testkit::stack::Stack::table,
    an_accepted_job_is_read_back,
    twenty_concurrent_requests_are_accepted_up_to_the_monthly_allowance,
    each_class_has_its_own_allowance_and_a_larger_plan_applies_at_once,
    a_plan_without_an_allowance_gets_no_job,
    a_retry_gets_its_job_despite_later_refusals,
    a_closed_account_gets_no_job,
    a_returned_unit_goes_to_the_month_of_its_request,
    lists_are_newest_first_in_pages_of_one_status_or_all,
    every_field_of_a_job_is_stored,
    a_step_is_applied_once,
    a_message_is_applied_once_and_recorded,
    a_changed_file_is_not_added_to_a_job,
    a_job_is_due_until_it_ends,
    an_audit_entry_can_be_written_alone,
);

/// Creates the details of a request for a kind of job.
fn ask(kind: Kind) -> Ask {
    let made = match kind {
        Kind::Book => Ask::text("Intelligence artificielle", Some("two\nlines"), Some("L’IA en clair")),
        Kind::Blog => Ask::text("Une journée à la plage", None, None),
        Kind::Image => Ask::images("un phare", Some(2), Some("1024x768")),
        Kind::Video => Ask::video("a lighthouse", Some(8), Some("9:16")),
        Kind::Document | Kind::Audio => panic!("no job makes files of this kind"),
    };
    made.unwrap()
}

/// Creates a request for a job.
pub(super) fn request(owner: &UserId, plan: Plan, kind: Kind, now: Timestamp) -> NewJob {
    let job = Job::accept(owner, plan, kind, ask(kind), now);
    let event = job.requested("https://api.example.com");
    NewJob { job, event, seen: None, idempotent: None }
}

/// Requests an image job, which must be accepted.
pub(super) async fn accepted(jobs: &impl RequestJob, owner: &UserId, now: Timestamp) -> Job {
    let new = request(owner, Plan::Pro, Kind::Image, now);
    assert_eq!(jobs.request_job(&new).await.unwrap(), Admission::Accepted);
    new.job
}

/// Returns the stored job.
pub(super) async fn read(jobs: &impl GetJob, id: &JobId) -> Job {
    jobs.get_job(id).await.unwrap().unwrap()
}

/// Requests articles until the free plan's allowance of five a month is used up. Returns how many were accepted.
async fn left_of_five(jobs: &impl RequestJob, owner: &UserId, now: Timestamp) -> usize {
    for taken in 0..6 {
        match jobs.request_job(&request(owner, Plan::Free, Kind::Blog, now)).await.unwrap() {
            Admission::Accepted => {}
            Admission::Spent => return taken,
            other => panic!("{other:?}"),
        }
    }
    panic!("more than five were accepted");
}

/// Adds an idempotency key to a request.
pub(super) fn keyed(new: NewJob, key: &str, fingerprint: &str) -> NewJob {
    let key = IdempotencyKey { key: key.to_owned(), fingerprint: fingerprint.to_owned() };
    let (caller, result) = (new.job.owner().clone().into(), new.job.id.to_string());
    NewJob { idempotent: Some(IdempotentRequest { key, owner: caller, operation: "generate", result }), ..new }
}

fn contact(now: Timestamp) -> Contact {
    let email = "ann@example.com".to_owned();
    Contact { email, verified: true, name: None, language: Language::French, at: now }
}

/// Creates a message of a generator with a new id.
fn message(fingerprint: &str, now: Timestamp) -> Received {
    let id = WebhookId::parse(&format!("msg_{}", fresh_user())).unwrap();
    Received { source: Source::Generator, id, fingerprint: fingerprint.to_owned(), result: "r".to_owned(), now }
}

async fn an_accepted_job_is_read_back(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    for kind in Kind::GENERATED {
        let new = request(&owner, Plan::Pro, kind, now);
        assert_eq!(jobs.get_job(&new.job.id).await.unwrap(), None);
        assert_eq!(jobs.request_job(&new).await.unwrap(), Admission::Accepted);
        assert_eq!(jobs.get_job(&new.job.id).await.unwrap(), Some(new.job.clone()));
        let anothers = JobId::of(super::owner(), new.job.id.tail());
        assert_eq!(jobs.get_job(&anothers).await.unwrap(), None);
    }
}

async fn twenty_concurrent_requests_are_accepted_up_to_the_monthly_allowance(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    let requests: Vec<NewJob> = (0..20).map(|_| request(&owner, Plan::Free, Kind::Blog, now)).collect();
    let outcomes = join_all(requests.iter().map(|new| jobs.request_job(new))).await;
    let mut recorded = 0;
    for (new, outcome) in requests.iter().zip(outcomes) {
        let (there, outcome) = (jobs.get_job(&new.job.id).await.unwrap().is_some(), outcome.unwrap());
        assert_eq!(outcome, if there { Admission::Accepted } else { Admission::Spent });
        recorded += usize::from(there);
    }
    assert_eq!((recorded, left_of_five(jobs, &owner, now).await), (5, 0));
}

async fn each_class_has_its_own_allowance_and_a_larger_plan_applies_at_once(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    assert_eq!(left_of_five(jobs, &owner, now).await, 5);
    let asked = async |plan, kind| jobs.request_job(&request(&owner, plan, kind, now)).await.unwrap();
    // Books and articles are texts; pictures are not.
    assert_eq!(asked(Plan::Free, Kind::Book).await, Admission::Spent);
    assert_eq!(asked(Plan::Free, Kind::Image).await, Admission::Accepted);
    assert_eq!(asked(Plan::Pro, Kind::Book).await, Admission::Accepted);
    assert_eq!(asked(Plan::Free, Kind::Blog).await, Admission::Spent);
    // Not that of others or of other months.
    assert_eq!(left_of_five(jobs, &super::owner(), now).await, 5);
    assert_eq!(left_of_five(jobs, &owner, Month::of(now).ends()).await, 5);
}

async fn a_plan_without_an_allowance_gets_no_job(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    let new = request(&owner, Plan::Free, Kind::Video, now);
    assert_eq!(jobs.request_job(&new).await.unwrap(), Admission::Spent);
    assert_eq!(jobs.get_job(&new.job.id).await.unwrap(), None);
    // Also if a larger plan has used some before.
    assert_eq!(jobs.request_job(&request(&owner, Plan::Basic, Kind::Video, now)).await.unwrap(), Admission::Accepted);
    assert_eq!(jobs.request_job(&new).await.unwrap(), Admission::Spent);
}

async fn a_retry_gets_its_job_despite_later_refusals(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    let with_key = |plan, kind, fingerprint: &str| keyed(request(&owner, plan, kind, now), "order-17", fingerprint);
    let first = with_key(Plan::Basic, Kind::Video, "f1");
    assert_eq!(jobs.request_job(&first).await.unwrap(), Admission::Accepted);
    let before = Admission::Replayed(first.job.id.to_string());
    assert_eq!(jobs.request_job(&with_key(Plan::Basic, Kind::Video, "f1")).await.unwrap(), before);
    // With a plan without an allowance, and with a used-up allowance.
    assert_eq!(jobs.request_job(&with_key(Plan::Free, Kind::Video, "f1")).await.unwrap(), before);
    left_of_five(jobs, &owner, now).await;
    assert_eq!(jobs.request_job(&with_key(Plan::Free, Kind::Blog, "f1")).await.unwrap(), before);
    assert_eq!(jobs.request_job(&with_key(Plan::Free, Kind::Blog, "f2")).await.unwrap(), Admission::KeyReused);
    // A refused request is not recorded.
    let refused = keyed(request(&owner, Plan::Free, Kind::Blog, now), "order-18", "f3");
    assert_eq!(jobs.request_job(&refused).await.unwrap(), Admission::Spent);
    let later = keyed(request(&owner, Plan::Basic, Kind::Blog, now), "order-18", "f4");
    assert_eq!(jobs.request_job(&later).await.unwrap(), Admission::Accepted);
    // Another person's idempotency key is independent.
    let theirs = keyed(request(&super::owner(), Plan::Basic, Kind::Video, now), "order-17", "f2");
    assert_eq!(jobs.request_job(&theirs).await.unwrap(), Admission::Accepted);
}

async fn a_closed_account_gets_no_job(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    let seen = Sighting { user: owner.clone(), contact: contact(now) };
    let seen_request = || NewJob { seen: Some(seen.clone()), ..request(&owner, Plan::Free, Kind::Blog, now) };
    assert_eq!(jobs.request_job(&seen_request()).await.unwrap(), Admission::Accepted);
    let closing = Received { source: Source::Clerk, ..message("f", now) };
    jobs.close_account(&Closing::begin(owner.clone(), now), &closing).await.unwrap();
    let refused = jobs.request_job(&seen_request()).await.unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
    // A token without an address is refused too.
    let refused = jobs.request_job(&request(&owner, Plan::Free, Kind::Blog, now)).await.unwrap_err();
    assert_eq!(refused.code, Code::Unauthenticated);
}

async fn a_returned_unit_goes_to_the_month_of_its_request(jobs: &impl Jobs) {
    // In future months, where no other test sweeps.
    let owner = owner();
    let next = Month::of(Month::of(now()).ends()).ends();
    // The last minute of the month has requests of its own, so that the plan's ten a minute do not refuse those after it.
    let last = next.minus(Duration::from_mins(1));
    let asked = request(&owner, Plan::Free, Kind::Blog, last);
    assert_eq!(jobs.request_job(&asked).await.unwrap(), Admission::Accepted);
    assert_eq!((left_of_five(jobs, &owner, last).await, left_of_five(jobs, &owner, next).await), (4, 5));
    let step = asked.job.failed("SAFETY", "No", next).unwrap();
    for want in [StepOutcome::Applied, StepOutcome::Conflict, StepOutcome::Conflict] {
        assert_eq!(jobs.apply_job_step(&step, None).await.unwrap(), want);
    }
    assert_eq!((left_of_five(jobs, &owner, next).await, left_of_five(jobs, &owner, last).await), (0, 1));
}

/// Returns all pages of a list. Asserts that none is longer than requested.
async fn pages(jobs: &impl ListJobs, owner: &UserId, status: Option<JobStatus>, limit: u32) -> Vec<Job> {
    let (mut seen, mut page) = (Vec::new(), PageAsk { limit, after: None });
    loop {
        let listed = jobs.list_jobs(owner, status, &page).await.unwrap();
        assert!(listed.items.len() <= limit as usize);
        seen.extend(listed.items);
        page.after = listed.next;
        if page.after.is_none() {
            return seen;
        }
    }
}

async fn lists_are_newest_first_in_pages_of_one_status_or_all(jobs: &impl Jobs) {
    let (owner, start) = (owner(), now());
    let mut all = Vec::new();
    for n in 0..7 {
        let job = accepted(jobs, &owner, start.plus(Duration::from_millis(n))).await;
        if n % 3 == 1 {
            let step = job.failed("SAFETY", "No", start).unwrap();
            assert_eq!(jobs.apply_job_step(&step, None).await.unwrap(), StepOutcome::Applied);
            all.insert(0, step.job);
        } else {
            all.insert(0, job);
        }
    }
    for status in [None, Some(JobStatus::Pending), Some(JobStatus::Failed), Some(JobStatus::Completed)] {
        let shown = all.iter().filter(|job| status.is_none_or(|status| job.status == status));
        let shown: Vec<Job> = shown.cloned().collect();
        for limit in [100, 3, 2, 1] {
            let found = eventually(async || pages(jobs, &owner, status, limit).await, |found| *found == shown).await;
            assert_eq!(found, shown, "{status:?} by {limit}");
        }
        assert_eq!(pages(jobs, &super::owner(), status, 10).await, []);
    }
    let first = jobs.list_jobs(&owner, None, &PageAsk { limit: 3, after: None }).await.unwrap();
    assert_eq!((first.total, first.next.is_some()), (Some(7), true));
}

async fn every_field_of_a_job_is_stored(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    let new = request(&owner, Plan::Premium, Kind::Book, now);
    assert_eq!(jobs.request_job(&new).await.unwrap(), Admission::Accepted);
    let media = file_of(&owner, "Été 👩\u{200D}🚀 \"q\".md", 10, now);
    let ready = Output { version: Some("v1".to_owned()), claimed: true, ..Output::of(&media) };
    let reported = Some(Dimensions { width: 1920, height: 1080 });
    let ready = Output { reported, duration_seconds: Some(8), ..ready };
    let waiting = Output::of(&file_of(&owner, "b.png", 10, now));
    let mut step = new.job.failed("SAFETY", "Non, « jamais »", now.plus(Duration::from_secs(5))).unwrap();
    step.job.outputs = vec![ready, waiting];
    step.job.claimed_at = Some(now.plus(Duration::from_millis(7)));
    step.job.text_gone = true;
    step.job.text = Some(TextFacts {
        title: Some("L’IA".to_owned()),
        chapters: Some(12),
        words: None,
        tokens: Some(Tokens { prompt: 7, completion: 9 }),
    });
    step.job.progress = 42;
    for status in [JobStatus::Processing, JobStatus::Completed, JobStatus::Failed] {
        step.job.status = status;
        assert_eq!(jobs.apply_job_step(&step, None).await.unwrap(), StepOutcome::Applied);
        assert_eq!(read(jobs, &new.job.id).await, step.job);
        (step.seen, step.gives_back) = (step.job.revision, false);
        step.job.revision += 1;
    }
}

async fn a_step_is_applied_once(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    let job = accepted(jobs, &owner, now).await;
    let file = file_of(&owner, "a.png", 10, now);
    let begun = job.granted(&file, now).unwrap();
    let cancelled = job.cancelled(true, now).unwrap().unwrap();
    let both = [begun.clone(), cancelled.clone()];
    let outcomes = join_all(both.iter().cycle().take(10).map(|step| jobs.apply_job_step(step, None))).await;
    let applied: Vec<usize> = (0..10).filter(|at| *outcomes[*at].as_ref().unwrap() == StepOutcome::Applied).collect();
    assert_eq!(applied.len(), 1, "{outcomes:?}");
    assert_eq!(read(jobs, &job.id).await, both[applied[0] % 2].job);
    // An unknown job cannot be changed.
    let unknown = Job::accept(&owner, Plan::Pro, Kind::Image, ask(Kind::Image), now).failed("X", "x", now).unwrap();
    assert_eq!(jobs.apply_job_step(&unknown, None).await.unwrap(), StepOutcome::Conflict);
    assert_eq!(jobs.get_job(&unknown.job.id).await.unwrap(), None);
}

async fn a_message_is_applied_once_and_recorded(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    let (one, two) = (accepted(jobs, &owner, now).await, accepted(jobs, &owner, now).await);
    let (fails, other) = (one.failed("X", "x", now).unwrap(), two.failed("X", "x", now).unwrap());
    let said = message("f1", now);
    assert_eq!(jobs.apply_job_step(&fails, Some(&said)).await.unwrap(), StepOutcome::Applied);
    // The message was applied, whatever step or job comes with it now. Its id is refused with another body.
    let again = Received { now: now.plus(Duration::from_hours(119)), ..said.clone() };
    let forged = Received { fingerprint: "f2".to_owned(), ..said.clone() };
    for step in [&fails, &other] {
        assert_eq!(jobs.apply_job_step(step, Some(&again)).await.unwrap(), StepOutcome::Replayed);
        assert_eq!(jobs.apply_job_step(step, Some(&forged)).await.unwrap(), StepOutcome::KeyReused);
    }
    assert_eq!(read(jobs, &two.id).await, two);
    // A refused message is not recorded and may be repeated.
    let late = message("f1", now);
    assert_eq!(jobs.apply_job_step(&fails, Some(&late)).await.unwrap(), StepOutcome::Conflict);
    assert_eq!(jobs.apply_job_step(&other, Some(&late)).await.unwrap(), StepOutcome::Applied);
    // Of ten concurrent deliveries one is applied.
    let three = accepted(jobs, &owner, now).await;
    let (step, said) = (three.failed("X", "x", now).unwrap(), message("f1", now));
    let outcomes = join_all((0..10).map(|_| jobs.apply_job_step(&step, Some(&said)))).await;
    let count = |want| outcomes.iter().filter(|outcome| *outcome.as_ref().unwrap() == want).count();
    assert_eq!((count(StepOutcome::Applied), count(StepOutcome::Replayed)), (1, 9), "{outcomes:?}");
}

/// Creates the step that adds a file of the job's owner to the job.
fn taking_in(job: &Job, file: &File, now: Timestamp) -> JobStep {
    let mut step = job.granted(file, now).unwrap();
    let adopted = File { job: Some(job.id.clone()), revision: file.revision + 1, ..file.clone() };
    step.adopted = vec![(file.revision, adopted)];
    step
}

async fn a_changed_file_is_not_added_to_a_job(jobs: &impl Jobs) {
    let (owner, now) = (owner(), now());
    let job = accepted(jobs, &owner, now).await;
    let file = file_of(&owner, "a.png", 10, now);
    let grant = consigne_core::files::Grant {
        file: file.clone(),
        plan: Plan::Pro,
        job: None,
        seen: None,
        idempotency: None,
        now,
    };
    jobs.grant_upload(&grant).await.unwrap();
    let said = message("f1", now);
    for stale in [
        taking_in(&job, &File { revision: 7, ..file.clone() }, now),
        taking_in(&job, &file_of(&owner, "never.png", 10, now), now),
        JobStep { seen: 7, ..taking_in(&job, &file, now) },
    ] {
        assert_eq!(jobs.apply_job_step(&stale, Some(&said)).await.unwrap(), StepOutcome::Conflict);
    }
    assert_eq!(jobs.get_file(&owner, file.id()).await.unwrap(), Some(file.clone()));
    assert_eq!(read(jobs, &job.id).await, job);
    let step = taking_in(&job, &file, now);
    assert_eq!(jobs.apply_job_step(&step, Some(&said)).await.unwrap(), StepOutcome::Applied);
    assert_eq!(jobs.get_file(&owner, file.id()).await.unwrap().as_ref(), Some(&step.adopted[0].1));
    assert_eq!(read(jobs, &job.id).await, step.job);
}

async fn a_job_is_due_until_it_ends<F: Jobs>(jobs: &F) {
    let owner = owner();
    let job = accepted(jobs, &owner, now().plus(Duration::from_hours(1_000))).await;
    let due_at = job.due_at().unwrap();
    let mine = async |at: Timestamp| {
        let mine = all_due(jobs, at).await.into_iter().filter_map(|due| match due {
            Due::Job(job) if *job.owner() == owner => Some(*job),
            _ => None,
        });
        mine.collect::<Vec<_>>()
    };
    let found = eventually(async || mine(due_at).await, |found| !found.is_empty()).await;
    assert_eq!(found, std::slice::from_ref(&job));
    assert_eq!(mine(due_at.minus(Duration::from_millis(1))).await, []);
    // A processing job is due as well. An ended one is not.
    let step = job.granted(&file_of(&owner, "a.png", 10, due_at), due_at).unwrap();
    assert_eq!(jobs.apply_job_step(&step, None).await.unwrap(), StepOutcome::Applied);
    let found = eventually(async || mine(due_at).await, |found| *found == std::slice::from_ref(&step.job)).await;
    assert_eq!(found, std::slice::from_ref(&step.job));
    let step = step.job.overdue(due_at).unwrap();
    assert_eq!(jobs.apply_job_step(&step, None).await.unwrap(), StepOutcome::Applied);
    assert_eq!(eventually(async || mine(due_at).await, Vec::is_empty).await, []);
}

async fn an_audit_entry_can_be_written_alone(jobs: &impl Jobs) {
    let now = now();
    let org = OrgId::mint(now);
    let entry = accounts::entry(org, AuditAction::WebhookRefused, &owner(), now);
    jobs.write_audit(&entry).await.unwrap();
    let listed = jobs.list_audit(org, &PageAsk { limit: 10, after: None }).await.unwrap();
    assert_eq!(listed.items, [entry]);
}
