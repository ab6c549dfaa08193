use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use consigne_core::events::{Event, EventData, EventKind, FileReady};
use consigne_core::files::{
    Arrival, File, GrantRequest, Kind, LedgerDelta, Measured, Pinned, Removal, Status, Transition, UPLOAD_GRANT_VALID,
};
use consigne_core::jobs::{Ask, CANCELLED, ClaimedFile, Job, JobId, JobStatus, JobStep};
use consigne_core::orders::Order;
use consigne_core::ports::{GetFile, GetJob, GetOrder, ObjectHead, ReadHead};
use consigne_core::{Code, Fault, FileId, OrderId, Plan, Timestamp, UserId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{accept, follow};

const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);
/// Size of every file in these tests, in bytes.
const SIZE: u64 = 100;

fn owner() -> UserId {
    UserId::parse("user_ann1").unwrap()
}

fn job(count: u32) -> Job {
    Job::accept(&owner(), Plan::Pro, Kind::Image, Ask::images("a cat", Some(count), None).unwrap(), NOW)
}

fn file(of: Option<&Job>) -> File {
    let request = GrantRequest::parse("a.png", "image/png", SIZE, None, None).unwrap();
    let file = request.admit(&owner(), Plan::Pro, UPLOAD_GRANT_VALID, NOW).unwrap();
    File { job: of.map(|job| job.id.clone()), ..file }
}

fn arrived(file: &File) -> File {
    let pinned = Pinned { version: "v1".to_owned(), etag: "e".to_owned(), sequencer: "5".to_owned() };
    file.accept(Arrival { pinned, size: SIZE, measured: Measured::default() }, NOW).file
}

/// The parts of table and bucket that a completion reads. Every upload is in the bucket, checked or not.
#[derive(Clone)]
struct Shelf {
    job: Job,
    files: Vec<File>,
}

impl GetJob for Shelf {
    async fn get_job(&self, job: &JobId) -> Result<Option<Job>, Fault> {
        Ok(Some(self.job.clone()).filter(|known| known.id == *job))
    }
}

impl GetOrder for Shelf {
    async fn get_order(&self, _: OrderId) -> Result<Option<Order>, Fault> {
        Ok(None)
    }
}

impl GetFile for Shelf {
    async fn get_file(&self, _: &UserId, file: FileId) -> Result<Option<File>, Fault> {
        Ok(self.files.iter().find(|known| known.id() == file).cloned())
    }
}

impl ReadHead for Shelf {
    async fn read_head(&self, key: &str, _: Option<&str>, _: u64) -> Result<Option<ObjectHead>, Fault> {
        let gone = |file: &&File| matches!(file.status, Status::Rejected | Status::Deleted);
        let known = self.files.iter().find(|file| file.key.as_str() == key).filter(|file| !gone(file));
        Ok(known.map(|_| ObjectHead { version: "v1".to_owned(), etag: "e".to_owned(), size: SIZE, bytes: Vec::new() }))
    }
}

/// Runs a future that never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("there is nothing to wait for"),
    }
}

fn named(files: &[&File]) -> Vec<ClaimedFile> {
    let one = |file: &&File| ClaimedFile {
        s3_key: file.key.to_string(),
        size: Some(SIZE),
        content_type: Some("image/png; charset=binary".to_owned()),
        dimensions: None,
        duration_seconds: None,
    };
    files.iter().map(one).collect()
}

impl Shelf {
    fn new(job: Job, files: &[File]) -> Self {
        Self { job, files: files.to_vec() }
    }

    fn claim(&self, files: &[ClaimedFile]) -> Result<Option<JobStep>, Fault> {
        at_once(accept(self, self, &self.job, ("images", files), None, NOW))
    }
}

fn code_and_field(refused: Result<Option<JobStep>, Fault>) -> (Code, Value) {
    let fault = refused.unwrap_err();
    (fault.code, fault.details.get("field").cloned().unwrap_or_default())
}

#[test]
fn a_completion_must_list_existing_files_as_they_are() {
    let job = job(2);
    let (own, others) = (file(Some(&job)), file(Some(&self::job(1))));
    let (infected, rejected) =
        (File { status: Status::Infected, ..arrived(&file(None)) }, file(None).reject("no", NOW).file);
    let granted = job.granted(&own, NOW).unwrap().job;
    let request = GrantRequest::parse("a.md", "text/markdown", SIZE, None, None).unwrap();
    let text = request.admit(&owner(), Plan::Pro, UPLOAD_GRANT_VALID, NOW).unwrap();
    let files = [own.clone(), others.clone(), infected.clone(), rejected.clone(), text.clone()];
    let shelf = Shelf::new(granted, &files);
    let absent = file(None);
    let odd = |change: fn(&mut ClaimedFile)| {
        let mut claimed = named(&[&own]);
        change(&mut claimed[0]);
        claimed
    };
    for (claimed, field) in [
        (vec![], "images"),
        (named(&[&own, &own, &own]), "images"),
        (named(&[&own, &own]), "images[1].s3_key"),
        (named(&[&own, &others]), "images[1].s3_key"),
        (named(&[&absent]), "images[0].s3_key"),
        (named(&[&infected]), "images[0].s3_key"),
        (named(&[&rejected]), "images[0].s3_key"),
        (named(&[&text]), "images[0].s3_key"),
        (odd(|file| file.s3_key = file.s3_key.replace("user_ann1/", "user_ann12/")), "images[0].s3_key"),
        (odd(|file| file.s3_key = file.s3_key.replace("/images/", "/videos/")), "images[0].s3_key"),
        (odd(|file| file.s3_key.push('x')), "images[0].s3_key"),
        (odd(|file| file.size = Some(SIZE + 1)), "images[0].file_size"),
        (odd(|file| file.content_type = Some("image/gif".to_owned())), "images[0].content_type"),
    ] {
        let refused = code_and_field(shelf.claim(&claimed));
        assert_eq!(refused, (Code::WebhookContentMismatch, field.into()), "{claimed:?}");
    }
    // What a completion leaves out is not compared.
    let step = shelf.claim(&odd(|file| (file.size, file.content_type) = (None, None))).unwrap().unwrap();
    assert_eq!((step.job.status, step.job.progress), (JobStatus::Processing, 95));
}

#[test]
fn a_job_adopts_a_pending_file_but_not_a_ready_one() {
    let (waiting, ready) = (file(None), arrived(&file(None)));
    let scanned = File { status: Status::Processing, ..arrived(&file(None)) };
    let shelf = Shelf::new(job(3), &[waiting.clone(), scanned.clone(), ready.clone()]);
    let step = shelf.claim(&named(&[&waiting, &scanned, &ready])).unwrap().unwrap();
    let adopted: Vec<_> = step.adopted.iter().map(|(seen, file)| (*seen, file.id(), file.job.clone())).collect();
    let of = Some(shelf.job.id.clone());
    assert_eq!(adopted, [(waiting.revision, waiting.id(), of.clone()), (scanned.revision, scanned.id(), of)]);
    assert_eq!(step.job.status, JobStatus::Processing);
    let step = Shelf::new(job(1), std::slice::from_ref(&ready)).claim(&named(&[&ready])).unwrap().unwrap();
    assert_eq!((step.adopted.len(), step.job.status, step.job.progress), (0, JobStatus::Completed, 100));
}

#[test]
fn a_second_completion_changes_nothing_or_is_a_conflict() {
    let (one, other) = (arrived(&file(None)), arrived(&file(None)));
    let shelf = Shelf::new(job(2), &[one.clone(), other.clone()]);
    let job = shelf.claim(&named(&[&one])).unwrap().unwrap().job;
    let after = Shelf { job, ..shelf };
    assert_eq!(after.claim(&named(&[&one])).unwrap(), None);
    assert_eq!(after.claim(&named(&[&other])).unwrap_err().code, Code::Conflict);
    assert_eq!(after.claim(&named(&[&file(None)])).unwrap_err().code, Code::WebhookContentMismatch);
    // A job that ended without a completion answers any correct completion with its status.
    let ended = Shelf { job: self::job(2).failed("X", "x", NOW).unwrap().job, ..after };
    assert_eq!(ended.claim(&named(&[&other])).unwrap(), None);
}

#[test]
fn a_generator_gets_four_grants_for_each_file_until_it_has_delivered() {
    let mut job = job(2);
    for _ in 0..8 {
        job = job.granted(&file(Some(&job)), NOW).unwrap().job;
    }
    let fault = job.granted(&file(Some(&job)), NOW).unwrap_err();
    assert_eq!((fault.code, fault.details["limit"].clone()), (Code::Conflict, 8.into()));
    // A lost file frees one grant.
    let lost = file(Some(&job));
    let lost = File { key: job.outputs[3].key.clone(), ..lost };
    let job = job.lost(&lost, NOW).unwrap().job;
    assert!(job.granted(&file(Some(&job)), NOW).is_ok());
    let claimed = Job { claimed_at: Some(NOW), ..job.clone() };
    assert_eq!(claimed.granted(&file(Some(&job)), NOW).unwrap_err().code, Code::Conflict);
    let failed = job.failed("X", "x", NOW).unwrap().job;
    assert_eq!(failed.granted(&file(Some(&job)), NOW).unwrap_err().code, Code::Conflict);
}

#[test]
fn progress_shows_how_many_files_have_arrived() {
    let mut job = job(4);
    let (mut seen, mut files) = (vec![job.progress], Vec::new());
    for _ in 0..4 {
        let file = file(Some(&job));
        job = job.granted(&file, NOW).unwrap().job;
        files.push(file);
    }
    seen.push(job.progress);
    for file in &files {
        job = job.arrived(&arrived(file), NOW).unwrap().job;
        seen.push(job.progress);
    }
    assert_eq!(seen, [0, 10, 31, 52, 73, 95]);
    // A lost file does not reduce the progress.
    assert_eq!(job.lost(&files[0].reject("no", NOW).file, NOW).unwrap().job.progress, 95);
}

#[test]
fn a_failed_job_says_why_its_file_was_lost() {
    let waiting = file(None);
    let deleted = |file: &File| file.remove(Removal::Deleted, NOW).file;
    let rejected = waiting.reject("declared image/png, found text", NOW).file;
    let infected = File { status: Status::Infected, ..arrived(&waiting) };
    for (before, after, why, gives_back) in [
        (waiting.clone(), rejected, "declared image/png, found text", true),
        (waiting.clone(), waiting.remove(Removal::Expired, NOW).file, "it did not arrive", true),
        (waiting.clone(), infected, "it contains malware", true),
        // The file was ready, so the allowance is not given back.
        (arrived(&waiting), deleted(&arrived(&waiting)), "it was deleted", false),
    ] {
        let also = file(None);
        let shelf = Shelf::new(job(2), &[before.clone(), also.clone()]);
        let claimed = shelf.claim(&named(&[&before, &also])).unwrap().unwrap().job;
        let step = claimed.lost(&after, NOW).unwrap();
        let failure = step.job.failure.unwrap();
        assert_eq!((failure.code.as_str(), step.gives_back), ("OUTPUT_LOST", gives_back));
        assert_eq!(failure.message, format!("A file of the result was lost: {why}"));
    }
}

#[test]
fn only_a_file_that_arrives_or_is_lost_changes_its_job() {
    let job = job(1);
    let waiting = file(Some(&job));
    let job = job.granted(&waiting, NOW).unwrap().job;
    let shelf = Shelf::new(job.clone(), &[]);
    let moved = |after: File| {
        let event = Some(Event::new(NOW, EventData::FileReady(FileReady { file: after.facts() })));
        let step = Transition { seen: 1, file: after, ledger: LedgerDelta::default(), event, job: None, order: None };
        at_once(follow(&shelf, step, NOW)).unwrap().job.map(|step| step.job.outputs.len())
    };
    assert_eq!(moved(arrived(&waiting)), Some(1));
    assert_eq!(moved(waiting.reject("no", NOW).file), Some(0));
    assert_eq!(moved(File { status: Status::Infected, ..arrived(&waiting) }), Some(0));
    assert_eq!(moved(File { status: Status::Processing, ..arrived(&waiting) }), None);
    assert_eq!(moved(File { job: None, ..arrived(&waiting) }), None);
    assert_eq!(moved(File { job: Some(self::job(1).id), ..arrived(&waiting) }), None);
}

#[test]
fn after_the_deletion_of_a_ready_output_the_allowance_stays_spent() {
    let waiting = file(None);
    let job = job(2).granted(&waiting, NOW).unwrap().job.arrived(&arrived(&waiting), NOW).unwrap().job;
    let step = job.lost(&arrived(&waiting).remove(Removal::Deleted, NOW).file, NOW).unwrap();
    assert_eq!((step.job.outputs.len(), step.gives_back, step.event), (0, false, None));
    assert!(!step.job.given_up("SAFETY", "No", NOW).unwrap().gives_back);
}

#[test]
fn a_job_that_a_generator_has_started_cannot_be_cancelled() {
    let begun = job(1).begun(NOW).unwrap();
    assert_eq!((begun.job.status, begun.job.progress, begun.event), (JobStatus::Processing, 10, None));
    assert_eq!(begun.job.begun(NOW), None);
    assert_eq!(begun.job.cancelled(true, NOW).unwrap_err().code, Code::Conflict);
    assert_eq!(job(1).failed("X", "x", NOW).unwrap().job.begun(NOW), None);
}

#[test]
fn a_job_delivered_in_time_is_not_overdue_while_its_files_are_checked() {
    let late = NOW.plus(Duration::from_hours(1));
    let waiting = file(None);
    let shelf = Shelf::new(job(1).granted(&waiting, NOW).unwrap().job, std::slice::from_ref(&waiting));
    let claimed = at_once(accept(&shelf, &shelf, &shelf.job, ("images", &named(&[&waiting])), None, late));
    let job = claimed.unwrap().unwrap().job;
    assert_eq!(job.overdue(late.plus(Duration::from_hours(1))), None);
    // A scan that never ends fails the job after its deadline.
    let failure = job.overdue(late.plus(Duration::from_mins(61))).unwrap().job.failure.unwrap();
    assert_eq!(failure.message, "A file of the result could not be checked in time");
}

#[test]
fn only_a_pending_job_is_cancelled_and_only_once() {
    let cancelled = job(1).cancelled(true, NOW).unwrap().unwrap();
    assert!(cancelled.gives_back && cancelled.event.is_some_and(|event| event.detail()["error"]["code"] == CANCELLED));
    assert_eq!(cancelled.job.cancelled(true, NOW).unwrap(), None);
    let begun = job(1).granted(&file(None), NOW).unwrap().job;
    let failed = job(1).failed("X", "x", NOW).unwrap().job;
    for job in [begun, failed] {
        let fault = job.cancelled(true, NOW).unwrap_err();
        assert_eq!((fault.code, fault.details["status"].clone()), (Code::Conflict, job.status.name().into()));
    }
}

#[test]
fn a_job_is_overdue_a_minute_after_its_deadline() {
    let job = job(1);
    let due = NOW.plus(Duration::from_mins(61));
    assert_eq!((job.due_at(), job.overdue(due.minus(Duration::from_millis(1)))), (Some(due), None));
    let late = job.overdue(due).unwrap().job;
    assert_eq!(late.failure.as_ref().map(|failure| failure.code.as_str()), Some("DEADLINE_PASSED"));
    assert_eq!((late.due_at(), late.overdue(due)), (None, None));
    assert_eq!(late.forget_at(), Some(due.plus(Duration::from_hours(24 * 400))));
}

#[test]
fn the_event_of_an_end_has_its_documented_fields() {
    let ready = arrived(&file(None));
    let shelf = Shelf::new(job(1), std::slice::from_ref(&ready));
    let completed = shelf.claim(&named(&[&ready])).unwrap().unwrap();
    let event = completed.event.unwrap();
    assert_eq!(event.kind(), EventKind::JobCompleted);
    let mut detail = event.detail();
    assert!(detail["event_id"].is_string() && detail["occurred_at"].is_string());
    for minted in ["event_id", "occurred_at"] {
        detail.as_object_mut().unwrap().remove(minted);
    }
    assert_eq!(
        detail,
        json!({
            "job_id": shelf.job.id, "user_id": "user_ann1", "kind": "image", "title": "a cat", "status": "completed",
            "files": [ready.key],
        })
    );
    let failed = shelf.job.failed("SAFETY", "No", NOW).unwrap().event.unwrap();
    let detail = failed.detail();
    assert_eq!((failed.kind(), &detail["status"]), (EventKind::JobFailed, &json!("failed")));
    assert_eq!(detail["error"], json!({ "code": "SAFETY", "message": "No" }));
    assert!(detail.get("files").is_none());
}

mod model;
