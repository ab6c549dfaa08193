//! What is left of a person once their account was erased: only what docs/operate/personal-data.md names.

use std::collections::BTreeSet;

use consigne_core::UserId;
use consigne_core::ports::ListVersionPage;
use consigne_runtime::clock;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::payload::root;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack, fresh_user, until};
use serde_json::{Value, json};

use super::jobs::{asked, wait_for};
use super::mail::{address, founder, mail_about};

/// Beginnings of the sort keys of items that may be left, and of the rows of the document that say so.
const LEFT: [(&str, &str); 11] = [
    ("AUDIT#", "| audit log:"),
    ("ENDPOINT#", "| webhook endpoints that the person registered"),
    ("EXPORTS#", "| how many exports were asked for in a day"),
    ("FILE#", "| records of files, with their names and titles"),
    ("FOUNDED", "| how many organisations the person founded"),
    ("GENERATIONS#", "| how many jobs were asked for in a month"),
    ("IDEM#", "| idempotency records, received webhooks"),
    ("KEY#", "| who founded an organisation"),
    ("ORG", "| who founded an organisation"),
    ("PROFILE", "| e-mail address, name, language"),
    ("USAGE", "| how many bytes are stored"),
];

/// Returns every item of the table that contains one of the words, as JSON.
async fn items_with(stack: &Stack, words: &[&str]) -> Vec<Value> {
    let (mut found, mut start) = (Vec::new(), Value::Null);
    loop {
        let mut scan = json!({ "TableName": stack.name("TABLE_NAME") });
        if start.is_object() {
            scan["ExclusiveStartKey"] = start;
        }
        let page = stack.ask_table("Scan", &scan).await;
        let items = page["Items"].as_array().unwrap();
        found.extend(items.iter().filter(|item| words.iter().any(|word| item.to_string().contains(word))).cloned());
        start = page["LastEvaluatedKey"].clone();
        if !start.is_object() {
            return found;
        }
    }
}

/// Runs `account-close` until the closing of a person waits for its last look an hour later.
async fn close_up_to_the_last_look(stack: &Stack, closing: &Value) -> i64 {
    let waits = until(async || {
        stack.invoke("account-close", &json!({ "time": clock::now().to_string() })).await;
        let get = json!({ "TableName": stack.name("TABLE_NAME"), "Key": closing, "ConsistentRead": true });
        let item = stack.ask_table("GetItem", &get).await["Item"].clone();
        let number = |name: &str| item[name]["N"].as_str()?.parse::<i64>().ok();
        let (closed_at, due_at) = (number("closed_at")?, number("due_at")?);
        (due_at >= closed_at + 3_600_000).then_some(closed_at)
    });
    waits.await.expect("only the last look is left")
}

/// Moves a closing an hour into the past, and runs `account-close` until it has ended.
async fn look_a_last_time(stack: &Stack, closing: &Value, closed_at: i64) {
    let past = json!({ ":at": { "N": (closed_at - 3_600_001).to_string() } });
    let update = json!({ "TableName": stack.name("TABLE_NAME"), "Key": closing,
        "UpdateExpression": "SET closed_at = :at, due_at = :at", "ExpressionAttributeValues": past });
    stack.ask_table("UpdateItem", &update).await;
    let ended = until(async || {
        stack.invoke("account-close", &json!({ "time": clock::now().to_string() })).await;
        let get = json!({ "TableName": stack.name("TABLE_NAME"), "Key": closing, "ConsistentRead": true });
        stack.ask_table("GetItem", &get).await["Item"].is_null().then_some(())
    });
    ended.await.expect("the closing ends");
}

/// Gives a person something of every kind that is stored of people.
async fn live(stack: &Stack, ann: &Person<'_>, org: &str, words: [&str; 3]) {
    let [file, prompt, topic] = words;
    let photo = ann.upload(&format!("{file}.png"), "image/png", pictures::png(3, 4, 100)).await;
    ann.wait_until_derived(&photo).await;
    let job = asked(ann, "blog", &json!({ "topic": topic, "title": "Lumières" })).await;
    wait_for(ann, &job, "completed").await;
    asked(ann, "images", &json!({ "prompt": prompt, "count": 1 })).await;
    let fixture = OrgFixture::of(stack, stack.person(&ann.id, "pro"), org.to_owned());
    fixture.grant_credits(10).await;
    let key = fixture.issue("production", &json!({})).await;
    assert_eq!(fixture.charge(&key, None).await["valid"], true);
    let receiver = format!("{}/{}", stack.name("RECEIVER_URL"), fresh_user());
    let endpoint = json!({ "url": receiver, "events": ["key.issued"] });
    let registered = ann.call_with("POST", &format!("/api/orgs/{org}/endpoints"), &endpoint).await;
    assert_eq!(registered.status, 201, "{}", registered.json());
    assert_eq!(ann.call("POST", "/api/me/export").await.status, 202);
    mail_about(stack, &address(ann), "Your data is ready to download").await;
}

#[tokio::test]
async fn of_an_erased_person_only_what_the_documents_name_is_left() {
    let stack = Stack::find();
    let (ann, org) = founder(&stack, "en").await;
    let words = ["portrait", "prompt", "topic"].map(|word| format!("{word} of {}", ann.id));
    let words @ [file, prompt, topic] = words.each_ref().map(String::as_str);
    live(&stack, &ann, &org, words).await;
    let before = items_with(&stack, &[&ann.id]).await;
    for word in words.iter().chain([&address(&ann).as_str()]) {
        assert!(before.iter().any(|item| item.to_string().contains(word)), "{word} was never stored");
    }

    let erased = ann.call_with("POST", "/api/me/erase", &json!({ "confirm": ann.id })).await;
    assert_eq!(erased.status, 202, "{}", erased.json());
    let closing = json!({ "pk": { "S": format!("USER#{}", ann.id) }, "sk": { "S": "CLOSING" } });
    let closed_at = close_up_to_the_last_look(&stack, &closing).await;
    look_a_last_time(&stack, &closing, closed_at).await;

    let left = items_with(&stack, &[&ann.id]).await;
    let document = std::fs::read_to_string(root().join("docs/operate/personal-data.md")).unwrap();
    for item in &left {
        let sk = item["sk"]["S"].as_str().unwrap();
        let row = LEFT.iter().find(|(beginning, _)| sk.starts_with(beginning)).map(|(_, row)| *row);
        assert!(row.is_some_and(|row| document.contains(row)), "the document does not say that this is left: {item}");
        let text = item.to_string();
        for word in [prompt, topic, &address(&ann)] {
            assert!(!text.contains(word), "{word} is left in {text}");
        }
        assert!(!text.contains(file) || sk.starts_with("FILE#"), "{file} is left in {text}");
    }
    let ids: BTreeSet<&str> = left.iter().filter_map(|item| item["pk"]["S"].as_str()).collect();
    assert!(ids.len() >= 2, "the table was not read: {ids:?}");
    let user = UserId::parse(&ann.id).unwrap();
    for prefix in [format!("{user}/"), format!("derived/{user}/"), format!("exports/{user}/")] {
        let (versions, _) = stack.bucket().list_version_page(&prefix, None, 10).await.unwrap();
        assert!(versions.is_empty(), "{versions:?}");
    }
}
