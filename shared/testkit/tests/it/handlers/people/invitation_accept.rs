//! invitation-accept: who may accept an invitation, and how often.

use consigne_core::Timestamp;
use consigne_core::invitations::{Invitation, InvitationStatus};
use consigne_core::orgs::OrgRole;
use consigne_core::profiles::{Contact, Language, Profile};
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    OTHER_ORG, acme, answer, audit_log, found, headed, org, outbox, refusal, sent_by, user,
};
use crate::handlers::people::invited;
use crate::handlers::people::invited::{
    BOBS, accepting, bob_accepts, invitation_in, put_invitation, role_of, verified,
};

async fn accept(world: &World, person: &str, claims: &Value, token: &str) -> Value {
    functions::call(world, "invitation-accept", accepting(person, claims, token)).await
}

/// Stores what Clerk has reported about a person.
fn store_contact(world: &World, person: &str, email: &str, is_verified: bool, at: Timestamp) {
    let contact =
        Contact { email: email.to_owned(), verified: is_verified, name: None, language: Language::English, at };
    world.change(|state| {
        let profile = state.profiles.entry(user(person)).or_insert_with(|| Profile::unknown(user(person)));
        profile.from_webhook = Some(contact);
    });
}

#[tokio::test]
async fn accepting_an_invitation_makes_a_member() {
    let world = acme();
    let token = put_invitation(&world, |_| ());
    let event = accepting("user_bob1", &verified(BOBS), &token);
    insta::assert_json_snapshot!(answer(&world, "invitation-accept", event).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Invitation accepted",
        "data": {
          "org": {
            "id": "org_<id>",
            "name": "Acme",
            "slug": "acme-<end>",
            "role": "developer",
            "created_at": "<time>"
          },
          "role": "developer",
          "joined_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "member.joined",
        "subject": "user_bob1",
        "actor": "user_bob1",
        "ip": "203.0.113.9",
        "details": {
          "invitation_id": "inv_<id>",
          "role": "developer"
        }
      }
    ]
    "#);
    assert_eq!(outbox(&world), json!([]));
    assert_eq!(role_of(&world, "user_bob1"), Some(OrgRole::Developer));
    assert_eq!(invitation_in(&world).status, InvitationStatus::Accepted(user("user_bob1")));
    let orgs = functions::call(&world, "org-list", sent_by("user_bob1", "org-list", "mine")).await;
    assert_eq!(
        (&orgs["body"]["data"][0]["name"], &orgs["body"]["data"][0]["role"]),
        (&json!("Acme"), &json!("developer"))
    );
    assert_eq!(functions::call(&world, "key-list", sent_by("user_bob1", "key-list", "all")).await["status"], 200);
    let seen = world.state().profiles[&user("user_bob1")].from_token.clone().unwrap();
    assert_eq!((seen.email.as_str(), seen.verified), (BOBS, true), "their address is stored from their token");
}

#[tokio::test]
async fn only_the_accepting_person_gets_the_same_answer_again() {
    let world = acme();
    let token = put_invitation(&world, |_| ());
    let first = bob_accepts(&world, &token).await;
    let before = world.state();
    let again = bob_accepts(&world, &token).await;
    assert_eq!((&again["status"], &again["body"]["data"]), (&json!(200), &first["body"]["data"]));
    let without_address = accept(&world, "user_bob1", &json!({}), &token).await;
    assert_eq!(without_address["body"]["data"], first["body"]["data"]);
    assert_eq!(refusal(&accept(&world, "user_eve1", &verified(BOBS), &token).await), (404, "NOT_FOUND"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_accepted_token_does_not_work_again_after_a_removal() {
    let world = acme();
    let token = put_invitation(&world, |_| ());
    bob_accepts(&world, &token).await;
    world.change(|state| drop(state.accounts.members.remove(&(org(accounts::ORG), user("user_bob1")))));
    let before = world.state();
    assert_eq!(refusal(&bob_accepts(&world, &token).await), (404, "NOT_FOUND"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn unknown_forged_revoked_and_expired_tokens_get_the_same_answer() {
    let token = put_invitation(&World::default(), |_| ());
    let unknown = answer(&acme(), "invitation-accept", accepting("user_bob1", &verified(BOBS), &token)).await;
    insta::assert_json_snapshot!(unknown, @r#"
    {
      "status": 404,
      "body": {
        "success": false,
        "error": {
          "code": "NOT_FOUND",
          "message": "Invitation not found"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    let ends: [fn(&mut Invitation); 4] = [
        |invitation| invitation.status = InvitationStatus::Revoked,
        |invitation| invitation.status = InvitationStatus::Accepted(user("user_zoe1")),
        |invitation| invitation.expires_at = clock::now(),
        // The token was derived for another organisation.
        |invitation| invitation.org = org(OTHER_ORG),
    ];
    for end in ends {
        let world = acme();
        put_invitation(&world, end);
        // With the right and a wrong address: the 403 for a wrong address would reveal the invitation.
        for claims in [verified(BOBS), verified("eve@example.com"), json!({})] {
            let event = accepting("user_bob1", &claims, &token);
            assert_eq!(answer(&world, "invitation-accept", event).await, unknown);
        }
        assert_eq!(role_of(&world, "user_bob1"), None);
    }
}

#[tokio::test]
async fn a_token_altered_in_any_character_is_refused_without_a_read() {
    let world = acme();
    let token = put_invitation(&world, |_| ());
    let unknown = answer(&World::default(), "invitation-accept", accepting("user_bob1", &verified(BOBS), &token)).await;
    world.fail_at(0, Moment::Before);
    let other = |c: char| if c == 'A' { 'B' } else { 'A' };
    let mut altered: Vec<String> = token
        .char_indices()
        .map(|(at, c)| format!("{}{}{}", &token[..at], other(c), &token[at + c.len_utf8()..]))
        .collect();
    altered.extend(["", "inv_", &token[1..], &token[..token.len() - 1]].map(str::to_owned));
    altered.extend([
        format!("{token}."),
        format!("{token}A"),
        token.to_lowercase(),
        "\u{0}".to_owned(),
        "é".repeat(105),
    ]);
    altered.push("x".repeat(60_000));
    for bad in altered {
        let mut event = accepting("user_bob1", &verified(BOBS), "");
        event["body"] = json!({ "token": bad }).to_string().into();
        assert_eq!(answer(&world, "invitation-accept", event).await, unknown, "{bad}");
    }
    assert!(world.fault_is_left(), "something was read from the table");
}

#[tokio::test]
async fn a_token_is_valid_for_its_organisation_only() {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &[("user_eve1", OrgRole::Owner)]);
    let ours = put_invitation(&world, |_| ());
    let theirs = put_invitation(&world, |invitation| {
        (invitation.org, invitation.invited_by) = (org(OTHER_ORG), user("user_eve1"));
    });
    let (ours, parts): (Vec<&str>, Vec<&str>) = (ours.split('.').collect(), theirs.split('.').collect());
    for mixed in [[ours[0], parts[1], ours[2]], [ours[0], ours[1], parts[2]]] {
        assert_eq!(refusal(&bob_accepts(&world, &mixed.join(".")).await), (404, "NOT_FOUND"));
    }
    let accepted = bob_accepts(&world, &theirs).await;
    assert_eq!(accepted["body"]["data"]["org"]["id"], OTHER_ORG);
    assert_eq!(role_of(&world, "user_bob1"), None);
}

#[tokio::test]
async fn only_the_verified_invited_address_may_accept() {
    let world = acme();
    let token = put_invitation(&world, |_| ());
    let before = world.state();
    for claims in [
        json!({}),
        verified("eve@example.com"),
        verified("bob+x@example.com"),
        verified("bob@example.com.evil.example"),
        verified("b\u{43e}b@example.com"),
        verified("bob@exam\nple.com"),
        verified("bob@example.com,eve@example.com"),
        json!({ "email": BOBS }),
        json!({ "email": BOBS, "email_verified": false }),
        json!({ "email": BOBS, "email_verified": "true" }),
        json!({ "email": [BOBS], "email_verified": true }),
    ] {
        let answer = accept(&world, "user_bob1", &claims, &token).await;
        assert_eq!(refusal(&answer), (403, "EMAIL_MISMATCH"), "{claims}");
        assert!(!answer.to_string().contains("bob@"), "the answer reveals the address");
    }
    assert_eq!(world.state(), before);
    insta::assert_json_snapshot!(
        payload::steady(&accept(&world, "user_bob1", &verified("eve@example.com"), &token).await),
        @r#"
    {
      "status": 403,
      "body": {
        "success": false,
        "error": {
          "code": "EMAIL_MISMATCH",
          "message": "invitation is for another e-mail address; sign in with that address and verify it"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#
    );
    assert_eq!(accept(&world, "user_bob1", &verified("BOB@Example.com"), &token).await["status"], 200);
}

#[tokio::test]
async fn unicode_forms_of_a_domain_are_equal() {
    let world = acme();
    let token = put_invitation(&world, |invitation| invitation.email = invited::address("bob@\u{e9}t\u{e9}.example"));
    assert_eq!(accept(&world, "user_bob1", &verified("Bob@E\u{301}TE\u{301}.example"), &token).await["status"], 200);
}

#[tokio::test]
async fn a_stored_address_is_used_if_the_token_has_none() {
    let now = clock::now();
    let cases = [
        (true, BOBS, json!({}), 200),
        (true, "BOB@example.com", json!({ "email": "unverified@example.com" }), 200),
        (false, BOBS, json!({}), 403),
        (true, "eve@example.com", json!({}), 403),
        // The token is newer than any stored claim.
        (true, BOBS, verified("eve@example.com"), 403),
    ];
    for (is_verified, email, claims, status) in cases {
        let world = acme();
        let token = put_invitation(&world, |_| ());
        store_contact(&world, "user_bob1", email, is_verified, now);
        assert_eq!(accept(&world, "user_bob1", &claims, &token).await["status"], status, "{email} {claims}");
    }
}

#[tokio::test]
async fn a_closed_account_cannot_accept_an_invitation() {
    for claims in [verified(BOBS), json!({})] {
        let world = acme();
        let token = put_invitation(&world, |_| ());
        store_contact(&world, "user_bob1", BOBS, true, clock::now());
        world.change(|state| state.profiles.get_mut(&user("user_bob1")).unwrap().closed_at = Some(clock::now()));
        let before = world.state();
        let status = accept(&world, "user_bob1", &claims, &token).await["status"].as_u64().unwrap();
        assert!(status == 401 || status == 403, "{status}");
        assert_eq!(world.state(), before);
    }
}

#[tokio::test]
async fn of_two_people_with_the_same_address_one_joins() {
    let world = acme();
    let token = put_invitation(&world, |_| ());
    let claims = verified(BOBS);
    let both = tokio::join!(accept(&world, "user_bob1", &claims, &token), accept(&world, "user_bob2", &claims, &token));
    let statuses = [&both.0["status"], &both.1["status"]].map(|status| status.as_u64().unwrap());
    assert!([[200, 404], [404, 200]].contains(&statuses), "{statuses:?}");
    let joined = [role_of(&world, "user_bob1"), role_of(&world, "user_bob2")];
    assert_eq!(joined.iter().flatten().count(), 1);
}

#[tokio::test]
async fn a_members_role_and_the_invitation_do_not_change() {
    let world = acme();
    let token = put_invitation(&world, |invitation| invitation.role = OrgRole::Owner);
    let before = world.state();
    for person in ["user_bill1", "user_ann1"] {
        let answer = accept(&world, person, &verified(BOBS), &token).await;
        assert_eq!(refusal(&answer), (409, "CONFLICT"), "{person}");
        assert_eq!(refusal(&accept(&world, person, &verified("x@example.com"), &token).await).0, 403);
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_invitation_is_void_once_its_sender_may_no_longer_invite() {
    for (sender, role) in [("user_adam1", OrgRole::Developer), ("user_ann1", OrgRole::Owner)] {
        let world = acme();
        let token = put_invitation(&world, |invitation| {
            (invitation.invited_by, invitation.role) = (user(sender), role);
        });
        let place = (org(accounts::ORG), user(sender));
        for demoted in [OrgRole::Developer, OrgRole::Billing] {
            world.change(|state| state.accounts.members.get_mut(&place).unwrap().role = demoted);
            assert_eq!(refusal(&bob_accepts(&world, &token).await), (404, "NOT_FOUND"), "{sender}");
        }
        world.change(|state| drop(state.accounts.members.remove(&place)));
        assert_eq!(refusal(&bob_accepts(&world, &token).await), (404, "NOT_FOUND"), "{sender}");
        // The removed sender cannot return with the invitation either.
        assert_eq!(refusal(&accept(&world, sender, &verified(BOBS), &token).await), (404, "NOT_FOUND"), "{sender}");
    }
    let world = acme();
    let token = put_invitation(&world, |invitation| {
        (invitation.invited_by, invitation.role) = (user("user_adam1"), OrgRole::Owner);
    });
    assert_eq!(
        refusal(&bob_accepts(&world, &token).await),
        (404, "NOT_FOUND"),
        "an owner when it was sent, but no longer"
    );
}

#[tokio::test]
async fn a_full_organisation_refuses_and_the_invitation_stays_open() {
    let world = acme();
    let token = put_invitation(&world, |_| ());
    let crowd = |world: &World, n: usize| {
        world.change(|state| {
            let member = state.accounts.members.values().next().unwrap().clone();
            for n in 0..n {
                let user = user(&format!("user_m{n}"));
                let member = consigne_core::orgs::Member { user: user.clone(), ..member.clone() };
                state.accounts.members.insert((member.org, user), member);
            }
        });
    };
    crowd(&world, 496);
    assert_eq!(refusal(&bob_accepts(&world, &token).await), (409, "CONFLICT"));
    world.change(|state| drop(state.accounts.members.remove(&(org(accounts::ORG), user("user_m7")))));
    assert_eq!(bob_accepts(&world, &token).await["status"], 200);
}

#[tokio::test]
async fn the_body_is_only_a_token_and_is_read_after_authentication() {
    let world = acme();
    for body in [json!({}), json!({ "token": null }), json!({ "token": 7 }), json!({ "token": "x", "org": "y" })] {
        let mut event = accepting("user_bob1", &json!({}), "");
        event["body"] = body.to_string().into();
        assert_eq!(
            refusal(&functions::call(&world, "invitation-accept", event).await),
            (400, "INVALID_REQUEST"),
            "{body}"
        );
    }
    let token = put_invitation(&world, |_| ());
    let event = headed(accepting("user_bob1", &json!({}), &token), "authorization", None);
    assert_eq!(refusal(&functions::call(&world, "invitation-accept", event).await), (401, "UNAUTHENTICATED"));
}
