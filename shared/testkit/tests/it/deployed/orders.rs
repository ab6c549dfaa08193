//! Orders on the deployed stack: paid, submitted with forms that S3 enforces, read by experts.

use std::time::Duration;

use consigne_core::OrderId;
use consigne_core::files::{Finding, MediaType, ObjectKey, Sample, Status, inspect};
use consigne_core::orders::{Order, OrderStep, SUBMIT_WITHIN};
use consigne_core::ports::{ApplyOrderStep, ApplyTransition, GetFile, GetOrder, ListVersions, ReadHead};
use consigne_runtime::clock;
use consigne_testkit::http::Response;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, fresh_user, until};
use consigne_testkit::stripe::{Payments, event};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::mail::{mail_about, mails_to};
use super::object_events::announce;
use super::operator::consigne;
use super::people::close_accounts;
use super::scans::judge;
use super::unfinished::{self, AbsentRecord};
use super::{assert_field_refused, assert_refused, text};

const BOUNDARY: &str = "boundary-of-the-form";

/// Tells the stack of a payment with these metadata. Returns the id of its intent.
async fn paid(stack: &Stack, metadata: &Value) -> String {
    let id = fresh_user().replace("user_", "pi_");
    let intent = json!({ "id": id, "object": "payment_intent", "amount": 4_900, "currency": "eur",
        "metadata": metadata, "status": "succeeded" });
    let told = Payments::of(stack).send_event(&event("payment_intent.succeeded", &intent)).await;
    assert_eq!(told.status, 200, "{}", told.json());
    id
}

async fn order(stack: &Stack) -> String {
    paid(stack, &json!({ "consigne": "order" })).await
}

fn body(email: &str) -> Value {
    let file = |kind: &str, name: &str, media: &str| json!({ "type": kind, "filename": name, "content_type": media, "size": 1_000 });
    let files = [file("face_photo", "IMG_0001.HEIC", "image/heic"), file("palm_photo", "palm.jpg", "image/jpeg")];
    json!({ "files": files, "email": email, "answers": { "question": "Où vais-je ?" }, "locale": "fr" })
}

async fn submit(stack: &Stack, payment: &str, body: &Value) -> Response {
    let path = format!("/api/orders/by-payment-intent/{payment}/client-submit");
    stack.call("POST", &path, &[("content-type", "application/json")], body.to_string().as_bytes()).await
}

/// Submits an order, which must be accepted. Returns its data.
async fn forms(stack: &Stack, payment: &str, body: &Value) -> Value {
    let answer = submit(stack, payment, body).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()["data"].clone()
}

/// Sends a form with other values of some fields. Returns the status, and S3's code if it refuses.
async fn post_changed(stack: &Stack, form: &Value, bytes: &[u8], changes: &Value) -> (u16, String) {
    let mut fields = form["fields"].clone();
    fields.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let mut sent = Vec::new();
    for (name, value) in fields.as_object().unwrap() {
        let part = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        sent.extend([part.as_bytes(), value.as_str().unwrap().as_bytes(), b"\r\n"].concat());
    }
    let file = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n");
    sent.extend([file.as_bytes(), bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat());
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = stack.client.send("POST", &text(form, "url"), &[("content-type", &content_type)], sent).await;
    let xml = String::from_utf8_lossy(&answer.bytes).into_owned();
    let code = xml.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    (answer.status, code.unwrap_or_default().to_owned())
}

async fn post(stack: &Stack, form: &Value, bytes: &[u8]) -> (u16, String) {
    post_changed(stack, form, bytes, &json!({})).await
}

async fn read(stack: &Stack, role: &str, path: &str) -> Response {
    let claims = json!({ "public_metadata": { "subscription": "free", "role": role } });
    let bearer = format!("Bearer {}", stack.issuer.token_with(&fresh_user(), &claims));
    stack.call("GET", path, &[("authorization", &bearer)], b"").await
}

/// Returns an order as an expert sees it.
async fn shown(stack: &Stack, id: &str) -> Value {
    let answer = read(stack, "expert", &format!("/api/orders/{id}")).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["data"].clone()
}

/// Waits until an order is as wanted. Returns it as an expert sees it.
async fn shown_when(stack: &Stack, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let seen = until(async || Some(shown(stack, id).await).filter(|order| wanted(order))).await;
    match seen {
        Some(order) => order,
        None => panic!("the order did not come so far: {}", shown(stack, id).await),
    }
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

async fn original(stack: &Stack, key: &str) -> Option<Vec<u8>> {
    stack.bucket().read_head(key, None, u64::MAX >> 1).await.unwrap().map(|head| head.bytes)
}

#[tokio::test]
async fn an_expert_sees_clean_copies_of_the_photos_and_both_get_a_mail() {
    let stack = Stack::find();
    let (payment, email) = (order(&stack).await, format!("{}@people.example", fresh_user()));
    let data = forms(&stack, &payment, &body(&email)).await;
    let id = text(&data, "order_id");
    let [heic, photo] = [pictures::heic_with_place(), pictures::photo_with_place()];
    assert!(has(&heic, pictures::PLACE) && has(&photo, pictures::PLACE));
    for (at, bytes) in [(0, &heic), (1, &photo)] {
        assert_eq!(post(&stack, &data["uploads"][at], bytes).await, (201, String::new()));
    }
    let has_links = |order: &Value| order["files"].as_array().unwrap().iter().all(|file| file["url"].is_string());
    let seen = shown_when(&stack, &id, has_links).await;
    assert_eq!((&seen["status"], &seen["email"], &seen["locale"]), (&json!("submitted"), &json!(email), &json!("fr")));
    let media = |name: &str| MediaType::from_name(name).unwrap();
    let measured = |bytes: &[u8], of: &'static MediaType| match inspect(Sample { bytes, size: bytes.len() as u64 }, of)
    {
        Finding::Genuine(measured) => measured.dimensions,
        Finding::Impostor(found) => panic!("it is {found}"),
    };
    for (at, bytes, of) in [(0, &heic, media("image/heic")), (1, &photo, media("image/jpeg"))] {
        let download = stack.client.send("GET", &text(&seen["files"][at], "url"), &[], Vec::new()).await;
        assert_eq!((download.status, download.header("content-type")), (200, of.name));
        assert!(!has(&download.bytes, pictures::PLACE) && !has(&download.bytes, b"II*\0"), "{}", of.name);
        assert_eq!(measured(&download.bytes, of), measured(bytes, of));
        assert_eq!(original(&stack, &text(&seen["files"][at], "key")).await.as_ref(), Some(bytes));
    }
    // The boxes of the HEIC keep their places, and its pixels their bytes.
    let copy = stack.client.send("GET", &text(&seen["files"][0], "url"), &[], Vec::new()).await.bytes;
    let changed: Vec<usize> = (0..heic.len()).filter(|at| copy[*at] != heic[*at]).collect();
    assert!(copy.len() == heic.len() && changed.iter().all(|at| copy[*at] == 0) && !changed.is_empty());

    let mail = mail_about(&stack, &email, "Nous avons bien reçu votre commande").await;
    assert!(mail.to_string().contains(&id), "{mail}");
    let desk = until(async || {
        let mails = mails_to(&stack, "orders@example.com").await;
        Some(mails.iter().filter(|mail| mail.to_string().contains(&id)).count()).filter(|count| *count > 0)
    });
    assert_eq!(desk.await, Some(1));
    assert_eq!(mails_to(&stack, &email).await.len(), 1);

    let listed = read(&stack, "expert", "/api/orders?status=submitted&limit=1000").await.json();
    assert!(listed["data"].as_array().unwrap().iter().any(|order| order["order_id"] == json!(id)));
    for path in ["/api/orders", &format!("/api/orders/{id}")] {
        assert_refused(&read(&stack, "user", path).await, 403, "ROLE_REQUIRED");
    }
    let lines = stack.log_lines("order-get", &id).await;
    assert!(lines.iter().any(|line| line.contains("\"audit\":{")), "{lines:?}");

    // An event that does not name the photo's version changes nothing, and a verdict of malware ends the photo.
    let palm = text(&seen["files"][1], "key");
    announce(&stack, "Object Created", json!({ "key": palm, "sequencer": "0055AED6DCD90281E5" })).await;
    let versions = stack.bucket().list_versions(&palm).await.unwrap();
    judge(&stack, "THREATS_FOUND", &palm, &versions[0]).await;
    assert_eq!(shown(&stack, &id).await["files"][1]["status"], "infected");
    assert_eq!(stack.bucket().list_versions(&palm).await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn sweep_finds_a_photo_whose_event_was_lost_and_ends_a_form_that_was_not_used() {
    let stack = Stack::find();
    let payment = order(&stack).await;
    let data = forms(&stack, &payment, &body("ann@people.example")).await;
    let [face, palm] = [0, 1].map(|at| text(&data["uploads"][at], "s3_key"));
    let post = async { assert_eq!(post(&stack, &data["uploads"][0], &pictures::heic()).await.0, 201) };
    AbsentRecord::during(&stack, &face, post).await.restore_overdue().await;
    AbsentRecord::during(&stack, &palm, async {}).await.restore_overdue().await;
    unfinished::sweep(&stack).await;
    let status = async |key: &str| {
        let key = ObjectKey::parse(key).unwrap();
        stack.table().get_file(key.owner(), key.file()).await.unwrap().unwrap().status
    };
    // Other tests sweep, too.
    let ended = until(async || {
        let both = (status(&face).await, status(&palm).await);
        (both == (Status::Ready, Status::Deleted)).then_some(())
    });
    assert_eq!(ended.await, Some(()), "{:?} {:?}", status(&face).await, status(&palm).await);
    assert_eq!(shown(&stack, &text(&data, "order_id")).await["files"][0]["status"], "ready");
}

#[tokio::test]
async fn a_payment_is_for_one_order() {
    let stack = Stack::find();
    let payment = order(&stack).await;
    let intent = json!({ "id": payment, "object": "payment_intent", "metadata": { "consigne": "order" } });
    for _ in 0..2 {
        let told = Payments::of(&stack).send_event(&event("payment_intent.succeeded", &intent)).await;
        assert_eq!(told.status, 200);
    }
    let pack = paid(&stack, &json!({ "org_id": "org_01M7YREWKH7VM7Z3Z2KWSH2FTR", "pack": "starter" })).await;
    let mut refused = Vec::new();
    for other in ["pi_unknown", &pack, "pi_..", "%2e%2e%2fhealth", "%00", &"x".repeat(300)] {
        let answer = submit(&stack, other, &body("ann@people.example")).await;
        assert_refused(&answer, 404, "NOT_FOUND");
        // A decoded slash leads to a path that is no route, which says so.
        if !other.contains("%2f") {
            refused.push(answer.json()["error"].clone());
        }
    }
    assert!(refused.iter().all(|error| *error == refused[0]), "{refused:?}");
    let first = forms(&stack, &payment, &body("ann@people.example")).await;
    let again = forms(&stack, &payment, &body(" Ann@people.example")).await;
    assert_eq!(
        (&first["order_id"], &first["uploads"][0]["s3_key"]),
        (&again["order_id"], &again["uploads"][0]["s3_key"])
    );
    assert_refused(&submit(&stack, &payment, &body("eve@people.example")).await, 409, "CONFLICT");
    let mut bad = body("ann@people.example");
    bad["files"][0]["size"] = json!(10_485_761);
    assert_field_refused(&submit(&stack, &payment, &bad).await, 413, "FILE_TOO_LARGE", "files[0].size");
}

#[tokio::test]
async fn s3_enforces_size_type_and_key_of_a_form() {
    let stack = Stack::find();
    let payment = order(&stack).await;
    let mut ask = body("ann@people.example");
    ask["files"][0] = json!({ "type": "face_photo", "filename": "a.png", "content_type": "image/png", "size": 900 });
    let data = forms(&stack, &payment, &ask).await;
    let (face, palm) = (&data["uploads"][0], &data["uploads"][1]);
    let most = pictures::png(64, 40, 10_485_760);
    assert_eq!(post(&stack, face, &[&most[..], b"x"].concat()).await, (400, "EntityTooLarge".to_owned()));
    assert_eq!(post(&stack, face, b"").await, (400, "EntityTooSmall".to_owned()));
    for change in [
        json!({ "Content-Type": "text/html" }),
        json!({ "key": text(palm, "s3_key") }),
        json!({ "key": "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-a.png" }),
        json!({ "key": "../a.png" }),
        json!({ "acl": "public-read" }),
        json!({ "success_action_status": "200" }),
    ] {
        assert_eq!(post_changed(&stack, face, b"x", &change).await, (403, "AccessDenied".to_owned()), "{change}");
    }
    let signature = json!({ "x-amz-signature": "0".repeat(64) });
    assert_eq!(post_changed(&stack, face, b"x", &signature).await, (403, "SignatureDoesNotMatch".to_owned()));
    // Nobody else's key, and no other request, is in the form's reach.
    let url = format!("{}/{}", text(face, "url"), text(face, "s3_key"));
    assert_eq!(stack.client.send("GET", &url, &[], Vec::new()).await.status, 403);
    assert_eq!(post(&stack, face, &most).await.0, 201);
    let id = text(&data, "order_id");
    let seen = shown_when(&stack, &id, |order| order["files"][0]["status"] == "ready").await;
    assert_eq!(seen["files"][0]["size"], 10_485_760);
}

#[tokio::test]
async fn the_first_version_stays_and_a_text_is_rejected_with_a_new_form() {
    let stack = Stack::find();
    let payment = order(&stack).await;
    let data = forms(&stack, &payment, &body("ann@people.example")).await;
    let (face, palm, id) = (&data["uploads"][0], &data["uploads"][1], text(&data, "order_id"));
    for bytes in [pictures::heic(), pictures::html(900), pictures::photo_with_place()] {
        assert_eq!(post(&stack, face, &bytes).await.0, 201);
    }
    assert_eq!(post(&stack, palm, b"This is not a photo. It is only named like one.").await.0, 201);
    let key = text(face, "s3_key");
    let one = until(async || (stack.bucket().list_versions(&key).await.unwrap().len() == 1).then_some(())).await;
    assert!(one.is_some(), "other versions are left");
    assert_eq!(original(&stack, &key).await, Some(pictures::heic()));

    let seen = shown_when(&stack, &id, |order| order["files"][1]["status"] == "rejected").await;
    assert!(text(&seen["files"][1], "reason").starts_with("declared image/jpeg"), "{seen}");
    assert!(stack.bucket().list_versions(&text(palm, "s3_key")).await.unwrap().is_empty());
    let anew = forms(&stack, &payment, &body("ann@people.example")).await;
    assert_eq!(anew["uploads"].as_array().unwrap().len(), 1, "{anew}");
    assert_eq!(anew["files"][1]["reason"], seen["files"][1]["reason"]);
    assert_eq!(post(&stack, &anew["uploads"][0], &pictures::photo_with_place()).await.0, 201);
    shown_when(&stack, &id, |order| order["status"] == "submitted").await;
    let mut changed = body("ann@people.example");
    changed["answers"] = json!({ "question": "Et l’amour ?" });
    assert_eq!(forms(&stack, &payment, &changed).await["status"], "awaiting_files");
    let seen = shown(&stack, &id).await;
    assert_eq!((&seen["submissions"], &seen["earlier"][0]["files"][0]["status"]), (&json!(2), &json!("ready")));
}

#[tokio::test]
async fn a_hundred_forms_at_once_all_arrive_byte_for_byte() {
    let stack = Stack::find();
    let bytes = |n: usize, at: usize| {
        let photo = if at == 0 { pictures::heic() } else { pictures::photo_with_place() };
        // Behind the end of a photo, other bytes change nothing. A HEIC may end in a free box.
        let mark = format!("\0\0\0\x10free{n:04}{at:04}");
        [photo, mark.into_bytes()].concat()
    };
    let one = async |n: usize| {
        let payment = order(&stack).await;
        let data = forms(&stack, &payment, &body(&format!("{}@people.example", fresh_user()))).await;
        [0, 1].map(|at| (data["uploads"][at].clone(), bytes(n, at)))
    };
    let all: Vec<(Value, Vec<u8>)> = join_all((0..50).map(&one)).await.into_iter().flatten().collect();
    assert_eq!(all.len(), 100);
    let posted = join_all(all.iter().map(|(form, bytes)| post(&stack, form, bytes))).await;
    assert!(posted.iter().all(|(status, _)| *status == 201), "{posted:?}");
    for (form, bytes) in &all {
        let key = ObjectKey::parse(&text(form, "s3_key")).unwrap();
        let ready = until(async || {
            let file = stack.table().get_file(key.owner(), key.file()).await.unwrap().unwrap();
            (file.status.name() == "ready").then_some(())
        });
        assert!(ready.await.is_some(), "{key} is not ready");
        assert_eq!(original(&stack, key.as_str()).await.as_ref(), Some(bytes), "{key}");
    }
    let ids = all.iter().map(|(form, _)| ObjectKey::parse(&text(form, "s3_key")).unwrap().owner().to_string());
    for id in ids.step_by(2) {
        assert_eq!(shown(&stack, &id).await["status"], "submitted");
    }
}

/// Changes an order behind the functions' back.
async fn change(stack: &Stack, id: &str, change: impl FnOnce(&mut Order)) {
    let mut order = stack.table().get_order(OrderId::parse(id).unwrap()).await.unwrap().unwrap();
    change(&mut order);
    let (seen, granted, changed) = (order.revision, Vec::new(), Vec::new());
    order.revision += 1;
    let step = OrderStep { seen, order, granted, changed, event: None };
    assert!(stack.table().apply_order_step(&step).await.unwrap().is_committed());
}

#[tokio::test]
async fn a_photo_of_an_earlier_form_counts_and_an_erased_order_leaves_nothing() {
    let stack = Stack::find();
    let (payment, email) = (order(&stack).await, format!("{}@people.example", fresh_user()));
    let first = forms(&stack, &payment, &body(&email)).await;
    let id = text(&first, "order_id");
    // The page asks again in the last minute of the forms, while the photos are on their way.
    let soon = clock::now().plus(Duration::from_secs(30));
    let nearly_over = |order: &mut Order| {
        order.current.iter_mut().flat_map(|current| &mut current.photos).for_each(|photo| photo.expires_at = soon);
    };
    change(&stack, &id, nearly_over).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second = forms(&stack, &payment, &body(&email)).await;
    for (at, bytes) in [(0, pictures::heic()), (1, pictures::photo_with_place())] {
        let (old, new) = (&first["uploads"][at], &second["uploads"][at]);
        assert_eq!(old["s3_key"], new["s3_key"]);
        assert_ne!(old["fields"]["policy"], new["fields"]["policy"]);
        assert_eq!(post(&stack, old, &bytes).await.0, 201);
        assert_eq!(post(&stack, new, &bytes).await.0, 201);
    }
    let has_links = |order: &Value| order["files"].as_array().unwrap().iter().all(|file| file["url"].is_string());
    let seen = shown_when(&stack, &id, has_links).await;
    assert_eq!(seen["status"], "submitted");

    let (output, out, err) = consigne(&["order", "erase", &payment, "--reason", "asked by letter"], &[]);
    assert!(output.status.success() && out.contains(&format!("Erased {id}")), "{out}{err}");
    assert_refused(&read(&stack, "expert", &format!("/api/orders/{id}")).await, 404, "NOT_FOUND");
    assert_refused(&submit(&stack, &payment, &body(&email)).await, 404, "NOT_FOUND");
    let copies = seen["files"].as_array().unwrap().iter().flat_map(|file| file["thumbnails"].as_object().unwrap());
    let copies = copies.map(|(_, key)| key.as_str().unwrap().to_owned());
    let originals = [0, 1].map(|at| text(&first["uploads"][at], "s3_key"));
    for key in originals.into_iter().chain(copies) {
        let gone = until(async || {
            close_accounts(&stack).await;
            stack.bucket().list_versions(&key).await.unwrap().is_empty().then_some(())
        });
        assert!(gone.await.is_some(), "{key} is left");
    }
    let (output, out, err) = consigne(&["order", "erase", &id, "--reason", "asked by letter"], &[]);
    assert!(output.status.success() && out.contains("nothing was changed"), "{out}{err}");
    let (_, audit, _) = consigne(&["audit", "--action", "order.", "--json"], &[]);
    assert!(audit.contains(&id), "{audit}");
}

async fn sweep(stack: &Stack) {
    let swept = stack.invoke("sweep", &json!({ "time": clock::now().to_string() })).await;
    assert_eq!(swept.status, 200, "{}", swept.json());
}

#[tokio::test]
async fn an_order_without_its_photos_ends_and_leaves_no_object() {
    let stack = Stack::find();
    let payment = order(&stack).await;
    let data = forms(&stack, &payment, &body("ann@people.example")).await;
    let (id, key) = (text(&data, "order_id"), text(&data["uploads"][0], "s3_key"));
    assert_eq!(post(&stack, &data["uploads"][0], &pictures::heic()).await.0, 201);
    shown_when(&stack, &id, |order| order["files"][0]["url"].is_string()).await;
    // Other tests have grants that must not end. So not the clock is put forward, but this order back.
    let (table, ago) = (stack.table(), clock::now().minus(SUBMIT_WITHIN + Duration::from_mins(1)));
    change(&stack, &id, |order| order.asked_at = Some(ago)).await;
    sweep(&stack).await;
    let seen = shown_when(&stack, &id, |order| order["status"] == "expired").await;
    assert_eq!(seen["files"][0]["url"], Value::Null);
    let object = ObjectKey::parse(&key).unwrap();
    let file = table.get_file(object.owner(), object.file()).await.unwrap().unwrap();
    assert_eq!(file.status, Status::Deleting);
    let mut aged = file.discard(ago);
    aged.file.changed_at = ago;
    assert!(table.apply_transition(&aged).await.unwrap().is_committed());
    sweep(&stack).await;
    let gone = until(async || stack.bucket().list_versions(&key).await.unwrap().is_empty().then_some(())).await;
    assert!(gone.is_some(), "the photo is left");
    assert_eq!(forms(&stack, &payment, &body("ann@people.example")).await["uploads"].as_array().unwrap().len(), 2);
}
