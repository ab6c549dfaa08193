//! Ends what the owners of closed accounts leave behind: their memberships, jobs, exports and files. Also ends what deleted
//! organisations leave behind: memberships, keys, endpoints and invitations. Photos of erased orders are deleted in the
//! same way, and where the installation keeps orders for a time only, those that are older are erased.
//!
//! It runs every five minutes and works through the closings and deletions that are due. Each thing ends as if its owner
//! had ended it. A run that is cut short loses nothing, because the next one continues. A closing ends only after a last
//! look, an hour after the account was closed. By then the person's session tokens have expired, and every index has
//! caught up. A deletion ends after a last look too, when the requests that began before it have ended.

mod dissolution;
mod jobs;
mod memberships;
mod orders;

use std::time::Duration;

use consigne_core::deletions::OrgDeletion;
use consigne_core::files::{File, Status};
use consigne_core::ports::{
    AbortUpload, ApplyTransition, BeginDelete, EndClosing, EndDeletion, Filter, FindClosings, ForgetEndpoints,
    ForgetExport, GetJob, GetOrder, ListFiles, ListUploads, ListVersionPage, ListVersions, PostponeClosing,
    PostponeDeletion, RemoveVersion,
};
use consigne_core::profiles::Closing;
use consigne_core::{Fault, Timestamp, UserId};
use consigne_runtime::schedule::Tick;
use consigne_runtime::{Adapters, ScheduleFunction, function, needs, remaining};
use consigne_usecases::exports::remove_exports;
use consigne_usecases::uploads::finish_deletion;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

pub use crate::dissolution::Dissolve;
pub use crate::jobs::EndJobs;
pub use crate::memberships::LeaveOrgs;
pub use crate::orders::EraseOrders;

/// Time kept for the answer; the next run does what is left.
const RESERVE: Duration = Duration::from_secs(5);
/// Files listed with one query.
const FILE_PAGE: u32 = 100;
/// Memberships or jobs listed with one query.
const PAGE: u32 = 1000;
/// Files deleted, or jobs forgotten, at the same time.
const AT_ONCE: usize = 10;

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: FindClosings + PostponeClosing + EndClosing + ForgetEndpoints + EndJobs + LeaveOrgs
            + PostponeDeletion + EndDeletion + Dissolve + ForgetExport + ListFiles + BeginDelete + ApplyTransition + GetJob
            + GetOrder + EraseOrders,
        Bucket: RemoveVersion + ListVersions + ListVersionPage + ListUploads + AbortUpload,
    >
}

function! {
    table: A::Table = table(),
    objects: A::Bucket = bucket(),
    /// After how long orders are erased; `None` if they are kept.
    order_retention: Option<Duration> = order_retention(),
}

impl<A: Needs> ScheduleFunction for Function<A> {
    /// Works through the deletions and closings that are due, the longest overdue first, until time runs short.
    async fn handle(&self, tick: &Tick) -> Result<Value, Fault> {
        let due = self.table.find_closings(tick.now).await?;
        let (mut closed, mut dissolved, mut failed) = (0_u32, 0_u32, 0_u32);
        let mut fail = |fault: &Fault| {
            failed += 1;
            tick.log.count("ClosingsFailed");
            tick.log.field("closing.last_failure", fault.chain());
        };
        for key in &due.unreadable {
            fail(&Fault::internal(format!("the item {key} cannot be read")));
        }
        // Deletions come first, because they are short: a closing may have thousands of files.
        for deletion in &due.deletions {
            if remaining() < RESERVE {
                break;
            }
            match self.dissolve(deletion, tick.now).await {
                Ok(has_ended) => dissolved += u32::from(has_ended),
                Err(fault) => fail(&fault),
            }
        }
        for closing in &due.closings {
            if remaining() < RESERVE {
                break;
            }
            match self.close(closing, tick).await {
                Ok(has_ended) => closed += u32::from(has_ended),
                // A closing that fails must not keep the others waiting. It stays due.
                Err(fault) => fail(&fault),
            }
        }
        // Last, because nobody waits for it. The next run deletes the photos.
        let erased = orders::erase_old(&self.table, self.order_retention, tick.now, &mut fail).await;
        if erased > 0 {
            tick.log.add("OrdersErased", erased.into());
        }
        let orgs = json!({ "due": due.deletions.len(), "dissolved": dissolved });
        let done = json!({ "due": due.closings.len(), "closed": closed, "failed": failed, "organisations": orgs,
            "orders_erased": erased });
        tick.log.field("closing.done", &done);
        Ok(done)
    }
}

impl<A: Needs> Function<A> {
    /// Ends what a person owned, as far as time allows. Returns whether the closing has ended.
    async fn close(&self, closing: &Closing, tick: &Tick) -> Result<bool, Fault> {
        // Memberships, jobs, exports and files each have a step, which returns whether nothing is left. If one step fails, the others
        // are still tried.
        let left = memberships::leave_orgs(&self.table, &closing.user, tick.now).await;
        let ended = jobs::end_jobs(&self.table, &closing.user, tick.now).await;
        let exported = self.remove_exports(&closing.user).await;
        let deleted = self.delete_files(&closing.user, tick).await;
        let mut nothing_left = left? && ended? && exported? && deleted?;
        if nothing_left && tick.now >= closing.last_look() {
            // Nothing refers to the jobs any more, and they contain what their owner wrote.
            nothing_left = jobs::forget_jobs(&self.table, &closing.user).await?;
            self.table.forget_endpoints(&closing.user).await?;
            if nothing_left {
                self.table.end_closing(&closing.user).await?;
                return Ok(true);
            }
        }
        // This closing has made progress, so the next run starts with the closings that have waited longer.
        let next = if nothing_left { closing.last_look() } else { tick.now };
        self.table.postpone_closing(closing, next).await.map(|()| false)
    }

    /// Ends what a deleted organisation had, as far as time allows. Returns whether the deletion has ended.
    async fn dissolve(&self, deletion: &OrgDeletion, now: Timestamp) -> Result<bool, Fault> {
        let nothing_left = dissolution::dissolve(&self.table, deletion, now).await?;
        if nothing_left && now >= deletion.last_look() {
            self.table.end_deletion(deletion.org).await?;
            return Ok(true);
        }
        let next = if nothing_left { deletion.last_look() } else { now };
        self.table.postpone_deletion(deletion, next).await.map(|()| false)
    }

    /// Removes the exports of a person's data. The record goes first, so that a worker that is at it stops. Returns `false` if
    /// time ran short.
    async fn remove_exports(&self, user: &UserId) -> Result<bool, Fault> {
        self.table.forget_export(user).await?;
        remove_exports(&self.objects, user, None, || remaining() > RESERVE).await
    }

    /// Deletes every file that is visible to its owner. Returns `false` if time ran short.
    async fn delete_files(&self, user: &UserId, tick: &Tick) -> Result<bool, Fault> {
        for status in Status::ALL.into_iter().filter(|status| status.is_visible()) {
            let mut after = None;
            loop {
                let filter = Filter { status, kind: None };
                let page = self.table.list_files(user, filter, FILE_PAGE, after.as_ref()).await?;
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
        // The file is deleted for everyone from here on. If the rest fails, `sweep` finishes it.
        if let Err(fault) = finish_deletion(&self.table, &self.objects, &marked, tick.now).await {
            tick.log.field("removal.left_to_sweep", fault.chain());
        }
        Ok(())
    }
}
