//! Invitations into organisations: who may send one, how many may go out, and what one is worth to whom.

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

/// How long an invitation may be accepted.
pub const VALID: Duration = Duration::from_hours(24 * 7);
/// How long an invitation is remembered after its end, at least: as long as it counts against the limits below, and so that
/// who has accepted it may do so again and get the same answer.
pub const REMEMBERED: Duration = Duration::from_hours(24);
/// Most invitations of an organisation that are open at once.
pub const OPEN_MAX: usize = 100;
/// Most invitations an organisation may send in any 24 hours: whoever runs a scheme of mails to strangers does it elsewhere.
pub const DAILY_MAX: usize = 50;
/// Most of them to one address.
pub const DAILY_MAX_EACH: usize = 3;
/// Most invitations that one person may send in a day (UTC) into all organisations together: anybody may found as many of
/// those as they like.
pub const INVITER_DAILY_MAX: u32 = 100;
/// What the limits look back on.
const DAY: Duration = Duration::from_hours(24);

/// An invitation of one address into one organisation, in one role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Into which organisation.
    pub org: OrgId,
    /// Its id; sorts by time. The token in the mail follows from it under a secret, and is kept nowhere.
    pub id: InvitationId,
    /// To whom. Only somebody whose verified address this is can accept it.
    pub email: EmailAddress,
    /// In which role.
    pub role: OrgRole,
    /// By whom. It is worth nothing once they could not send it any more.
    pub invited_by: UserId,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Until when it may be accepted.
    pub expires_at: Timestamp,
    /// What became of it.
    pub status: InvitationStatus,
}

/// What became of an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvitationStatus {
    /// Nothing yet; it may have expired.
    Open,
    /// This person joined by it.
    Accepted(UserId),
    /// It was taken back.
    Revoked,
}

impl InvitationStatus {
    /// Gives the status's name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted(_) => "accepted",
            Self::Revoked => "revoked",
        }
    }
}

/// What an invitation is worth to the person who shows its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worth {
    /// It may be accepted, if the address is theirs.
    Open,
    /// They have accepted it.
    Accepted,
    /// Nothing: it is revoked, expired, or somebody else's.
    Nothing,
}

impl Invitation {
    /// Invites an address into the organisation of a member, who must be allowed to.
    ///
    /// # Errors
    /// `ROLE_REQUIRED`.
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

    /// Says whether it may be accepted at a time.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.status == InvitationStatus::Open && now < self.expires_at
    }

    /// Says what it is worth to a person.
    pub fn worth_to(&self, user: &UserId, now: Timestamp) -> Worth {
        match &self.status {
            InvitationStatus::Accepted(by) if by == user => Worth::Accepted,
            _ if self.is_open(now) => Worth::Open,
            _ => Worth::Nothing,
        }
    }

    /// Says whether one more invitation, this one, may go out beside those of the last days, from an organisation of so many
    /// members.
    ///
    /// # Errors
    /// `CONFLICT` when the address is invited already or a limit is reached that time alone does not lift, `RATE_LIMITED`
    /// when it does.
    pub fn admit(&self, sent: &[Self], members: u32) -> Result<(), Fault> {
        let now = self.created_at;
        let open = || sent.iter().filter(|other| other.is_open(now));
        if open().any(|other| other.email == self.email) {
            return Err(Fault::new(Code::Conflict, "This address is invited already; revoke that invitation first"));
        }
        if members >= MEMBERS_MAX {
            return Err(full());
        }
        if open().count() >= OPEN_MAX {
            let message =
                format!("{OPEN_MAX} invitations are open, as many as may be; revoke one, or wait for one to end");
            return Err(Fault::new(Code::Conflict, message).detail("limit", OPEN_MAX));
        }
        let to_them = sent.iter().filter(|other| other.email == self.email);
        limit(to_them, DAILY_MAX_EACH, "One address may be sent", now)?;
        limit(sent.iter(), DAILY_MAX, "An organisation may send", now)
    }

    /// Takes the invitation back; gives the entry of the audit trail.
    ///
    /// # Errors
    /// `NOT_FOUND` when it is not open any more, `ROLE_REQUIRED` to whoever could not have sent it.
    pub fn revoke(&self, by: &Member, when: &ChangeContext<'_>) -> Result<AuditEntry, Fault> {
        if !self.is_open(when.now) {
            return Err(not_found());
        }
        if !by.role.may_invite(self.role) {
            return Err(role_required(by.role, |role| role.may_invite(self.role)));
        }
        let (action, details) = (AuditAction::InvitationRevoked, self.particulars());
        Ok(AuditEntry::new(self.org, action, self.id.to_string(), when.origin, when.now, details))
    }

    /// Gives what the audit trail says of it: owners and admins, who read the trail, see the address in their list too.
    pub fn particulars(&self) -> serde_json::Value {
        json!({ "email": self.email.as_str(), "role": self.role })
    }
}

/// Requires that fewer than `most` of some invitations went out in the day before now.
fn limit<'a>(sent: impl Iterator<Item = &'a Invitation>, most: usize, who: &str, now: Timestamp) -> Result<(), Fault> {
    let mut times: Vec<Timestamp> = sent.map(|sent| sent.created_at).filter(|at| at.plus(DAY) > now).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    // When the oldest of the newest `most` is a day old, there is room again.
    let Some(oldest) = times.get(most - 1) else { return Ok(()) };
    Err(too_many(who, most, oldest.plus(DAY), now))
}

/// Makes the 429 of somebody who has sent as many invitations today as one person may.
pub fn inviter_exhausted(now: Timestamp) -> Fault {
    too_many("One person may send", INVITER_DAILY_MAX as usize, Day::of(now).ends(), now)
}

/// Makes the 429 of a limit that time lifts.
fn too_many(who: &str, most: usize, resets_at: Timestamp, now: Timestamp) -> Fault {
    let message = format!("{who} {most} invitations a day; try again at {resets_at}");
    Fault::new(Code::RateLimited, message).limited(most as u64, resets_at, now)
}

/// Reads the id of an invitation out of a path; whatever is none cannot be found.
pub fn invitation_in_path(text: &str) -> Result<InvitationId, Fault> {
    InvitationId::parse(text).ok_or_else(not_found)
}

/// Makes the one 404 of invitations: unknown, forged, revoked, expired and other people's. An old mail in the wrong hands
/// so tells nothing, not even that there was an invitation.
pub fn not_found() -> Fault {
    Fault::not_found("Invitation")
}

/// Makes the 403 of somebody with another address than the invited one. It does not say which that is.
pub fn email_mismatch() -> Fault {
    let message = "The invitation is for another e-mail address; sign in with that one, and have it verified";
    Fault::new(Code::EmailMismatch, message)
}

/// Makes the 409 of somebody who is a member by other means.
pub fn member_already() -> Fault {
    Fault::new(Code::Conflict, "You are a member of this organisation already")
}

/// An invitation as owners and admins see it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InvitationView {
    /// Id.
    pub id: String,
    /// To whom, in lower case.
    pub email: String,
    /// In which role.
    pub role: OrgRole,
    /// By whom.
    pub invited_by: String,
    /// When it was sent.
    pub created_at: String,
    /// Until when it may be accepted.
    pub expires_at: String,
}

impl InvitationView {
    /// Shows an invitation.
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
