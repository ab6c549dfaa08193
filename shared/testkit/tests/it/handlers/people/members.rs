//! member-update and member-remove.

use consigne_core::keys::KeyMode;
use consigne_core::orgs::{Member, OrgRole};
use consigne_testkit::fakes::World;
use consigne_testkit::functions;
use serde_json::{Value, json};

use crate::handlers::GRANTED;
use crate::handlers::people::account_callers::IN_ORG;
use crate::handlers::people::accounts::{
    KEY_ID, ORG, PEOPLE, acme, answer, audit_log, key_in, org, outbox, put_key, refusal, saying, sent_by,
    test_wallet_of, user, verified,
};
use crate::handlers::people::invited::{put_invitation, role_of};

/// Returns the event with which a person gives another one a role.
fn giving(person: &str, other: &str, role: &str) -> Value {
    let mut event = saying(sent_by(person, "member-update", "to-billing"), &json!({ "role": role }));
    event["pathParameters"]["user"] = other.into();
    event
}

async fn give(world: &World, person: &str, other: &str, role: &str) -> Value {
    functions::call(world, "member-update", giving(person, other, role)).await
}

async fn remove(world: &World, person: &str, other: &str) -> Value {
    let mut event = sent_by(person, "member-remove", "dev");
    event["pathParameters"]["user"] = other.into();
    functions::call(world, "member-remove", event).await
}

/// Creates Acme with two people in each role.
fn doubled() -> World {
    let world = acme();
    world.change(|state| {
        for (name, role) in PEOPLE {
            let user = user(&name.replace('1', "2"));
            let member = Member { org: org(ORG), user: user.clone(), role, joined_at: GRANTED };
            state.accounts.members.insert((org(ORG), user), member);
        }
    });
    world
}

#[tokio::test]
async fn a_new_role_applies_at_once_and_is_in_the_audit_log() {
    let world = acme();
    let event = sent_by("user_adam1", "member-update", "to-billing");
    insta::assert_json_snapshot!(answer(&world, "member-update", event).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Member updated",
        "data": {
          "user_id": "user_dev1",
          "role": "billing",
          "joined_at": "<time>"
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "member.role_changed",
        "subject": "user_dev1",
        "actor": "user_adam1",
        "ip": "203.0.113.9",
        "details": {
          "from": "developer",
          "to": "billing"
        }
      }
    ]
    "#);
    assert_eq!(outbox(&world), json!([]));
    let keys = functions::call(&world, "key-list", sent_by("user_dev1", "key-list", "all")).await;
    assert_eq!(refusal(&keys), (403, "ROLE_REQUIRED"));
    let before = world.state();
    assert_eq!(give(&world, "user_ann1", "user_dev1", "billing").await["status"], 200, "the same role");
    assert_eq!(world.state(), before, "changes nothing");
}

#[tokio::test]
async fn every_role_may_assign_exactly_the_roles_in_the_matrix() {
    let mut table = Vec::new();
    for (person, by) in PEOPLE {
        for (other, role) in PEOPLE.map(|(name, role)| (name.replace('1', "2"), role)) {
            let mut cells = Vec::new();
            for new in OrgRole::ALL {
                let world = doubled();
                let before = world.state();
                let given = give(&world, person, &other, new.name()).await;
                if given["status"] == 200 {
                    assert_eq!(role_of(&world, &other), Some(new));
                } else {
                    assert_eq!((refusal(&given), world.state()), ((403, "ROLE_REQUIRED"), before));
                }
                cells.push(if given["status"] == 200 { new.name() } else { "-" });
            }
            let world = doubled();
            let before = world.state();
            let removed = remove(&world, person, &other).await;
            if removed["status"] == 200 {
                assert_eq!(role_of(&world, &other), None);
            } else {
                assert_eq!((refusal(&removed), world.state()), ((403, "ROLE_REQUIRED"), before));
            }
            cells.push(if removed["status"] == 200 { "removed" } else { "-" });
            table.push(format!("{} on {}: {}", by.name(), role.name(), cells.join(" ")));
        }
    }
    insta::assert_json_snapshot!(table, @r#"
    [
      "owner on owner: owner admin developer billing removed",
      "owner on admin: owner admin developer billing removed",
      "owner on developer: owner admin developer billing removed",
      "owner on billing: owner admin developer billing removed",
      "admin on owner: - - - - -",
      "admin on admin: - - - - -",
      "admin on developer: - - developer billing removed",
      "admin on billing: - - developer billing removed",
      "developer on owner: - - - - -",
      "developer on admin: - - - - -",
      "developer on developer: - - - - -",
      "developer on billing: - - - - -",
      "billing on owner: - - - - -",
      "billing on admin: - - - - -",
      "billing on developer: - - - - -",
      "billing on billing: - - - - -"
    ]
    "#);
}

#[tokio::test]
async fn a_refusal_names_the_roles_that_may_assign_a_role() {
    let event = giving("user_adam1", "user_dev1", "admin");
    insta::assert_json_snapshot!(answer(&acme(), "member-update", event).await, @r#"
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
}

#[tokio::test]
async fn every_member_may_leave_and_is_then_refused_on_every_route() {
    for (person, _) in PEOPLE {
        let world = doubled();
        put_key(&world, KEY_ID, KeyMode::Test, |_| ());
        put_invitation(&world, |_| ());
        assert_eq!(remove(&world, person, person).await["status"], 200, "{person}");
        assert_eq!(audit_log(&world)[0]["action"], "member.left");
        let before = world.state();
        for (function, case) in IN_ORG {
            let answer = functions::call(&world, function, sent_by(person, function, case)).await;
            assert_eq!(refusal(&answer), (404, "NOT_FOUND"), "{person} {function}");
        }
        assert_eq!(world.state(), before);
        let orgs = functions::call(&world, "org-list", sent_by(person, "org-list", "mine")).await;
        assert_eq!(orgs["body"]["data"], json!([]));
    }
}

#[tokio::test]
async fn a_removal_is_in_the_audit_log_with_the_former_role() {
    let world = acme();
    let event = sent_by("user_adam1", "member-remove", "dev");
    insta::assert_json_snapshot!(answer(&world, "member-remove", event).await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Member removed",
        "data": {
          "user_id": "user_dev1",
          "keys_revoked": 0
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "member.removed",
        "subject": "user_dev1",
        "actor": "user_adam1",
        "ip": "203.0.113.9",
        "details": {
          "role": "developer"
        }
      }
    ]
    "#);
    assert_eq!(outbox(&world), json!([]));
    let before = world.state();
    assert_eq!(
        refusal(&remove(&world, "user_adam1", "user_dev1").await),
        (404, "NOT_FOUND"),
        "a second removal finds nobody"
    );
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn the_last_owner_can_neither_leave_nor_change_their_role() {
    let world = acme();
    let before = world.state();
    let mut event = sent_by("user_ann1", "member-remove", "dev");
    event["pathParameters"]["user"] = "user_ann1".into();
    insta::assert_json_snapshot!(answer(&world, "member-remove", event).await, @r#"
    {
      "status": 409,
      "body": {
        "success": false,
        "error": {
          "code": "CONFLICT",
          "message": "organisation must keep an owner; make somebody else an owner first"
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    for role in ["admin", "developer", "billing"] {
        assert_eq!(refusal(&give(&world, "user_ann1", "user_ann1", role).await), (409, "CONFLICT"), "{role}");
    }
    assert_eq!(give(&world, "user_ann1", "user_ann1", "owner").await["status"], 200, "the person is that already");
    assert_eq!(world.state(), before);
    assert_eq!(give(&world, "user_ann1", "user_adam1", "owner").await["status"], 200);
    assert_eq!(give(&world, "user_ann1", "user_ann1", "billing").await["status"], 200);
    assert_eq!(refusal(&remove(&world, "user_adam1", "user_adam1").await), (409, "CONFLICT"));
}

#[tokio::test]
async fn of_two_owners_who_leave_concurrently_one_stays() {
    let world = doubled();
    let both = tokio::join!(remove(&world, "user_ann1", "user_ann1"), remove(&world, "user_ann2", "user_ann2"),);
    let statuses = [&both.0["status"], &both.1["status"]].map(|status| status.as_u64().unwrap());
    assert!([[200, 409], [409, 200]].contains(&statuses), "{statuses:?}");
}

#[tokio::test]
async fn non_members_cannot_be_changed_or_removed() {
    let world = acme();
    let before = world.state();
    let unknown = answer(&world, "member-update", giving("user_ann1", "user_eve1", "billing")).await;
    assert_eq!(refusal(&unknown), (404, "NOT_FOUND"));
    for odd in ["", "user_", "user_eve1/x", "user_eve1#", "../user_dev1", "user_dev1 ", "USER_DEV1", KEY_ID] {
        assert_eq!(answer(&world, "member-update", giving("user_ann1", odd, "billing")).await, unknown, "{odd}");
        assert_eq!(refusal(&remove(&world, "user_ann1", odd).await), (404, "NOT_FOUND"), "{odd}");
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn a_role_is_one_of_four() {
    let world = acme();
    let before = world.state();
    for body in [
        json!({}),
        json!({ "role": null }),
        json!({ "role": "Admin" }),
        json!({ "role": "root" }),
        json!({ "role": ["admin"] }),
    ] {
        let event = saying(giving("user_ann1", "user_dev1", "billing"), &body);
        let answer = functions::call(&world, "member-update", event).await;
        assert_eq!(
            (refusal(&answer), &answer["body"]["error"]["details"]["field"]),
            ((400, "INVALID_REQUEST"), &json!("role")),
            "{body}"
        );
    }
    let event =
        saying(giving("user_ann1", "user_dev1", "billing"), &json!({ "role": "billing", "user_id": "user_eve1" }));
    assert_eq!(refusal(&functions::call(&world, "member-update", event).await), (400, "INVALID_REQUEST"));
    assert_eq!(world.state(), before);
}

/// Removes somebody and says what happens to their keys.
async fn remove_with(world: &World, person: &str, other: &str, keys: &str) -> Value {
    let mut event = sent_by(person, "member-remove", "dev");
    event["pathParameters"]["user"] = other.into();
    event["rawQueryString"] = keys.into();
    functions::call(world, "member-remove", event).await
}

#[tokio::test]
async fn keys_of_a_removed_member_are_kept_or_revoked_as_asked() {
    for (keys, valid, revoked) in [("", true, 0), ("keys=keep", true, 0), ("keys=revoke", false, 1)] {
        let world = acme();
        let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
        let removed = remove_with(&world, "user_ann1", "user_dev1", keys).await;
        assert_eq!((&removed["status"], &removed["body"]["data"]["keys_revoked"]), (&json!(200), &json!(revoked)));
        let probed = verified(&world, &text, "probe", &json!({})).await;
        assert_eq!(probed["valid"], valid, "{keys}");
    }
}

#[tokio::test]
async fn only_keys_that_the_removed_member_created_are_revoked() {
    let world = acme();
    put_key(&world, KEY_ID, KeyMode::Production, |key| key.created_by = user("user_adam1"));
    let removed = remove_with(&world, "user_ann1", "user_dev1", "keys=revoke").await;
    assert_eq!(removed["body"]["data"]["keys_revoked"], 0);
    assert_eq!(key_in(&world).revoked, None);
}

#[tokio::test]
async fn keys_that_a_removed_member_has_left_can_be_revoked_later_by_those_who_manage_members() {
    let world = acme();
    put_key(&world, KEY_ID, KeyMode::Production, |_| ());
    assert_eq!(remove(&world, "user_ann1", "user_dev1").await["status"], 200);
    for person in ["user_bill1", "user_eve1"] {
        assert_ne!(remove_with(&world, person, "user_dev1", "keys=revoke").await["status"], 200, "{person}");
        assert_eq!(key_in(&world).revoked, None);
    }
    assert_eq!(remove_with(&world, "user_adam1", "user_dev1", "keys=revoke").await["status"], 200);
    assert!(key_in(&world).revoked.is_some());
    assert_eq!(refusal(&remove_with(&world, "user_adam1", "user_dev1", "keys=revoke").await), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn a_removal_that_is_refused_revokes_no_keys() {
    let world = acme();
    put_key(&world, KEY_ID, KeyMode::Production, |_| ());
    let before = world.state();
    for (person, keys) in
        [("user_bill1", "keys=revoke"), ("user_ann1", "keys=all"), ("user_ann1", "keys=keep&keys=revoke")]
    {
        assert_ne!(remove_with(&world, person, "user_dev1", keys).await["status"], 200, "{person} {keys}");
        assert_eq!(world.state(), before);
    }
}

#[tokio::test]
async fn test_keys_of_a_removed_member_spend_an_owners_credits() {
    let world = acme();
    let text = put_key(&world, KEY_ID, KeyMode::Test, |_| ());
    verified(&world, &text, "charge", &json!({ "cost": 5 })).await;
    assert_eq!(remove(&world, "user_ann1", "user_dev1").await["status"], 200);
    let before = world.state();
    let probed = verified(&world, &text, "probe", &json!({ "include": ["remaining"] })).await;
    assert_eq!((&probed["valid"], &probed["remaining"]["credits"]), (&json!(true), &json!(100)));
    assert_eq!(world.state(), before, "a check without a charge must write nothing");
    let asked = json!({ "cost": 7, "include": ["remaining"] });
    let paid = verified(&world, &text, "probe", &asked).await;
    assert_eq!((&paid["valid"], &paid["remaining"]["credits"]), (&json!(true), &json!(93)));
    assert_eq!(test_wallet_of(&world, "user_dev1"), Some([95, 5]), "the removed member must not pay any more");
    assert_eq!(test_wallet_of(&world, "user_ann1"), Some([93, 7]));
    assert_eq!(key_in(&world).spender, Some(user("user_ann1")));
    assert_eq!(key_in(&world).created_by, user("user_dev1"));
}
