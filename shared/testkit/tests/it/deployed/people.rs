//! Clerk's webhooks about people on the deployed stack, and the deletion of everything that a deleted person owned.

use std::time::Duration;

use consigne_core::orgs::OrgRole;
use consigne_core::ports::{EndClosing, FindClosings, GetProfile, ListUploads, ReadHead};
use consigne_core::profiles::{Closing, Language, Profile};
use consigne_core::{Timestamp, UserId};
use consigne_runtime::clock;
use consigne_testkit::http::Response;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::stack::{Stack, fresh_user, until};
use consigne_testkit::{pictures, webhooks};
use serde_json::{Value, json};

use super::assert_refused;
use super::operator::consigne;

const PATH: &str = "/api/webhooks/clerk";
/// Bytes of the smallest file that is uploaded in parts.
const FILM: usize = 104_857_601;

/// Returns Clerk's record of a person.
fn record(user: &str, address: &str, updated_at: i64) -> Value {
    json!({
        "id": user, "object": "user", "updated_at": updated_at, "primary_email_address_id": "idn_1",
        "email_addresses": [{ "id": "idn_1", "email_address": address, "verification": { "status": "verified" } }],
        "first_name": "Ann", "last_name": null, "username": null, "public_metadata": { "language": "fr" },
    })
}

fn event(kind: &str, data: &Value) -> String {
    json!({ "type": kind, "object": "event", "data": data }).to_string()
}

/// Sends an event with an id, signed with a secret. `family` is the prefix of the signature's headers.
async fn send_as(stack: &Stack, family: &str, secret: &str, id: &str, body: &str) -> Response {
    let signed = webhooks::headers(secret, id, clock::now(), body);
    let signed = signed.map(|(name, value)| (name.replace("webhook", family), value));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(signed.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    stack.call("POST", PATH, &headers, body.as_bytes()).await
}

/// Sends an event as Clerk does. A retry has a new time and signature.
async fn send(stack: &Stack, id: &str, body: &str) -> Response {
    send_as(stack, "svix", stack.name("CLERK_WEBHOOK_SECRET"), id, body).await
}

async fn taken(stack: &Stack, id: &str, body: &str) {
    let answer = send(stack, id, body).await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "success": true })));
}

async fn known(stack: &Stack, user: &str) -> Profile {
    stack.table().get_profile(&UserId::parse(user).unwrap()).await.unwrap()
}

/// Runs `account-close` once.
pub async fn close_accounts(stack: &Stack) {
    let run = stack.invoke("account-close", &json!({ "time": clock::now().to_string() })).await;
    assert_eq!(run.status, 200, "{}", run.json());
}

/// Runs `account-close` until a closing waits only for its last look, an hour after it began. Returns the closing.
pub async fn close_up_to_the_last_look(stack: &Stack, user: &UserId) -> Closing {
    let put_off = until(async || {
        close_accounts(stack).await;
        let due = stack.table().find_closings(clock::now().plus(Duration::from_hours(1))).await.unwrap();
        due.closings.into_iter().find(|closing| closing.user == *user && closing.due_at == closing.last_look())
    });
    put_off.await.expect("only the last step of the closing is left")
}

#[tokio::test]
async fn clerks_events_are_applied_once_and_in_order() {
    let (stack, user) = (Stack::find(), fresh_user());
    let id = |n: u8| format!("msg_{user}_{n}");
    let new = event("user.updated", &record(&user, "new@example.com", 2_000));
    let old = event("user.created", &record(&user, "old@example.com", 1_000));
    for _ in 0..2 {
        taken(&stack, &id(1), &new).await;
        taken(&stack, &id(2), &old).await;
    }
    let told = known(&stack, &user).await.from_webhook.unwrap();
    assert_eq!((told.email.as_str(), told.verified, told.language), ("new@example.com", true, Language::French));
    let newer = event("user.updated", &record(&user, "newer@example.com", 3_000));
    assert_refused(&send(&stack, &id(1), &newer).await, 422, "IDEMPOTENCY_MISMATCH");
    let standard = send_as(&stack, "webhook", stack.name("CLERK_WEBHOOK_SECRET"), &id(3), &newer).await;
    assert_eq!(standard.status, 200);
    assert_eq!(known(&stack, &user).await.from_webhook.unwrap().email, "newer@example.com");
    taken(&stack, &id(4), &event("session.created", &json!({ "id": "sess_1" }))).await;
    let lines = stack.log_lines("webhook-clerk", "@example.com").await;
    assert!(lines.is_empty(), "the log has an address");
}

#[tokio::test]
async fn events_without_clerks_signature_change_nothing() {
    let (stack, user) = (Stack::find(), fresh_user());
    let body = event("user.created", &record(&user, "ann@example.com", 1_000));
    let secret = stack.name("CLERK_WEBHOOK_SECRET");
    let plain = [("content-type", "application/json")];
    assert_refused(&stack.call("POST", PATH, &plain, body.as_bytes()).await, 401, "INVALID_SIGNATURE");
    let generators = send_as(&stack, "svix", stack.name("GENERATOR_WEBHOOK_SECRET"), "msg_1", &body).await;
    assert_refused(&generators, 401, "INVALID_SIGNATURE");
    let sent = async |at: Timestamp, body: &str, signed: &str| {
        let signed = webhooks::headers(secret, &format!("msg_{user}_{at}"), at, signed);
        let headers = signed.iter().map(|(name, value)| (*name, value.as_str()));
        stack.call("POST", PATH, &plain.into_iter().chain(headers).collect::<Vec<_>>(), body.as_bytes()).await
    };
    let (far, near) = (Duration::from_mins(6), Duration::from_mins(4));
    for at in [clock::now().minus(far), clock::now().plus(far)] {
        assert_refused(&sent(at, &body, &body).await, 401, "INVALID_SIGNATURE");
    }
    let respaced = body.replacen(':', ": ", 1);
    assert_refused(&sent(clock::now(), &respaced, &body).await, 401, "INVALID_SIGNATURE");
    assert_eq!(known(&stack, &user).await.webhook_at, None);
    for at in [clock::now().minus(near), clock::now().plus(near)] {
        assert_eq!(sent(at, &body, &body).await.status, 200);
    }
}

#[tokio::test]
async fn everything_a_deleted_person_owned_is_ended() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 10).await;
    let (ann, shop_key) = (&fixture.owner, fixture.issue("production", &json!({})).await);
    taken(&stack, &format!("msg_{}_1", ann.id), &event("user.created", &record(&ann.id, "ann@example.com", 1_000)))
        .await;
    let mut keys = Vec::new();
    for n in 0..3 {
        keys.push(ann.upload(&format!("{n}.png"), "image/png", pictures::png(3, 4, 100)).await);
    }
    let open = ann.grant("open.png", "image/png", 100).await;
    assert_eq!(open.status, 201);
    let film = ann.grant("film.mp4", "video/mp4", FILM).await.json();
    let parts = format!("/api/files/uploads/{}/parts", film["fileId"].as_str().unwrap());
    assert_eq!(ann.call_with("POST", &parts, &json!({ "partNumbers": [1] })).await.status, 200);
    let film = film["s3Key"].as_str().unwrap();
    assert_eq!(stack.bucket().list_uploads(film).await.unwrap().len(), 1);
    ann.wait_for_usage(3, 300, 100 + FILM as u64).await;
    // Of another organisation they are an owner beside somebody who stays.
    let other = OrgFixture::open(&stack, 0).await;
    other.join(ann, OrgRole::Owner).await;

    taken(&stack, &format!("msg_{}_2", ann.id), &event("user.deleted", &json!({ "id": ann.id, "deleted": true })))
        .await;
    let tombstone = known(&stack, &ann.id).await;
    let closed_at = tombstone.closed_at.unwrap();
    assert_eq!(tombstone, Profile { closed_at: Some(closed_at), ..Profile::unknown(tombstone.user.clone()) });
    // Their token is still valid, but cannot start anything new.
    let token = stack.issuer.token_with(&ann.id, &json!({ "email": "ann@example.com" }));
    let headers = [("authorization", format!("Bearer {token}")), ("content-type", "application/json".to_owned())];
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let refused = stack.call("POST", "/api/orgs", &headers, br#"{"name": "Again"}"#).await;
    assert_refused(&refused, 401, "UNAUTHENTICATED");

    close_up_to_the_last_look(&stack, &UserId::parse(&ann.id).unwrap()).await;
    ann.wait_for_usage(0, 0, 0).await;
    assert_eq!(stack.bucket().list_uploads(film).await.unwrap(), Vec::<String>::new());
    let members = other.owner.call("GET", &other.path("/members")).await.json();
    assert_eq!((&members["metadata"]["total"], &members["data"][0]["user_id"]), (&json!(1), &json!(other.owner.id)));
    for key in &keys {
        assert_eq!(stack.bucket().read_head(key, None, 1).await.unwrap(), None);
        assert_refused(&ann.metadata(key).await, 404, "NOT_FOUND");
    }
    // A grant from before the deletion does not work.
    ann.put(&open.json(), pictures::png(3, 4, 100)).await;
    let gone = until(async || {
        let key = open.json()["s3Key"].as_str().unwrap().to_owned();
        stack.bucket().read_head(&key, None, 1).await.unwrap().is_none().then_some(())
    });
    assert!(gone.await.is_some());
    ann.wait_for_usage(0, 0, 0).await;
    assert_eq!(fixture.charge(&shop_key, None).await["code"], "SUSPENDED");
    assert_eq!(ann.call("GET", &fixture.path("/keys")).await.status, 404);
}

#[tokio::test]
async fn somebody_who_erases_their_account_loses_everything_and_can_be_let_in_again() {
    let stack = Stack::find();
    let ann = stack.person(&fresh_user(), "pro");
    let key = ann.upload("1.png", "image/png", pictures::png(3, 4, 100)).await;
    let erase = async |confirm: &str| ann.call_with("POST", "/api/me/erase", &json!({ "confirm": confirm })).await;
    assert_refused(&erase("user_other").await, 400, "INVALID_REQUEST");
    let answer = erase(&ann.id).await;
    assert_eq!((answer.status, &answer.json()["data"]["status"]), (202, &json!("erasing")));
    assert_refused(&erase(&ann.id).await, 401, "UNAUTHENTICATED");
    assert_refused(&ann.grant("2.png", "image/png", 100).await, 401, "UNAUTHENTICATED");
    let reopen = ["user", "reopen", &ann.id, "--reason", "closed by mistake"];
    let (output, _, err) = consigne(&reopen, &[]);
    assert!(!output.status.success() && err.contains("still being deleted"), "{err}");
    let gone = until(async || {
        close_accounts(&stack).await;
        stack.bucket().read_head(&key, None, 1).await.unwrap().is_none().then_some(())
    });
    assert!(gone.await.is_some(), "the object is left");

    // The last look comes an hour later.
    let user = UserId::parse(&ann.id).unwrap();
    stack.table().end_closing(&user).await.unwrap();
    let (output, out, err) = consigne(&reopen, &[]);
    assert!(output.status.success() && out.contains("can sign in again"), "{out}{err}");
    assert_eq!(ann.grant("3.png", "image/png", 100).await.status, 201);
    let (output, out, err) = consigne(&["user", "erase", &ann.id, "--reason", "asked by letter"], &[]);
    assert!(output.status.success() && out.contains("Closed the account"), "{out}{err}");
    assert_refused(&ann.grant("4.png", "image/png", 100).await, 401, "UNAUTHENTICATED");
}
