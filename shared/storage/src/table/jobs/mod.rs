//! Jobs: accepting them against a month's allowance, reading, listing, and applying steps.

pub(crate) mod drafts;
pub(crate) mod job_item;

use std::time::Duration;

use aws_sdk_dynamodb::operation::put_item::PutItemInput;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
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

use crate::table::files::file_item;
use crate::table::idempotency::TransactionOutcome;
use crate::table::item::{Item, Reader, key, number, text, user_pk};
use crate::table::outbox;
use crate::table::rates::{Counted, CountedOutcome};
use crate::table::transact::failed_at;
use crate::table::{Table, audit};

/// Index of the allowance in the transaction that accepts a job.
const ALLOWANCE: usize = 1;
/// How long the counts of a month are kept after its end.
const COUNTS_KEPT: Duration = Duration::from_hours(24 * 400);

impl RequestJob for Table {
    async fn request_job(&self, new: &NewJob) -> Result<Admission, Fault> {
        let job = &new.job;
        let writes = vec![
            self.put_new(job_item::write(job))?,
            self.update(take_one(job))?,
            self.put(outbox::write(&new.event))?,
            self.seen_or_open(job.owner(), new.seen.as_ref())?,
        ];
        let (user, plan, now) = (job.owner(), job.plan, job.created_at);
        let counted = Counted { user, plan, rates: NewJob::RATES, now };
        let outcome = match self.transact_within(&counted, writes, new.idempotent.as_ref()).await? {
            CountedOutcome::Within(outcome) => outcome,
            CountedOutcome::Over(over) => return Ok(Admission::OverRate(over)),
        };
        match outcome {
            TransactionOutcome::Written(WriteOutcome::Applied) => Ok(Admission::Accepted),
            TransactionOutcome::Written(WriteOutcome::Replayed(id)) => Ok(Admission::Replayed(id)),
            TransactionOutcome::Written(WriteOutcome::KeyReused) => Ok(Admission::KeyReused),
            TransactionOutcome::Refused(failed) if failed_at(&failed, ALLOWANCE).is_some() => Ok(Admission::Spent),
            TransactionOutcome::Written(WriteOutcome::Conflict) | TransactionOutcome::Refused(_) => {
                Err(Fault::internal("a job was minted twice"))
            }
        }
    }
}

/// Builds the update that takes one unit of the month's allowance, on condition that one is left.
fn take_one(job: &Job) -> UpdateBuilder {
    let limit = job.plan.generations(job.kind);
    // A month without a count has units left, unless the limit is zero.
    let room = if limit == 0 { "#class < :limit" } else { "attribute_not_exists(#class) OR #class < :limit" };
    count(job, 1)
        .update_expression("ADD #class :change SET #ttl = :ttl")
        .condition_expression(room)
        .expression_attribute_names("#ttl", "ttl")
        .expression_attribute_values(":ttl", number(job.month().ends().plus(COUNTS_KEPT).as_secs()))
        .expression_attribute_values(":limit", number(limit))
}

/// Builds the update that gives the unit back to the month from which it was taken, even if that month is over.
fn give_one_back(job: &Job) -> UpdateBuilder {
    count(job, -1).update_expression("ADD #class :change")
}

/// Returns the key of the counts of a month.
fn generations_key(owner: &UserId, month: Month) -> Item {
    key(user_pk(owner), format!("GENERATIONS#{month}"))
}

fn count(job: &Job, change: i8) -> UpdateBuilder {
    let class = match job.kind {
        Kind::Image => "image",
        Kind::Video => "video",
        Kind::Book | Kind::Blog | Kind::Document | Kind::Audio => "text",
    };
    Update::builder()
        .set_key(Some(generations_key(job.owner(), job.month())))
        .expression_attribute_names("#class", class)
        .expression_attribute_values(":change", number(change))
}

impl GetGenerations for Table {
    async fn get_generations(&self, owner: &UserId, month: Month) -> Result<Generations, Fault> {
        let item = self.get(generations_key(owner, month)).await?.unwrap_or_default();
        let count = |class: &str| Reader(&item).optional_number(class).unwrap_or_default();
        Ok(Generations { image: count("image"), video: count("video"), text: count("text") })
    }
}

impl GetJob for Table {
    async fn get_job(&self, job: &JobId) -> Result<Option<Job>, Fault> {
        self.get(job_item::job_key(job)).await?.as_ref().map(job_item::read).transpose()
    }
}

impl ListJobs for Table {
    async fn list_jobs(&self, owner: &UserId, status: Option<JobStatus>, page: &PageAsk) -> Result<Listed<Job>, Fault> {
        let (index, query) = if let Some(status) = status {
            let query = self.partition(Some("gsi1"), job_item::by_status(owner, status));
            (Some("gsi1"), query.key_condition_expression("#pk = :pk"))
        } else {
            let query = self.partition(None, user_pk(owner));
            let query = query.key_condition_expression("#pk = :pk AND begins_with(sk, :job)");
            (None, query.expression_attribute_values(":job", text(job_item::JOB)))
        };
        self.page(index, query.scan_index_forward(false), page, job_item::read).await
    }
}

impl ListTexts for Table {
    async fn list_texts(&self, owner: &UserId, kind: Kind, page: &PageAsk) -> Result<Listed<Job>, Fault> {
        let query = self.partition(Some("gsi2"), job_item::finished_texts(owner, kind));
        let query = query.key_condition_expression("#pk = :pk").scan_index_forward(false);
        self.page_without_total(Some("gsi2"), query, page, job_item::read).await
    }
}

impl ApplyJobStep for Table {
    async fn apply_job_step(&self, step: &JobStep, received: Option<&Received>) -> Result<StepOutcome, Fault> {
        let mut writes = self.job_writes(step)?;
        for (seen, file) in &step.adopted {
            writes.push(self.put_seen(file_item::write(file), *seen)?);
        }
        for (file, dimensions) in &step.reported {
            writes.push(self.update(file_item::report(file, *dimensions))?);
        }
        if step.by_owner {
            writes.push(self.require_open(step.job.owner())?);
        }
        let record = received.map(|received| self.webhook_record(received)).transpose()?;
        Ok(match self.transact_with(writes, record).await? {
            TransactionOutcome::Written(WriteOutcome::Applied) => StepOutcome::Applied,
            TransactionOutcome::Written(WriteOutcome::KeyReused) => StepOutcome::KeyReused,
            TransactionOutcome::Written(WriteOutcome::Replayed(_) | WriteOutcome::Conflict) => StepOutcome::Replayed,
            TransactionOutcome::Refused(_) => StepOutcome::Conflict,
        })
    }
}

impl CancelJob for Table {
    async fn cancel_job(&self, step: &JobStep, plan: Plan) -> Result<CancelOutcome, Fault> {
        let (user, rates, now) = (step.job.owner(), step.rates_of_cancellation(), step.job.updated_at);
        let counted = Counted { user, plan, rates, now };
        let mut writes = self.job_writes(step)?;
        writes.push(self.require_open(user)?);
        Ok(match self.transact_within(&counted, writes, None).await? {
            CountedOutcome::Within(TransactionOutcome::Written(_)) => CancelOutcome::Cancelled,
            CountedOutcome::Within(TransactionOutcome::Refused(_)) => CancelOutcome::Conflict,
            CountedOutcome::Over(over) => CancelOutcome::OverRate(over),
        })
    }
}

impl Table {
    /// Returns the write of a job's record after a step.
    pub(crate) fn job_write(&self, step: &JobStep) -> Result<TransactWriteItem, Fault> {
        self.put_seen(job_item::write(&step.job), step.seen)
    }

    /// Returns all writes of a step, except those of the files it adopts.
    pub(crate) fn job_writes(&self, step: &JobStep) -> Result<Vec<TransactWriteItem>, Fault> {
        let mut writes = vec![self.job_write(step)?];
        if step.gives_back {
            writes.push(self.update(give_one_back(&step.job))?);
        }
        if let Some(event) = &step.event {
            writes.push(self.put(outbox::write(event))?);
        }
        Ok(writes)
    }
}

impl ForgetJob for Table {
    async fn forget_job(&self, job: &JobId) -> Result<(), Fault> {
        self.delete(job_item::job_key(job)).await
    }
}

impl WriteAudit for Table {
    async fn write_audit(&self, entry: &AuditEntry) -> Result<(), Fault> {
        let put = PutItemInput::builder().table_name(&self.name).set_item(Some(audit::write(entry)));
        self.client.send(put).await.map(drop).map_err(Fault::unavailable)
    }
}
