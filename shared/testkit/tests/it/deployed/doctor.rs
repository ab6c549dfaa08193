//! `consigne doctor` on a stack of its own, in which faults are planted one after the other.

use consigne_aws::{PlainRequest, send};
use consigne_testkit::stack::Stack;
use serde_json::{Value, json};

use super::further_stack::FurtherStack;
use super::operator;

const STACK: FurtherStack = FurtherStack { name: "doctor", env_file: "target/local/doctor.env" };
/// The statement about secrets in the policy of the documents.
const SECRETS: &str = "SecretsLeaveThisOutForWhoMustNotReadThem";

/// Calls AWS as the operator. `target` is the operation of a JSON service, or empty.
async fn call(
    stack: &Stack,
    service: &'static str,
    method: &'static str,
    path: &str,
    target: &str,
    body: &str,
) -> String {
    let config = stack.aws().config;
    let mut headers = vec![("content-type", "application/x-amz-json-1.1".to_owned())];
    if service == "iam" {
        headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    }
    if !target.is_empty() {
        headers.push(("x-amz-target", target.to_owned()));
    }
    let request =
        PlainRequest { host: service, name: service, method, path: path.to_owned(), headers, body: body.to_owned() };
    let answer = send(&config, request).await.unwrap();
    assert!(answer.status < 300, "{service} {method} {path} {target}: {} {}", answer.status, answer.body);
    answer.body
}

/// Examines the stack. Returns the exit code and the findings.
async fn examine(more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let (code, said) = STACK.consigne_code(&[&["doctor", "--json"], more].concat(), "").await;
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    (code, report["checks"].as_array().unwrap().clone())
}

/// Returns the findings in a state, as `name: text`.
fn in_state(findings: &[Value], state: &str) -> Vec<String> {
    let of_it = findings.iter().filter(|one| one["state"] == state);
    of_it.map(|one| format!("{}: {}", one["name"].as_str().unwrap(), one["text"].as_str().unwrap())).collect()
}

/// Asserts that one check fails now, with these words, that it names a cure, and that nothing else does.
async fn fails(words: &str) {
    let (code, findings) = examine(&[]).await;
    let failed = in_state(&findings, "failed");
    assert!(code == Some(1) && failed.len() == 1 && failed[0].contains(words), "{words}: {code:?} {failed:#?}");
    let one = findings.iter().find(|one| one["state"] == "failed").unwrap();
    assert!(one["cure"].as_str().is_some_and(|cure| cure.len() > 10), "{one}");
}

async fn is_well() {
    let (code, findings) = examine(&["--strict"]).await;
    let bad = [in_state(&findings, "failed"), in_state(&findings, "warning")].concat();
    assert!(code == Some(0) && bad.is_empty(), "{bad:#?}");
}

#[tokio::test]
async fn planted_faults_are_found_and_gone_once_they_are_mended() {
    let stack = STACK.deploy(&[]);
    is_well().await;
    bucket(&stack).await;
    table(&stack).await;
    queues_and_events(&stack).await;
    secrets(&stack).await;
    rights(&stack).await;

    // What is wrong by a parameter: keys that nobody serves, and a language model that does not answer. No mails.
    let nobody = "http://127.0.0.1:1";
    STACK.deploy(&[
        "ClerkJwtKey=".to_owned(),
        format!("ClerkJwksUrl={nobody}/jwks.json"),
        format!("TextModelUrl={nobody}/v1"),
        "MailFrom=".to_owned(),
    ]);
    let (code, findings) = examine(&[]).await;
    let failed = in_state(&findings, "failed");
    assert_eq!(code, Some(1));
    let starts = |words: &str| failed.iter().any(|line| line.starts_with(words));
    assert!(starts("sign-in keys: ") && starts("language model: ") && failed.len() == 2, "{failed:#?}");
    assert!(in_state(&findings, "not_set_up").iter().any(|line| line.starts_with("mail: MailFrom is empty")));
}

async fn bucket(stack: &Stack) {
    let name = stack.name("BUCKET_NAME");
    let s3 =
        async |method, query: &str, body: &str| call(stack, "s3", method, &format!("/{name}?{query}"), "", body).await;
    let versions = |status| format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    s3("PUT", "versioning", &versions("Suspended")).await;
    fails("bucket versions: versioning is not enabled").await;
    s3("PUT", "versioning", &versions("Enabled")).await;
    for (query, words) in [
        ("cors", "bucket CORS: browsers cannot upload"),
        (
            "lifecycle",
            "bucket lifecycle: missing or disabled: abort-unfinished-uploads, archive, remove-exports, remove-old-versions",
        ),
        ("publicAccessBlock", "bucket public access: is not blocked"),
        ("notification", "bucket events: do not go to EventBridge"),
    ] {
        let before = s3("GET", query, "").await;
        if query == "notification" {
            s3("PUT", query, "<NotificationConfiguration/>").await;
        } else {
            s3("DELETE", query, "").await;
        }
        fails(words).await;
        s3("PUT", query, &before).await;
    }
    is_well().await;
}

async fn table(stack: &Stack) {
    let name = stack.name("TABLE_NAME");
    let backups = |on: bool| json!({ "TableName": name, "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": on } });
    stack.ask_table("UpdateContinuousBackups", &backups(false)).await;
    fails("table backups: point-in-time recovery is off").await;
    stack.ask_table("UpdateContinuousBackups", &backups(true)).await;
    let expiry =
        |on: bool| json!({ "TableName": name, "TimeToLiveSpecification": { "AttributeName": "ttl", "Enabled": on } });
    stack.ask_table("UpdateTimeToLive", &expiry(false)).await;
    fails("table expiry: items do not expire").await;
    stack.ask_table("UpdateTimeToLive", &expiry(true)).await;
    is_well().await;
}

async fn queues_and_events(stack: &Stack) {
    let sqs = aws_sdk_sqs::Client::new(&stack.aws().sdk_config());
    let dead = sqs.get_queue_url().queue_name("doctor-mails-dead").send().await.unwrap().queue_url.unwrap();
    sqs.send_message().queue_url(&dead).message_body("{}").send().await.unwrap();
    fails("dead letters in mails-dead: 1 message in mails-dead").await;
    sqs.purge_queue().queue_url(&dead).send().await.unwrap();

    for (bus, rule) in [("doctor", "doctor-mails"), ("default", "doctor-object-events")] {
        let ask = json!({ "Name": rule, "EventBusName": bus }).to_string();
        call(stack, "events", "POST", "/", "AWSEvents.DisableRule", &ask).await;
        fails(&format!("rule {rule}: is disabled")).await;
        call(stack, "events", "POST", "/", "AWSEvents.EnableRule", &ask).await;
    }

    let list =
        call(stack, "lambda", "GET", "/2015-03-31/event-source-mappings?FunctionName=doctor-send-mail", "", "").await;
    let list: Value = serde_json::from_str(&list).unwrap();
    let id = list["EventSourceMappings"][0]["UUID"].as_str().unwrap();
    let path = format!("/2015-03-31/event-source-mappings/{id}");
    for (enabled, expected) in [(false, true), (true, false)] {
        call(stack, "lambda", "PUT", &path, "", &json!({ "Enabled": enabled }).to_string()).await;
        if expected {
            fails("is Disabled: its messages wait").await;
        }
    }
    is_well().await;
}

async fn secrets(stack: &Stack) {
    let arn = stack.name("PEPPER_SECRET_ARN");
    let ask = async |operation: &str, body: Value| {
        call(stack, "secretsmanager", "POST", "/", &format!("secretsmanager.{operation}"), &body.to_string()).await
    };
    let before: Value = serde_json::from_str(&ask("GetSecretValue", json!({ "SecretId": arn })).await).unwrap();
    let placeholder = json!({ "current": 1, "1": "changeme-changeme-changeme-changeme" }).to_string();
    ask("PutSecretValue", json!({ "SecretId": arn, "SecretString": placeholder })).await;
    fails("secret Peppers: cannot be used: pepper 1 is too short or a placeholder").await;
    let (_, said) = STACK.consigne(&["doctor"], "").await;
    assert!(!said.contains("changeme"), "a secret is never printed: {said}");
    ask("PutSecretValue", json!({ "SecretId": arn, "SecretString": before["SecretString"] })).await;
    is_well().await;
}

/// The policy of the documents allows everything that the doctor asks, and a missing right is a warning that names it.
async fn rights(stack: &Stack) {
    let policy = include_str!("../../../../../docs/operate/doctor-policy.json").replace("consigne", STACK.name);
    let mut policy: Value = serde_json::from_str(&policy).unwrap();
    // The laptop's server takes `GetEventSourceMapping` for another action, a bus for a rule, and puts `default/` before the
    // names of rules on the default bus.
    let own = json!(["events:DescribeEventBus", "events:DescribeRule", "events:ListTargetsByRule"]);
    let rules = json!({ "Sid": "Rules", "Effect": "Allow", "Action": own, "Resource": ["arn:aws:events:*:*:rule/default/*", "arn:aws:events:*:*:event-bus/*"] });
    let sources = json!({ "Effect": "Allow", "Action": "lambda:ListEventSourceMappings", "Resource": "*" });
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.extend([rules, sources]);
    // CloudFormation begins the name of a secret with that of the resource, and the laptop's server with that of the stack.
    let secrets = statements.iter_mut().find(|one| one["Sid"] == SECRETS).unwrap();
    let own = json!(format!("arn:*:secretsmanager:*:*:secret:{}-*", STACK.name));
    secrets["Resource"].as_array_mut().unwrap().push(own);
    let mut without = policy.clone();
    let statements = without["Statement"].as_array_mut().unwrap();
    statements.retain(|one| one["Sid"] != SECRETS && one["Sid"] != "Rules");
    let (region, address) = (stack.name("AWS_REGION"), stack.name("AWS_ENDPOINT_URL"));
    for (user, policy, denied) in [
        ("doctor-whole", policy, vec![]),
        (
            "doctor-part",
            without,
            vec!["events:DescribeEventBus", "events:DescribeRule", "secretsmanager:GetSecretValue"],
        ),
    ] {
        let iam = async |form: String| call(stack, "iam", "POST", "/", "", &form).await;
        iam(format!("Action=CreateUser&Version=2010-05-08&UserName={user}")).await;
        let document = policy.to_string().bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02X}"));
        let put =
            format!("Action=PutUserPolicy&Version=2010-05-08&UserName={user}&PolicyName=p&PolicyDocument={document}");
        iam(put).await;
        let key = iam(format!("Action=CreateAccessKey&Version=2010-05-08&UserName={user}")).await;
        let part = |name: &str| key.split(&format!("<{name}>")).nth(1).unwrap().split('<').next().unwrap().to_owned();
        let (id, secret) = (part("AccessKeyId"), part("SecretAccessKey"));
        let shell = [
            ("AWS_ENDPOINT_URL", address),
            ("AWS_ACCESS_KEY_ID", id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", secret.as_str()),
        ];
        let (output, out, err) =
            operator::consigne(&["doctor", "--json", "--stack", STACK.name, "--region", region], &shell);
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
        let findings = report["checks"].as_array().unwrap();
        let warnings = in_state(findings, "warning");
        let named = |action: &&str| warnings.iter().any(|line| line.ends_with(&format!("you may not call {action}")));
        assert!(denied.iter().all(named) && warnings.is_empty() == denied.is_empty(), "{user}: {warnings:#?}");
        assert_eq!(output.status.code(), Some(0), "{user}: {:#?}", in_state(findings, "failed"));
    }
}
