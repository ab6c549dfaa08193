//! Who may call which route about organisations and keys: the three kinds of credential, members and others, roles.

use consigne_auth::MATRIX;
use consigne_core::DeliveryId;
use consigne_core::deliveries::Delivery;
use consigne_core::endpoints::HookUrl;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::{functions, hooks, payload};
use serde_json::Value;

use crate::handlers::GRANTED;
use crate::handlers::people::accounts;
use crate::handlers::people::accounts::{
    KEY_ID, ORG, PEOPLE, acme, answer, headed, outbox, put_production, refusal, sent_by, sent_by_service,
};
use crate::handlers::people::invited::{address, put_invitation};
use crate::handlers::webhooks::endpoints::{ENDPOINT, endpoint_in, put_endpoint};

/// Each route below an organisation, with a valid request.
pub const IN_ORG: &[(&str, &str)] = &[
    ("audit-list", "newest"),
    ("checkout", "starter"),
    ("delivery-list", "all"),
    ("delivery-redeliver", "again"),
    ("endpoint-create", "hooks"),
    ("endpoint-delete", "hooks"),
    ("endpoint-list", "all"),
    ("endpoint-rotate", "day"),
    ("endpoint-update", "enable"),
    ("invitation-list", "open"),
    ("invitation-revoke", "one"),
    ("key-delete", "one"),
    ("key-issue", "production"),
    ("key-list", "all"),
    ("key-revoke", "leaked"),
    ("key-rotate", "with-grace-and-key"),
    ("key-update", "limits"),
    ("member-invite", "developer"),
    ("member-list", "all"),
    ("member-remove", "dev"),
    ("member-update", "to-billing"),
    ("org-delete", "acme"),
    ("org-update", "renamed"),
    ("stats", "two-days"),
    ("usage-log", "all"),
    ("wallet", "ask"),
];
/// The other routes for people.
const BESIDES: [(&str, &str); 4] =
    [("invitation-accept", "from-mail"), ("org-create", "acme"), ("org-list", "mine"), ("services", "catalogue")];
/// The routes for services.
const FOR_SERVICES: [(&str, &str); 2] = [("key-verify", "charge"), ("receipt-outcome", "served")];

/// Creates Acme with a key and an invitation.
pub fn acme_with_key_and_invitation() -> World {
    let world = acme();
    put_production(&world, |_| ());
    put_invitation(&world, |invitation| invitation.email = address("zoe@example.com"));
    put_endpoint(&world, ENDPOINT, "user_ann1", |endpoint| endpoint.url = HookUrl::kept("https://a.example").unwrap());
    let delivery = hooks::delivery(&endpoint_in(&world), GRANTED).cancel().delivery;
    let id = DeliveryId::parse("dlv_01M7YREWKH7VM7Z3Z2KWSH2FTV").unwrap();
    let delivery = Delivery { id, ..delivery };
    world.change(|state| drop(state.hooks.deliveries.insert((delivery.org, id), delivery)));
    world
}

/// Calls a function with a credential in a world where every effect fails, so a refusal proves that there was none.
async fn refused_before_any_effect(function: &str, case: &str, authorization: Option<&str>) -> Value {
    let world = World::default();
    world.fail_at(0, Moment::Before);
    let event = headed(payload::event(function, case, ""), "authorization", authorization);
    let answer = functions::call(&world, function, event).await;
    assert!(world.fault_is_left(), "{function} looked something up before it knew who was calling: {answer}");
    assert_eq!(
        (&answer["status"], &answer["headers"]["www-authenticate"]),
        (&401.into(), &"Bearer".into()),
        "{function}"
    );
    answer
}

#[tokio::test]
async fn routes_for_people_refuse_api_keys_and_service_tokens() {
    let key = put_production(&World::default(), |_| ());
    for (function, case) in IN_ORG.iter().chain(&BESIDES) {
        for (credential, code) in [
            (None, "UNAUTHENTICATED"),
            (Some(format!("Bearer {}", functions::SERVICE_TOKEN)), "UNAUTHENTICATED"),
            (Some(functions::SERVICE_TOKEN.to_owned()), "UNAUTHENTICATED"),
            (Some(format!("Bearer {key}")), "API_KEY_NOT_ACCEPTED"),
            (Some(key.clone()), "API_KEY_NOT_ACCEPTED"),
        ] {
            let answer = refused_before_any_effect(function, case, credential.as_deref()).await;
            assert_eq!(answer["body"]["error"]["code"], code, "{function} {credential:?}");
        }
    }
    insta::assert_json_snapshot!(
        payload::steady(&refused_before_any_effect("key-list", "all", Some(&format!("Bearer {key}"))).await),
        @r#"
    {
      "status": 401,
      "headers": {
        "www-authenticate": "Bearer"
      },
      "body": {
        "success": false,
        "error": {
          "code": "API_KEY_NOT_ACCEPTED",
          "message": "This route takes a session token, not an API key"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#
    );
}

#[tokio::test]
async fn routes_for_services_accept_service_tokens_only() {
    let key = put_production(&World::default(), |_| ());
    let session = functions::issuer().token("user_ann1", "enterprise");
    for (function, case) in FOR_SERVICES {
        for credential in [
            None,
            Some(format!("Bearer {session}")),
            Some(format!("Bearer {key}")),
            Some(functions::SERVICE_TOKEN.to_owned()),
            Some(format!("Bearer {}x", functions::SERVICE_TOKEN)),
        ] {
            let answer = refused_before_any_effect(function, case, credential.as_deref()).await;
            assert_eq!(answer["body"]["error"]["code"], "UNAUTHENTICATED", "{function} {credential:?}");
        }
    }
    insta::assert_json_snapshot!(
        payload::steady(&refused_before_any_effect("key-verify", "charge", Some(&format!("Bearer {session}"))).await),
        @r#"
    {
      "status": 401,
      "headers": {
        "www-authenticate": "Bearer"
      },
      "body": {
        "success": false,
        "error": {
          "code": "UNAUTHENTICATED",
          "message": "The service token is not valid"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#
    );
}

#[tokio::test]
async fn a_session_cookie_is_not_accepted_as_a_service_token() {
    let key = put_production(&acme(), |_| ());
    let event = headed(sent_by_service(&key, "key-verify", "charge"), "authorization", None);
    let event = headed(event, "cookie", Some(&format!("__session={}", functions::SERVICE_TOKEN)));
    assert_eq!(functions::call(&acme(), "key-verify", event).await["status"], 401);
}

#[tokio::test]
async fn an_organisation_looks_nonexistent_to_non_members() {
    let world = acme_with_key_and_invitation();
    let before = world.state();
    for (function, case) in IN_ORG {
        let strangers = answer(&world, function, sent_by("user_eve1", function, case)).await;
        for unknown in ["org_01M7YREWKH7VM7Z3Z2KWSH2FZZ", "org_", "acme", "", "org_01m7yrewkh7vm7z3z2kwsh2ftr", KEY_ID]
        {
            let mut event = sent_by("user_ann1", function, case);
            event["pathParameters"]["org"] = unknown.into();
            assert_eq!(answer(&world, function, event).await, strangers, "{function} {unknown}");
        }
        assert_eq!(refusal(&strangers), (404, "NOT_FOUND"), "{function}");
    }
    assert_eq!(world.state(), before);
    insta::assert_json_snapshot!(answer(&world, "wallet", sent_by("user_eve1", "wallet", "ask")).await, @r#"
    {
      "status": 404,
      "body": {
        "success": false,
        "error": {
          "code": "NOT_FOUND",
          "message": "Organisation not found"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn non_members_get_404_even_for_an_invalid_body() {
    for (function, case) in IN_ORG.iter().filter(|(function, _)| function.starts_with("key-")) {
        let mut event = sent_by("user_eve1", function, case);
        event["body"] = "{".into();
        let world = acme();
        assert_eq!(refusal(&functions::call(&world, function, event).await), (404, "NOT_FOUND"), "{function}");
    }
}

#[tokio::test]
async fn every_role_may_call_exactly_the_routes_in_the_matrix() {
    let mut outcomes = Vec::new();
    for (function, case) in IN_ORG {
        let mut statuses = Vec::new();
        for (person, role) in PEOPLE {
            let world = acme_with_key_and_invitation();
            let before = world.state();
            let answer = functions::call(&world, function, sent_by(person, function, case)).await;
            if answer["status"] == 403 {
                assert_eq!(answer["body"]["error"]["code"], "ROLE_REQUIRED", "{function} {person}");
                assert_eq!(world.state(), before, "{function} {person}");
                assert_eq!(outbox(&world), serde_json::json!([]));
            }
            statuses.push(format!("{} {}", role.name(), answer["status"]));
        }
        outcomes.push(format!("{function}: {}", statuses.join(", ")));
    }
    insta::assert_json_snapshot!(outcomes, @r#"
    [
      "audit-list: owner 200, admin 200, developer 403, billing 403",
      "checkout: owner 201, admin 403, developer 403, billing 201",
      "delivery-list: owner 200, admin 200, developer 200, billing 403",
      "delivery-redeliver: owner 200, admin 200, developer 200, billing 403",
      "endpoint-create: owner 201, admin 201, developer 201, billing 403",
      "endpoint-delete: owner 200, admin 200, developer 200, billing 403",
      "endpoint-list: owner 200, admin 200, developer 200, billing 403",
      "endpoint-rotate: owner 201, admin 201, developer 201, billing 403",
      "endpoint-update: owner 200, admin 200, developer 200, billing 403",
      "invitation-list: owner 200, admin 200, developer 403, billing 403",
      "invitation-revoke: owner 200, admin 200, developer 403, billing 403",
      "key-delete: owner 200, admin 200, developer 403, billing 403",
      "key-issue: owner 201, admin 201, developer 201, billing 403",
      "key-list: owner 200, admin 200, developer 200, billing 403",
      "key-revoke: owner 200, admin 200, developer 200, billing 403",
      "key-rotate: owner 201, admin 201, developer 201, billing 403",
      "key-update: owner 200, admin 200, developer 200, billing 403",
      "member-invite: owner 201, admin 201, developer 403, billing 403",
      "member-list: owner 200, admin 200, developer 200, billing 200",
      "member-remove: owner 200, admin 200, developer 200, billing 403",
      "member-update: owner 200, admin 200, developer 403, billing 403",
      "org-delete: owner 200, admin 403, developer 403, billing 403",
      "org-update: owner 200, admin 200, developer 403, billing 403",
      "stats: owner 200, admin 200, developer 200, billing 200",
      "usage-log: owner 200, admin 200, developer 200, billing 200",
      "wallet: owner 200, admin 200, developer 200, billing 200"
    ]
    "#);
    assert_eq!(MATRIX.len(), IN_ORG.len(), "a route in the matrix is not tested here");
}

#[tokio::test]
async fn a_refusal_for_a_wrong_role_names_the_right_ones() {
    insta::assert_json_snapshot!(answer(&acme(), "key-delete", sent_by("user_dev1", "key-delete", "one")).await, @r#"
    {
      "status": 403,
      "body": {
        "success": false,
        "error": {
          "code": "ROLE_REQUIRED",
          "message": "This needs one of the roles owner, admin in the organisation",
          "details": {
            "required": [
              "owner",
              "admin"
            ],
            "role": "developer"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
}

#[tokio::test]
async fn a_role_in_one_organisation_does_not_count_in_another() {
    let world = acme_with_key_and_invitation();
    accounts::found(&world, accounts::OTHER_ORG, "Other", &[("user_eve1", consigne_core::orgs::OrgRole::Owner)]);
    for (function, case) in IN_ORG {
        let mine = sent_by("user_eve1", function, case);
        assert_eq!(mine["pathParameters"]["org"], ORG);
        assert_eq!(functions::call(&world, function, mine).await["status"], 404, "{function}");
        let mut theirs = sent_by("user_eve1", function, case);
        theirs["pathParameters"]["org"] = accounts::OTHER_ORG.into();
        let status = functions::call(&world, function, theirs.clone()).await["status"].clone();
        // Key, invitation and member of the payloads belong to Acme, so they are not found below the other
        // organisation.
        let of_acme = theirs["pathParameters"].as_object().unwrap().len() > 1;
        assert_eq!(status == 404, of_acme, "{function}: {status}");
    }
}
