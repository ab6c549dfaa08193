//! Orders: paid, submitted without signing in, checked, read by experts.

use std::time::Duration;

use consigne_core::credits::PaymentId;
use consigne_core::files::{File, ObjectKey, Status};
use consigne_core::orders::{Order, OrderStatus, SUBMIT_WITHIN, SUBMITS_PER_MINUTE};
use consigne_core::{OrderId, Timestamp};
use consigne_runtime::clock;
use consigne_testkit::fakes::{SimClock, World};
use consigne_testkit::functions::{self, Fakes, MAIL_FROM};
use consigne_testkit::stripe::signed;
use consigne_testkit::{payload, pictures};
use serde_json::{Value, json};

use crate::handlers::nightly::sweep::sweep_at;

/// The payment of the payloads.
const PAYMENT: &str = "pi_3QxOrder";

/// Returns the order of the payloads.
pub fn order_id() -> OrderId {
    OrderId::of(&PaymentId::parse(PAYMENT).unwrap())
}

/// Tells the stack that the order was paid.
pub async fn pay(world: &World) -> Value {
    let event = signed(payload::event("webhook-stripe", "order-paid", ""));
    functions::call(world, "webhook-stripe", event).await
}

/// Creates a world in which the order was paid.
pub fn paid() -> World {
    let world = World::default();
    let order = Order::paid(PaymentId::parse(PAYMENT).unwrap(), clock::now());
    world.change(|state| drop(state.orders.insert(order.id, order)));
    world
}

/// Submits the order of the payload.
pub async fn submit(world: &World) -> Value {
    submit_with(world, |_| ()).await
}

/// Submits the order with a changed body.
pub async fn submit_with(world: &World, change: impl FnOnce(&mut Value)) -> Value {
    let mut event = payload::event("order-submit", "photos", "");
    let mut body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
    change(&mut body);
    event["body"] = body.to_string().into();
    functions::call(world, "order-submit", event).await
}

pub fn order_in(world: &World) -> Order {
    world.state().orders[&order_id()].clone()
}

/// Returns the keys of the latest submission's photos: face and palm.
pub fn keys(world: &World) -> [String; 2] {
    let photos = order_in(world).current.unwrap().photos;
    [photos[0].key.to_string(), photos[1].key.to_string()]
}

pub fn file_of(world: &World, key: &str) -> File {
    let key = ObjectKey::parse(key).unwrap();
    world.state().files[&(key.owner().clone(), key.file())].clone()
}

/// Delivers S3's event about a version of an object.
pub async fn announce(world: &World, key: &str, version: &str) {
    let mut event = payload::event("on-object-event", "created", "");
    let mut body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    body["detail"]["object"]["key"] = key.into();
    body["detail"]["object"]["version-id"] = version.into();
    event["Records"][0]["body"] = body.to_string().into();
    functions::deliver(world, "on-object-event", event).await;
}

/// Uploads a version of a photo, and delivers S3's event.
pub async fn upload(world: &World, key: &str, version: &str, bytes: Vec<u8>) {
    world.put_object(key, version, bytes);
    announce(world, key, version).await;
}

/// Uploads both photos.
pub async fn upload_both(world: &World) {
    let [face, palm] = keys(world);
    upload(world, &face, "v1", pictures::heic()).await;
    upload(world, &palm, "v1", pictures::photo_with_place()).await;
}

/// Removes a photo by hand, and delivers S3's event.
pub async fn lose(world: &World, key: &str) {
    world.change(|state| drop(state.objects.remove(key)));
    let mut event = payload::event("on-object-event", "deleted", "");
    let mut body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    body["detail"]["object"]["key"] = key.into();
    body["detail"]["object"]["version-id"] = "v1".into();
    body["detail"]["object"]["sequencer"] = "ffffffffffffffffff".into();
    event["Records"][0]["body"] = body.to_string().into();
    functions::deliver(world, "on-object-event", event).await;
}

/// Returns what the events `order.submitted` say.
pub fn announcements(world: &World) -> Vec<Value> {
    let state = world.state();
    let told = state.outbox.iter().filter(|(_, entry)| entry.kind == "order.submitted");
    told.map(|(_, entry)| serde_json::from_str(&entry.detail).unwrap()).collect()
}

/// Delivers the event of a photo that has become ready to `derive-image`.
pub async fn derive(world: &World, key: &str) {
    let facts = json!({ "event_id": "01M7YREWKH7VM7Z3Z2KWSH2FTR", "occurred_at": "2026-11-21T10:30:00Z" });
    let mut detail = json!(file_of(world, key).facts());
    detail.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
    let mut batch = payload::event("derive-image", "ready", "");
    let mut body: Value = serde_json::from_str(batch["Records"][0]["body"].as_str().unwrap()).unwrap();
    body["detail"] = detail;
    batch["Records"][0]["body"] = body.to_string().into();
    assert_eq!(functions::deliver(world, "derive-image", batch).await, json!({ "batchItemFailures": [] }));
}

pub fn as_role(role: &str) -> String {
    functions::issuer().token_with("user_exp1", &json!({ "public_metadata": { "subscription": "free", "role": role } }))
}

async fn get(world: &World) -> (Value, Vec<Value>) {
    let mut event = payload::event("order-get", "order", &as_role("expert"));
    event["pathParameters"]["id"] = order_id().to_string().into();
    functions::call_with_lines(world, "order-get", event).await
}

async fn list(world: &World, query: &str, role: &str) -> Value {
    let mut event = payload::event("order-list", "submitted", &as_role(role));
    event["rawQueryString"] = query.into();
    functions::call(world, "order-list", event).await
}

fn kinds(world: &World) -> Vec<String> {
    world.state().outbox.into_iter().map(|(_, entry)| entry.kind).collect()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_payment_marked_as_an_order_makes_one_order_however_often_it_is_told() {
    let world = World::default();
    for _ in 0..3 {
        assert_eq!(pay(&world).await["status"], 200);
    }
    let order = order_in(&world);
    assert_eq!((world.state().orders.len(), order.status, order.revision), (1, OrderStatus::Paid, 1));
    assert_eq!(order.paid_at, Timestamp::from_secs(1_795_257_000));
    for mark in [json!({}), json!({ "consigne": "Order" }), json!({ "pack": "starter" }), json!(null)] {
        let (other, mut event) = (World::default(), payload::event("webhook-stripe", "order-paid", ""));
        let mut body: Value = serde_json::from_str(event["body"].as_str().unwrap()).unwrap();
        body["data"]["object"]["metadata"] = mark;
        event["body"] = body.to_string().into();
        assert_eq!(functions::call(&other, "webhook-stripe", signed(event)).await["status"], 200);
        assert!(other.state().orders.is_empty());
    }
}

#[tokio::test]
async fn the_answer_has_a_form_for_each_photo() {
    let world = paid();
    let answer = submit(&world).await;
    assert_eq!(answer["status"], 201, "{answer}");
    let data = &answer["body"]["data"];
    assert_eq!((&data["order_id"], &data["status"]), (&json!(order_id()), &json!("awaiting_files")));
    assert_eq!(data["files"][1], json!({ "type": "palm_photo", "status": "pending", "reason": null }));
    let form = &data["uploads"][0];
    assert_eq!((&form["type"], &form["method"]), (&json!("face_photo"), &json!("POST")));
    assert_eq!((&form["s3_key"], &form["fields"]["key"]), (&json!(keys(&world)[0]), &json!(keys(&world)[0])));
    assert_eq!(form["fields"]["Content-Type"], "image/heic");
    let file = file_of(&world, &keys(&world)[0]);
    assert_eq!((file.status, file.owner().as_order()), (Status::Pending, Some(order_id())));
    // Photos of orders count against nobody's storage.
    assert!(world.state().usage.values().all(|usage| usage.committed == 0));
    assert!(kinds(&world).is_empty());

    let again = submit(&world).await;
    assert_eq!(again["body"]["data"], *data, "the same forms");
    assert_eq!(world.state().files.len(), 2);
}

/// A change of a valid body.
type Change = fn(&mut Value);

#[tokio::test]
async fn unknown_payments_have_one_answer_and_bad_input_names_its_field() {
    let world = paid();
    let mut answers = Vec::new();
    for id in ["pi_unknown", "pi_3MtwBwLkdIwHu7ix28a3tqPa", "../pi_3QxOrder", "pi_3QxOrder ", "é", &"x".repeat(300)] {
        let mut event = payload::event("order-submit", "photos", "");
        event["pathParameters"]["id"] = id.into();
        answers.push(payload::steady(&functions::call(&world, "order-submit", event).await));
    }
    assert_eq!((&answers[0]["status"], &answers[0]["body"]["error"]["code"]), (&json!(404), &json!("NOT_FOUND")));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    let cases: [(&str, Change, u16, &str); 8] = [
        ("no palm", |body| drop(body["files"].as_array_mut().unwrap().pop()), 400, "files"),
        ("two faces", |body| body["files"][1]["type"] = json!("face_photo"), 400, "files"),
        ("another photo", |body| body["files"][0]["type"] = json!("foot_photo"), 400, "files[0].type"),
        ("too large", |body| body["files"][0]["size"] = json!(10_485_761), 413, "files[0].size"),
        ("a PDF", |body| body["files"][1]["content_type"] = json!("application/pdf"), 415, "files[1].filename"),
        ("an address", |body| body["email"] = json!("ann"), 400, "email"),
        ("answers", |body| body["answers"] = json!({ "a": "x".repeat(20_000) }), 400, "answers"),
        ("a list", |body| body["answers"] = json!([]), 400, "answers"),
    ];
    for (name, change, status, field) in cases {
        let answer = submit_with(&world, change).await;
        let error = &answer["body"]["error"];
        assert_eq!(
            (&answer["status"], &error["details"]["field"]),
            (&json!(status), &json!(field)),
            "{name}: {answer}"
        );
    }
    assert_eq!(order_in(&world).status, OrderStatus::Paid);
}

#[tokio::test]
async fn a_payment_that_was_used_for_another_order_is_a_conflict() {
    let world = paid();
    submit(&world).await;
    let other = submit_with(&world, |body| body["email"] = json!("eve@example.com")).await;
    assert_eq!((&other["status"], &other["body"]["error"]["code"]), (&json!(409), &json!("CONFLICT")));
    assert_eq!(order_in(&world).email.unwrap().as_str(), "ann@example.com");
    for _ in 1..SUBMITS_PER_MINUTE {
        assert_eq!(submit(&world).await["status"], 201);
    }
    let limited = submit(&world).await;
    assert_eq!((&limited["status"], &limited["body"]["error"]["code"]), (&json!(429), &json!("RATE_LIMITED")));
}

#[tokio::test]
async fn an_order_is_submitted_with_its_last_photo_and_an_expert_sees_clean_copies() {
    let world = paid();
    submit(&world).await;
    let [face, palm] = keys(&world);
    upload(&world, &palm, "v1", pictures::photo_with_place()).await;
    assert_eq!((order_in(&world).status, kinds(&world)), (OrderStatus::AwaitingFiles, vec!["file.ready".to_owned()]));
    upload(&world, &face, "v1", pictures::heic()).await;
    assert_eq!(order_in(&world).status, OrderStatus::Submitted);
    assert_eq!(kinds(&world), ["file.ready", "file.ready", "order.submitted"]);

    let (before, _) = get(&world).await;
    assert_eq!(before["body"]["data"]["files"][0]["url"], Value::Null, "no link to an original");
    for key in [&face, &palm] {
        derive(&world, key).await;
    }
    let (answer, lines) = get(&world).await;
    let data = &answer["body"]["data"];
    assert_eq!((&data["status"], &data["email"]), (&json!("submitted"), &json!("ann@example.com")));
    assert_eq!((&data["locale"], &data["answers"]["born"]), (&json!("fr"), &json!("1990-05-17")));
    for (at, key, name) in [(0, &face, "clean.heic"), (1, &palm, "clean.jpg")] {
        let photo = &data["files"][at];
        let (url, clean) = (photo["url"].as_str().unwrap(), photo["thumbnails"]["clean"].as_str().unwrap());
        assert!(clean.starts_with(&format!("derived/{}/", order_id())) && clean.ends_with(name), "{clean}");
        assert!(url.contains(&format!("/{clean}?")) && url.contains("X-Amz-Expires=300"), "{url}");
        let original = world.state().objects[key][0].bytes.clone();
        let copy = world.state().objects[clean][0].bytes.clone();
        assert!(has(&original, b"Exif") || has(&original, b"MM\0*"));
        assert!(!has(&copy, pictures::PLACE));
        assert_eq!(copy.len() == original.len(), at == 0, "a HEIC keeps its length");
    }
    let audited: Vec<&Value> = lines.iter().map(|line| &line["audit"]).filter(|audit| !audit.is_null()).collect();
    assert_eq!(audited.len(), 2, "each photo that was shown: {lines:#?}");
    for audit in audited {
        assert_eq!((&audit["user"], &audit["order"]), (&json!("user_exp1"), &json!(order_id())));
        assert!(audit["file"].is_string() && audit["outcome"] == "OK", "{audit}");
    }
    let listed = list(&world, "status=submitted", "expert").await;
    assert_eq!(listed["body"]["data"][0]["order_id"], json!(order_id()));
    assert_eq!(
        (&listed["body"]["metadata"]["total"], &listed["body"]["data"][0]["files"][0]["url"]),
        (&json!(1), &Value::Null)
    );
    assert_eq!(list(&world, "status=paid", "expert").await["body"]["data"], json!([]));
}

#[tokio::test]
async fn only_experts_read_orders() {
    let world = paid();
    for role in ["user", "", "Expert"] {
        let mut event = payload::event("order-get", "order", &as_role(role));
        event["pathParameters"]["id"] = order_id().to_string().into();
        let answers = [functions::call(&world, "order-get", event).await, list(&world, "", role).await];
        for answer in answers {
            assert_eq!((&answer["status"], &answer["body"]["error"]["code"]), (&json!(403), &json!("ROLE_REQUIRED")));
        }
    }
    for id in ["order_1", "../order", "order_00000000000000000000000000"] {
        let mut event = payload::event("order-get", "order", &as_role("admin"));
        event["pathParameters"]["id"] = id.into();
        assert_eq!(functions::call(&world, "order-get", event).await["status"], 404, "{id}");
    }
    let bad = list(&world, "status=done", "expert").await;
    assert_eq!((&bad["status"], &bad["body"]["error"]["details"]["field"]), (&json!(400), &json!("status")));
}

#[tokio::test]
async fn another_submission_replaces_the_photos_and_an_expert_sees_both() {
    let world = paid();
    submit(&world).await;
    upload_both(&world).await;
    let answer = submit_with(&world, |body| body["answers"] = json!({ "question": "And my love line?" })).await;
    assert_eq!((&answer["body"]["data"]["status"], kinds(&world).len()), (&json!("awaiting_files"), 3));
    upload_both(&world).await;
    assert_eq!(kinds(&world).iter().filter(|kind| *kind == "order.submitted").count(), 2);
    let (shown, _) = get(&world).await;
    let data = &shown["body"]["data"];
    assert_eq!((&data["submissions"], &data["answers"]["question"]), (&json!(2), &json!("And my love line?")));
    let earlier = &data["earlier"][0];
    assert_eq!((&earlier["number"], &earlier["answers"]["born"]), (&json!(1), &json!("1990-05-17")));
    assert_eq!(earlier["files"][0]["status"], "ready");
}

#[tokio::test]
async fn sweep_ends_an_order_without_its_photos_and_removes_what_came() {
    let world = paid();
    submit(&world).await;
    let [face, palm] = keys(&world);
    upload(&world, &face, "v1", pictures::heic()).await;
    let due = clock::now().plus(SUBMIT_WITHIN).plus(Duration::from_mins(1));
    sweep_at(&world, clock::now().plus(Duration::from_hours(1))).await;
    assert_eq!((order_in(&world).status, file_of(&world, &palm).status), (OrderStatus::AwaitingFiles, Status::Deleted));
    sweep_at(&world, due).await;
    assert_eq!(order_in(&world).status, OrderStatus::Expired);
    sweep_at(&world, due.plus(Duration::from_hours(1))).await;
    assert!(world.state().objects.is_empty(), "{:?}", world.state().objects.keys());
    assert_eq!(file_of(&world, &face).status, Status::Deleted);
    assert_eq!(submit(&world).await["body"]["data"]["uploads"].as_array().unwrap().len(), 2, "they have paid");
}

#[tokio::test]
async fn photos_wait_for_their_verdict_where_orders_are_scanned() {
    let world = paid();
    submit(&world).await;
    let [face, _] = keys(&world);
    world.put_object(&face, "v1", pictures::heic());
    let start =
        Fakes::start_with(&world, &SimClock::at(clock::now()), [MAIL_FROM, ("SCANNED_PREFIXES", "user_,uploads/")]);
    let mut event = payload::event("on-object-event", "created", "");
    let mut body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    body["detail"]["object"]["key"] = face.as_str().into();
    event["Records"][0]["body"] = body.to_string().into();
    functions::deliver_started(&start, "on-object-event", event).await;
    assert_eq!(order_in(&world).current.unwrap().photos[0].status.name(), "processing");
    let mut verdict = payload::event("on-scan-result", "threats", "");
    let mut body: Value = serde_json::from_str(verdict["Records"][0]["body"].as_str().unwrap()).unwrap();
    body["detail"]["s3ObjectDetails"]["objectKey"] = face.as_str().into();
    body["detail"]["s3ObjectDetails"]["versionId"] = "v1".into();
    verdict["Records"][0]["body"] = body.to_string().into();
    functions::deliver_started(&start, "on-scan-result", verdict).await;
    let photo = order_in(&world).current.unwrap().photos[0].clone();
    assert_eq!(photo.status.name(), "infected");
    assert!(photo.reason.unwrap().starts_with("contains malware") && world.state().objects.is_empty());
    assert_eq!(submit(&world).await["body"]["data"]["uploads"].as_array().unwrap().len(), 2, "a form is given anew");
}
