//! org-delete and org-update, and what account-close ends after a deletion.

use std::time::Duration;

use consigne_core::keys::{KeyMode, KeyStatus};
use consigne_runtime::clock;
use consigne_testkit::fakes::{Moment, World};
use consigne_testkit::stripe::signed;
use consigne_testkit::{functions, payload};
use serde_json::{Value, json};

use crate::handlers::people::account_callers::IN_ORG;
use crate::handlers::people::accounts::{
    ORG, PEOPLE, acme, answer, audit_log, code_of, credit, found, key_in, org, put_key, put_production, refusal,
    saying, sent_by, sent_by_service,
};
use crate::handlers::people::closing::close_accounts_at;
use crate::handlers::people::invited::{bob_accepts, invitation_in, put_invitation};
use crate::handlers::people::webhook_stripe::{event, offered, send, taken};
use crate::handlers::webhooks::endpoints::{ENDPOINT, put_endpoint};

/// Deletes Acme as a person. Returns the answer.
pub async fn delete_as(world: &World, person: &str) -> Value {
    answer(world, "org-delete", sent_by(person, "org-delete", "acme")).await
}

/// Runs `account-close` for what the deletion has left, at once and at its last look.
pub async fn dissolve(world: &World) {
    make_due(world);
    let early = close_accounts_at(world, clock::now()).await;
    assert_eq!(early["organisations"]["dissolved"], 0, "before the last look");
    look_last(world).await;
}

/// Makes every deletion due. The time of a tick has whole seconds, so the second of the deletion is not over yet.
pub fn make_due(world: &World) {
    world.change(|state| {
        for deletion in state.accounts.deletions.values_mut() {
            deletion.due_at = deletion.due_at.minus(Duration::from_mins(1));
        }
    });
}

/// Runs `account-close` as if the deletions were twenty minutes old: at their last look.
async fn look_last(world: &World) {
    let now = clock::now();
    world.change(|state| {
        for deletion in state.accounts.deletions.values_mut() {
            deletion.deleted_at = now.minus(Duration::from_mins(20));
            deletion.due_at = deletion.last_look();
        }
    });
    close_accounts_at(world, now).await;
    assert!(world.state().accounts.deletions.is_empty());
}

/// Returns how the members were told, as `[member, actor, credits lost]`.
fn told(world: &World) -> Vec<Value> {
    let entries = world.state().outbox.into_iter().filter(|(_, entry)| entry.kind == "organisation.deleted");
    let mut told: Vec<Value> = entries
        .map(|(_, entry)| {
            let detail: Value = serde_json::from_str(&entry.detail).unwrap();
            json!([detail["user_id"], detail["actor"], detail["credits_lost"]])
        })
        .collect();
    told.sort_by_key(Value::to_string);
    told
}

#[tokio::test]
async fn a_deletion_says_what_is_lost_and_tells_every_member() {
    let world = acme();
    insta::assert_json_snapshot!(delete_as(&world, "user_ann1").await, @r#"
    {
      "status": 200,
      "body": {
        "success": true,
        "message": "Organisation deleted",
        "data": {
          "id": "org_<id>",
          "credits_lost": 1000
        },
        "timestamp": "<time>"
      }
    }
    "#);
    insta::assert_json_snapshot!(audit_log(&world), @r#"
    [
      {
        "action": "org.deleted",
        "subject": "org_<id>",
        "actor": "user_ann1",
        "ip": "203.0.113.9",
        "details": {
          "name": "Acme",
          "credits_lost": 1000
        }
      }
    ]
    "#);
    let everybody: Vec<Value> =
        ["user_adam1", "user_ann1", "user_bill1", "user_dev1"].map(|user| json!([user, "user_ann1", 1000])).to_vec();
    assert_eq!(told(&world), everybody);
    dissolve(&world).await;
    assert_eq!(told(&world), everybody, "each once");
}

#[tokio::test]
async fn former_members_get_404_from_every_route() {
    let world = acme();
    put_production(&world, |_| ());
    assert_eq!(delete_as(&world, "user_ann1").await["status"], 200);
    let before = world.state();
    for (person, _) in PEOPLE {
        for (function, case) in IN_ORG {
            let refused = answer(&world, function, sent_by(person, function, case)).await;
            assert_eq!(refusal(&refused), (404, "NOT_FOUND"), "{person} {function}");
        }
        let listed = functions::call(&world, "org-list", sent_by(person, "org-list", "mine")).await;
        assert_eq!(listed["body"]["data"], json!([]), "{person}");
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn no_key_spends_after_the_deletion() {
    let world = acme();
    let production = put_production(&world, |_| ());
    let test = put_key(&world, "key_01M7YREWKH7VM7Z3Z2KWSH2FTT", KeyMode::Test, |_| ());
    delete_as(&world, "user_ann1").await;
    for key in [&production, &test] {
        let event = sent_by_service(key, "key-verify", "charge");
        let refused = functions::call(&world, "key-verify", event).await;
        assert_eq!(refused["body"]["data"]["code"], "SUSPENDED", "at once, before the keys are revoked");
        assert_eq!(code_of(&world, key).await, "SUSPENDED");
    }
    dissolve(&world).await;
    assert!(world.state().accounts.keys.values().all(|key| key.status == KeyStatus::Revoked));
    assert_eq!(key_in(&world).revoked.unwrap().2, "The organisation was deleted");
    for key in [&production, &test] {
        assert_eq!(code_of(&world, key).await, "REVOKED");
    }
    assert!(world.state().accounts.receipts.is_empty());
    let kinds: Vec<String> = world.state().outbox.into_iter().map(|(_, entry)| entry.kind).collect();
    assert!(!kinds.contains(&"key.revoked".to_owned()), "one mail about the deletion says it");
}

#[tokio::test]
async fn endpoints_and_invitations_end() {
    let world = acme();
    put_endpoint(&world, ENDPOINT, "user_ann1", |_| ());
    let token = put_invitation(&world, |_| ());
    delete_as(&world, "user_ann1").await;
    assert_eq!(refusal(&bob_accepts(&world, &token).await), (404, "NOT_FOUND"), "before it is revoked");
    dissolve(&world).await;
    let state = world.state();
    assert!(state.hooks.endpoints.is_empty());
    assert!(!invitation_in(&world).is_open(clock::now()));
    assert!(state.accounts.members.is_empty());
    let actions: Vec<_> = state.accounts.audit.iter().map(|entry| entry.action.name()).collect();
    assert_eq!(actions, ["org.deleted", "endpoint.deleted", "invitation.revoked"]);
}

#[tokio::test]
async fn an_open_hold_prevents_the_deletion_and_is_named() {
    let world = acme();
    let key = put_production(&world, |_| ());
    let opened = functions::call(&world, "hold-open", sent_by_service(&key, "hold-open", "job")).await;
    assert_eq!(opened["status"], 201, "{opened}");
    let hold = opened["body"]["data"]["hold_id"].as_str().unwrap();
    let before = world.state();
    let refused = functions::call(&world, "org-delete", sent_by("user_ann1", "org-delete", "acme")).await;
    assert_eq!(refusal(&refused), (409, "CONFLICT"));
    assert_eq!(refused["body"]["error"]["details"]["holds"], json!([hold]));
    assert!(refused["body"]["error"]["message"].as_str().unwrap().contains(hold), "{refused}");
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn only_the_slug_confirms() {
    let world = acme();
    let before = world.state();
    for body in [json!({}), json!({ "confirm": "Acme" }), json!({ "confirm": "" }), json!({ "confirm": ORG })] {
        let refused = answer(&world, "org-delete", saying(sent_by("user_ann1", "org-delete", "acme"), &body)).await;
        assert_eq!(
            (refusal(&refused), &refused["body"]["error"]["details"]["field"]),
            ((400, "INVALID_REQUEST"), &json!("confirm"))
        );
    }
    assert_eq!(world.state(), before);
}

#[tokio::test]
async fn members_that_a_deletion_could_not_dismiss_are_told_later() {
    let world = acme();
    // Member, organisation, deletion; then the list of members.
    world.fail_at(3, Moment::Before);
    assert_eq!(delete_as(&world, "user_ann1").await["status"], 200);
    assert_eq!((told(&world).len(), world.state().accounts.members.len()), (0, 4));
    dissolve(&world).await;
    assert_eq!((told(&world).len(), world.state().accounts.members.len()), (4, 0));
}

#[tokio::test]
async fn a_key_issued_while_the_organisation_was_deleted_is_revoked_at_the_last_look() {
    let world = acme();
    delete_as(&world, "user_ann1").await;
    make_due(&world);
    close_accounts_at(&world, clock::now()).await;
    put_production(&world, |_| ());
    look_last(&world).await;
    assert_eq!(key_in(&world).status, KeyStatus::Revoked);
}

#[tokio::test]
async fn a_checkout_paid_after_the_deletion_is_answered_and_left_to_the_operator() {
    let world = offered().await;
    assert_eq!(delete_as(&world, "user_ann1").await["status"], 200);
    let before = world.state().accounts.wallets;
    for _ in 0..2 {
        assert_eq!(send(&world, signed(event("completed"))).await, taken());
    }
    let state = world.state();
    assert_eq!(state.accounts.wallets, before, "no credits for an organisation that nobody can use");
    let refused: Vec<_> =
        state.accounts.audit.iter().filter(|entry| entry.action.name() == "webhook.refused").collect();
    assert_eq!(refused.len(), 1, "once");
    assert_eq!((refused[0].org, &refused[0].details["field"]), (None, &json!("the organisation was deleted")));
    assert_eq!(refused[0].details["amount_cents"], 1_000);
}

#[tokio::test]
async fn a_refund_after_the_deletion_keeps_the_books() {
    let world = offered().await;
    assert_eq!(send(&world, signed(event("completed"))).await, taken());
    assert_eq!(delete_as(&world, "user_ann1").await["body"]["data"]["credits_lost"], 1_000);
    assert_eq!(send(&world, signed(event("refunded"))).await, taken());
    assert!(world.state().accounts.wallets.values().all(|wallet| wallet.is_balanced() && !wallet.open));
}

#[tokio::test]
async fn nights_no_longer_visit_a_deleted_organisation() {
    for (function, case) in [("quota-reset", "night"), ("stats-aggregate", "night")] {
        let world = acme();
        functions::tick(&world, function, payload::event(function, case, "")).await.unwrap();
        assert!(!world.state().messages.is_empty(), "{function}");
        let world = acme();
        delete_as(&world, "user_ann1").await;
        functions::tick(&world, function, payload::event(function, case, "")).await.unwrap();
        let about_acme = world.state().messages.iter().filter(|message| message.contains(ORG)).count();
        assert_eq!(about_acme, 0, "{function}");
    }
}

#[tokio::test]
async fn a_founder_may_found_another_one_after_a_deletion() {
    let world = World::default();
    let create = async || answer(&world, "org-create", sent_by("user_ann1", "org-create", "acme")).await;
    for _ in 0..3 {
        assert_eq!(create().await["status"], 201);
    }
    insta::assert_json_snapshot!(create().await, @r#"
    {
      "status": 403,
      "body": {
        "success": false,
        "error": {
          "code": "SUBSCRIPTION_REQUIRED",
          "message": "your plan free allows 3 organisations that you founded; delete one or change to a larger plan",
          "details": {
            "limit": 3,
            "plan": "free",
            "required": "basic"
          }
        },
        "timestamp": "<time>",
        "requestId": "request-1"
      }
    }
    "#);
    let (id, slug) = world.state().accounts.orgs.iter().map(|(id, org)| (*id, org.slug.clone())).next().unwrap();
    let mut delete = saying(sent_by("user_ann1", "org-delete", "acme"), &json!({ "confirm": slug }));
    delete["pathParameters"]["org"] = id.to_string().into();
    assert_eq!(answer(&world, "org-delete", delete.clone()).await["status"], 200);
    assert_eq!(answer(&world, "org-delete", delete).await["status"], 404);
    assert_eq!(create().await["status"], 201);
    assert_eq!(refusal(&create().await), (403, "SUBSCRIPTION_REQUIRED"), "the deletion counts once");
}

#[tokio::test]
async fn organisations_older_than_the_count_are_counted() {
    let world = World::default();
    for at in 0..3 {
        let id = consigne_core::OrgId::derive(&["older", &at.to_string()]).to_string();
        found(&world, &id, "Older", &PEOPLE[..1]);
    }
    let (person, _) = PEOPLE[0];
    let refused = answer(&world, "org-create", sent_by(person, "org-create", "acme")).await;
    assert_eq!(refusal(&refused), (403, "SUBSCRIPTION_REQUIRED"));
}

#[tokio::test]
async fn a_retry_of_a_creation_after_the_deletion_says_so() {
    let world = World::default();
    let create = async || functions::call(&world, "org-create", sent_by("user_ann1", "org-create", "with-key")).await;
    let created = create().await["body"]["data"].clone();
    let mut delete = saying(sent_by("user_ann1", "org-delete", "acme"), &json!({ "confirm": created["slug"] }));
    delete["pathParameters"]["org"] = created["id"].clone();
    assert_eq!(answer(&world, "org-delete", delete).await["status"], 200);
    assert_eq!(refusal(&create().await), (409, "CONFLICT"));
}

#[tokio::test]
async fn an_organisation_is_renamed_and_keeps_its_slug() {
    let world = acme();
    let rename = async || answer(&world, "org-update", sent_by("user_adam1", "org-update", "renamed")).await;
    insta::assert_json_snapshot!(rename().await["body"]["data"], @r#"
    {
      "id": "org_<id>",
      "name": "Acme & Sons",
      "slug": "acme-<end>",
      "role": "admin",
      "created_at": "<time>"
    }
    "#);
    let before = world.state();
    assert_eq!(before.accounts.orgs[&org(ORG)].name, "Acme & Sons");
    assert_eq!(rename().await["status"], 200);
    assert_eq!(world.state(), before, "the same name changes nothing");
    let entry = &before.accounts.audit[0];
    assert_eq!(
        (entry.action.name(), &entry.details),
        ("org.updated", &json!({ "from": "Acme", "name": "Acme & Sons" }))
    );
    let empty = saying(sent_by("user_ann1", "org-update", "renamed"), &json!({ "name": " " }));
    assert_eq!(refusal(&answer(&world, "org-update", empty).await), (400, "INVALID_REQUEST"));
}

#[tokio::test]
async fn a_second_deletion_finds_nothing() {
    let world = acme();
    credit(&world, 250);
    assert_eq!(delete_as(&world, "user_ann1").await["body"]["data"]["credits_lost"], 1_250);
    assert_eq!(delete_as(&world, "user_ann1").await["status"], 404);
}
