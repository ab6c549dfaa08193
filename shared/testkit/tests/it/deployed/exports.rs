//! Exports of people's data on the deployed stack: from the request to the mail, the parts and the end of the account.

use consigne_core::exports::ExportKey;
use consigne_core::ports::{GetExport, ListVersionPage, PutExport, ReadHead};
use consigne_core::{ExportId, UserId};
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack, fresh_user, until};
use serde_json::{Value, json};

use super::jobs::{asked, wait_for};
use super::mail::{address, founder, mail_about};
use super::operator::consigne;
use super::people::close_accounts;
use super::{assert_refused, text};

const PATH: &str = "/api/me/export";

async fn export_of(person: &Person<'_>) -> Value {
    let shown = person.call("GET", PATH).await;
    assert_eq!(shown.status, 200, "{}", shown.json());
    shown.json()["data"].clone()
}

/// Downloads the objects of an export by their signed URLs. Returns the manifest, and the records of all parts.
async fn downloaded(stack: &Stack, export: &Value) -> (Value, Vec<Value>) {
    let mut objects = Vec::new();
    for part in export["parts"].as_array().unwrap() {
        let answer = stack.client.send("GET", &text(part, "url"), &[], Vec::new()).await;
        assert_eq!((answer.status, json!(answer.bytes.len())), (200, part["size"].clone()));
        objects.push(answer.json());
    }
    let manifest = objects.remove(0);
    let records = objects.iter().flat_map(|part| part["records"].as_array().unwrap().clone());
    (manifest, records.collect())
}

#[tokio::test]
async fn a_person_exports_everything_of_theirs_and_nothing_is_left_of_it_after_an_erasure() {
    let stack = Stack::find();
    let (bucket, (ann, org), bob) = (stack.bucket(), founder(&stack, "en").await, stack.newcomer("pro"));
    let user = UserId::parse(&ann.id).unwrap();
    let photo = pictures::png(3, 4, 100);
    let key = ann.upload("1.png", "image/png", photo.clone()).await;
    bob.upload("2.png", "image/png", pictures::png(3, 4, 100)).await;
    let receiver = format!("{}/{}", stack.name("RECEIVER_URL"), fresh_user());
    let endpoint = json!({ "url": receiver, "events": ["key.issued"] });
    let registered = ann.call_with("POST", &format!("/api/orgs/{org}/endpoints"), &endpoint).await;
    assert_eq!(registered.status, 201, "{}", registered.json());
    let article = asked(&ann, "blog", &json!({ "topic": "Le phare", "title": "Lumières" })).await;
    wait_for(&ann, &article, "completed").await;
    let fixture = OrgFixture::of(&stack, stack.person(&ann.id, "pro"), org.clone());
    let test_key = fixture.issue("test", &json!({})).await;
    assert_eq!(fixture.charge(&test_key, None).await["valid"], true);
    // As an earlier export leaves it.
    let old = ExportKey::part(&user, ExportId::derive(&["old"]), 1);
    bucket.put_export(&old, "{}".to_owned()).await.unwrap();

    assert_eq!(export_of(&ann).await["state"], "none");
    let asked = ann.call("POST", PATH).await;
    assert_eq!((asked.status, &asked.json()["data"]["state"]), (202, &json!("pending")), "{}", asked.json());
    let again = ann.call("POST", PATH).await.json();
    assert_eq!(again["data"]["export_id"], asked.json()["data"]["export_id"]);
    let mail = mail_about(&stack, &address(&ann), "Your data is ready to download").await;
    let words = text(&mail, "BodyText");
    assert!(words.contains("http://localhost:3000/account") && !words.contains("X-Amz"), "{words}");

    let export = export_of(&ann).await;
    assert_eq!((&export["state"], &export["export_id"]), (&json!("ready"), &asked.json()["data"]["export_id"]));
    let (manifest, records) = downloaded(&stack, &export).await;
    assert_eq!((&manifest["user_id"], &manifest["records"]["file"]), (&json!(ann.id), &json!(2)));
    let of = |kind: &str| records.iter().find(|record| record["type"] == kind).unwrap_or_else(|| panic!("no {kind}"));
    let photo_shown = records.iter().find(|record| record["s3_key"] == key.as_str()).unwrap();
    assert_eq!((&photo_shown["type"], &photo_shown["status"]), (&json!("file"), &json!("ready")));
    assert_eq!(of("profile")["from_sign_in"]["email"], address(&ann));
    assert_eq!((&of("membership")["org_id"], &of("membership")["role"]), (&json!(org), &json!("owner")));
    assert_eq!((&of("endpoint")["org_id"], &of("endpoint")["id"]), (&json!(org), &registered.json()["data"]["id"]));
    assert_eq!((&of("job")["id"], &of("job")["asked_for"]["topic"]), (&json!(article), &json!("Le phare")));
    assert_eq!((&of("draft")["job_id"], &of("chapter")["job_id"]), (&json!(article), &json!(article)));
    assert!(of("test_credits")["balance"].as_u64().is_some(), "{}", of("test_credits"));
    let whole = json!(records).to_string();
    assert!(!whole.contains(&bob.id) && !whole.contains(&receiver), "{whole}");
    assert!(bucket.read_head(old.as_str(), None, 1).await.unwrap().is_none(), "the earlier export is left");
    let audited = until(async || {
        let lines = stack.log_lines("user-export", &ann.id).await;
        lines.iter().any(|line| line.contains("\"audit\"") && line.contains("\"GET /api/me/export\"")).then_some(())
    });
    assert!(audited.await.is_some(), "no line of the log says who read the export");

    let folder = std::env::temp_dir().join(fresh_user());
    let command = ["user", "export", &ann.id, "--reason", "asked by letter", "--to", folder.to_str().unwrap()];
    let (output, out, err) = consigne(&command, &[]);
    assert!(output.status.success() && out.contains("with 2 files") && out.contains("then delete it"), "{out}{err}");
    let leaf = key.rsplit('/').next().unwrap();
    assert_eq!(std::fs::read(folder.join("files/image").join(leaf)).unwrap(), photo);
    let saved: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(saved, manifest);
    std::fs::remove_dir_all(&folder).unwrap();

    let erased = ann.call_with("POST", "/api/me/erase", &json!({ "confirm": ann.id })).await;
    assert_eq!(erased.status, 202, "{}", erased.json());
    assert_refused(&ann.call("POST", PATH).await, 401, "UNAUTHENTICATED");
    assert_refused(&ann.call("GET", PATH).await, 401, "UNAUTHENTICATED");
    let gone = until(async || {
        close_accounts(&stack).await;
        let (left, _) = bucket.list_version_page(&ExportKey::prefix_of(&user), None, 10).await.unwrap();
        left.is_empty().then_some(())
    });
    assert!(gone.await.is_some(), "objects of the export are left");
    assert_eq!(stack.table().get_export(&user).await.unwrap(), None);
    let (output, out, err) = consigne(&["user", "export", &ann.id, "--reason", "asked by letter"], &[]);
    assert!(!output.status.success() && err.contains("is closed"), "{out}{err}");
}
