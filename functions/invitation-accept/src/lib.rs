//! Makes the person with an invitation's token and address a member of its organisation, once.

use consigne_auth::{InvitationTokens, SessionVerifier, User};
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::invitations::{Invitation, Worth, email_mismatch, member_already, not_found};
use consigne_core::members::full;
use consigne_core::orgs::{Member, OrgRole, OrgView};
use consigne_core::ports::{AcceptInvitation, Acceptance, Accepted, GetInvitation, GetMember, GetOrg, GetProfile};
use consigne_core::{Code, EmailAddress, Fault, InvitationId, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use consigne_usecases::ConflictRetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Asks to accept an invitation.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// The token that stands in the mail.
    pub token: String,
}

/// A membership.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Joined {
    /// The organisation.
    pub org: OrgView,
    /// Role in it.
    pub role: OrgRole,
    /// Since when.
    pub joined_at: String,
}

needs! {
    /// What the function needs.
    pub trait Needs: Adapters<Table: GetInvitation + GetMember + GetProfile + AcceptInvitation + GetOrg>
}

function! {
    users: SessionVerifier = session_verifier(),
    /// Reads tokens.
    tokens: InvitationTokens = invitation_tokens().await,
    /// Members, invitations and people.
    orgs: A::Table = table(),
}

impl<A: Needs> HttpFunction for Function<A> {
    /// Answers a request to accept an invitation; who has accepted it gets the same answer again, for as long as they are a member.
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
    /// Finds the place that an invitation has led a person to, or gives them the one it leads to.
    async fn join(&self, org: OrgId, id: InvitationId, user: &User, request: &Request) -> Result<Member, Fault> {
        let mut retry = ConflictRetry::of("the invitation");
        loop {
            let invitation = self.orgs.get_invitation(org, id).await?.ok_or_else(not_found)?;
            match invitation.worth_to(&user.id, request.now) {
                Worth::Nothing => return Err(not_found()),
                Worth::Accepted => return self.orgs.get_member(org, &user.id).await?.ok_or_else(not_found),
                Worth::Open => self.require_address(&invitation.email, user, request).await?,
            }
            if invitation.invited_by == user.id {
                return Err(self.own(org, user).await?);
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

    /// Says why somebody cannot accept an invitation of their own: they are a member, or have left and do not come back by it.
    async fn own(&self, org: OrgId, user: &User) -> Result<Fault, Fault> {
        let place = self.orgs.get_member(org, &user.id).await?;
        Ok(if place.is_some() { member_already() } else { not_found() })
    }

    /// Requires that an address is a person's own: the newest that the issuer has verified, by the token or, when that names
    /// none, by what is kept of them.
    async fn require_address(&self, invited: &EmailAddress, user: &User, request: &Request) -> Result<(), Fault> {
        let told = user.sighting(request.now).map(|seen| seen.contact).filter(|contact| contact.verified);
        let verified = match told {
            Some(contact) => Some(contact.email),
            None => self.orgs.get_profile(&user.id).await?.verified().map(|contact| contact.email.clone()),
        };
        let own = verified.and_then(|email| EmailAddress::parse(&email));
        if own.as_ref() == Some(invited) { Ok(()) } else { Err(email_mismatch()) }
    }
}

fn acceptance(invitation: Invitation, user: &User, request: &Request) -> Acceptance {
    let (org, now, origin) = (invitation.org, request.now, request.origin(&user.id));
    let details = json!({ "invitation_id": invitation.id, "role": invitation.role });
    Acceptance {
        member: Member { org, user: user.id.clone(), role: invitation.role, joined_at: now },
        seen: user.sighting(now),
        audit: AuditEntry::new(org, AuditAction::MemberJoined, user.id.to_string(), &origin, now, details),
        invitation,
    }
}
