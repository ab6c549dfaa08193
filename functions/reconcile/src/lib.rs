//! Compares the table with the bucket, once a day: objects without a record, records without their object, what is derived,
//! open uploads, ledgers, and the replica.
//!
//! It is called every ten minutes. The first call after 04:00 UTC begins the day's run; the others go on with one that does
//! not fit in one invocation or was interrupted, and have nothing to do otherwise. It reports what differs, and removes what
//! nothing refers to only if the stack's parameter says so.

use std::time::{Duration, Instant};

use consigne_core::audit::{Actor, Origin};
use consigne_core::ports::{
    AbortUpload, GetLedgerSums, GetRecords, GetRun, KeepRun, ListOwners, ListUploadPage, ListUploads, ListVersionPage,
    RemoveVersion, WalkRecords, WriteAudit,
};
use consigne_core::reconcile::{FindingKind, GRACE, Run};
use consigne_core::{Fault, Timestamp};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{Adapters, ScheduleFunction, function, needs, remaining};
use consigne_usecases::reconcile::{Asked, Begin, Begun, Reconciler};
use serde_json::{Value, json};

/// Time of the day, from midnight UTC, at which the next run is due. The counts of the night are over by then.
const DUE_AT: Duration = Duration::from_hours(4);
/// Most removals of a day's run. More leftovers than that are a sign of a wrong or restored table, which a person must judge.
const REMOVALS: u64 = 100;
const DAY: Duration = Duration::from_hours(24);
/// Time kept for one more page and its findings. What is not compared by then waits for the next call.
const RESERVE: Duration = Duration::from_mins(1);

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: ListOwners + WalkRecords + GetRecords + GetLedgerSums + GetRun + KeepRun + WriteAudit,
        Bucket: ListVersionPage + ListUploadPage + ListUploads + RemoveVersion + AbortUpload,
    >
}

function! {
    table: A::Table = table(),
    objects: A::Bucket = bucket(),
    /// The bucket to which S3 replicates, if there is one.
    replica: Option<A::Bucket> = replica(),
    /// Whether what nothing refers to is removed.
    repair: bool = reconcile_repairs(),
}

impl<A: Needs> ScheduleFunction for Function<A> {
    /// Begins the day's run, or goes on with it, until it ends or time runs short.
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        let now = tick.now;
        let origin = Origin { actor: Actor::Service("reconcile".to_owned()), ip: None, user_agent: None, plan: None };
        let begun = Instant::now();
        let clock = || now.plus(begun.elapsed());
        let reconciler = Reconciler::new(&self.table, (&self.objects, self.replica.as_ref()), &origin, &clock)
            .with_at_most(REMOVALS);
        let asked = Asked { begin: Begin::IfBefore(due_before(now)), repair: self.repair, grace: GRACE };
        let mut run = match reconciler.begin(&asked).await? {
            Begun::Ours(run) => run,
            Begun::Held(_) => return Ok(json!({ "held": true })),
            Begun::NotDue => return Ok(json!({ "due": false })),
        };
        let outcome = reconciler.advance(&mut run, |_| remaining() > RESERVE).await;
        let done = report(&run, tick);
        outcome.map(|()| done)
    }
}

/// Returns when the run of the current day was due.
fn due_before(now: Timestamp) -> Timestamp {
    now.minus(DUE_AT).floor(DAY).plus(DUE_AT)
}

/// Writes how far a run has come into the log line, and once it has ended, the metrics of what is left of its findings.
fn report(run: &Run, tick: &Tick) -> Value {
    let done = json!({
        "started_at": run.started_at,
        "ended": run.is_over(),
        "versions": run.checked.versions,
        "records": run.checked.records,
        "users": run.checked.users,
        "uploads": run.checked.uploads,
        "found": run.found,
        "repaired": run.repaired,
    });
    tick.log.field("reconcile.done", &done);
    if run.is_over() {
        for kind in FindingKind::ALL.into_iter().filter(|kind| run.left(*kind) > 0) {
            tick.log.add(kind.metric(), run.left(kind));
        }
        if run.all_left() > 0 {
            tick.log.add("ReconcileFindings", run.all_left());
            tick.log.field("reconcile.first", run.first.first());
        }
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_due_once_a_day_at_four() {
        let due = |now: &str| due_before(Timestamp::parse(now).unwrap()).to_string();
        assert_eq!(due("2026-11-21T03:59:59Z"), "2026-11-20T04:00:00Z");
        assert_eq!(due("2026-11-21T04:00:00Z"), "2026-11-21T04:00:00Z");
        assert_eq!(due("2026-11-21T23:59:59Z"), "2026-11-21T04:00:00Z");
    }
}
