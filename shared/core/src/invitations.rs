//! Invitations to organisations: who may send them, how many, and who may accept them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::audit::{AuditAction, AuditEntry};
use crate::keys::ChangeContext;
use crate::members::{MEMBERS_MAX, full, role_required};
use crate::orgs::{Member, OrgRole};
use crate::periods::Day;
use crate::{Code, EmailAddress, Fault, InvitationId, OrgId, Timestamp, UserId};

/// How long an invitation can be accepted.
pub const VALID: Duration = Duration::from_hours(24 * 7);
/// How long an invitation is kept after it expires. Until then it counts for the limits below, and the person who
/// accepted it gets the same answer to a retry.
pub const REMEMBERED: Duration = Duration::from_hours(24);
/// Most open invitations of an organisation.
pub const OPEN_MAX: usize = 100;
/// Most invitations that an organisation sends in any 24 hours, against misuse for spam.
pub const DAILY_MAX: usize = 50;
/// Most invitations to one address in any 24 hours, per organisation.
pub const DAILY_MAX_EACH: usize = 3;
/// Most invitations that one person sends in a day (UTC) for all organisations together, because a person can create
/// any number of organisations.
pub const INVITER_DAILY_MAX: u32 = 100;
/// The span in which an organisation's invitations are counted.
const DAY: Duration = Duration::from_hours(24);

/// An invitation of an address to an organisation, in a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The organisation to which it invites.
    pub org: OrgId,
    /// Its id, which sorts by time. The token in the mail is derived from it with a secret, and is not stored.
    pub id: InvitationId,
    /// The invited address. Only a person with this verified address can accept it.
    pub email: EmailAddress,
    /// The role the person will have.
    pub role: OrgRole,
    /// The member who sent it. It cannot be accepted once this member has lost the right to send it.
    pub invited_by: UserId,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
    /// Whether it is open, accepted or revoked.
    pub status: InvitationStatus,
}

/// The status of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvitationStatus {
    /// Neither accepted nor revoked. It may have expired.
    Open,
    /// This person has accepted it.
    Accepted(UserId),
    /// An owner or admin has revoked it.
    Revoked,
}

impl InvitationStatus {
    /// Returns the status's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted(_) => "accepted",
            Self::Revoked => "revoked",
        }
    }
}

/// What a person who has an invitation's token can do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptCheck {
    /// They can accept it if the invited address is theirs.
    Open,
    /// They have already accepted it.
    Accepted,
    /// Nothing: it was revoked, has expired, or was accepted by somebody else.
    Invalid,
}

impl Invitation {
    /// Invites an address to the organisation of `member`.
    ///
    /// # Errors
    /// `ROLE_REQUIRED` if the member's role does not allow it.
    pub fn by(member: &Member, email: EmailAddress, role: OrgRole, now: Timestamp) -> Result<Self, Fault> {
        if !member.role.may_invite(role) {
            return Err(role_required(member.role, |inviter| inviter.may_invite(role)));
        }
        Ok(Self {
            org: member.org,
            id: InvitationId::mint(now),
            email,
            role,
            invited_by: member.user.clone(),
            created_at: now,
            expires_at: now.plus(VALID),
            status: InvitationStatus::Open,
        })
    }

    /// Returns whether it can be accepted at a time.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.status == InvitationStatus::Open && now < self.expires_at
    }

    /// Returns what a person who has its token can do with it.
    pub fn check_for(&self, user: &UserId, now: Timestamp) -> AcceptCheck {
        match &self.status {
            InvitationStatus::Accepted(by) if by == user => AcceptCheck::Accepted,
            _ if self.is_open(now) => AcceptCheck::Open,
            _ => AcceptCheck::Invalid,
        }
    }

    /// Checks the limits for this new invitation. `sent` are the organisation's invitations of the last days, `members`
    /// is its number of members.
    ///
    /// # Errors
    /// `CONFLICT` if the address is already invited, the organisation is full, or it has [`OPEN_MAX`] open invitations;
    /// `RATE_LIMITED` if a limit per 24 hours is used up.
    pub fn admit(&self, sent: &[Self], members: u32) -> Result<(), Fault> {
        let now = self.created_at;
        let open = || sent.iter().filter(|other| other.is_open(now));
        if open().any(|other| other.email == self.email) {
            return Err(Fault::new(Code::Conflict, "email is already invited; revoke that invitation first"));
        }
        if members >= MEMBERS_MAX {
            return Err(full());
        }
        if open().count() >= OPEN_MAX {
            let message =
                format!("organisation already has {OPEN_MAX} open invitations; revoke one or wait until one expires");
            return Err(Fault::new(Code::Conflict, message).detail("limit", OPEN_MAX));
        }
        let to_them = sent.iter().filter(|other| other.email == self.email);
        limit(to_them, DAILY_MAX_EACH, "email can get at most", now)?;
        limit(sent.iter(), DAILY_MAX, "organisation can send at most", now)
    }

    /// Revokes the invitation. Returns the entry for the audit log.
    ///
    /// # Errors
    /// `NOT_FOUND` if it is not open; `ROLE_REQUIRED` if `by` could not have sent it.
    pub fn revoke(&self, by: &Member, when: &ChangeContext<'_>) -> Result<AuditEntry, Fault> {
        if !self.is_open(when.now) {
            return Err(not_found());
        }
        if !by.role.may_invite(self.role) {
            return Err(role_required(by.role, |role| role.may_invite(self.role)));
        }
        let (action, details) = (AuditAction::InvitationRevoked, self.audit_details());
        Ok(AuditEntry::new(self.org, action, self.id.to_string(), when.origin, when.now, details))
    }

    /// Returns the details for the audit log. It may contain the address, because owners and admins, who read the log,
    /// also see it in their list.
    pub fn audit_details(&self) -> serde_json::Value {
        json!({ "email": self.email.as_str(), "role": self.role })
    }
}

/// Checks that fewer than `most` of the invitations were sent within the last 24 hours.
fn limit<'a>(sent: impl Iterator<Item = &'a Invitation>, most: usize, who: &str, now: Timestamp) -> Result<(), Fault> {
    let mut times: Vec<Timestamp> = sent.map(|sent| sent.created_at).filter(|at| at.plus(DAY) > now).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    // One more can be sent once the oldest of the newest `most` is a day old.
    let Some(oldest) = times.get(most - 1) else { return Ok(()) };
    Err(too_many(who, most, oldest.plus(DAY), now))
}

/// Returns the 429 for a person who has sent [`INVITER_DAILY_MAX`] invitations today.
pub fn inviter_exhausted(now: Timestamp) -> Fault {
    too_many("inviter can send at most", INVITER_DAILY_MAX as usize, Day::of(now).ends(), now)
}

/// Returns the 429 for a limit per day.
fn too_many(who: &str, most: usize, resets_at: Timestamp, now: Timestamp) -> Fault {
    let message = format!("{who} {most} invitations a day; try again at {resets_at}");
    Fault::new(Code::RateLimited, message).limited(most as u64, resets_at, now)
}

/// Parses an invitation's id in a path.
///
/// # Errors
/// `NOT_FOUND` if the text is not an id, as for an invitation that does not exist.
pub fn invitation_in_path(text: &str) -> Result<InvitationId, Fault> {
    InvitationId::parse(text).ok_or_else(not_found)
}

/// Returns the 404 for an invitation that is unknown, forged, revoked, expired or accepted by somebody else. It is
/// always the same, so an old mail in the wrong hands reveals nothing.
pub fn not_found() -> Fault {
    Fault::not_found("Invitation")
}

/// Returns the 403 for a person whose address is not the invited one. It does not reveal the invited address.
pub fn email_mismatch() -> Fault {
    let message = "invitation is for another e-mail address; sign in with that address and verify it";
    Fault::new(Code::EmailMismatch, message)
}

/// Returns the 409 for a person who is already a member.
pub fn member_already() -> Fault {
    Fault::new(Code::Conflict, "You are already a member of this organisation")
}

/// An invitation, as owners and admins see it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InvitationView {
    /// Id of the invitation.
    pub id: String,
    /// The invited address, in lower case.
    #[schemars(extend("format" = "email"))]
    pub email: String,
    /// The role the person will have.
    pub role: OrgRole,
    /// Id of the member who sent it.
    pub invited_by: String,
    /// When it was sent.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// Until when it can be accepted.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

impl InvitationView {
    /// Builds the view of an invitation.
    pub fn of(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.as_str().to_owned(),
            role: invitation.role,
            invited_by: invitation.invited_by.to_string(),
            created_at: invitation.created_at.to_string(),
            expires_at: invitation.expires_at.to_string(),
        }
    }
}

#[cfg(test)]
#[path = "invitations_tests.rs"]
mod tests;
