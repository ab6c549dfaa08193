//! member-invite, invitation-list and invitation-revoke.

use std::time::Duration;

use consigne_core::InvitationId;
use consigne_core::invitations::{InvitationStatus, OPEN_MAX};
use consigne_core::orgs::{Member, OrgRole};
use consigne_runtime::clock;
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    ORG, acme, answer, audit_log, headed, org, outbox, refusal, saying, sent_by, user, with,
};
use crate::handlers::people::invited::{BOBS, INVITATION, address, bob_accepts, invitation_in, put_invitation};

/// Invites an address as a person. Returns the answer.
async fn invite(world: &World, person: &str, email: &str, role: &str) -> Value {
    let body = json!({ "email": email, "role": role });
    functions::call(world, "member-invite", saying(sent_by(person, "member-invite", "developer"), &body)).await
}

async fn revoke(world: &World, person: &str) -> Value {
    functions::call(world, "invitation-revoke", sent_by(person, "invitation-revoke", "one")).await
}

#[tokio::test]
async fn an_invitation_is_stored_and_published_without_its_token() {
    let world = acme();
    let event = sent_by("user_adam1", "member-invite", "developer");
    insta::assert_json_snapshot!(answer(&world, "member-invite", event).await, @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Invitation created",
        "data": {
          "id": "inv_<id>",
          "email": "bob@example.com",
          "role": "developer",
          "invited_by": "user_adam1",
          "created_at": "<time>",
          "expires_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "member.invited",
        "subject": "inv_<id>",
        "actor": "user_adam1",
        "ip": "203.0.113.9",
        "details": {
          "email": "bob@example.com",
          "role": "developer"
        }
      }
    ]
    "#);
    insta::assert_json_snapshot!(outbox(&world), @r#"
    [
      {
        "kind": "invitation.created",
        "detail": {
          "event_id": "<id>",
          "occurred_at": "<time>",
          "org_id": "org_<id>",
          "org_name": "Acme",
          "invitation_id": "inv_<id>",
          "actor": "user_adam1"
        }
      }
    ]
    "#);
    let sent = world.state().accounts.invitations.into_values().next().unwrap();
    assert_eq!((sent.email, sent.role, sent.status), (address(BOBS), OrgRole::Developer, InvitationStatus::Open));
    assert_eq!(sent.expires_at.since(sent.created_at), Duration::from_hours(168));
}

#[tokio::test]
async fn no_event_has_an_address() {
    let world = acme();
    invite(&world, "user_ann1", BOBS, "billing").await;
    let events = outbox(&world).to_string();
    assert!(!events.contains('@') && !events.contains("bob"), "{events}");
}

#[tokio::test]
async fn a_retry_gets_the_same_answer_despite_the_limits() {
    let world = acme();
    let event = sent_by("user_ann1", "member-invite", "with-key");
    let first = functions::call(&world, "member-invite", event.clone()).await;
    assert_eq!((&first["status"], &first["body"]["data"]["role"]), (&json!(201), &json!("admin")));
    let before = world.state();
    let again = functions::call(&world, "member-invite", event.clone()).await;
    assert_eq!((&again["status"], &again["body"]["data"]), (&first["status"], &first["body"]["data"]));
    let other = with(event.clone(), &json!({ "role": "billing" }));
    assert_eq!(refusal(&functions::call(&world, "member-invite", other).await), (422, "IDEMPOTENCY_MISMATCH"));
    assert_eq!(world.state(), before);
    let without = headed(event, "idempotency-key", None);
    assert_eq!(refusal(&functions::call(&world, "member-invite", without).await), (409, "CONFLICT"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_admin_cannot_invite_owners_or_revoke_their_invitations() {
    let world = acme();
    let before = world.state();
    let event = with(sent_by("user_adam1", "member-invite", "developer"), &json!({ "role": "owner" }));
    insta::assert_json_snapshot!(answer(&world, "member-invite", event).await, @r#"
    {
      "status": 403,
      "body": {
        "success": false,
        "error": {
          "code": "ROLE_REQUIRED",
          "message": "This needs the role owner in the organisation",
          "details": {
            "required": [
              "owner"
            ],
            "role": "admin"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(world.state(), before);
    for role in ["admin", "developer", "billing"] {
        assert_eq!(invite(&world, "user_adam1", &format!("{role}@example.com"), role).await["status"], 201, "{role}");
    }
    assert_eq!(invite(&world, "user_ann1", "owner@example.com", "owner").await["status"], 201);

    put_invitation(&world, |invitation| invitation.role = OrgRole::Owner);
    assert_eq!(refusal(&revoke(&world, "user_adam1").await), (403, "ROLE_REQUIRED"));
    assert_eq!(invitation_in(&world).status, InvitationStatus::Open);
    assert_eq!(revoke(&world, "user_ann1").await["status"], 200);
}

#[tokio::test]
async fn the_body_has_an_address_and_a_role_only() {
    let world = acme();
    let before = world.state();
    let long = format!("{}@example.com", "a".repeat(300));
    let mut outcomes = Vec::new();
    for body in [
        json!({}),
        json!({ "email": BOBS }),
        json!({ "role": "developer" }),
        json!({ "email": null, "role": "developer" }),
        json!({ "email": "", "role": "developer" }),
        json!({ "email": "bob", "role": "developer" }),
        json!({ "email": "a@b\r\nBcc: x", "role": "developer" }),
        json!({ "email": "bob@exam\nple.com", "role": "developer" }),
        json!({ "email": "bob@example.com,eve@example.com", "role": "developer" }),
        json!({ "email": "Bob <bob@example.com>", "role": "developer" }),
        json!({ "email": "b\u{f6}b@example.com", "role": "developer" }),
        json!({ "email": "=?utf-8?q?bob?=@example.com", "role": "developer" }),
        json!({ "email": "bob@xn--.example", "role": "developer" }),
        json!({ "email": "bob@ex\u{202e}ample.com", "role": "developer" }),
        json!({ "email": long, "role": "developer" }),
        json!({ "email": [BOBS], "role": "developer" }),
        json!({ "email": BOBS, "role": "Owner" }),
        json!({ "email": BOBS, "role": "root" }),
        json!({ "email": BOBS, "role": null }),
        json!({ "email": BOBS, "role": "developer", "org": ORG }),
        json!({ "email": BOBS, "role": "developer", "expires_at": "2030-01-01T00:00:00Z" }),
    ] {
        let event = saying(sent_by("user_ann1", "member-invite", "developer"), &body);
        let answer = functions::call(&world, "member-invite", event).await;
        let (status, code) = refusal(&answer);
        let shown: String = body.to_string().escape_default().take(60).collect();
        outcomes.push(format!("{shown}: {status} {code} {}", answer["body"]["error"]["details"]["field"]));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "{}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"bob@example.com\\\"}: 400 INVALID_REQUEST \"role\"",
      "{\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":null,\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"\\\",\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"bob\\\",\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"a@b\\\\r\\\\nBcc: x\\\",\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"bob@exam\\\\nple.com\\\",\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"bob@example.com,eve@example.com\\\",\\\"role\\\":\\\"de: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"Bob <bob@example.com>\\\",\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"b\\u{f6}b@example.com\\\",\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"=?utf-8?q?bob?=@example.com\\\",\\\"role\\\":\\\"develo: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"bob@xn--.example\\\",\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"bob@ex\\u{202e}ample.com\\\",\\\"role\\\":\\\"developer\\: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":[\\\"bob@example.com\\\"],\\\"role\\\":\\\"developer\\\"}: 400 INVALID_REQUEST \"email\"",
      "{\\\"email\\\":\\\"bob@example.com\\\",\\\"role\\\":\\\"Owner\\\"}: 400 INVALID_REQUEST \"role\"",
      "{\\\"email\\\":\\\"bob@example.com\\\",\\\"role\\\":\\\"root\\\"}: 400 INVALID_REQUEST \"role\"",
      "{\\\"email\\\":\\\"bob@example.com\\\",\\\"role\\\":null}: 400 INVALID_REQUEST \"role\"",
      "{\\\"email\\\":\\\"bob@example.com\\\",\\\"role\\\":\\\"developer\\\",\\\"org\\: 400 INVALID_REQUEST \"org\"",
      "{\\\"email\\\":\\\"bob@example.com\\\",\\\"role\\\":\\\"developer\\\",\\\"expi: 400 INVALID_REQUEST \"expires_at\""
    ]
    "#);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn addresses_are_normalised_and_plus_parts_are_kept() {
    let world = acme();
    for (written, stored) in [
        ("BOB+Work@Example.COM", "bob+work@example.com"),
        ("bob@\u{c9}t\u{e9}.example", "bob@xn--t-9fab.example"),
        ("eve@E\u{301}te\u{301}.example", "eve@xn--t-9fab.example"),
    ] {
        assert_eq!(invite(&world, "user_ann1", written, "billing").await["body"]["data"]["email"], stored, "{written}");
    }
    assert_eq!(refusal(&invite(&world, "user_ann1", "bob+WORK@example.com", "billing").await), (409, "CONFLICT"));
    assert_eq!(invite(&world, "user_ann1", "bob@example.com", "billing").await["status"], 201);
}

#[tokio::test]
async fn the_51st_invitation_of_a_day_is_refused_with_a_time_to_retry() {
    let world = acme();
    for n in 0..50 {
        assert_eq!(invite(&world, "user_ann1", &format!("p{n}@example.com"), "billing").await["status"], 201);
    }
    let before = world.state();
    let refused = invite(&world, "user_adam1", BOBS, "billing").await;
    assert_eq!(refusal(&refused), (429, "RATE_LIMITED"));
    let headers = &refused["headers"];
    let seconds: u64 = headers["retry-after"].as_str().unwrap().parse().unwrap();
    assert!((86_390..=86_400).contains(&seconds), "{seconds}");
    assert_eq!((&headers["ratelimit-limit"], &headers["ratelimit-remaining"]), (&json!("50"), &json!("0")));
    assert_eq!(headers["ratelimit-reset"], headers["retry-after"]);
    assert_eq!(refused["body"]["error"]["details"]["limit"], 50);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_address_cannot_be_invited_again_and_again() {
    let world = acme();
    for _ in 0..3 {
        let sent = invite(&world, "user_ann1", BOBS, "billing").await;
        let mut event = sent_by("user_ann1", "invitation-revoke", "one");
        event["pathParameters"]["invitation"] = sent["body"]["data"]["id"].clone();
        assert_eq!(functions::call(&world, "invitation-revoke", event).await["status"], 200);
    }
    assert_eq!(refusal(&invite(&world, "user_ann1", BOBS, "billing").await), (429, "RATE_LIMITED"));
    assert_eq!(invite(&world, "user_ann1", "eve@example.com", "billing").await["status"], 201);
}

#[tokio::test]
async fn open_invitations_and_members_are_limited() {
    let world = acme();
    let some_days_ago = clock::now().minus(Duration::from_hours(24 * 3));
    for n in 0..OPEN_MAX {
        put_invitation(&world, |invitation| {
            invitation.id = InvitationId::mint(some_days_ago);
            invitation.email = address(&format!("p{n}@example.com"));
            invitation.created_at = some_days_ago;
        });
    }
    let refused = invite(&world, "user_ann1", BOBS, "billing").await;
    assert_eq!((refusal(&refused), &refused["body"]["error"]["details"]["limit"]), ((409, "CONFLICT"), &json!(100)));

    let world = acme();
    world.change(|state| {
        for n in 0..496 {
            let (user, joined_at) = (user(&format!("user_m{n}")), some_days_ago);
            let member = Member { org: org(ORG), user: user.clone(), role: OrgRole::Billing, joined_at };
            state.accounts.members.insert((org(ORG), user), member);
        }
    });
    let refused = invite(&world, "user_ann1", BOBS, "billing").await;
    assert_eq!((refusal(&refused), &refused["body"]["error"]["details"]["limit"]), ((409, "CONFLICT"), &json!(500)));
}

#[tokio::test]
async fn a_suspended_organisation_cannot_invite() {
    let world = acme();
    world.change(|state| state.accounts.orgs.get_mut(&org(ORG)).unwrap().suspended = true);
    let before = world.state();
    assert_eq!(refusal(&invite(&world, "user_ann1", BOBS, "billing").await), (409, "CONFLICT"));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn only_open_invitations_are_listed() {
    let world = acme();
    put_invitation(&world, |_| ());
    let end = |n: i64, change: fn(&mut consigne_core::invitations::Invitation)| {
        put_invitation(&world, |invitation| {
            invitation.id = InvitationId::mint(clock::now().minus(Duration::from_mins(n.unsigned_abs())));
            change(invitation);
        });
    };
    end(1, |invitation| invitation.status = InvitationStatus::Revoked);
    end(2, |invitation| invitation.status = InvitationStatus::Accepted(user("user_zoe1")));
    end(3, |invitation| invitation.expires_at = clock::now());
    end(4, |invitation| invitation.org = org(accounts::OTHER_ORG));
    let event = sent_by("user_adam1", "invitation-list", "open");
    insta::assert_json_snapshot!(answer(&world, "invitation-list", event).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Invitations listed",
        "data": [
          {
            "id": "inv_<id>",
            "email": "bob@example.com",
            "role": "developer",
            "invited_by": "user_ann1",
            "created_at": "<time>",
            "expires_at": "<time>"
          }
        ],
        "timestamp": "<time>",
        "metadata": {
          "next_cursor": null,
          "total": 1
        }
      }
    }
    "#);
}

#[tokio::test]
async fn a_revoked_invitation_is_not_listed_and_its_token_is_void() {
    let world = acme();
    let token = put_invitation(&world, |_| ());
    let event = sent_by("user_adam1", "invitation-revoke", "one");
    insta::assert_json_snapshot!(answer(&world, "invitation-revoke", event).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Invitation revoked",
        "data": {
          "id": "inv_<id>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "invitation.revoked",
        "subject": "inv_<id>",
        "actor": "user_adam1",
        "ip": "203.0.113.9",
        "details": {
          "email": "bob@example.com",
          "role": "developer"
        }
      }
    ]
    "#);
    let listed = functions::call(&world, "invitation-list", sent_by("user_ann1", "invitation-list", "open")).await;
    assert_eq!(listed["body"]["data"], json!([]));
    assert_eq!(refusal(&bob_accepts(&world, &token).await), (404, "NOT_FOUND"));
    let before = world.state();
    assert_eq!(refusal(&revoke(&world, "user_ann1").await), (404, "NOT_FOUND"), "a second revocation finds nothing");
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn only_open_invitations_of_the_organisation_can_be_revoked() {
    let unknown = answer(&acme(), "invitation-revoke", sent_by("user_ann1", "invitation-revoke", "one")).await;
    assert_eq!(refusal(&unknown), (404, "NOT_FOUND"));
    for odd in ["inv_", "", "inv_01m7yrewkh7vm7z3z2kwsh2ftr", ORG, "..", "inv_01M7YREWKH7VM7Z3Z2KWSH2FZZ"] {
        let mut event = sent_by("user_ann1", "invitation-revoke", "one");
        event["pathParameters"]["invitation"] = odd.into();
        assert_eq!(answer(&acme(), "invitation-revoke", event).await, unknown, "{odd}");
    }
    let ends: [fn(&mut consigne_core::invitations::Invitation); 4] = [
        |invitation| invitation.status = InvitationStatus::Accepted(user("user_zoe1")),
        |invitation| invitation.status = InvitationStatus::Revoked,
        |invitation| invitation.expires_at = clock::now(),
        |invitation| invitation.org = org(accounts::OTHER_ORG),
    ];
    for end in ends {
        let world = acme();
        put_invitation(&world, end);
        let before = world.state();
        let event = sent_by("user_ann1", "invitation-revoke", "one");
        assert_eq!(event["pathParameters"]["invitation"], INVITATION);
        assert_eq!(answer(&world, "invitation-revoke", event).await, unknown);
        assert_eq!(world.state(), before);
    }
}
