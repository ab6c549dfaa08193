//! Changes of memberships: which roles may change which, and the rule that an organisation keeps an owner.

use serde_json::json;

use crate::audit::{AuditAction, AuditEntry};
use crate::keys::ChangeContext;
use crate::orgs::{Member, OrgRole};
use crate::{Code, Fault, UserId};

/// Most members of an organisation.
pub const MEMBERS_MAX: u32 = 500;

impl OrgRole {
    /// Returns whether a member in this role may invite somebody to the given role.
    pub const fn may_invite(self, role: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => !matches!(role, Self::Owner),
            Self::Developer | Self::Billing => false,
        }
    }

    /// Returns whether a member in this role may give the given role to another member, or take it away.
    pub const fn may_manage(self, role: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => matches!(role, Self::Developer | Self::Billing),
            Self::Developer | Self::Billing => false,
        }
    }

    /// Returns the roles that may invite somebody to this one.
    pub fn inviters(self) -> Vec<Self> {
        Self::ALL.into_iter().filter(|role| role.may_invite(self)).collect()
    }
}

/// The change of a member's role, with its audit entry.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleStep {
    /// The membership as it was read.
    pub seen: Member,
    /// The role the member gets.
    pub role: OrgRole,
    /// Entry of the audit log.
    pub audit: AuditEntry,
}

/// The end of a membership, with its audit entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    /// The membership as it was read.
    pub seen: Member,
    /// Entry of the audit log.
    pub audit: AuditEntry,
}

/// The outcome of a change of a membership. Only `Done` means that something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepped {
    /// The change was written.
    Done,
    /// The membership has changed since it was read.
    Conflict,
    /// The organisation would have no owner left.
    LastOwner,
}

impl Member {
    /// Gives the member another role. Returns `None` if they have it already.
    ///
    /// # Errors
    /// `ROLE_REQUIRED` unless `by` may take away the old role and give the new one.
    pub fn assign(&self, role: OrgRole, by: &Self, when: &ChangeContext<'_>) -> Result<Option<RoleStep>, Fault> {
        if !by.role.may_manage(self.role) || !by.role.may_manage(role) {
            return Err(role_required(by.role, |caller| caller.may_manage(self.role) && caller.may_manage(role)));
        }
        if role == self.role {
            return Ok(None);
        }
        let details = json!({ "from": self.role, "to": role });
        let audit =
            AuditEntry::new(self.org, AuditAction::RoleChanged, self.user.to_string(), when.origin, when.now, details);
        Ok(Some(RoleStep { seen: self.clone(), role, audit }))
    }

    /// Ends the membership. Every member may end their own.
    ///
    /// # Errors
    /// `ROLE_REQUIRED` if the membership is another person's and `by` may not take away its role.
    pub fn remove(&self, by: &Self, when: &ChangeContext<'_>) -> Result<Removal, Fault> {
        let leaves = self.user == by.user;
        if !leaves && !by.role.may_manage(self.role) {
            return Err(role_required(by.role, |caller| caller.may_manage(self.role)));
        }
        let action = if leaves { AuditAction::MemberLeft } else { AuditAction::MemberRemoved };
        let details = json!({ "role": self.role });
        let audit = AuditEntry::new(self.org, action, self.user.to_string(), when.origin, when.now, details);
        Ok(Removal { seen: self.clone(), audit })
    }
}

/// Returns the owner whose test wallet pays after the previous payer has left: the owner who joined first.
pub fn new_payer(members: &[Member]) -> Option<&Member> {
    let owners = members.iter().filter(|member| member.role == OrgRole::Owner);
    owners.min_by_key(|owner| (owner.joined_at, &owner.user))
}

/// Parses a person's id in a path.
///
/// # Errors
/// `NOT_FOUND` if the text is not an id, as for somebody who is not a member.
pub fn member_in_path(text: &str) -> Result<UserId, Fault> {
    UserId::parse(text).ok_or_else(member_not_found)
}

/// Returns the 404 for somebody who is not a member.
pub fn member_not_found() -> Fault {
    Fault::not_found("Member")
}

/// Returns the 403 for an insufficient role. It names the roles that suffice.
pub(crate) fn role_required(held: OrgRole, enough: impl Fn(OrgRole) -> bool) -> Fault {
    let roles: Vec<&str> = OrgRole::ALL.into_iter().filter(|role| enough(*role)).map(OrgRole::name).collect();
    Fault::new(Code::RoleRequired, format!("This needs the role {} in the organisation", roles.join(" or ")))
        .detail("required", roles)
        .detail("role", held)
}

/// Returns the 409 for an organisation that already has [`MEMBERS_MAX`] members.
pub fn full() -> Fault {
    Fault::new(Code::Conflict, format!("organisation already has {MEMBERS_MAX} members; remove one first"))
        .detail("limit", MEMBERS_MAX)
}

/// Returns the 409 for the last owner, who can neither leave nor get another role.
pub fn last_owner() -> Fault {
    Fault::new(Code::Conflict, "organisation must keep an owner; make somebody else an owner first")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OrgId;
    use crate::Timestamp;
    use crate::audit::{Actor, Origin};

    fn member(name: &str, role: OrgRole, joined: i64) -> Member {
        let user = UserId::parse(&format!("user_{name}")).unwrap();
        let org = OrgId::parse("org_01M7YREWKH7VM7Z3Z2KWSH2FTR").unwrap();
        Member { org, user, role, joined_at: Timestamp::from_secs(joined) }
    }

    #[test]
    fn an_owner_may_do_everything_an_admin_what_is_below_an_admin_and_the_others_nothing() {
        let table = |may: fn(OrgRole, OrgRole) -> bool| -> Vec<String> {
            let row = |by: OrgRole| OrgRole::ALL.map(|role| if may(by, role) { "yes" } else { "-" }).join(" ");
            OrgRole::ALL.map(row).to_vec()
        };
        assert_eq!(table(OrgRole::may_invite), ["yes yes yes yes", "- yes yes yes", "- - - -", "- - - -"]);
        assert_eq!(table(OrgRole::may_manage), ["yes yes yes yes", "- - yes yes", "- - - -", "- - - -"]);
        assert_eq!(OrgRole::Owner.inviters(), [OrgRole::Owner]);
        assert_eq!(OrgRole::Billing.inviters(), [OrgRole::Owner, OrgRole::Admin]);
    }

    #[test]
    fn every_change_of_every_role_by_every_role() {
        let origin = Origin { actor: Actor::Service("test".to_owned()), ip: None, user_agent: None, plan: None };
        let when = ChangeContext { origin: &origin, now: Timestamp::from_secs(9) };
        for by in OrgRole::ALL.map(|role| member("by", role, 1)) {
            for old in OrgRole::ALL.map(|role| member("other", role, 1)) {
                for new in OrgRole::ALL {
                    let allowed = by.role.may_manage(old.role) && by.role.may_manage(new);
                    let step = old.assign(new, &by, &when);
                    let code = step.as_ref().err().map(|fault| fault.code);
                    assert_eq!(code, (!allowed).then_some(Code::RoleRequired), "{by:?} {old:?} {new:?}");
                    assert_eq!(step.ok().flatten().map(|step| step.role), (allowed && new != old.role).then_some(new));
                }
                let allowed = by.role.may_manage(old.role);
                let action = old.remove(&by, &when).ok().map(|removal| removal.audit.action);
                assert_eq!(action, allowed.then_some(AuditAction::MemberRemoved), "{by:?} {old:?}");
            }
            let left = by.remove(&by, &when).unwrap();
            assert_eq!((left.audit.action, left.audit.subject.as_str()), (AuditAction::MemberLeft, "user_by"));
        }
    }

    #[test]
    fn a_refusal_names_the_roles_that_suffice() {
        let origin = Origin { actor: Actor::Service("test".to_owned()), ip: None, user_agent: None, plan: None };
        let when = ChangeContext { origin: &origin, now: Timestamp::from_secs(9) };
        let (admin, developer) = (member("adam", OrgRole::Admin, 1), member("dev", OrgRole::Developer, 1));
        let fault = developer.assign(OrgRole::Admin, &admin, &when).unwrap_err();
        assert_eq!((&fault.details["required"], &fault.details["role"]), (&json!(["owner"]), &json!("admin")));
        let fault = member("bill", OrgRole::Billing, 1).remove(&developer, &when).unwrap_err();
        assert_eq!(fault.details["required"], json!(["owner", "admin"]));
    }

    #[test]
    fn the_new_payer_is_the_owner_who_joined_first() {
        let members = [
            member("adam", OrgRole::Admin, 1),
            member("zoe", OrgRole::Owner, 2),
            member("ann", OrgRole::Owner, 3),
            member("bob", OrgRole::Owner, 2),
        ];
        assert_eq!(new_payer(&members).map(|new_payer| new_payer.user.as_str()), Some("user_bob"));
        assert_eq!(new_payer(&members[..1]), None);
    }
}
