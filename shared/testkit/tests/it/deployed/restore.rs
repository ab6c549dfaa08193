//! A rehearsal of `consigne restore`: a stack is lost, and a second one adopts what was restored of it.
//!
//! The laptop's server restores a table as DynamoDB does, without stream, expiry and backups, but only as it is now. A
//! copy of the objects, which has other versions, stands for what AWS Backup restores of a bucket.

use std::process::Command;
use std::time::Instant;

use consigne_aws::{PlainRequest, send};
use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::payload::{built, root};
use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack};
use serde_json::json;

use super::further_stack::FurtherStack;
use super::{operator, text};

const LOST: FurtherStack = FurtherStack { name: "lost", env_file: "target/local/lost.env" };
const FOUND: FurtherStack = FurtherStack { name: "found", env_file: "target/local/found.env" };
const TABLE: &str = "found-restored";
const BUCKET: &str = "found-restored-bucket";

async fn s3(stack: &Stack, method: &'static str, path: &str, source: Option<&str>, body: &str) -> String {
    let headers = source.map(|source| ("x-amz-copy-source", source.to_owned())).into_iter().collect();
    let request =
        PlainRequest { host: "s3", name: "s3", method, path: format!("/{path}"), headers, body: body.to_owned() };
    let answer = send(&stack.aws().config, request).await.unwrap();
    assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.body);
    answer.body
}

/// Copies the objects to a new bucket, except one. Their versions are others there.
async fn copy_objects(stack: &Stack, except: &str) {
    let from = stack.name("BUCKET_NAME");
    s3(stack, "PUT", BUCKET, None, "").await;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    s3(stack, "PUT", &format!("{BUCKET}?versioning"), None, on).await;
    let list = s3(stack, "GET", &format!("{from}?list-type=2"), None, "").await;
    let keys = list.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap());
    let keys: Vec<&str> = keys.filter(|key| *key != except).collect();
    assert!(keys.len() >= 3, "two files and a thumbnail: {keys:?}");
    for key in keys {
        s3(stack, "PUT", &format!("{BUCKET}/{key}"), Some(&format!("/{from}/{key}")), "").await;
    }
}

/// Runs `consigne restore`. Returns its exit code, and what it prints.
async fn restore(lost: &Stack, verb: &str, bucket: &str) -> (Option<i32>, String) {
    let template = root().join("template.yaml");
    let arguments = [
        "restore",
        verb,
        "--into",
        FOUND.name,
        "--table",
        TABLE,
        "--from-table",
        lost.name("TABLE_NAME"),
        "--bucket",
        bucket,
        "--secrets-of",
        LOST.name,
        "--origins",
        lost.name("JWT_AZP"),
        "--unprotected",
        "--template",
        template.to_str().unwrap(),
    ];
    LOST.consigne_code(&arguments, "").await
}

/// Reads a file by a ticket.
async fn content(ann: &Person<'_>, key: &str, stack: &Stack) -> Vec<u8> {
    let ticket = ann.ticket(key).await;
    assert_eq!(ticket.status, 200, "{}", ticket.json());
    let answer = stack.client.send("GET", &text(&ticket.json(), "url"), &[], Vec::new()).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
    answer.bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_stack_adopts_what_was_restored_of_a_lost_one() {
    let lost = LOST.deploy(&[]);
    let ann = lost.newcomer("pro");
    let picture = pictures::photo_with_place();
    let (photo, gone) = (
        ann.upload("photo.jpg", "image/jpeg", picture.clone()).await,
        ann.upload("gone.png", "image/png", pictures::png(1, 1, 100)).await,
    );
    ann.wait_until_derived(&photo).await;
    let fixture = OrgFixture::open(&lost, 500).await;
    let key = fixture.issue("production", &json!({})).await;
    assert_eq!(fixture.charge(&key, Some("before-the-loss")).await["valid"], true);
    let wallet = fixture.wallet().await;
    copy_objects(&lost, &gone).await;

    let began = Instant::now();
    let (code, said) = restore(&lost, "plan", BUCKET).await;
    assert!(code == Some(0) && said.contains("to do  restore found-restored from lost-Table"), "{said}");
    assert!(said.contains("\n  ClerkIssuer="), "it lists what the lost stack was deployed with: {said}");
    let (code, said) = restore(&lost, "check", BUCKET).await;
    assert!(code == Some(1) && said.contains("adoption    waits  for table"), "a plan changes nothing: {said}");
    let (code, said) = restore(&lost, "run", "no-such-bucket").await;
    assert!(code == Some(1) && said.contains("bucket: there is no bucket no-such-bucket"), "{said}");
    let (code, said) = restore(&lost, "run", BUCKET).await;
    assert!(code == Some(0) && said.contains("table: found-restored is active"), "it goes on where it stopped: {said}");
    assert!(said.contains("files: lost: ") && said.contains("gone.png") && said.contains("; lost: 1 files"), "{said}");
    let steps = began.elapsed();
    let found = FOUND.deploy(&[]);
    let (code, said) = restore(&lost, "check", BUCKET).await;
    assert!(code == Some(0), "the deployment changed what was adopted: {said}");
    assert_eq!((found.name("TABLE_NAME"), found.name("BUCKET_NAME")), (TABLE, BUCKET));
    let deployed = began.elapsed();

    let (code, said) = FOUND.consigne_code(&["doctor", "--strict"], "").await;
    assert!(code == Some(0) && said.contains("All is well."), "{said}");

    // Everything of before is there, and goes on.
    let same = found.person(&ann.id, "pro");
    assert_eq!(content(&same, &photo, &found).await, picture);
    let facts = same.metadata(&photo).await.json();
    let thumbnail = facts["thumbnails"].as_object().and_then(|all| all.values().next()).cloned();
    assert!(thumbnail.is_some(), "{facts}");
    same.upload("later.png", "image/png", pictures::png(2, 2, 200)).await;
    assert_eq!(same.delete(&photo).await.status, 200);
    let owner = found.person(&fixture.owner.id, "pro");
    let later = OrgFixture::of(&found, owner, fixture.org.clone());
    assert_eq!(later.wallet().await["balance"], wallet["balance"]);
    let replayed = later.charge(&key, Some("before-the-loss")).await;
    assert_eq!(replayed["valid"], true, "the key is known under the old pepper: {replayed}");
    assert_eq!(later.wallet().await["balance"], wallet["balance"], "a charge of before the loss is not made again");
    assert_eq!(later.charge(&key, Some("after-the-loss")).await["valid"], true);
    assert_ne!(later.wallet().await["balance"], wallet["balance"]);

    smoke(&found);
    let took =
        format!("restored after {steps:.1?}, deployed after {deployed:.1?}, walked after {:.1?}\n", began.elapsed());
    std::fs::write(root().join("target/local/restore-times.txt"), took).unwrap();
}

/// Runs the black-box checks on the second stack.
fn smoke(found: &Stack) {
    let env_file = root().join(FOUND.env_file);
    let token = |user: &str| {
        format!("{} token --plan pro --user {user} --env-file {}", built("consigne").display(), env_file.display())
    };
    let mut walk = Command::new(root().join(".venv/bin/python"));
    walk.arg(root().join("infra/smoke")).env("URL", found.name("CONSIGNE_URL")).env("STACK", FOUND.name);
    for name in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SERVICE_TOKEN"] {
        walk.env(name, found.name(name));
    }
    walk.env("REGION", found.name("AWS_REGION")).env("TOKEN_CMD", token("user_restoreann"));
    let output = walk.env("OTHER_TOKEN_CMD", token("user_restorebob")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains(" 0 failed, 0 skipped."), "{said}");
}

/// A wrong name is noticed before anything is changed.
#[tokio::test]
async fn a_stack_without_a_name_and_a_malformed_secret_are_refused() {
    let file = "target/local/stack.env";
    let run = |more: &[&str]| {
        let arguments = ["restore", "run", "--table", "t", "--bucket", "b", "--origins", "https://a.dev", "--template"];
        let mut consigne = Command::new(built("consigne"));
        consigne.args(arguments).arg(root().join("template.yaml")).args(more).arg("--env-file").arg(root().join(file));
        let output = consigne.output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = run(&[]);
    assert!(code == Some(1) && said.contains("Name the new stack: --into NAME"), "{said}");
    let (code, said) = run(&["--into", "x", "--secret", "Peppers"]);
    assert!(code == Some(1) && said.contains("must be NAME=ARN"), "{said}");
    let (code, said) = run(&["--into", "x"]);
    assert!(code == Some(1) && said.contains("there is no table t"), "{said}");

    // On AWS it asks first.
    let stack = Stack::find();
    let (address, region) = (stack.name("AWS_ENDPOINT_URL"), stack.name("AWS_REGION"));
    let shell = [("AWS_ENDPOINT_URL", address), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let template = root().join("template.yaml");
    let on_aws = ["--stack", "x", "--region", region, "restore", "run", "--table", "t", "--bucket", "b", "--origins"];
    let on_aws = [&on_aws[..], &["https://a.dev", "--template", template.to_str().unwrap()]].concat();
    let (output, out, err) = operator::consigne(&on_aws, &shell);
    assert!(output.status.code() == Some(1) && out.is_empty(), "{out}{err}");
    assert!(err.contains("Nothing was changed: the account of this shell in ") && err.contains("--yes"), "{err}");
}
