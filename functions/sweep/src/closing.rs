//! Closes accounts: ends all that a person owned, page by page, each thing as they would have ended it themselves.
//!
//! Cut short at any point, it goes on at the next run from what is left. It is done with an account only after a last look
//! an hour on, when no session token of theirs is valid any more and every index has caught up.

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

/// Files deleted side by side.
const AT_ONCE: usize = 10;
/// Most organisations left, and members looked at, in one question to the table.
const MANY: u32 = 1000;

needs! {
    /// What closing an account takes of the table.
    pub trait Closes:
        ApplyTransition + GetJob + ListJobs + ApplyJobStep + ForgetJob + ForgetDraft + BeginDelete + ListFiles
        + ListOrgs + ListMembers + GetMember + EndMembership + ForgetEndpoints + PostponeClosing + EndClosing
}

impl<A: Needs> Function<A> {
    /// Goes on closing an account, as far as time allows; says whether that has come to its end.
    pub(crate) async fn close(&self, closing: &Closing, tick: &Tick) -> Result<bool, Fault> {
        // Whatever else a person may come to own gets a step here, which says whether it has left nothing. None waits for
        // another that fails.
        let left = leave_orgs(&self.table, &closing.user, tick.now).await;
        let ended = end_jobs(&self.table, &closing.user, tick.now).await;
        let deleted = self.delete_files(&closing.user, tick).await;
        let mut all = left? && ended? && deleted?;
        if all && tick.now >= closing.last_look() {
            // Nothing refers to them any more, and they hold what their owner asked for, in their own words.
            all = forget_jobs(&self.table, &closing.user).await?;
            self.table.forget_endpoints(&closing.user).await?;
            if all {
                self.table.end_closing(&closing.user).await?;
                return Ok(true);
            }
        }
        // What is going on is not overdue, and stands behind what is.
        let next = if all { closing.last_look() } else { tick.now };
        self.table.postpone_closing(closing, next).await.map(|()| false)
    }
}

/// Fails every job that has not ended; `false` when time ran short.
async fn end_jobs<F: Closes>(table: &F, user: &UserId, now: Timestamp) -> Result<bool, Fault> {
    for status in JobStatus::ALL.into_iter().filter(|status| !status.is_final()) {
        let mut page = PageAsk { limit: MANY, after: None };
        loop {
            let listed = table.list_jobs(user, Some(status), &page).await?;
            for job in listed.items {
                if remaining() < RESERVE {
                    return Ok(false);
                }
                // One that has moved since is found again at the last look.
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

/// Removes the record of every job, and what was written for it; `false` when time ran short.
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

/// Removes a job's record, and before it, which leads there, the text that was begun for it.
async fn forget_job<F: Closes>(table: &F, job: &Job) -> Result<(), Fault> {
    if Form::of(job.kind).is_some() {
        table.forget_draft(&job.id).await?;
    }
    table.forget_job(&job.id).await
}

impl<A: Needs> Function<A> {
    /// Deletes every file that its owner would still see; `false` when time ran short.
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
        // From here on the file is deleted, and due by itself.
        if let Err(fault) = self.finish_deletion(&marked, tick.now).await {
            tick.log.field("removal.left_to_next_run", fault.chain());
        }
        Ok(())
    }
}

/// Takes a person's places in organisations away; `false` when time ran short.
async fn leave_orgs<F: Closes>(table: &F, user: &UserId, now: Timestamp) -> Result<bool, Fault> {
    let places = table.list_orgs(user, &PageAsk { limit: MANY, after: None }).await?;
    for (org, _) in &places.items {
        if remaining() < RESERVE {
            return Ok(false);
        }
        leave(table, org.id, user, now).await?;
    }
    // Those behind the page come first at the next run.
    Ok(places.next.is_none())
}

/// Takes a person's place away. The organisation goes on under its other owners; without one its keys stop, for nobody could
/// stop them otherwise.
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
        if table.end_membership(&Departure { member, succession, audit }).await? {
            return Ok(());
        }
        // Somebody has changed or left in the same moment: look again.
    }
    Err(Fault::unavailable("members kept changing"))
}

/// Finds an owner of a member's organisation besides the member.
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
