//! Invites an e-mail address into an organisation. `send-mail` sends the mail with the token after the event
//! `invitation.created`.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::email::ADDRESS_MAX;
use consigne_core::events::{Event, EventData, InvitationCreated};
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::invitations::{Invitation, InvitationView, invitation_in_path};
use consigne_core::orgs::{OrgRole, Organisation, org_not_found};
use consigne_core::ports::{CreateInvitation, GetInvitation, GetMember, GetOrg, NewInvitation};
use consigne_core::{Code, EmailAddress, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to invite somebody.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    /// E-mail address, regardless of upper and lower case. Only a user with this verified address can accept.
    #[schemars(extend("format" = "email"), length(max = ADDRESS_MAX))]
    pub email: String,
    /// Role of the new member. Only owners can invite owners.
    pub role: OrgRole,
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetOrg + CreateInvitation + GetInvitation>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, member) = request.membership(&self.users, &self.orgs, Route::MemberInvite).await?;
        let body: InviteRequest = request.json()?;
        let idempotency_key = request.idempotency_key(&body)?;
        let email = EmailAddress::of_field("email", &body.email)?;
        let invitation = Invitation::by(&member, email, body.role, request.now)?;
        let org = self.orgs.get_org(member.org).await?.ok_or_else(org_not_found)?;
        org.require_working()?;

        let (id, origin) = (invitation.id.to_string(), request.origin(&user));
        let details = invitation.audit_details();
        // The event has no address, because it goes to every subscriber. `send-mail` reads the address from the
        // invitation.
        let created = InvitationCreated {
            org_id: org.id,
            org_name: org.name.clone(),
            invitation_id: invitation.id,
            actor: origin.actor.clone(),
        };
        let new = NewInvitation {
            invitation,
            audit: AuditEntry::new(org.id, AuditAction::MemberInvited, id.clone(), &origin, request.now, details),
            event: Event::new(request.now, EventData::InvitationCreated(created)),
            idempotent: idempotency_key.map(|key| IdempotentRequest {
                key,
                owner: user.id.into(),
                operation: "member-invite",
                result: id,
            }),
        };
        let invitation = match self.orgs.create_invitation(&new).await? {
            WriteOutcome::Applied => new.invitation,
            WriteOutcome::Replayed(id) => self.created_before(&org, &id).await?,
            WriteOutcome::KeyReused => return Err(key_reused()),
            WriteOutcome::Conflict => return Err(Fault::internal("a new invitation cannot conflict")),
        };
        request.log.field("invitation.id", invitation.id);
        Ok(Answer::envelope(201, "Invitation created", &InvitationView::of(&invitation), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<InvitationView>(
            "POST /api/orgs/{org}/invitations",
            "Invite somebody into an organisation",
        );
        let operation = operation.in_org().takes::<InviteRequest>().creates().idempotent();
        vec![operation.refuses(&[Code::Conflict])]
    }
}

impl<A: Adapters<Table: GetInvitation>> Function<A> {
    /// Finds the invitation that an earlier try of the same request created.
    async fn created_before(&self, org: &Organisation, id: &str) -> Result<Invitation, Fault> {
        let found = self.orgs.get_invitation(org.id, invitation_in_path(id)?).await?;
        found.ok_or_else(|| Fault::internal("an idempotency record names an invitation that is gone"))
    }
}
