//! Jobs that end without their generator, and the effect of other endings on jobs.

use std::time::Duration;

use consigne_core::files::{File, Kind, Status};
use consigne_core::jobs::{Job, JobId, JobStatus};
use consigne_core::{FileId, UserId};
use consigne_runtime::clock;
use serde_json::json;

use crate::handlers::jobs::completions::{answered, object, picture, report};
use crate::handlers::jobs::requests::{add_job, granted, job, job_events, job_in, output, taken, world_of};
use crate::handlers::nightly::sweep::sweep_at;
use crate::handlers::people::closing::{close, close_accounts_at};
use crate::handlers::{GRANTED, KEY, assert_books_balance, call, file_in, ledger_of, pending_at};

#[tokio::test]
async fn an_overdue_job_fails_and_returns_its_allowance() {
    let deadline = GRANTED.plus(Duration::from_hours(1));
    for job in [job(Kind::Image), granted(&job(Kind::Image), &[output(Kind::Image)])] {
        let world = world_of(&job, &[]);
        assert_eq!(sweep_at(&world, deadline.plus(Duration::from_secs(59))).await["overdue"], 0);
        assert_eq!(
            (sweep_at(&world, deadline.plus(Duration::from_mins(1))).await["overdue"].clone(), taken(&world)),
            (json!(1), 0)
        );
        let failed = job_in(&world);
        assert_eq!(failed.failure.as_ref().map(|failure| failure.code.as_str()), Some("DEADLINE_PASSED"));
        assert_eq!(sweep_at(&world, deadline.plus(Duration::from_mins(1))).await["overdue"], 0);
        assert_eq!((job_in(&world), job_events(&world)), (failed, vec!["job.failed".to_owned()]));
    }
}

#[tokio::test]
async fn a_late_delivery_is_accepted_until_sweep_runs() {
    let world = picture();
    object(&world, "created", KEY).await;
    assert!(job_in(&world).deadline < clock::now());
    assert_eq!(report(&world, "completed", "msg_1").await, answered("completed"));
    assert_eq!(sweep_at(&world, clock::now().plus(Duration::from_hours(2))).await["overdue"], 0);
    assert_eq!(job_in(&world).status, JobStatus::Completed);
}

#[tokio::test]
async fn deleting_a_result_does_not_change_a_completed_job() {
    let world = picture();
    object(&world, "created", KEY).await;
    report(&world, "completed", "msg_1").await;
    let done = job_in(&world);
    assert_eq!(call(&world, "delete", "plain").await["status"], 200);
    object(&world, "deleted", KEY).await;
    assert_eq!((file_in(&world).status, job_in(&world), taken(&world)), (Status::Deleted, done, 1));
}

#[tokio::test]
async fn closing_an_account_fails_its_open_jobs_and_no_others() {
    let own = |n: u32| {
        JobId::of(UserId::parse("user_ann1").unwrap(), FileId::parse(&format!("01M7YREWKH7VM7Z3Z2KWSH2FT{n}")).unwrap())
    };
    let world = picture();
    object(&world, "created", KEY).await;
    report(&world, "completed", "msg_1").await;
    let completed = job_in(&world);
    let waiting = File { job: Some(own(2)), ..pending_at("user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTZ-photo.png") };
    world.change(|state| {
        state.files.insert((waiting.owner().clone(), waiting.id()), waiting.clone());
        let usage = state.usage.get_mut(waiting.owner()).unwrap();
        (usage.committed, usage.reserved) = (usage.committed + 1000, usage.reserved + 1000);
    });
    add_job(&world, &Job { id: own(1), ..job(Kind::Image) });
    let begun = granted(&Job { id: own(2), ..job(Kind::Image) }, &[waiting]);
    add_job(&world, &Job { claimed_at: Some(GRANTED), ..begun });
    let bobs = Job { id: JobId::of(UserId::parse("user_bob1").unwrap(), own(3).tail()), ..job(Kind::Image) };
    add_job(&world, &bobs);
    assert_eq!(taken(&world), 4);

    close(&world, "user_ann1");
    close_accounts_at(&world, GRANTED.plus(Duration::from_mins(1))).await;
    let jobs = world.state().jobs.jobs;
    for id in [own(1), own(2)] {
        let failure = jobs[&id].failure.clone().unwrap();
        assert_eq!((failure.code.as_str(), failure.message.as_str()), ("CANCELLED", "The account was closed"));
    }
    assert_eq!((&jobs[&completed.id], &jobs[&bobs.id]), (&completed, &bobs));
    let mut events = job_events(&world);
    events.sort();
    assert_eq!(
        (events, taken(&world)),
        (vec!["job.completed".to_owned(), "job.failed".into(), "job.failed".into()], 2)
    );
    assert_eq!(ledger_of(&world), [0, 0, 0, 0]);
    assert_books_balance(&world);

    // The last step of the closing deletes the jobs, with their prompts.
    assert_eq!(close_accounts_at(&world, GRANTED.plus(Duration::from_hours(1))).await["closed"], 1);
    assert_eq!(world.state().jobs.jobs.into_keys().collect::<Vec<_>>(), [bobs.id]);
}
