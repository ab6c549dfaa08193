//! Redriving a dead-letter queue by the operator, on a stack of its own whose queue has few retries.

use std::process::Command;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use consigne_testkit::payload::{built, root};
use consigne_testkit::pictures;
use consigne_testkit::stack::{Stack, until};
use serde_json::json;

use super::text;

const ENV_FILE: &str = "target/local/redrive.env";
const POISON: &str = r#"{"detail-type": "Object Created", "detail": {"object": "#;

/// Deploys the stack for this test.
fn deploy() -> Stack {
    let output = Command::new(root().join(".venv/bin/python"))
        .arg(root().join("infra/local/stack.py"))
        .args(["deploy", "--stack", "redrive", "--env-file"])
        .arg(root().join(ENV_FILE))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Stack::of_file(ENV_FILE)
}

/// Runs `consigne redrive` on that stack. Returns whether it succeeded, and its output.
fn redrive(arguments: &[&str]) -> (bool, String) {
    consigne(&[&["redrive"], arguments].concat())
}

/// Runs `consigne` on that stack. Returns whether it succeeded, and its output.
fn consigne(arguments: &[&str]) -> (bool, String) {
    let mut consigne = Command::new(built("consigne"));
    let output = consigne.args(arguments).arg("--env-file").arg(root().join(ENV_FILE)).output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Returns the number of messages of a queue, including those being processed.
async fn count(sqs: &Client, queue: &str) -> u64 {
    let wanted =
        [QueueAttributeName::ApproximateNumberOfMessages, QueueAttributeName::ApproximateNumberOfMessagesNotVisible];
    let ask = sqs.get_queue_attributes().queue_url(queue).set_attribute_names(Some(wanted.to_vec()));
    let counts = ask.send().await.unwrap().attributes.unwrap();
    wanted.iter().map(|name| counts[name].parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn dead_letters_are_listed_and_sent_back_to_their_queue() {
    let stack = deploy();
    let sqs = Client::new(&stack.aws().sdk_config());
    let url = async |name: &str| sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
    let (queue, dead) = (url("redrive-object-events").await, url("redrive-object-events-dead").await);
    let fast = sqs.set_queue_attributes().queue_url(&queue).attributes("VisibilityTimeout".into(), "1");
    fast.send().await.unwrap();
    let wait_for_dead = async |wanted: u64| {
        let seen = until(async || (count(&sqs, &dead).await == wanted).then_some(())).await;
        assert_eq!(seen, Some(()), "{wanted} dead letters");
    };

    sqs.send_message().queue_url(&queue).message_body(POISON).send().await.unwrap();
    wait_for_dead(1).await;
    // And one that would succeed now: the deletion of a file without a record.
    let ann = stack.newcomer("pro");
    let key = text(&ann.grant("a.png", "image/png", pictures::png(1, 1, 100).len()).await.json(), "s3Key");
    let gone = json!({
        "version": "0", "source": "aws.s3", "detail-type": "Object Deleted",
        "detail": { "bucket": { "name": stack.name("BUCKET_NAME") },
            "object": { "key": key, "version-id": "v1", "sequencer": "05" } },
    });
    sqs.send_message().queue_url(&dead).message_body(gone.to_string()).send().await.unwrap();
    wait_for_dead(2).await;
    ann.wait_for_usage(0, 0, 100).await;

    let (well, said) = consigne(&["doctor"]);
    let cure = "to do: mend the cause (see docs/operate/dead-letters.md), then `consigne redrive object-events`";
    assert!(!well && said.contains("2 messages in object-events-dead\n") && said.contains(cure), "{said}");

    let (well, listed) = redrive(&[]);
    assert!(well && listed.contains("object-events-dead "), "{listed}");
    let line = listed.lines().find(|line| line.starts_with("object-events-dead ")).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words, ["object-events-dead", "2", "0", "consigne", "redrive", "object-events"]);
    assert!(listed.contains("parked-events"), "{listed}");

    let (well, said) = redrive(&["object-events"]);
    assert!(well && said.contains("Sent 2 back to redrive-object-events."), "{said}");
    // The good message succeeds now, and the bad one fails again.
    ann.wait_for_usage(0, 0, 0).await;
    wait_for_dead(1).await;
    let left = sqs.receive_message().queue_url(&dead).send().await.unwrap().messages.unwrap();
    assert_eq!(left[0].body.as_deref(), Some(POISON));
    sqs.purge_queue().queue_url(&dead).send().await.unwrap();
    let (well, said) = redrive(&["object-events-dead"]);
    assert!(well && said.contains("redrive-object-events-dead is empty"), "{said}");
    let (well, said) = consigne(&["doctor"]);
    assert!(well && said.contains("All is well."), "{said}");
    for (name, why) in [("parked-events", "No queue leads"), ("nowhere", "is not a dead-letter queue")] {
        let (well, said) = redrive(&[name]);
        assert!(!well && said.contains(why), "{said}");
    }
}

#[test]
fn a_stack_that_does_not_exist_has_nothing_to_list() {
    let names = std::fs::read_to_string(root().join("target/local/stack.env")).unwrap();
    let file = root().join("target/local/nothing.env");
    std::fs::write(&file, names.replace("STACK_NAME=consigne\n", "STACK_NAME=nothing\n")).unwrap();
    for arguments in [["redrive"].as_slice(), &["redrive", "mails"], &["doctor"]] {
        let mut consigne = Command::new(built("consigne"));
        let output = consigne.args(arguments).arg("--env-file").arg(&file).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("is it the stack you mean?"), "{said}");
    }
    std::fs::remove_file(file).unwrap();
}
