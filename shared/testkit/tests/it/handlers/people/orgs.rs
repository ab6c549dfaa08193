//! org-create, org-list and member-list.

use consigne_core::profiles::{Contact, Language, Profile};
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::accounts::{
    ORG, OTHER_ORG, acme, answer, audit_log, found, org, outbox, put_production, refusal, saying, sent_by, user,
};

#[tokio::test]
async fn a_new_organisation_belongs_to_its_creator_and_has_an_empty_wallet() {
    let world = World::default();
    insta::assert_json_snapshot!(answer(&world, "org-create", sent_by("user_ann1", "org-create", "acme")).await, @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Organisation created",
        "data": {
          "id": "org_<id>",
          "name": "Acme",
          "slug": "acme-<end>",
          "role": "owner",
          "created_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    let accounts = world.state().accounts;
    let members: Vec<_> =
        accounts.members.values().map(|member| (member.user.to_string(), member.role.name())).collect();
    assert_eq!(members, [("user_ann1".to_owned(), "owner")]);
    let wallets: Vec<_> =
        accounts.wallets.values().map(|wallet| (wallet.open, wallet.balance, wallet.granted)).collect();
    assert_eq!(wallets, [(true, 0, 0)]);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "org.created",
        "subject": "org_<id>",
        "actor": "user_ann1",
        "ip": "203.0.113.9",
        "details": {
          "name": "Acme"
        }
      }
    ]
    "#);
    assert_eq!(outbox(&world), json!([]));
}

#[tokio::test]
async fn a_retry_creates_one_organisation() {
    let world = World::default();
    let event = sent_by("user_ann1", "org-create", "with-key");
    let first = functions::call(&world, "org-create", event.clone()).await;
    insta::assert_json_snapshot!(consigne_testkit::payload::steady(&first), @r#"
    {
      "status": 201,
      "body": {
        "success": true,
        "message": "Organisation created",
        "data": {
          "id": "org_<id>",
          "name": "Société d'Été",
          "slug": "societe-d-ete-<end>",
          "role": "owner",
          "created_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    let before = world.state();
    let again = functions::call(&world, "org-create", event).await;
    assert_eq!((&again["status"], &again["body"]["data"]), (&first["status"], &first["body"]["data"]));
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn an_idempotency_key_used_for_another_name_is_refused() {
    let world = World::default();
    let event = sent_by("user_ann1", "org-create", "with-key");
    functions::call(&world, "org-create", event.clone()).await;
    let before = world.state();
    insta::assert_json_snapshot!(answer(&world, "org-create", saying(event, &json!({ "name": "Other" }))).await, @r#"
    {
      "status": 422,
      "body": {
        "success": false,
        "error": {
          "code": "IDEMPOTENCY_MISMATCH",
          "message": "Idempotency-Key was already used with a different request"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn each_person_has_their_own_idempotency_keys() {
    let world = World::default();
    for person in ["user_ann1", "user_eve1"] {
        let event = sent_by(person, "org-create", "with-key");
        assert_eq!(functions::call(&world, "org-create", event).await["status"], 201);
    }
    assert_eq!(world.state().accounts.orgs.len(), 2);
}

#[tokio::test]
async fn without_an_idempotency_key_two_requests_create_two_organisations() {
    let world = World::default();
    for _ in 0..2 {
        functions::call(&world, "org-create", sent_by("user_ann1", "org-create", "acme")).await;
    }
    let slugs: std::collections::BTreeSet<_> = world.state().accounts.orgs.into_values().map(|org| org.slug).collect();
    assert_eq!(slugs.len(), 2, "each has its own slug");
}

#[tokio::test]
async fn a_name_is_one_visible_line_of_at_most_100_characters() {
    let world = World::default();
    let mut outcomes = Vec::new();
    for body in [
        json!({}),
        json!({ "name": null }),
        json!({ "name": 7 }),
        json!({ "name": "" }),
        json!({ "name": "  \t " }),
        json!({ "name": "é".repeat(101) }),
        json!({ "name": "a\nb" }),
        json!({ "name": "a\u{0}b" }),
        json!({ "name": "gro\u{202E}emca" }),
        json!({ "name": "a\u{200B}b" }),
        json!({ "name": "Acme", "slug": "acme" }),
        json!({ "name": "Acme", "role": "owner" }),
    ] {
        let answer =
            functions::call(&world, "org-create", saying(sent_by("user_ann1", "org-create", "acme"), &body)).await;
        let (status, code) = refusal(&answer);
        let shown: String = body.to_string().escape_default().take(40).collect();
        outcomes.push(format!("{shown}: {status} {code} {}", answer["body"]["error"]["details"]["field"]));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "{}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":null}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":7}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":\\\"\\\"}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":\\\"  \\\\t \\\"}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":\\\"\\u{e9}\\u{e9}\\u{e9}\\u{e9}\\u{e: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":\\\"a\\\\nb\\\"}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":\\\"a\\\\u0000b\\\"}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":\\\"gro\\u{202e}emca\\\"}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":\\\"a\\u{200b}b\\\"}: 400 INVALID_REQUEST \"name\"",
      "{\\\"name\\\":\\\"Acme\\\",\\\"slug\\\":\\\"acme\\\"}: 400 INVALID_REQUEST \"slug\"",
      "{\\\"name\\\":\\\"Acme\\\",\\\"role\\\":\\\"owner\\\"}: 400 INVALID_REQUEST \"role\""
    ]
    "#);
    assert_eq!(world.state(), World::default().state());
    for (name, stored) in [("é".repeat(100), "é".repeat(100)), ("  e\u{301}t ".to_owned(), "ét".to_owned())] {
        let event = saying(sent_by("user_ann1", "org-create", "acme"), &json!({ "name": name }));
        assert_eq!(functions::call(&world, "org-create", event).await["body"]["data"]["name"], stored);
    }
}

#[tokio::test]
async fn a_body_must_be_an_object() {
    let event = saying(sent_by("user_ann1", "org-create", "acme"), &json!(["Acme"]));
    assert_eq!(refusal(&functions::call(&World::default(), "org-create", event).await), (400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn people_see_their_organisations_with_their_role() {
    let world = acme();
    found(&world, OTHER_ORG, "Other", &[("user_ann1", consigne_core::orgs::OrgRole::Billing)]);
    insta::assert_json_snapshot!(answer(&world, "org-list", sent_by("user_ann1", "org-list", "mine")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Organisations listed",
        "data": [
          {
            "id": "org_<id>",
            "name": "Acme",
            "slug": "acme-<end>",
            "role": "owner",
            "created_at": "<time>"
          },
          {
            "id": "org_<id>",
            "name": "Other",
            "slug": "other-<end>",
            "role": "billing",
            "created_at": "<time>"
          }
        ],
        "timestamp": "<time>",
        "metadata": {
          "next_cursor": null,
          "total": 2
        }
      }
    }
    "#);
    let of = async |person: &str| -> Value {
        functions::call(&world, "org-list", sent_by(person, "org-list", "mine")).await["body"]["data"].clone()
    };
    assert_eq!(of("user_dev1").await[0]["role"], "developer");
    assert_eq!(of("user_dev1").await.as_array().unwrap().len(), 1);
    assert_eq!(of("user_eve1").await, json!([]));
}

#[tokio::test]
async fn every_member_may_list_the_members() {
    let world = acme();
    insta::assert_json_snapshot!(answer(&world, "member-list", sent_by("user_bill1", "member-list", "all")).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Members listed",
        "data": [
          {
            "user_id": "user_adam1",
            "role": "admin",
            "joined_at": "<time>"
          },
          {
            "user_id": "user_ann1",
            "role": "owner",
            "joined_at": "<time>"
          },
          {
            "user_id": "user_bill1",
            "role": "billing",
            "joined_at": "<time>"
          },
          {
            "user_id": "user_dev1",
            "role": "developer",
            "joined_at": "<time>"
          }
        ],
        "timestamp": "<time>",
        "metadata": {
          "next_cursor": null,
          "total": 4
        }
      }
    }
    "#);
}

#[tokio::test]
async fn a_former_member_no_longer_sees_the_organisation() {
    let world = acme();
    world.change(|state| drop(state.accounts.members.remove(&(org(ORG), user("user_dev1")))));
    let listed = functions::call(&world, "org-list", sent_by("user_dev1", "org-list", "mine")).await;
    assert_eq!(listed["body"]["data"], json!([]));
    let members = functions::call(&world, "member-list", sent_by("user_dev1", "member-list", "all")).await;
    assert_eq!(refusal(&members), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn lists_of_members_and_keys_name_people_who_are_known() {
    let world = acme();
    put_production(&world, |_| ());
    let contact = |verified| Contact {
        email: "ann@example.com".to_owned(),
        verified,
        name: Some("Ann Lee".to_owned()),
        language: Language::English,
        at: GRANTED,
    };
    let list = async |function: &str, world: &World| -> Vec<Value> {
        let answer = functions::call(world, function, sent_by("user_ann1", function, "all")).await;
        answer["body"]["data"].as_array().unwrap_or_else(|| panic!("{answer}")).clone()
    };
    for (verified, email) in [(true, json!("ann@example.com")), (false, Value::Null)] {
        let profile = Profile { from_token: Some(contact(verified)), ..Profile::unknown(user("user_ann1")) };
        world.change(|state| drop(state.profiles.insert(user("user_ann1"), profile)));
        let members = list("member-list", &world).await;
        let ann = members.iter().find(|member| member["user_id"] == "user_ann1").unwrap();
        assert_eq!((&ann["name"], &ann["email"]), (&json!("Ann Lee"), &email));
        assert!(members.iter().all(|member| member["user_id"] == "user_ann1" || member.get("name").is_none()));
        let keys = list("key-list", &world).await;
        assert!(!keys.is_empty());
        for key in keys {
            let known = key["created_by"] == "user_ann1";
            assert_eq!(key["created_by_name"], if known { json!("Ann Lee") } else { Value::Null }, "{key}");
        }
    }
}
