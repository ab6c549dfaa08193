//! What the tests of members and invitations begin with: an invitation whose token is known, and people with addresses.

use std::time::Duration;

use consigne_core::invitations::{Invitation, InvitationStatus, VALID};
use consigne_core::orgs::OrgRole;
use consigne_core::{EmailAddress, InvitationId};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use super::accounts::{ORG, org, user};

/// The invitation the payloads in events/ speak of.
pub const INVITATION: &str = "inv_01M7YREWKH7VM7Z3Z2KWSH2FTR";
/// The address it was sent to.
pub const BOBS: &str = "bob@example.com";

/// Gives an address.
pub fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// Puts an invitation into the world, which Ann sent to Bob an hour ago, changed as the test needs it; gives its token.
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

/// Gives the invitation of the payloads as the world has it.
pub fn invitation_in(world: &World) -> Invitation {
    world.state().accounts.invitations[&(org(ORG), InvitationId::parse(INVITATION).unwrap())].clone()
}

/// Gives a person's place in Acme, as the world has it.
pub fn role_of(world: &World, person: &str) -> Option<OrgRole> {
    world.state().accounts.members.get(&(org(ORG), user(person))).map(|member| member.role)
}

/// Makes the event by which a person accepts an invitation; `claims` is what their session says of them.
pub fn accepting(person: &str, claims: &Value, token: &str) -> Value {
    let session = functions::issuer().token_with(person, claims);
    let mut event = payload::event("invitation-accept", "from-mail", &session);
    event["body"] = event["body"].as_str().unwrap().replace("$INVITATION", token).into();
    event
}

/// What a session says of somebody whose address the issuer has verified.
pub fn verified(email: &str) -> Value {
    json!({ "email": email, "email_verified": true })
}

/// Lets Bob, whose address is the invited one, accept.
pub async fn bob_accepts(world: &World, token: &str) -> Value {
    functions::call(world, "invitation-accept", accepting("user_bob1", &verified(BOBS), token)).await
}
