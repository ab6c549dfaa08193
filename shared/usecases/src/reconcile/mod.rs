//! Reconciliation: compares the table with the bucket, both ways, a page at a time.
//!
//! Keys of the bucket and records are walked together in the order of the users' ids, so each page of the bucket is compared
//! with the records that are between its first and its last key. That finds objects without a record and records without
//! an object in one pass, and a position is one key.
//!
//! Nothing is found by one look. A page is listed before its records are read, and whatever differs is listed and read
//! again. A repair looks a third time, right before it removes something.
//!
//! The run is an item of the table. It is written before anything is removed, and whoever continues it starts with what was
//! not removed yet. So it may be killed anywhere, and two callers at once do no harm: each write is conditional on the
//! revision that was read, and removing a version twice changes nothing.

mod area;
mod ledger;
mod look;
mod others;
mod repair;

use std::time::Duration;

use consigne_core::audit::Origin;
use consigne_core::ports::{
    AbortUpload, GetLedgerSums, GetRecords, GetRun, KeepRun, ListOwners, ListUploadPage, ListUploads, ListVersionPage,
    RemoveVersion, WalkRecords, WriteAudit,
};
use consigne_core::reconcile::{Area, Finding, LEASE, Lease, Phase, Run};
use consigne_core::{EventId, Fault, Timestamp};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

/// Versions in one page of the bucket.
const PAGE: u32 = 1_000;
/// Calls that are made at once.
const PARALLEL: usize = 16;
/// How long a run goes on before it is written, if nothing is found. A killed run repeats this much.
const WRITTEN_AFTER: Duration = Duration::from_secs(15);

/// What a reconciliation needs of the table.
pub trait ReconcileTable:
    ListOwners + WalkRecords + GetRecords + GetLedgerSums + GetRun + KeepRun + WriteAudit + Sync
{
}
impl<T: ListOwners + WalkRecords + GetRecords + GetLedgerSums + GetRun + KeepRun + WriteAudit + Sync> ReconcileTable
    for T
{
}

/// What a reconciliation needs of the bucket.
pub trait ReconcileBucket: ListVersionPage + ListUploadPage + ListUploads + RemoveVersion + AbortUpload + Sync {}
impl<B: ListVersionPage + ListUploadPage + ListUploads + RemoveVersion + AbortUpload + Sync> ReconcileBucket for B {}

/// When a run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// If the last one began before this time.
    IfBefore(Timestamp),
    /// At once. A run that was interrupted is continued if it has the same settings.
    Now,
    /// At once, in place of one that was interrupted.
    Anew,
}

/// What a run should be like.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// When it begins.
    pub begin: Begin,
    /// Whether what can be repaired is removed.
    pub repair: bool,
    /// How old an object or a change must be before it can be a finding.
    pub grace: Duration,
}

/// How a run was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is the caller's.
    Ours(Run),
    /// Another caller has it.
    Held(Run),
    /// The last one has ended, and the next one is not due.
    NotDue,
}

/// A caller that reconciles.
pub struct Reconciler<'a, T, B> {
    table: &'a T,
    bucket: &'a B,
    replica: Option<&'a B>,
    origin: &'a Origin,
    clock: &'a (dyn Fn() -> Timestamp + Sync),
    holder: String,
    pages: Pages,
    /// Most removals of a run; none is no limit.
    most: Option<u64>,
}

/// How much is read at once.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Versions in one page of the bucket, at most 1,000.
    pub versions: u32,
    /// Versions in one page while findings are repaired. What a page finds is written with the run, so it must be little.
    pub versions_to_repair: u32,
    /// Users that are read from the list of ledgers for one page of the bucket.
    pub owners: u32,
}

impl Default for Pages {
    fn default() -> Self {
        Self { versions: PAGE, versions_to_repair: 250, owners: 1_000 }
    }
}

/// A bucket to compare, with a part of its keys.
struct Scope<'a, B> {
    bucket: &'a B,
    area: Area,
    is_replica: bool,
}

impl<'a, T: ReconcileTable, B: ReconcileBucket> Reconciler<'a, T, B> {
    /// Creates a caller. `origin` is named in the audit log, and `clock` tells the time.
    pub fn new(
        table: &'a T,
        (bucket, replica): (&'a B, Option<&'a B>),
        origin: &'a Origin,
        clock: &'a (dyn Fn() -> Timestamp + Sync),
    ) -> Self {
        Self {
            table,
            bucket,
            replica,
            origin,
            clock,
            holder: EventId::mint(clock()).to_string(),
            pages: Pages::default(),
            most: None,
        }
    }

    /// Reads other amounts at once than usual.
    #[must_use]
    pub fn with_pages(self, pages: Pages) -> Self {
        Self { pages, ..self }
    }

    /// Removes no more than this in a run. What else is found is only reported.
    #[must_use]
    pub fn with_at_most(self, removals: u64) -> Self {
        Self { most: Some(removals), ..self }
    }

    /// Begins a run, or continues the one that was interrupted.
    ///
    /// # Errors
    /// If the table does not answer, or another caller begins one at the same moment.
    pub async fn begin(&self, asked: &Asked) -> Result<Begun, Fault> {
        let (now, before) = ((self.clock)(), self.table.get_run().await?);
        let open = before.as_ref().filter(|run| !run.is_over());
        if let Some(run) = open.filter(|run| run.is_held(&self.holder, now)) {
            return Ok(Begun::Held(run.clone()));
        }
        let alike = |run: &&Run| run.repair == asked.repair && run.grace_seconds == asked.grace.as_secs();
        let continued = match asked.begin {
            // A schedule that only reports must not remove what somebody began to remove by hand.
            Begin::IfBefore(_) => open.filter(|run| asked.repair || !run.repair),
            Begin::Now => open.filter(alike),
            Begin::Anew => None,
        };
        let mut run = match (continued, asked.begin) {
            (Some(run), _) => run.clone(),
            (None, Begin::IfBefore(due)) if before.as_ref().is_some_and(|run| run.started_at >= due) => {
                return Ok(Begun::NotDue);
            }
            (None, _) => Run::start(before.as_ref(), asked.repair, asked.grace, now),
        };
        self.write(&mut run).await?;
        Ok(Begun::Ours(run))
    }

    /// Continues a run until it ends, or until `goes_on` says no. It is asked after each page.
    ///
    /// # Errors
    /// If the table or a bucket does not answer, or another caller has taken the run over. The run then continues from
    /// where it was last written.
    pub async fn advance(&self, run: &mut Run, mut goes_on: impl FnMut(&Run) -> bool) -> Result<(), Fault> {
        let mut written_at = (self.clock)();
        self.repair_pending(run).await?;
        while let Some(phase) = run.phase {
            let found = match phase {
                Phase::Originals => self.step(&Scope::of(self.bucket, Area::Originals), run).await?,
                Phase::Derived => self.step(&Scope::of(self.bucket, Area::Derived), run).await?,
                Phase::Others => self.other_objects(run).await?,
                Phase::Uploads => self.open_uploads(run).await?,
                Phase::ReplicaOriginals => self.step_of_replica(Area::Originals, run).await?,
                Phase::ReplicaDerived => self.step_of_replica(Area::Derived, run).await?,
            };
            let is_replica = phase.is_of_replica();
            for finding in &found {
                run.note(finding);
                let done: u64 = run.repaired.values().sum();
                let may = self.most.is_none_or(|most| done + (run.pending.len() as u64) < most);
                if run.repair && finding.kind.is_repaired() && may {
                    run.pending.push((is_replica, finding.clone()));
                }
            }
            let stops = !goes_on(run);
            let is_late = (self.clock)().since(written_at) >= WRITTEN_AFTER;
            // A run that has something to repair ends only after that.
            let ends = run.is_over();
            if !found.is_empty() || is_late || ends {
                self.write(run).await?;
                written_at = (self.clock)();
            }
            self.repair_pending(run).await?;
            if stops && !run.is_over() {
                return self.release(run).await;
            }
        }
        Ok(())
    }

    /// Writes a run, which stays the caller's. One that has ended is written with its event.
    async fn write(&self, run: &mut Run) -> Result<(), Fault> {
        let until = (self.clock)().plus(LEASE);
        run.lease = (!run.is_over()).then(|| Lease { holder: self.holder.clone(), until });
        self.keep(run).await
    }

    /// Writes a run that anybody may continue.
    async fn release(&self, run: &mut Run) -> Result<(), Fault> {
        run.lease = None;
        self.keep(run).await
    }

    async fn keep(&self, run: &mut Run) -> Result<(), Fault> {
        run.revision += 1;
        let event = if run.is_over() { run.event() } else { None };
        if self.table.keep_run(run, event.as_ref()).await?.is_committed() {
            return Ok(());
        }
        Err(Fault::unavailable("another caller has taken over the reconciliation"))
    }

    /// Goes on to the next phase.
    fn end_phase(&self, run: &mut Run) {
        run.end_phase(self.replica.is_some(), (self.clock)());
    }

    async fn step_of_replica(&self, area: Area, run: &mut Run) -> Result<Vec<Finding>, Fault> {
        // The replica may have been switched off since the run began.
        let Some(bucket) = self.replica else {
            self.end_phase(run);
            return Ok(Vec::new());
        };
        let scope = Scope { bucket, area, is_replica: true };
        match self.next_page(&scope, run).await {
            Ok(page) => self.compare(&scope, page, run).await,
            // A replica in another region may be down, or forbid it. What was compared before still counts.
            Err(fault) => {
                run.end_replica((self.clock)());
                Ok(vec![area::unavailable(area, &fault)])
            }
        }
    }
}

/// Runs some work, several at once, and returns the outcomes in its order.
async fn at_once<T>(work: Vec<impl Future<Output = Result<T, Fault>>>) -> Result<Vec<T>, Fault> {
    stream::iter(work).buffered(PARALLEL).try_collect().await
}

impl<'a, B> Scope<'a, B> {
    const fn of(bucket: &'a B, area: Area) -> Self {
        Self { bucket, area, is_replica: false }
    }
}

impl<T, B> std::fmt::Debug for Reconciler<'_, T, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reconciler").field("holder", &self.holder).finish_non_exhaustive()
    }
}
