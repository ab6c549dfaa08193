//! Changes a member's role, and ends a membership.

use consigne_core::keys::ChangeContext;
use consigne_core::members::{Stepped, last_owner, member_not_found};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{ChangeRole, GetMember, RemoveMember};
use consigne_core::{Fault, OrgId, UserId};

use crate::ConflictRetry;

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
