//! Fixtures for tests of members and invitations: an invitation with a known token, and people with addresses.

use std::time::Duration;

use consigne_core::invitations::{Invitation, InvitationStatus, VALID};
use consigne_core::orgs::OrgRole;
use consigne_core::{EmailAddress, InvitationId};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts::{ORG, org, user};

/// The invitation in the payloads of events/.
pub const INVITATION: &str = "inv_01M7YREWKH7VM7Z3Z2KWSH2FTR";
/// The address it was sent to.
pub const BOBS: &str = "bob@example.com";

/// Parses an address.
pub fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// Puts an invitation from Ann to Bob, sent an hour ago, into the world after `change`. Returns its token.
pub fn put_invitation(world: &World, change: impl FnOnce(&mut Invitation)) -> String {
    let created_at = clock::now().minus(Duration::from_hours(1));
    let mut invitation = Invitation {
        org: org(ORG),
        id: InvitationId::parse(INVITATION).unwrap(),
        email: address(BOBS),
        role: OrgRole::Developer,
        invited_by: user("user_ann1"),
        created_at,
        expires_at: created_at.plus(VALID),
        status: InvitationStatus::Open,
    };
    change(&mut invitation);
    let token = functions::invitation_tokens().derive(invitation.org, invitation.id).expose().to_owned();
    world.change(|state| drop(state.accounts.invitations.insert((invitation.org, invitation.id), invitation)));
    token
}

/// Returns the stored invitation of the payloads.
pub fn invitation_in(world: &World) -> Invitation {
    world.state().accounts.invitations[&(org(ORG), InvitationId::parse(INVITATION).unwrap())].clone()
}

/// Returns a person's role in Acme.
pub fn role_of(world: &World, person: &str) -> Option<OrgRole> {
    world.state().accounts.members.get(&(org(ORG), user(person))).map(|member| member.role)
}

/// Returns the event with which a person accepts an invitation. `claims` are those of their session token.
pub fn accepting(person: &str, claims: &Value, token: &str) -> Value {
    let session = functions::issuer().token_with(person, claims);
    let mut event = payload::event("invitation-accept", "from-mail", &session);
    event["body"] = event["body"].as_str().unwrap().replace("$INVITATION", token).into();
    event
}

/// Returns the claims of a person whose address the issuer has verified.
pub fn verified(email: &str) -> Value {
    json!({ "email": email, "email_verified": true })
}

/// Accepts as Bob, whose address was invited. Returns the answer.
pub async fn bob_accepts(world: &World, token: &str) -> Value {
    functions::call(world, "invitation-accept", accepting("user_bob1", &verified(BOBS), token)).await
}
