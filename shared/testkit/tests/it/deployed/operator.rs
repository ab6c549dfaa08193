//! How the operator's command line chooses its stack.

use std::process::{Command, Output};

use consigne_testkit::payload::built;
use consigne_testkit::stack::Stack;

/// Runs `consigne` with environment variables. Returns its result, standard output and standard error.
fn consigne(arguments: &[&str], shell: &[(&str, &str)]) -> (Output, String, String) {
    let mut command = Command::new(built("consigne"));
    for name in ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        command.env_remove(name);
    }
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

#[test]
fn the_laptops_stack_has_precedence_over_the_environment() {
    let stack = Stack::find();
    let (output, out, err) = consigne(&["doctor"], &OWN);
    assert!(output.status.success(), "{out}{err}");
    let line = format!("Acting on the laptop's stack consigne at {}.\n", stack.name("AWS_ENDPOINT_URL"));
    assert_eq!(err, line, "the first line must name the stack");
}

#[test]
fn a_stack_on_aws_is_found_by_its_outputs_with_the_environments_credentials() {
    let stack = Stack::find();
    let address = stack.name("AWS_ENDPOINT_URL");
    let shell = [("AWS_ENDPOINT_URL", address), ("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")];
    let region = stack.name("AWS_REGION");
    let (output, out, err) = consigne(&["doctor", "--stack", "consigne", "--region", region], &shell);
    assert!(output.status.success(), "{out}{err}");
    assert_eq!(err, format!("Acting on the stack consigne in {region}, account 000000000000, at {address}.\n"));
    assert!(out.contains("All is well."), "{out}");

    let (output, _, err) = consigne(&["doctor", "--stack", "nothing", "--region", region], &shell);
    assert!(!output.status.success() && err.contains("CloudFormation in us-east-1 answered 400"), "{err}");
    let (output, _, err) = consigne(&["doctor", "--stack", "consigne-observe", "--region", region], &shell);
    assert!(!output.status.success() && err.contains("not one of Consigne's"), "{err}");
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
