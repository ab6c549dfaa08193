//! What is left of a person once their account was erased: only what docs/operate/personal-data.md names.

use std::collections::BTreeSet;
use std::time::Duration;

use consigne_core::UserId;
use consigne_core::ports::{FindClosings, ListVersionPage};
use consigne_core::profiles::Closing;
use consigne_runtime::clock;
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::payload::root;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack, until};
use serde_json::{Value, json};

use super::endpoints::{new_receiver, register};
use super::jobs::{asked, wait_for};
use super::mail::{address, founder, mail_about};
use super::people::{close_accounts, close_up_to_the_last_look};

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

/// Returns every item of the table that contains a word, as JSON.
async fn items_with(stack: &Stack, word: &str) -> Vec<Value> {
    let (mut found, mut start) = (Vec::new(), Value::Null);
    loop {
        let mut scan = json!({ "TableName": stack.name("TABLE_NAME") });
        if start.is_object() {
            scan["ExclusiveStartKey"] = start;
        }
        let page = stack.ask_table("Scan", &scan).await;
        found.extend(page["Items"].as_array().unwrap().iter().filter(|item| item.to_string().contains(word)).cloned());
        start = page["LastEvaluatedKey"].clone();
        if !start.is_object() {
            return found;
        }
    }
}

/// Moves a closing an hour into the past, and runs `account-close` until it has ended.
async fn look_a_last_time(stack: &Stack, closing: &Closing) {
    let key = json!({ "pk": { "S": format!("USER#{}", closing.user) }, "sk": { "S": "CLOSING" } });
    let past = closing.closed_at.minus(Duration::from_mins(61)).as_millis();
    let update = json!({ "TableName": stack.name("TABLE_NAME"), "Key": key,
        "UpdateExpression": "SET closed_at = :at, due_at = :at",
        "ExpressionAttributeValues": { ":at": { "N": past.to_string() } } });
    stack.ask_table("UpdateItem", &update).await;
    let ended = until(async || {
        close_accounts(stack).await;
        let due = stack.table().find_closings(clock::now()).await.unwrap();
        due.closings.iter().all(|left| left.user != closing.user).then_some(())
    });
    ended.await.expect("the closing ends");
}

/// Stores data about a person: a file with thumbnails, two jobs, a key and its receipt, an endpoint and an export.
async fn store_data(stack: &Stack, ann: &Person<'_>, org: &str, words: [&str; 3]) {
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
    register(&fixture, ann, &new_receiver(stack).1, &["key.issued"]).await;
    assert_eq!(ann.call("POST", "/api/me/export").await.status, 202);
    mail_about(stack, &address(ann), "Your data is ready to download").await;
}

#[tokio::test]
async fn of_an_erased_person_only_what_the_documents_name_is_left() {
    let stack = Stack::find();
    let (ann, org) = founder(&stack, "en").await;
    let words = ["portrait", "prompt", "topic"].map(|word| format!("{word} of {}", ann.id));
    let words @ [file, prompt, topic] = words.each_ref().map(String::as_str);
    store_data(&stack, &ann, &org, words).await;
    let before = items_with(&stack, &ann.id).await;
    for word in words.iter().chain([&address(&ann).as_str()]) {
        assert!(before.iter().any(|item| item.to_string().contains(word)), "{word} was never stored");
    }

    let erased = ann.call_with("POST", "/api/me/erase", &json!({ "confirm": ann.id })).await;
    assert_eq!(erased.status, 202, "{}", erased.json());
    let user = UserId::parse(&ann.id).unwrap();
    let closing = close_up_to_the_last_look(&stack, &user).await;
    look_a_last_time(&stack, &closing).await;

    let left = items_with(&stack, &ann.id).await;
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
    for prefix in [format!("{user}/"), format!("derived/{user}/"), format!("exports/{user}/")] {
        let (versions, _) = stack.bucket().list_version_page(&prefix, None, 10).await.unwrap();
        assert!(versions.is_empty(), "{versions:?}");
    }
}
