//! Revokes an invitation, so that its token stops working. One that was accepted or has expired is answered as not
//! found.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::Fault;
use consigne_core::invitations::{invitation_in_path, not_found};
use consigne_core::keys::ChangeContext;
use consigne_core::ports::{GetInvitation, GetMember, RevokeInvitation};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use schemars::JsonSchema;
use serde::Serialize;

/// Confirms that an invitation was revoked.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "InvitationRevoked")]
pub struct Revoked {
    /// Id of the invitation.
    pub id: String,
}

function! {
    users: SessionVerifier = session_verifier(),
    orgs: A::Table = table(),
}

impl<A: Adapters<Table: GetMember + GetInvitation + RevokeInvitation>> HttpFunction for Function<A> {
    /// Revokes an invitation. A second request is answered as not found.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, member) = request.membership(&self.users, &self.orgs, Route::InvitationRevoke).await?;
        let id = invitation_in_path(request.parameter("invitation"))?;
        request.log.field("invitation.id", id);

        let invitation = self.orgs.get_invitation(member.org, id).await?.ok_or_else(not_found)?;
        let origin = request.origin(&user);
        let audit = invitation.revoke(&member, &ChangeContext { origin: &origin, now: request.now })?;
        if !self.orgs.revoke_invitation(&invitation, &audit).await? {
            return Err(not_found());
        }
        Ok(Answer::envelope(200, "Invitation revoked", &Revoked { id: id.to_string() }, request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<Revoked>("DELETE /api/orgs/{org}/invitations/{invitation}", "Revoke an invitation");
        vec![operation.in_org().parameter("invitation", "Id of the invitation", true)]
    }
}
