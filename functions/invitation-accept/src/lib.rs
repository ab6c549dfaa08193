//! Accepts an invitation: makes the caller a member, if they have its token and its e-mail address. It works once.

use consigne_auth::{InvitationTokens, SessionVerifier, User};
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::invitations::{AcceptCheck, Invitation, email_mismatch, member_already, not_found};
use consigne_core::members::full;
use consigne_core::orgs::{Member, OrgRole, OrgView};
use consigne_core::ports::{AcceptInvitation, Acceptance, Accepted, GetInvitation, GetMember, GetOrg, GetProfile};
use consigne_core::{Code, EmailAddress, Fault, InvitationId, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::ConflictRetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Request to accept an invitation.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// The token from the mail.
    #[schemars(length(min = 1))]
    pub token: String,
}

/// The membership that the caller got.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Joined {
    /// The organisation that they joined.
    pub org: OrgView,
    /// Role in the organisation.
    pub role: OrgRole,
    /// When the user became a member.
    #[schemars(extend("format" = "date-time"))]
    pub joined_at: String,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetInvitation + GetMember + GetProfile + AcceptInvitation + GetOrg>
}

function! {
    users: SessionVerifier = session_verifier(),
    /// Reads the tokens of invitations.
    tokens: InvitationTokens = invitation_tokens().await,
    /// Members, invitations and profiles.
    orgs: A::Table = table(),
}

impl<A: Needs> HttpFunction for Function<A> {
    /// Accepts an invitation. The person who has accepted it gets the same answer again while they are a member.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let body: AcceptRequest = request.json()?;
        let (org, id) = self.tokens.read(&body.token).ok_or_else(not_found)?;
        request.log.field("org.id", org);
        request.log.field("invitation.id", id);

        let member = self.join(org, id, &user, request).await?;
        let org = self.orgs.get_org(org).await?.ok_or_else(not_found)?;
        let (role, joined_at) = (member.role, member.joined_at.to_string());
        let joined = Joined { org: OrgView::of(&org, &member), role, joined_at };
        Ok(Answer::envelope(200, "Invitation accepted", &joined, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<Joined>("POST /api/invitations/accept", "Accept an invitation");
        let operation = operation.in_envelope().takes::<AcceptRequest>();
        vec![operation.refuses(&[Code::NotFound, Code::EmailMismatch, Code::Conflict])]
    }
}

impl<A: Needs> Function<A> {
    /// Makes the user a member, or returns the membership that they got when they accepted the invitation before.
    async fn join(&self, org: OrgId, id: InvitationId, user: &User, request: &Request) -> Result<Member, Fault> {
        let mut retry = ConflictRetry::of("the invitation");
        loop {
            let invitation = self.orgs.get_invitation(org, id).await?.ok_or_else(not_found)?;
            match invitation.check_for(&user.id, request.now) {
                AcceptCheck::Invalid => return Err(not_found()),
                AcceptCheck::Accepted => return self.orgs.get_member(org, &user.id).await?.ok_or_else(not_found),
                AcceptCheck::Open => self.require_address(&invitation.email, user).await?,
            }
            if invitation.invited_by == user.id {
                return Err(self.inviter_refused(org, user).await?);
            }
            let acceptance = acceptance(invitation, user, request);
            match self.orgs.accept_invitation(&acceptance).await? {
                Accepted::Joined => return Ok(acceptance.member),
                Accepted::Conflict => retry.wait().await?,
                Accepted::Member => return Err(member_already()),
                Accepted::Withdrawn => return Err(not_found()),
                Accepted::Full => return Err(full()),
            }
        }
    }

    /// Builds the error for somebody who accepts an invitation that they sent themselves: either they are a member, or
    /// they have left and cannot come back this way.
    async fn inviter_refused(&self, org: OrgId, user: &User) -> Result<Fault, Fault> {
        let place = self.orgs.get_member(org, &user.id).await?;
        Ok(if place.is_some() { member_already() } else { not_found() })
    }

    /// Requires that the invited address is the user's verified one: from the session token or, when that has none,
    /// from their profile.
    async fn require_address(&self, invited: &EmailAddress, user: &User) -> Result<(), Fault> {
        let in_token = user.sighting().map(|seen| seen.contact).filter(|contact| contact.verified);
        let verified = if let Some(contact) = in_token {
            Some(contact.email)
        } else {
            let profile = self.orgs.get_profile(&user.id).await?;
            profile.require_open()?;
            profile.verified().map(|contact| contact.email.clone())
        };
        let own = verified.and_then(|email| EmailAddress::parse(&email));
        if own.as_ref() == Some(invited) { Ok(()) } else { Err(email_mismatch()) }
    }
}

fn acceptance(invitation: Invitation, user: &User, request: &Request) -> Acceptance {
    let (org, now, origin) = (invitation.org, request.now, request.origin(user));
    let details = json!({ "invitation_id": invitation.id, "role": invitation.role });
    Acceptance {
        member: Member { org, user: user.id.clone(), role: invitation.role, joined_at: now },
        seen: user.sighting(),
        audit: AuditEntry::new(org, AuditAction::MemberJoined, user.id.to_string(), &origin, now, details),
        invitation,
    }
}
