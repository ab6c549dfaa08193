//! Keys of an older installation, from their export to their end. It has a stack of its own on which such keys work.

use std::time::Duration;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_core::migrations::Stage;
use consigne_core::ports::{GetMigration, ListMigrations, MigrationFilter, PageAsk, StepMigration};
use consigne_runtime::clock;
use consigne_testkit::payload::root;
use consigne_testkit::schemas::faults;
use consigne_testkit::stack::{Stack, fresh_user};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::bus_listener::BusListener;
use super::further_stack::FurtherStack;
use super::text;

/// The stack for this test.
const LEGACY_STACK: FurtherStack = FurtherStack { name: "legacy", env_file: "target/local/legacy.env" };
/// The pepper with which the older installation hashed its keys.
const OLD_PEPPER: &str = "pepper-of-the-older-installation";

/// A key of the older installation, with its text.
struct Held {
    text: String,
    owner: String,
    revoked: bool,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Returns random bytes.
fn random() -> [u8; 32] {
    Sha256::digest(consigne_auth::KeyMint::nonce()).into()
}

/// Creates an export of thirty keys of three people. They are encrypted in three formats or hashed, and one is revoked.
fn export(key: &[u8; 32], owners: &[String; 3]) -> (Vec<Held>, Vec<Value>) {
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, key).unwrap()).unwrap();
    let mut held = Vec::new();
    let mut rows = Vec::new();
    for n in 0..30 {
        let word = ["sk_live_", "sk_test_", "sk_"][n % 3];
        let text = format!("{word}{}", &hex(&random())[..24 + n]);
        let (iv, owner, revoked) = (random()[..16].to_vec(), owners[n % 3].clone(), n == 29);
        let mut sealed = text.as_bytes().to_vec();
        let context = EncryptionContext::Iv128(FixedLength::from(<[u8; 16]>::try_from(iv.as_slice()).unwrap()));
        cipher.less_safe_encrypt(&mut sealed, context).unwrap();
        let (id, level) = (hex(&random()[..12]), ["read", "write", "admin", "full"][n % 4]);
        let mut row = json!({
            "id": id, "accessLevel": level, "ownerId": owner, "name": format!("Key {n}"),
            "createdAt": "2024-05-01T10:00:00.000Z", "lastUsedAt": "2026-11-01T00:00:00Z",
        });
        if n % 2 == 0 {
            row["organizationId"] = format!("64aa{}", &owner[5..]).into();
        }
        if revoked {
            row["revoked"] = true.into();
        }
        match n % 5 {
            0..=2 => row["encryptedKey"] = format!("{}:{}", hex(&iv), hex(&sealed)).into(),
            3 => (row["iv"], row["encryptedKey"]) = (hex(&iv).into(), STANDARD.encode(&sealed).into()),
            _ => row["keyHash"] = hex(&Sha256::digest(format!("{text}{OLD_PEPPER}"))).into(),
        }
        held.push(Held { text, owner, revoked });
        rows.push(row);
    }
    (held, rows)
}

/// Returns all items of the stack's table.
async fn everything(stack: &Stack) -> Vec<String> {
    let client = aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config());
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        let scan =
            client.scan().table_name(stack.name("TABLE_NAME")).consistent_read(true).set_exclusive_start_key(start);
        let page = scan.send().await.unwrap();
        items.extend(page.items().iter().map(|item| {
            let mut fields: Vec<String> = item.iter().map(|(name, value)| format!("{name} {value:?}")).collect();
            fields.sort();
            fields.join("\n")
        }));
        start = page.last_evaluated_key;
        if start.is_none() {
            items.sort();
            return items;
        }
    }
}

/// Deletes what an earlier run has left in the table.
async fn delete_leftovers(stack: &Stack) {
    // Fails if there is none.
    drop(LEGACY_STACK.consigne(&["pepper", "retire", "0"], "").await);
    let client = aws_sdk_dynamodb::Client::new(&stack.aws().sdk_config());
    loop {
        let page = client.scan().table_name(stack.name("TABLE_NAME")).projection_expression("pk, sk").send().await;
        let items = page.unwrap().items.unwrap_or_default();
        if items.is_empty() {
            return;
        }
        for key in items {
            client.delete_item().table_name(stack.name("TABLE_NAME")).set_key(Some(key)).send().await.unwrap();
        }
    }
}

/// Removes outbox items, which are deleted after they were published.
fn without_outbox(items: Vec<String>) -> Vec<String> {
    items.into_iter().filter(|item| !item.contains("OUTBOX#")).collect()
}

async fn verify(stack: &Stack, key: &str, cost: u64) -> (Value, String) {
    let answer = stack.serve("/api/keys/verify", &json!({ "key": key, "cost": cost }), None).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    (answer.json()["data"].clone(), answer.header("x-request-id").to_owned())
}

/// Returns the number of AWS calls of a request, from its log line.
async fn calls(stack: &Stack, request: &str) -> u64 {
    let line = consigne_testkit::stack::until(async || {
        let lines = stack.log_lines("key-verify", request).await;
        lines.into_iter().find(|line| line.starts_with('{'))
    });
    let line: Value = serde_json::from_str(&line.await.unwrap()).unwrap();
    line["aws.calls"].as_u64().unwrap()
}

fn counts(report: &str) -> Value {
    serde_json::from_str(report.trim().lines().last().unwrap_or_default())
        .unwrap_or_else(|_| panic!("no counts in: {report}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_imported_its_keys_work_and_their_texts_are_stored_nowhere() {
    let end = clock::now().plus(Duration::from_hours(24 * 60));
    let stack = LEGACY_STACK.deploy(&[format!("LegacyKeysUntil={end}")]);
    delete_leftovers(&stack).await;
    let owners = [fresh_user(), fresh_user(), fresh_user()];
    let key = random();
    let (held, rows) = export(&key, &owners);
    let file = root().join("target/local/legacy-export.jsonl");
    let (bad, good) = (r#"{"id": "bad"}"#.to_owned(), rows.iter().map(Value::to_string));
    std::fs::write(&file, good.chain([bad]).collect::<Vec<_>>().join("\n")).unwrap();
    let key_file = root().join("target/local/legacy-export.key");
    std::fs::write(&key_file, hex(&key)).unwrap();
    let (file, key_file) = (file.to_str().unwrap(), key_file.to_str().unwrap());

    let (well, said) = LEGACY_STACK.consigne(&["migrate-keys", file, "--key-file", key_file], "").await;
    assert!(!well && said.contains("--dry-run"), "{said}");
    let (well, said) = LEGACY_STACK.consigne(&["pepper", "legacy"], OLD_PEPPER).await;
    assert!(well && !said.contains(OLD_PEPPER), "{said}");
    let untouched = without_outbox(everything(&stack).await);
    let (code, dry) =
        LEGACY_STACK.consigne_code(&["migrate-keys", file, "--key-file", key_file, "--dry-run"], "").await;
    assert_eq!(code, Some(3), "one row cannot be migrated: {dry}");
    assert_eq!(without_outbox(everything(&stack).await), untouched, "a dry run writes nothing");
    let listener = BusListener::on(&stack, "user_id", &owners[0]).await;
    // The key can also be given on standard input, in another format.
    let (code, real) = LEGACY_STACK.consigne_code(&["migrate-keys", file, "--yes"], &STANDARD.encode(key)).await;
    assert_eq!(code, Some(3), "one row cannot be migrated: {real}");
    for (report, dry) in [(&dry, true), (&real, false)] {
        let notified = if dry { 0 } else { 6 };
        let want = json!({ "dry_run": dry, "rows": 31, "carried_over": 30, "unchanged": 0, "problems": 1,
            "organisations_founded": 6, "of_hashes": 6, "revoked": 1, "owners_told": notified });
        assert_eq!(counts(report), want, "{report}");
        assert!(report.contains(r#"{"id":"bad","problem":"#), "{report}");
    }
    let after = without_outbox(everything(&stack).await);
    let (code, again) = LEGACY_STACK.consigne_code(&["migrate-keys", file, "--key-file", key_file, "--yes"], "").await;
    assert_eq!(code, Some(3), "one row cannot be migrated: {again}");
    assert_eq!((&counts(&again)["unchanged"], &counts(&again)["carried_over"]), (&json!(30), &json!(0)));
    assert_eq!(without_outbox(everything(&stack).await), after, "a second run changes nothing");

    let mut orgs = std::collections::BTreeSet::new();
    for (n, key) in held.iter().enumerate() {
        let (data, _) = verify(&stack, &key.text, 0).await;
        let want = if key.revoked { "REVOKED" } else { "VALID" };
        assert_eq!(data["code"], want, "key {n}");
        if !key.revoked {
            let environment = if key.text.starts_with("sk_test_") && n % 5 != 4 { "test" } else { "production" };
            assert_eq!(data["environment"], environment, "key {n}");
            orgs.insert(text(&data, "org_id"));
        }
    }
    assert_eq!(orgs.len(), 6, "one event for each owner, and one for each of their organisations");
    hashes_have_gone(&stack).await;
    charged_in_one_call(&stack, &held).await;

    let said = [dry, real, again].concat();
    let items = everything(&stack).await.join("\n");
    for key in &held {
        let secret = key.text.rsplit('_').next().unwrap();
        assert!(!said.contains(secret) && !items.contains(secret), "the text of a key was stored");
        let lines = stack.log_lines("key-verify", secret).await;
        assert!(lines.is_empty(), "the log has the text of a key");
    }
    owners_see_their_keys(&stack, &held).await;
    a_month_on(&stack, &held).await;
    for kind in ["key.migration-started", "key.migration-reminder"] {
        let event = listener.wait_for(kind).await["detail"].clone();
        assert_eq!(faults(kind, &event), Vec::<String>::new());
    }
    listener.close(&stack).await;
}

/// Asserts that MACs have replaced the hashes, which now wait for deletion.
async fn hashes_have_gone(stack: &Stack) {
    let items = everything(stack).await;
    let hashes: Vec<&String> = items.iter().filter(|item| item.contains("SHA#")).collect();
    assert_eq!(hashes.len(), 6);
    assert!(hashes.iter().all(|item| item.contains("ttl N(") && !item.contains("gsi2pk")), "{hashes:#?}");
    let (well, said) = LEGACY_STACK.consigne(&["pepper", "status"], "").await;
    assert!(well && said.contains("yes: consigne pepper retire 0"), "{said}");
}

/// Asserts that charging an old key takes one AWS call like any other, and that an unknown text is looked up once.
async fn charged_in_one_call(stack: &Stack, held: &[Held]) {
    let test = held.iter().find(|key| key.text.starts_with("sk_test_")).unwrap();
    for _ in 0..3 {
        verify(stack, &test.text, 1).await;
    }
    let (data, request) = verify(stack, &test.text, 1).await;
    assert_eq!((&data["code"], calls(stack, &request).await), (&json!("VALID"), 1));
    let unknown = format!("sk_live_{}", hex(&random()));
    let (data, request) = verify(stack, &unknown, 1).await;
    assert_eq!(data["code"], "NOT_FOUND");
    // An unknown text may also cause the peppers to be read again, once a minute.
    let (data, again) = verify(stack, &unknown, 1).await;
    assert_eq!(data["code"], "NOT_FOUND");
    assert_eq!(calls(stack, &request).await.min(calls(stack, &again).await), 1);
    let first = Stack::find();
    let ((data, request), (_, again)) = (verify(&first, &test.text, 1).await, verify(&first, &test.text, 1).await);
    // One of the two may be the first call in minutes, which checks for new secrets.
    let calls = calls(&first, &request).await.min(calls(&first, &again).await);
    assert_eq!((&data["code"], calls), (&json!("NOT_FOUND"), 0), "on a stack where old keys do not work");
}

/// Asserts that an owner sees which keys must be rotated, and that a rotated key is no longer listed.
async fn owners_see_their_keys(stack: &Stack, held: &[Held]) {
    let owner = stack.person(&held[0].owner, "free");
    let orgs = consigne_testkit::stack::until(async || {
        let orgs = owner.call("GET", "/api/orgs").await.json()["data"].as_array().cloned().unwrap_or_default();
        (orgs.len() == 2).then_some(orgs)
    });
    for org in orgs.await.unwrap() {
        let path = format!("/api/orgs/{}/keys", text(&org, "id"));
        let keys = owner.call("GET", &path).await.json()["data"].as_array().cloned().unwrap();
        assert!(!keys.is_empty() && keys.iter().all(|key| key["legacy"] == true), "{keys:?}");
        let rotated = owner.call_with("POST", &format!("{path}/{}/rotate", text(&keys[0], "id")), &json!({})).await;
        assert_eq!((rotated.status, &rotated.json()["data"]["legacy"]), (201, &Value::Null));
    }
}

/// Lets a migration look as if its stage had begun some days earlier. The clock of a deployed function cannot be moved.
async fn age(stack: &Stack, days: u16) {
    let table = stack.table();
    let page = PageAsk { limit: 100, after: None };
    for listed in table.list_migrations(MigrationFilter::Open, &page).await.unwrap().items {
        let migration = table.get_migration(&listed.id).await.unwrap().unwrap();
        let stage = match migration.stage {
            Stage::Announced(day) => Stage::Announced(day.minus(days)),
            Stage::Reminded(day) => Stage::Reminded(day.minus(days)),
            stage @ (Stage::Carried | Stage::Ended { .. }) => stage,
        };
        assert!(table.step_migration(&migration.step(stage, None)).await.unwrap().is_committed());
    }
}

/// Runs `migration-deadline` with a time a year ahead, which must count as the current time. Returns `[announced,
/// reminded, ended, revoked]`.
async fn deadline(stack: &Stack) -> Value {
    let mut tick = consigne_testkit::payload::event("migration-deadline", "tick", "");
    tick["time"] = clock::now().plus(Duration::from_hours(24) * 365).to_string().into();
    let answer = stack.invoke("migration-deadline", &tick).await;
    let done = answer.json();
    assert!(done["revoked"].is_u64(), "{done}");
    json!([done["announced"], done["reminded"], done["ended"], done["revoked"]])
}

/// Runs a month of deadlines: reminders after 23 days, and after 30 days the end of the keys that were not replaced.
async fn a_month_on(stack: &Stack, held: &[Held]) {
    let nothing = json!([0, 0, 0, 0]);
    let next = async || {
        let done = consigne_testkit::stack::until(async || {
            let done = deadline(stack).await;
            (done != nothing).then_some(done)
        });
        done.await
    };
    age(stack, 22).await;
    assert_eq!(deadline(stack).await, nothing, "after 22 days");
    age(stack, 1).await;
    assert_eq!(next().await, Some(json!([0, 6, 0, 0])));
    assert_eq!(deadline(stack).await, nothing, "after 23 days");
    age(stack, 6).await;
    assert_eq!(deadline(stack).await, nothing, "after 29 days");
    let (well, said) = LEGACY_STACK.consigne(&["migration", "status"], "").await;
    assert!(well, "{said}");
    for want in [
        "0 to be notified, 0 notified, 6 reminded, 0 done",
        "29 migrated: 2 replaced, 27 not yet, 0 revoked",
        "no mail     3 owners have no verified address",
    ] {
        assert!(said.contains(want), "{said}");
    }
    age(stack, 1).await;
    assert_eq!(next().await, Some(json!([0, 0, 6, 27])));
    assert_eq!(deadline(stack).await, nothing);
    let mut codes = std::collections::BTreeMap::new();
    for key in held {
        let (data, _) = verify(stack, &key.text, 0).await;
        *codes.entry(text(&data, "code")).or_insert(0) += 1;
    }
    // The old texts of the two replaced keys work for another day. One key was revoked before.
    assert_eq!(json!(codes), json!({ "VALID": 2, "REVOKED": 28 }));
    let (_, said) = LEGACY_STACK.consigne(&["migration", "status"], "").await;
    for want in ["6 done", "29 migrated: 2 replaced, 0 not yet, 27 revoked", "revocation  none"] {
        assert!(said.contains(want), "{said}");
    }
}
