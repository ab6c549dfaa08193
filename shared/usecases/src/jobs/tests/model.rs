//! A property test: random events happen to a job in any order, and its record is compared with a simple model.

use super::*;

/// The events that happen to a job and its files.
#[derive(Clone, Debug)]
enum Happening {
    /// The generator is granted a file for the job.
    Granted,
    /// The owner is granted a file of their own.
    OwnersGrant,
    /// An upload passes its check.
    Arrived(usize),
    /// A file is rejected, expires, is found infected, or is deleted.
    Lost(usize, u8),
    /// A completion lists these files.
    Claimed(Vec<usize>),
    GivenUp,
    Cancelled,
    Begun,
    /// This many minutes pass, then `sweep` looks at the job.
    Swept(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let which = 0_usize..8;
    prop_oneof![
        6 => Just(Happening::Granted),
        2 => Just(Happening::OwnersGrant),
        9 => which.clone().prop_map(Happening::Arrived),
        2 => (which.clone(), 0_u8..4).prop_map(|(which, how)| Happening::Lost(which, how)),
        3 => prop::collection::vec(which, 0..=4).prop_map(Happening::Claimed),
        1 => Just(Happening::GivenUp),
        1 => Just(Happening::Cancelled),
        1 => Just(Happening::Begun),
        1 => (0_u64..45).prop_map(Happening::Swept),
    ]
}

/// The expected state, computed without the code under test.
#[derive(Debug, Default)]
struct Model {
    /// Indices of the files that the accepted completion lists.
    claimed: Option<Vec<usize>>,
    failed: bool,
    /// Whether the owner has deleted a ready output before the job ended. Then the allowance is not given back.
    had: bool,
    completed: bool,
    /// Units of the allowance given back.
    given_back: u32,
    /// The events that announced the job's end.
    ends: Vec<EventKind>,
}

struct Run {
    shelf: Shelf,
    model: Model,
    now: Timestamp,
    /// A step that was computed earlier and never applied.
    stale: Option<JobStep>,
}

impl Run {
    fn begin(count: u32) -> Self {
        Self { shelf: Shelf::new(job(count), &[]), model: Model::default(), now: NOW, stale: None }
    }

    /// Applies a step as the table does: only if the job still has the revision from which the step was computed.
    fn apply(&mut self, step: JobStep) -> bool {
        if step.seen != self.shelf.job.revision {
            return false;
        }
        let moved = |(seen, file): &(u64, File)| self.file(file.id()).is_none_or(|known| known.revision != *seen);
        if step.adopted.iter().any(moved) {
            return false;
        }
        self.model.given_back += u32::from(step.gives_back);
        self.model.ends.extend(step.event.map(|event| event.kind()));
        for (_, file) in step.adopted {
            let known = self.shelf.files.iter_mut().find(|known| known.id() == file.id()).unwrap();
            *known = file;
        }
        self.shelf.job = step.job;
        true
    }

    fn file(&self, id: FileId) -> Option<&File> {
        self.shelf.files.iter().find(|file| file.id() == id)
    }

    /// Changes a file and its job together, as one transaction does.
    fn move_file(&mut self, which: usize, after: File) {
        let event = Some(Event::new(self.now, EventData::FileReady(FileReady { file: after.facts() })));
        let step =
            Transition { seen: 0, file: after.clone(), ledger: LedgerDelta::default(), event, job: None, order: None };
        if let Some(follows) = at_once(follow(&self.shelf, step, self.now)).unwrap().job {
            assert!(self.apply(*follows));
        }
        self.shelf.files[which] = after;
        self.model_moved();
    }

    /// Computes whether the change of a file has ended the job.
    fn model_moved(&mut self) {
        let ended = self.model.failed || self.model.completed;
        let Some(claimed) = self.model.claimed.as_ref().filter(|_| !ended) else { return };
        let statuses: Vec<Status> = claimed.iter().map(|at| self.shelf.files[*at].status).collect();
        let lost = |status: &Status| !matches!(status, Status::Pending | Status::Ready);
        // Changes of a file that was not granted for the job and was already ready when it was listed do not change the
        // job.
        self.model.failed = statuses.iter().any(lost);
        self.model.completed = statuses.iter().all(|status| *status == Status::Ready);
    }

    fn ended(&self) -> bool {
        self.model.failed || self.model.completed
    }

    fn happens(&mut self, what: &Happening) {
        let (now, files) = (self.now, self.shelf.files.len());
        match what {
            Happening::Granted => {
                let file = file(Some(&self.shelf.job));
                let step = self.shelf.job.granted(&file, now);
                assert!(step.is_err() || !(self.ended() || self.model.claimed.is_some()));
                if let Ok(step) = step {
                    assert!(self.apply(step));
                    self.shelf.files.push(file);
                }
            }
            Happening::OwnersGrant => self.shelf.files.push(file(None)),
            Happening::Arrived(which) if *which < files => {
                if self.shelf.files[*which].status == Status::Pending {
                    self.move_file(*which, arrived(&self.shelf.files[*which]));
                }
            }
            Happening::Lost(which, how) if *which < files => self.lose(*which, *how),
            Happening::Claimed(which) => self.claim(which),
            Happening::GivenUp => {
                let step = self.shelf.job.given_up("SAFETY", "No", now);
                assert_eq!(step.is_some(), !self.ended() && self.model.claimed.is_none());
                self.fail(step);
            }
            Happening::Cancelled => {
                let step = self.shelf.job.cancelled(true, now).unwrap_or_default();
                assert!(step.is_none() || self.shelf.job.status == JobStatus::Pending);
                self.fail(step);
            }
            Happening::Begun => {
                let step = self.shelf.job.begun(now);
                assert_eq!(step.is_some(), self.shelf.job.status == JobStatus::Pending);
                step.map(|step| assert!(self.apply(step))).unwrap_or_default();
            }
            Happening::Swept(minutes) => {
                self.now = now.plus(Duration::from_mins(*minutes));
                let step = self.shelf.job.overdue(self.now);
                let late = self.now >= NOW.plus(Duration::from_mins(61));
                assert_eq!(step.is_some(), late && !self.ended());
                self.fail(step);
            }
            Happening::Arrived(_) | Happening::Lost(..) => {}
        }
    }

    fn fail(&mut self, step: Option<JobStep>) {
        if let Some(step) = step {
            self.model.failed = true;
            assert!(self.apply(step));
        }
    }

    fn lose(&mut self, which: usize, how: u8) {
        let known = self.shelf.files[which].clone();
        let waiting = known.status == Status::Pending;
        // A deletion changes the job only if the file belongs to it. Other ready files do not concern the job.
        let followed = known.job.is_some() || waiting;
        let after = match how {
            0 if waiting => known.reject("no", self.now).file,
            1 if waiting => known.remove(Removal::Expired, self.now).file,
            2 if waiting => File { status: Status::Infected, ..arrived(&known) },
            3 if followed && known.status == Status::Ready => known.remove(Removal::Deleted, self.now).file,
            _ => return,
        };
        // A file that was ready when a completion listed it may belong to another job. Its deletion counts only if it
        // is an output of this job.
        self.model.had |= how == 3 && !self.ended() && self.shelf.job.output(known.id()).is_some();
        self.move_file(which, after);
    }

    fn claim(&mut self, which: &[usize]) {
        let which: Vec<usize> = which.iter().copied().filter(|at| *at < self.shelf.files.len()).collect();
        let files: Vec<&File> = which.iter().map(|at| &self.shelf.files[*at]).collect();
        let Ok(Some(step)) = self.shelf.claim(&named(&files)) else { return };
        assert!(!self.ended() && self.model.claimed.is_none());
        assert!(!which.is_empty() && which.len() <= self.shelf.job.ask.wanted());
        assert!(self.apply(step));
        self.model.claimed = Some(which);
        self.model_moved();
    }

    /// Compares the record with the model, and with the record before the event.
    fn check(&self, before: &Job) {
        let (job, model) = (&self.shelf.job, &self.model);
        if before.status.is_final() {
            assert_eq!(job, before, "an ended job has changed");
        }
        assert!(job.status as u8 >= before.status as u8 && job.progress >= before.progress, "{before:?} to {job:?}");
        assert_eq!(job.revision, before.revision + u64::from(job != before));
        assert_eq!(
            (job.status == JobStatus::Failed, job.status == JobStatus::Completed),
            (model.failed, model.completed)
        );
        assert_eq!(job.claimed_at.is_some(), model.claimed.is_some());
        assert_eq!(model.given_back, u32::from(model.failed && !model.had));
        let ends: &[EventKind] = match (model.failed, model.completed) {
            (true, _) => &[EventKind::JobFailed],
            (_, true) => &[EventKind::JobCompleted],
            _ => &[],
        };
        assert_eq!(model.ends, ends);
        assert_eq!(job.progress == 100, model.completed);
        assert_eq!((job.due_at().is_some(), job.forget_at().is_some()), (!self.ended(), self.ended()));
        assert!(!model.completed || job.delivered().all(|output| output.readable().is_some()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// An ended job never changes. It is completed if and only if all claimed files are ready. The allowance is given
    /// back only if the job fails. One event announces the end. Progress and status only go forward. A step is refused
    /// if another step was applied since it was computed.
    #[test]
    fn a_job_ends_once_and_rightly(count in 1_u32..=4, happenings in prop::collection::vec(happening(), 0..40)) {
        let mut run = Run::begin(count);
        for what in &happenings {
            let before = run.shelf.job.clone();
            run.happens(what);
            run.check(&before);
            if run.shelf.job.revision != before.revision
                && let Some(stale) = run.stale.take()
            {
                assert!(!run.apply(stale), "a stale step was applied");
            }
            run.stale = run.shelf.job.failed("LATE", "late", run.now).or_else(|| run.stale.take());
        }
    }
}

#[test]
fn the_generated_events_reach_every_end() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let strategy = (1_u32..=4, prop::collection::vec(happening(), 0..40));
    let (mut completed, mut claimed_and_failed, mut open) = (0, 0, 0);
    for _ in 0..2_000 {
        let (count, happenings) = strategy.new_tree(&mut runner).unwrap().current();
        let mut run = Run::begin(count);
        for what in &happenings {
            run.happens(what);
        }
        completed += u32::from(run.model.completed);
        claimed_and_failed += u32::from(run.model.failed && run.model.claimed.is_some());
        open += u32::from(!run.ended());
    }
    assert!(completed > 100 && claimed_and_failed > 20 && open > 100, "{completed}, {claimed_and_failed}, {open}");
}
