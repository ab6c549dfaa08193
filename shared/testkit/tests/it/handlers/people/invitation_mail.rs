//! The mail of an invitation is sent only to the invited address, with the token, and only while it can be accepted.

use std::time::Duration;

use consigne_core::invitations::InvitationStatus;
use consigne_core::mail::{Address, Suppression};
use consigne_core::orgs::OrgRole;
use consigne_core::profiles::Language;
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use serde_json::{Value, json};

use crate::handlers::people::accounts::{ORG, answer, org, user};
use crate::handlers::people::invited::{BOBS, accepting, address, put_invitation, role_of, verified};
use crate::handlers::webhooks::mail::{acme_with_mailboxes, deliver, delivered, known, message_of, post};

/// Returns the token in the only mail.
fn token_in_the_mail(world: &World) -> String {
    let text = world.state().mail.sent.remove(0).text;
    let link = text.split_whitespace().find_map(|word| word.split_once("/invitations/accept?token="));
    link.unwrap_or_else(|| panic!("the mail has no link: {text}")).1.to_owned()
}

#[tokio::test]
async fn the_invited_person_gets_the_token_in_the_senders_language() {
    for (language, subject) in [
        (Language::French, "Invitation à rejoindre une organisation"),
        (Language::English, "Invitation to join an organisation"),
    ] {
        let world = acme_with_mailboxes();
        known(&world, "user_ann1", Some("Ann"), language);
        let token = put_invitation(&world, |_| ());
        let log = deliver(&world, "invitation-created").await;
        assert_eq!(post(&world), json!([[BOBS, subject]]));
        let mail = world.state().mail.sent.remove(0);
        assert!(mail.text.contains("Ann ") && mail.text.contains("Acme"), "{}", mail.text);
        assert!(mail.unsubscribe.is_none(), "an invited person has no account to unsubscribe");
        assert_eq!(token_in_the_mail(&world), token);
        assert_eq!(
            (&log["mail.template"], &log["mail.outcomes"]),
            (&json!("invitation"), &json!({ "invited": "sent" }))
        );
        let log = log.to_string();
        assert!(!log.contains('@') && !log.contains(&token[30..]), "an address or a token in the log: {log}");
    }
}

#[tokio::test]
async fn the_token_in_the_mail_accepts_its_invitation() {
    let world = acme_with_mailboxes();
    put_invitation(&world, |_| ());
    deliver(&world, "invitation-created").await;
    let event = accepting("user_bob1", &verified(BOBS), &token_in_the_mail(&world));
    assert_eq!(answer(&world, "invitation-accept", event).await["status"], 200);
    assert!(role_of(&world, "user_bob1").is_some());
}

#[tokio::test]
async fn an_invitation_to_an_international_domain_is_mailed_and_accepted_in_either_spelling() {
    for spelling in ["bob@été.example", "bob@xn--t-9fab.example"] {
        let world = acme_with_mailboxes();
        put_invitation(&world, |invitation| invitation.email = address("Bob@ÉTÉ.example"));
        deliver(&world, "invitation-created").await;
        assert_eq!(world.state().mail.sent[0].to.as_str(), "bob@xn--t-9fab.example");
        let event = accepting("user_bob1", &verified(spelling), &token_in_the_mail(&world));
        assert_eq!(answer(&world, "invitation-accept", event).await["status"], 200, "{spelling}");
    }
}

#[tokio::test]
async fn a_repeated_event_causes_one_mail() {
    let world = acme_with_mailboxes();
    put_invitation(&world, |_| ());
    deliver(&world, "invitation-created").await;
    let again = deliver(&world, "invitation-created").await;
    assert_eq!(again["mail.outcomes"], json!({ "invited": "done before" }));
    assert_eq!(post(&world).as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn no_mail_is_sent_for_an_invitation_that_can_no_longer_be_accepted() {
    let revoked = acme_with_mailboxes();
    put_invitation(&revoked, |invitation| invitation.status = InvitationStatus::Revoked);
    let accepted = acme_with_mailboxes();
    put_invitation(&accepted, |invitation| invitation.status = InvitationStatus::Accepted(user("user_bob1")));
    let expired = acme_with_mailboxes();
    put_invitation(&expired, |invitation| invitation.expires_at = clock::now().minus(Duration::from_millis(1)));
    let unknown = acme_with_mailboxes();
    for world in [revoked, accepted, expired, unknown] {
        assert_eq!(deliver(&world, "invitation-created").await["mail.outcomes"], json!({}));
        assert!(world.state().mail.sent.is_empty() && world.state().mail.mails.is_empty());
    }
}

#[tokio::test]
async fn no_mail_is_sent_once_the_sender_may_no_longer_invite() {
    let place = |world: &World, role: Option<OrgRole>| {
        world.change(|state| {
            let members = &mut state.accounts.members;
            match role {
                Some(role) => members.get_mut(&(org(ORG), user("user_ann1"))).unwrap().role = role,
                None => drop(members.remove(&(org(ORG), user("user_ann1")))),
            }
        });
    };
    for (role, invited_as, goes_out) in [
        (None, OrgRole::Developer, false),
        (Some(OrgRole::Developer), OrgRole::Developer, false),
        (Some(OrgRole::Admin), OrgRole::Owner, false),
        (Some(OrgRole::Admin), OrgRole::Developer, true),
    ] {
        let world = acme_with_mailboxes();
        put_invitation(&world, |invitation| invitation.role = invited_as);
        place(&world, role);
        let outcomes = deliver(&world, "invitation-created").await["mail.outcomes"].clone();
        assert_eq!(
            outcomes,
            if goes_out { json!({ "invited": "sent" }) } else { json!({}) },
            "{role:?}, {invited_as:?}"
        );
        assert_eq!(world.state().mail.sent.len(), usize::from(goes_out));
    }
}

#[tokio::test]
async fn a_suppressed_address_gets_no_invitation() {
    let world = acme_with_mailboxes();
    put_invitation(&world, |invitation| invitation.email = address("bob@example.com"));
    let mailbox = Address::parse(BOBS).unwrap().mailbox();
    world.change(|state| state.mail.suppressed.extend([(mailbox, Suppression::Complained)]));
    assert_eq!(deliver(&world, "invitation-created").await["mail.outcomes"], json!({ "invited": "suppressed" }));
    assert_eq!(post(&world), json!([]));
}

#[tokio::test]
async fn a_sender_without_a_profile_invites_in_english() {
    let world = acme_with_mailboxes();
    world.change(|state| drop(state.profiles.remove(&user("user_ann1"))));
    put_invitation(&world, |_| ());
    deliver(&world, "invitation-created").await;
    let text = world.state().mail.sent.remove(0).text;
    assert!(text.contains("You are invited to join"), "{text}");
}

#[tokio::test]
async fn a_malformed_invitation_event_is_parked() {
    for (from, to) in [("\"invitation_id\": \"inv_", "\"invitation_id\": \""), ("\"org_id\": \"org_", "\"org_id\": \"")]
    {
        let (world, body) = (acme_with_mailboxes(), message_of("invitation-created"));
        let changed = body.replace(from, to);
        assert_ne!(changed, body);
        let (outcome, log): (_, Value) = delivered(&world, &changed, clock::now()).await;
        assert!(outcome.is_ok() && log["MailsParked"] == 1, "{to}: {log}");
        assert_eq!(world.state().messages, [changed]);
    }
}
