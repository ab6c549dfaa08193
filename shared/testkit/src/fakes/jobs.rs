//! Fakes for jobs.

use std::collections::BTreeMap;

use consigne_core::audit::AuditEntry;
use consigne_core::files::Kind;
use consigne_core::idempotency::WriteOutcome;
use consigne_core::jobs::{Admission, CancelOutcome, Generations, Job, JobId, JobStatus, JobStep, NewJob, StepOutcome};
use consigne_core::periods::Month;
use consigne_core::ports::{
    ApplyJobStep, CancelJob, ForgetJob, GetGenerations, GetJob, ListJobs, ListTexts, Listed, PageAsk, RequestJob,
    WriteAudit,
};
use consigne_core::webhooks::Received;
use consigne_core::{Fault, Plan, UserId};

use super::accounts::page;
use super::{State, World};

/// Jobs, and the units of the monthly allowances that they use.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Jobs {
    /// Jobs by id.
    pub jobs: BTreeMap<JobId, Job>,
    /// Used units, by owner, month and class.
    pub generations: BTreeMap<(UserId, String, &'static str), u32>,
}

impl Jobs {
    fn taken(&mut self, job: &Job) -> &mut u32 {
        let class = match job.kind {
            Kind::Image => "image",
            Kind::Video => "video",
            Kind::Book | Kind::Blog | Kind::Document | Kind::Audio => "text",
        };
        self.generations.entry((job.owner().clone(), job.month().to_string(), class)).or_default()
    }

    /// Returns whether a step may be applied: the job has not changed since it was read.
    pub(super) fn is_current(&self, step: &JobStep) -> bool {
        self.jobs.get(&step.job.id).is_some_and(|job| job.revision == step.seen)
    }
}

impl State {
    /// Applies a step that is current.
    pub(super) fn take_step(&mut self, step: &JobStep) {
        if step.gives_back {
            let taken = self.jobs.taken(&step.job);
            *taken = taken.checked_sub(1).expect("no more is given back than was taken");
        }
        self.jobs.jobs.insert(step.job.id.clone(), step.job.clone());
        if let Some(event) = &step.event {
            self.push_event(event);
        }
    }
}

impl RequestJob for World {
    async fn request_job(&self, new: &NewJob) -> Result<Admission, Fault> {
        self.effect_of(new.job.owner(), |state| {
            let (job, now) = (&new.job, new.job.created_at);
            match new.idempotent.as_ref().and_then(|idempotent| state.accounts.kept(idempotent, now)) {
                Some(WriteOutcome::Replayed(id)) => return Admission::Replayed(id),
                Some(_) => return Admission::KeyReused,
                None => {}
            }
            if *state.jobs.taken(job) >= job.plan.generations(job.kind) {
                return Admission::Spent;
            }
            let windows = match state.windows(job.owner()).admit(NewJob::RATES, job.plan, now) {
                Ok(windows) => windows,
                Err(over) => return Admission::OverRate(over),
            };
            state.see(new.seen.as_ref());
            *state.windows(job.owner()) = windows;
            *state.jobs.taken(job) += 1;
            state.accounts.keep(new.idempotent.as_ref(), now);
            state.jobs.jobs.insert(job.id.clone(), job.clone());
            state.push_event(&new.event);
            Admission::Accepted
        })
    }
}

impl GetGenerations for World {
    async fn get_generations(&self, owner: &UserId, month: Month) -> Result<Generations, Fault> {
        self.effect(|state| {
            let count = |class| {
                let counted = state.jobs.generations.get(&(owner.clone(), month.to_string(), class));
                counted.copied().unwrap_or_default()
            };
            Generations { image: count("image"), video: count("video"), text: count("text") }
        })
    }
}

impl GetJob for World {
    async fn get_job(&self, job: &JobId) -> Result<Option<Job>, Fault> {
        self.effect(|state| state.jobs.jobs.get(job).cloned())
    }
}

impl ListJobs for World {
    async fn list_jobs(&self, owner: &UserId, status: Option<JobStatus>, ask: &PageAsk) -> Result<Listed<Job>, Fault> {
        self.effect(|state| {
            let theirs = state.jobs.jobs.values().rev().filter(|job| job.owner() == owner);
            let listed: Vec<Job> =
                theirs.filter(|job| status.is_none_or(|status| job.status == status)).cloned().collect();
            page(&listed, ask)
        })?
    }
}

impl ListTexts for World {
    async fn list_texts(&self, owner: &UserId, kind: Kind, ask: &PageAsk) -> Result<Listed<Job>, Fault> {
        self.effect(|state| {
            let theirs = state.jobs.jobs.values().filter(|job| job.owner() == owner && job.kind == kind);
            let mut texts: Vec<Job> = theirs.filter(|job| job.is_finished_text()).cloned().collect();
            texts.sort_by_key(|job| std::cmp::Reverse((job.updated_at, job.id.tail())));
            page(&texts, ask).map(|listed| Listed { total: None, ..listed })
        })?
    }
}

impl ApplyJobStep for World {
    async fn apply_job_step(&self, step: &JobStep, received: Option<&Received>) -> Result<StepOutcome, Fault> {
        let apply = |state: &mut State| {
            match received.and_then(|received| state.came_before(received)) {
                Some(WriteOutcome::KeyReused) => return StepOutcome::KeyReused,
                Some(_) => return StepOutcome::Replayed,
                None => {}
            }
            let place = |file: &consigne_core::files::File| (file.owner().clone(), file.id());
            let moved = |(seen, file): &(u64, _)| state.files.get(&place(file)).is_none_or(|now| now.revision != *seen);
            let is_gone = |(key, _): &(consigne_core::files::ObjectKey, _)| {
                !state.files.contains_key(&(key.owner().clone(), key.file()))
            };
            let gone = step.reported.iter().any(is_gone);
            if !state.jobs.is_current(step) || step.adopted.iter().any(moved) || gone {
                return StepOutcome::Conflict;
            }
            for (_, file) in &step.adopted {
                state.files.insert(place(file), file.clone());
            }
            for (key, reported) in &step.reported {
                if let Some(file) = state.files.get_mut(&(key.owner().clone(), key.file())) {
                    (file.reported, file.revision) = (Some(*reported), file.revision + 1);
                }
            }
            state.take_step(step);
            if let Some(received) = received {
                state.remember(received);
            }
            StepOutcome::Applied
        };
        if step.by_owner { self.effect_of(step.job.owner(), apply) } else { self.effect(apply) }
    }
}

impl CancelJob for World {
    async fn cancel_job(&self, step: &JobStep, plan: Plan) -> Result<CancelOutcome, Fault> {
        self.effect_of(step.job.owner(), |state| {
            if !state.jobs.is_current(step) {
                return CancelOutcome::Conflict;
            }
            let (owner, now) = (step.job.owner(), step.job.updated_at);
            match state.windows(owner).admit(step.rates_of_cancellation(), plan, now) {
                Ok(windows) => *state.windows(owner) = windows,
                Err(over) => return CancelOutcome::OverRate(over),
            }
            state.take_step(step);
            CancelOutcome::Cancelled
        })
    }
}

impl ForgetJob for World {
    async fn forget_job(&self, job: &JobId) -> Result<(), Fault> {
        self.effect(|state| drop(state.jobs.jobs.remove(job)))
    }
}

impl WriteAudit for World {
    async fn write_audit(&self, entry: &AuditEntry) -> Result<(), Fault> {
        self.effect(|state| {
            // An event whose id is derived from its subject is added only once.
            state.accounts.audit.retain(|known| known.id != entry.id);
            state.accounts.audit.push(entry.clone());
        })
    }
}
