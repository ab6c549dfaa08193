//! How the operator's command line chooses its stack.

use std::process::{Command, Output, Stdio};

use consigne_testkit::org_fixture::OrgFixture;
use consigne_testkit::payload::{built, root};
use consigne_testkit::stack::Stack;
use serde_json::Value;

/// Runs `consigne` with environment variables. Returns its result, standard output and standard error.
pub fn consigne(arguments: &[&str], shell: &[(&str, &str)]) -> (Output, String, String) {
    let mut command = Command::new(built("consigne"));
    for name in ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env_remove(name);
    }
    command.env_remove("AWS_PROFILE").stdin(Stdio::null());
    // Without the AWS CLI, because that could find credentials of the machine.
    let output = command.args(arguments).env("PATH", "").envs(shell.iter().copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

/// Environment variables of a user with an AWS account of their own. Nothing listens at the address.
const OWN: [(&str, &str); 4] = [
    ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ("AWS_REGION", "eu-west-3"),
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "own"),
];

/// The checks of `doctor` that other tests do not disturb. Some of them leave messages in dead-letter queues.
fn answers(out: &str) {
    let report: Value = serde_json::from_str(out).unwrap();
    let undisturbed = |check: &&Value| !check["name"].as_str().unwrap().starts_with("dead letters in ");
    for check in report["checks"].as_array().unwrap().iter().filter(undisturbed) {
        assert_eq!(check["ok"], true, "{report}");
    }
}

#[test]
fn the_laptops_stack_has_precedence_over_the_environment() {
    let stack = Stack::find();
    let (_, out, err) = consigne(&["doctor", "--json"], &OWN);
    answers(&out);
    let line = format!("Acting on the laptop's stack consigne at {}.\n", stack.name("AWS_ENDPOINT_URL"));
    let cause = "AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID of this shell have no effect here; --stack acts on a stack \
                 on AWS.\n";
    assert_eq!(err, format!("{line}{cause}"), "the first line must name the stack");
    let (_, _, err) = consigne(&["doctor"], &[]);
    assert_eq!(err, line, "without an account of its own there is nothing else to say");
}

#[test]
fn a_file_that_leads_to_aws_is_not_a_laptops() {
    let stack = Stack::find();
    let names = std::fs::read_to_string(root().join("target/local/stack.env")).unwrap();
    let own = format!("AWS_ENDPOINT_URL={}\n", stack.name("AWS_ENDPOINT_URL"));
    assert!(names.contains(&own));
    for (name, with) in [("without", ""), ("aws", "AWS_ENDPOINT_URL=https://dynamodb.eu-west-3.amazonaws.com\n")] {
        let file = root().join(format!("target/local/{name}-address.env"));
        std::fs::write(&file, names.replace(&own, with)).unwrap();
        let (output, out, err) = consigne(&["org", "list", "--env-file", file.to_str().unwrap()], &OWN);
        std::fs::remove_file(file).unwrap();
        assert_eq!(output.status.code(), Some(1), "{out}{err}");
        assert!(out.is_empty() && err.contains("is not the file of a laptop's stack"), "{err}");
    }
}

#[test]
fn a_stack_on_aws_is_found_by_its_outputs_with_the_environments_credentials() {
    let stack = Stack::find();
    let address = stack.name("AWS_ENDPOINT_URL");
    let shell = [("AWS_ENDPOINT_URL", address), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let region = stack.name("AWS_REGION");
    let (_, out, err) = consigne(&["doctor", "--json", "--stack", "consigne", "--region", region], &shell);
    assert_eq!(err, format!("Acting on the stack consigne in {region}, account 000000000000, at {address}.\n"));
    answers(&out);

    for command in ["doctor", "redrive"] {
        let (output, _, err) = consigne(&[command, "--stack", "nothing", "--region", region], &shell);
        assert!(!output.status.success() && err.contains("CloudFormation in us-east-1 answered 400"), "{err}");
    }
    let (output, _, err) = consigne(&["doctor", "--stack", "consigne-observe", "--region", region], &shell);
    assert!(!output.status.success() && err.contains("not one of Consigne's"), "{err}");
}

#[tokio::test]
async fn a_stack_on_aws_is_changed_only_by_a_named_operator_who_agrees() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let (address, region) = (stack.name("AWS_ENDPOINT_URL"), stack.name("AWS_REGION"));
    let shell = [("AWS_ENDPOINT_URL", address), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let place = format!("the stack consigne in {region}, account 000000000000, at {address}");
    let run = |arguments: &[&str], more: &[(&str, &str)]| {
        let on_aws = [arguments, &["--stack", "consigne", "--region", region]].concat();
        consigne(&on_aws, &[&shell, more].concat())
    };
    let suspended = ["org", "suspend", &fixture.org, "--reason", "未払い"];
    for change in [
        suspended.as_slice(),
        &["org", "enrol"],
        &["org", "delete", &fixture.org, "--confirm", "x", "--reason", "x"],
        &["org", "policy", &fixture.org, "suspend"],
        &["credits", "grant", &fixture.org, "1", "--reason", "x"],
        &["key", "resume", &fixture.org, "key_01M7YREWKH7VM7Z3Z2KWSH2FTS", "--reason", "x"],
        &["redrive", "mails"],
        &["pepper", "add"],
        &["pepper", "promote", "1"],
        &["pepper", "retire", "9"],
        &["service-token", "add", "x"],
        &["service-token", "allow", "x", "files"],
        &["service-token", "deny", "x", "files"],
        &["service-token", "retire", "x"],
        &["webhook-secret", "rotate", "generator"],
        &["webhook-secret", "retire", "generator"],
    ] {
        let (output, out, err) = run(change, &[]);
        assert_eq!(output.status.code(), Some(1), "{change:?}: {out}{err}");
        assert!(err.contains(&format!("Nothing was changed: {place} is on AWS")) && err.contains("--yes"), "{err}");
        assert!(out.is_empty(), "{out}");
    }
    let (output, out, err) = run(&[&suspended[..], &["--yes", "--as", "Zoë", "--json"]].concat(), &[]);
    assert!(output.status.success(), "{out}{err}");
    let done: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&done["changed"], &done["state"]), (&Value::Bool(true), &"suspended".into()));
    let (output, out, err) = run(&[&suspended[..], &["--yes"]].concat(), &[("USER", "ann")]);
    assert!(output.status.success() && out.contains("was suspended already; nothing was changed"), "{out}{err}");
    let (_, out, _) = run(&["audit", &fixture.org, "--json", "--action", "org.susp"], &[]);
    let log: Value = serde_json::from_str(&out).unwrap();
    let actors: Vec<&str> =
        log["entries"].as_array().unwrap().iter().map(|entry| entry["actor"].as_str().unwrap()).collect();
    assert_eq!(actors, ["operator:Zoë"], "suspending twice writes one entry");
}

#[tokio::test]
async fn whoever_changes_something_has_a_name_in_the_audit_log() {
    let stack = Stack::find();
    let fixture = OrgFixture::open(&stack, 0).await;
    let grant = ["credits", "grant", &fixture.org, "1", "--reason", "a name"];
    for (shell, given) in [
        ([("USER", "ann"), ("LOGNAME", "bob")].as_slice(), None),
        (&[("USER", ""), ("LOGNAME", "bob")], None),
        (&[("USER", ""), ("LOGNAME", "")], None),
        (&[("USER", "ann")], Some("本田 é")),
    ] {
        let arguments = [&grant[..], &given.map_or(vec![], |name| vec!["--as", name])].concat();
        let (output, out, err) = consigne(&arguments, shell);
        assert!(output.status.success(), "{out}{err}");
    }
    let (_, out, _) = consigne(&["audit", &fixture.org, "--json", "--action", "credits."], &[]);
    let log: Value = serde_json::from_str(&out).unwrap();
    let actors: Vec<&str> =
        log["entries"].as_array().unwrap().iter().map(|entry| entry["actor"].as_str().unwrap()).collect();
    let system = Command::new("id").arg("-un").output().unwrap();
    let system = format!("operator:{}", String::from_utf8(system.stdout).unwrap().trim());
    assert_eq!(actors, ["operator:本田 é", &system, "operator:bob", "operator:ann"]);
    let (output, _, err) = consigne(&[&grant[..], &["--as", "a\nb"]].concat(), &[]);
    assert!(!output.status.success() && err.starts_with("--as "), "{err}");
}

#[test]
fn the_exit_code_says_whether_the_arguments_were_wrong() {
    for wrong in [["org", "suspnd"].as_slice(), &["org", "list", "--limit", "0"], &["nothing"], &["keys"]] {
        let (output, out, err) = consigne(wrong, &[]);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {err}");
        assert!(out.is_empty() && err.contains("--help"), "{err}");
    }
    let (_, _, err) = consigne(&["org", "suspnd"], &[]);
    assert!(err.contains("'suspend'"), "a slip of the pen is recognised: {err}");
    let (output, out, _) = consigne(&["completions", "bash"], &[]);
    assert!(output.status.success() && out.starts_with("_consigne()"), "{out}");
}

#[test]
fn missing_settings_are_reported_before_any_call() {
    for (arguments, words) in [
        (["doctor", "--stack", "consigne"].as_slice(), "Name the region of the stack, such as --region"),
        (&["doctor", "--stack", "consigne", "--region", "eu-west-3"], "There are no AWS credentials in this shell."),
        (&["doctor", "--stack", "a&b", "--region", "eu-west-3"], "There are no AWS credentials"),
        (&["doctor", "--region", "eu-west-3"], "--stack <NAME>"),
        (&["doctor", "--env-file", "nowhere.env"], "nowhere.env cannot be read"),
        (&["token", "--user", "user_ann", "--stack", "consigne"], "Only the laptop's stack accepts tokens made here"),
    ] {
        let (output, out, err) = consigne(arguments, &[]);
        assert!(!output.status.success() && err.contains(words), "{arguments:?}: {out}{err}");
    }
}

#[test]
fn the_token_command_prints_only_the_token() {
    let (_, out, err) = consigne(&["token", "--user", "user_ann", "--plan", "pro"], &OWN);
    assert!(out.starts_with("eyJ") && out.trim().split('.').count() == 3, "{out}");
    assert_eq!(err, "");
}
