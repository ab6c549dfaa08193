//! Ends the memberships in a deleted organisation.

use consigne_core::deletions::OrgDeletion;
use consigne_core::ports::{DismissMember, ListMembers, PageAsk};
use consigne_core::{Fault, Timestamp};
use futures_util::future::try_join_all;

/// Members read in one query.
const PAGE: u32 = 100;
/// Memberships ended at the same time.
const AT_ONCE: usize = 10;

/// Ends every membership and writes an event for each member. A membership that has ended before has its event, so this
/// can be repeated. Returns `false` if `goes_on` said before the end that time runs short.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer.
pub async fn dismiss_members<T: ListMembers + DismissMember>(
    table: &T,
    deletion: &OrgDeletion,
    now: Timestamp,
    goes_on: impl Fn() -> bool,
) -> Result<bool, Fault> {
    loop {
        // Always the first page, because what was on it is gone.
        let listed = table.list_members(deletion.org, &PageAsk { limit: PAGE, after: None }).await?;
        for some in listed.items.chunks(AT_ONCE) {
            if !goes_on() {
                return Ok(false);
            }
            let events: Vec<_> = some.iter().map(|member| (member, deletion.event(member, now))).collect();
            try_join_all(events.iter().map(|(member, event)| table.dismiss_member(member, event))).await?;
        }
        if listed.next.is_none() {
            return Ok(true);
        }
    }
}
