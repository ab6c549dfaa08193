//! Changes a member's role, and ends a membership.

use consigne_core::audit::Origin;
use consigne_core::keys::{ChangeContext, KeyStatus};
use consigne_core::members::{Stepped, last_owner, member_not_found};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{ChangeKey, ChangeRole, GetKey, GetMember, ListKeys, PageAsk, RemoveMember};
use consigne_core::{Code, Fault, OrgId, UserId};

use crate::ConflictRetry;
use crate::keys::change;

/// Number of keys in one page.
const PAGE: u32 = 100;
/// Reason with which the keys of a removed member are revoked.
const CREATOR_LEFT: &str = "Its creator was removed from the organisation";

/// Changes a member's role at the request of the member `by`. Returns the member with the new role.
///
/// # Errors
/// `NOT_FOUND` if the person is not a member; `ROLE_REQUIRED` if the role of `by` does not allow it; `CONFLICT` for the
/// last owner; `UNAVAILABLE` if the membership keeps changing.
pub async fn assign<F: GetMember + ChangeRole>(
    orgs: &F,
    user: &UserId,
    role: OrgRole,
    by: &Member,
    when: &ChangeContext<'_>,
) -> Result<Member, Fault> {
    let mut retry = ConflictRetry::of("the membership");
    loop {
        let seen = get(orgs, by.org, user).await?;
        let Some(step) = seen.assign(role, by, when)? else { return Ok(seen) };
        match orgs.change_role(&step).await? {
            Stepped::Done => return Ok(Member { role, ..seen }),
            Stepped::LastOwner => return Err(last_owner()),
            Stepped::Conflict => retry.wait().await?,
        }
    }
}

/// Ends a membership at the request of the member `by`. Returns the membership as it was.
///
/// # Errors
/// Those of [`assign`].
pub async fn remove<F: GetMember + RemoveMember>(
    orgs: &F,
    user: &UserId,
    by: &Member,
    when: &ChangeContext<'_>,
) -> Result<Member, Fault> {
    let mut retry = ConflictRetry::of("the membership");
    loop {
        let seen = get(orgs, by.org, user).await?;
        match orgs.remove_member(&seen.remove(by, when)?).await? {
            Stepped::Done => return Ok(seen),
            Stepped::LastOwner => return Err(last_owner()),
            Stepped::Conflict => retry.wait().await?,
        }
    }
}

async fn get<F: GetMember>(orgs: &F, org: OrgId, user: &UserId) -> Result<Member, Fault> {
    orgs.get_member(org, user).await?.ok_or_else(member_not_found)
}

/// Revokes the keys that a person has created in an organisation. Returns how many were revoked. If a call is interrupted,
/// another call does the rest.
///
/// # Errors
/// `UNAVAILABLE` if the table does not answer or a key keeps changing.
pub async fn revoke_keys_of<F: ListKeys + GetKey + ChangeKey>(
    keys: &F,
    org: OrgId,
    user: &UserId,
    when: &ChangeContext<'_>,
) -> Result<u32, Fault> {
    // The removal was counted as a write of the caller. What follows from it is not counted again.
    let origin = Origin { plan: None, ..when.origin.clone() };
    let when = &ChangeContext { origin: &origin, now: when.now };
    let mut revoked = 0;
    let mut page = PageAsk { limit: PAGE, after: None };
    loop {
        let listed = keys.list_keys(org, &page).await?;
        let usable = |status| !matches!(status, KeyStatus::Revoked | KeyStatus::Deleted);
        for key in listed.items.iter().filter(|key| key.created_by == *user && usable(key.status)) {
            match change(keys, org, key.id, |key| key.revoke(CREATOR_LEFT, when)).await {
                Ok(_) => revoked += 1,
                // The key was deleted after it was listed.
                Err(fault) if fault.code == Code::NotFound => {}
                Err(fault) => return Err(fault),
            }
        }
        page.after = listed.next;
        if page.after.is_none() {
            return Ok(revoked);
        }
    }
}
