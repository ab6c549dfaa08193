//! Closes accounts: ends everything that a person owned, page by page, by the same steps as if they had done it
//! themselves.
//!
//! If it is interrupted, the next run continues with what is left. An account is finished only after a last look one
//! hour later, when no session token of the person is valid any more and every index is up to date.

use consigne_core::audit::AuditAction::{MemberRemoved, OrgSuspended};
use consigne_core::audit::{Actor, AuditEntry, Origin};
use consigne_core::files::{File, Status};
use consigne_core::jobs::{CANCELLED, Job, JobStatus};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{
    ApplyJobStep, ApplyTransition, BeginDelete, Departure, EndClosing, EndMembership, Filter, ForgetDraft,
    ForgetEndpoints, ForgetJob, GetJob, GetMember, ListFiles, ListJobs, ListMembers, ListOrgs, PageAsk,
    PostponeClosing, Succession,
};
use consigne_core::profiles::Closing;
use consigne_core::texts::Form;
use consigne_core::{Fault, OrgId, Timestamp, UserId};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{needs, remaining};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::{Function, Needs, PAGE, RESERVE};

/// Files deleted concurrently, and records of jobs removed concurrently.
const AT_ONCE: usize = 10;
/// Most organisations, members and jobs read in one query.
const MANY: u32 = 1000;

needs! {
    /// The table's ports that closing an account uses. Each stands for one IAM action.
    pub trait Closes:
        ApplyTransition + GetJob + ListJobs + ApplyJobStep + ForgetJob + ForgetDraft + BeginDelete + ListFiles
        + ListOrgs + ListMembers + GetMember + EndMembership + ForgetEndpoints + PostponeClosing + EndClosing
}

impl<A: Needs> Function<A> {
    /// Continues to close an account until time runs short. Returns whether the account is finished.
    pub(crate) async fn close(&self, closing: &Closing, tick: &Tick) -> Result<bool, Fault> {
        // One step for each kind of thing that a person owns. It returns whether nothing is left. A failure of one step
        // does not prevent the others.
        let left = leave_orgs(&self.table, &closing.user, tick.now).await;
        let ended = end_jobs(&self.table, &closing.user, tick.now).await;
        let deleted = self.delete_files(&closing.user, tick).await;
        let mut all = left? && ended? && deleted?;
        if all && tick.now >= closing.last_look() {
            // Nothing refers to the jobs any more, and they contain personal data: what the person asked for, in their
            // own words.
            all = forget_jobs(&self.table, &closing.user).await?;
            self.table.forget_endpoints(&closing.user).await?;
            if all {
                self.table.end_closing(&closing.user).await?;
                return Ok(true);
            }
        }
        // Sort this account behind those that have waited longer.
        let next = if all { closing.last_look() } else { tick.now };
        self.table.postpone_closing(closing, next).await.map(|()| false)
    }
}

/// Fails every job that has not ended. Returns `false` when time ran short.
async fn end_jobs<F: Closes>(table: &F, user: &UserId, now: Timestamp) -> Result<bool, Fault> {
    for status in JobStatus::ALL.into_iter().filter(|status| !status.is_final()) {
        let mut page = PageAsk { limit: MANY, after: None };
        loop {
            let listed = table.list_jobs(user, Some(status), &page).await?;
            for job in listed.items {
                if remaining() < RESERVE {
                    return Ok(false);
                }
                // A job that changed meanwhile is found again by the last look.
                if let Some(step) = job.failed(CANCELLED, "The account was closed", now) {
                    table.apply_job_step(&step, None).await?;
                }
            }
            page.after = listed.next;
            if page.after.is_none() {
                break;
            }
        }
    }
    Ok(true)
}

/// Removes the record and the draft of every job. Returns `false` when time ran short.
async fn forget_jobs<F: Closes>(table: &F, user: &UserId) -> Result<bool, Fault> {
    loop {
        let listed = table.list_jobs(user, None, &PageAsk { limit: MANY, after: None }).await?;
        for some in listed.items.chunks(AT_ONCE) {
            if remaining() < RESERVE {
                return Ok(false);
            }
            try_join_all(some.iter().map(|job| forget_job(table, job))).await?;
        }
        if listed.next.is_none() {
            return Ok(true);
        }
    }
}

/// Removes a job's draft and then its record. The record goes last, because the draft is found through it.
async fn forget_job<F: Closes>(table: &F, job: &Job) -> Result<(), Fault> {
    if Form::of(job.kind).is_some() {
        table.forget_draft(&job.id).await?;
    }
    table.forget_job(&job.id).await
}

impl<A: Needs> Function<A> {
    /// Deletes every file that its owner can still see. Returns `false` when time ran short.
    async fn delete_files(&self, user: &UserId, tick: &Tick) -> Result<bool, Fault> {
        for status in Status::ALL.into_iter().filter(|status| status.is_visible()) {
            let mut after = None;
            loop {
                let filter = Filter { status, kind: None };
                let page = self.table.list_files(user, filter, PAGE, after.as_ref()).await?;
                for some in page.files.chunks(AT_ONCE) {
                    if remaining() < RESERVE {
                        return Ok(false);
                    }
                    try_join_all(some.iter().map(|file| self.delete(file, tick))).await?;
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(true)
    }

    async fn delete(&self, file: &File, tick: &Tick) -> Result<(), Fault> {
        let Some(marked) = self.table.begin_delete(&file.key, tick.now).await? else { return Ok(()) };
        tick.log.count("FilesDeleted");
        // The file counts as deleted from here on. If this fails, a later run finds it as due.
        if let Err(fault) = self.finish_deletion(&marked, tick.now).await {
            tick.log.field("removal.left_to_next_run", fault.chain());
        }
        Ok(())
    }
}

/// Ends a person's memberships in organisations. Returns `false` when some are left.
async fn leave_orgs<F: Closes>(table: &F, user: &UserId, now: Timestamp) -> Result<bool, Fault> {
    let places = table.list_orgs(user, &PageAsk { limit: MANY, after: None }).await?;
    for (org, _) in &places.items {
        if remaining() < RESERVE {
            return Ok(false);
        }
        leave(table, org.id, user, now).await?;
    }
    // The next run continues with the memberships beyond this page.
    Ok(places.next.is_none())
}

/// Ends a membership. If the person was the last owner, the organisation is suspended, because nobody else could stop
/// its keys.
async fn leave<F: Closes>(table: &F, org: OrgId, user: &UserId, now: Timestamp) -> Result<(), Fault> {
    let origin = Origin { actor: Actor::Service("sweep".to_owned()), ip: None, user_agent: None };
    let entry = |action, subject: String, cause: &str| {
        AuditEntry::new(org, action, subject, &origin, now, json!({ "cause": cause }))
    };
    while remaining() > RESERVE {
        let Some(member) = table.get_member(org, user).await? else { return Ok(()) };
        let succession = match member.role {
            OrgRole::Owner => match another_owner(table, &member).await? {
                Some(owner) => Succession::Owner(owner),
                None => Succession::Nobody(Box::new(entry(OrgSuspended, org.to_string(), "last_owner_gone"))),
            },
            OrgRole::Admin | OrgRole::Developer | OrgRole::Billing => Succession::Unchanged,
        };
        let audit = entry(MemberRemoved, user.to_string(), "account_closed");
        if table.end_membership(&Departure { member, succession, audit }).await?.is_committed() {
            return Ok(());
        }
        // A member changed or left at the same moment. Read again.
    }
    Err(Fault::unavailable("members kept changing"))
}

/// Finds another owner of a member's organisation.
async fn another_owner<F: ListMembers>(table: &F, member: &Member) -> Result<Option<UserId>, Fault> {
    let mut page = PageAsk { limit: MANY, after: None };
    loop {
        let members = table.list_members(member.org, &page).await?;
        let mut others = members.items.into_iter().filter(|other| other.user != member.user);
        if let Some(owner) = others.find(|other| other.role == OrgRole::Owner) {
            return Ok(Some(owner.user));
        }
        if members.next.is_none() {
            return Ok(None);
        }
        page.after = members.next;
    }
}
