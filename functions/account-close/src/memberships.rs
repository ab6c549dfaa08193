//! Ends the memberships of a closed account.

use consigne_core::audit::AuditAction::{MemberRemoved, OrgSuspended};
use consigne_core::audit::{Actor, AuditEntry, Origin};
use consigne_core::orgs::{Member, OrgRole};
use consigne_core::ports::{Departure, EndMembership, GetMember, ListMembers, ListOrgs, PageAsk, Succession};
use consigne_core::{Fault, OrgId, Timestamp, UserId};
use consigne_runtime::{needs, remaining};
use serde_json::json;

use crate::{PAGE, RESERVE};

/// The actor in the audit log for a membership that ends.
const ACTOR: &str = "account-close";

needs! {
    /// The ports that end memberships. Each stands for one IAM action.
    pub trait LeaveOrgs: ListOrgs + ListMembers + GetMember + EndMembership
}

/// Ends a person's memberships in all organisations. Returns `false` if some are left: time ran short, or there is more
/// than one page.
pub(crate) async fn leave_orgs<T: LeaveOrgs>(table: &T, user: &UserId, now: Timestamp) -> Result<bool, Fault> {
    let places = table.list_orgs(user, &PageAsk { limit: PAGE, after: None }).await?;
    for (org, _) in &places.items {
        if remaining() < RESERVE {
            return Ok(false);
        }
        leave(table, org.id, user, now).await?;
    }
    // The next run starts with those that are left.
    Ok(places.next.is_none())
}

/// Ends a person's membership. The organisation continues if it has another owner. Otherwise it is suspended, because nobody
/// could revoke its keys any more.
async fn leave<T: LeaveOrgs>(table: &T, org: OrgId, user: &UserId, now: Timestamp) -> Result<(), Fault> {
    let origin = Origin { actor: Actor::Service(ACTOR.to_owned()), ip: None, user_agent: None, plan: None };
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
        // A member changed or left at the same time. Read them again.
    }
    Err(Fault::unavailable("members kept changing"))
}

/// Finds another owner of a member's organisation.
async fn another_owner<T: ListMembers>(table: &T, member: &Member) -> Result<Option<UserId>, Fault> {
    let mut page = PageAsk { limit: PAGE, after: None };
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
