//! `consigne doctor`: examines every connection and setting of a stack, and says how to mend what is wrong.

mod account;
pub(crate) mod bucket;
mod events;
pub(crate) mod facts;
mod finding;
mod functions;
mod identity;
mod mail;
mod metrics;
mod outside;
mod queues;
mod secrets;
mod show;
pub(crate) mod table;
mod web;

use std::time::Duration;

use clap::Args;
use consigne_runtime::clock;
use consigne_runtime::settings::EnvVars;
use consigne_storage::{Bucket, Table};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, join_all};

use crate::aws::Aws;
use crate::operator::{Operator, work};
use crate::redrive::STACK;
use crate::report::Outcome;
use crate::stack_env::Which;
use facts::StackFacts;
use finding::Finding;
use web::Web;

/// Calls of one kind that run at once. Services throttle more.
const AT_ONCE: usize = 8;
/// Longest time for one group of checks.
const GROUP: Duration = Duration::from_secs(25);
/// Longest time for a detection of drift.
const DRIFT: Duration = Duration::from_mins(15);

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  consigne doctor
  consigne doctor --watch 30
  consigne --stack consigne --region eu-west-3 doctor --strict --json

It exits with 1 if a check failed; with --strict also if one has a warning. It changes nothing. docs/operate/doctor.md lists
the checks and the rights they need.")]
pub(crate) struct Options {
    /// Count warnings as failures in the exit code.
    #[arg(long)]
    strict: bool,
    /// Let CloudFormation compare every resource with the template, which takes minutes.
    #[arg(long)]
    drift: bool,
    /// Examine again every so many seconds until Ctrl-C, and show what has changed.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=86_400))]
    watch: Option<u64>,
}

/// The stack that is examined, and what is needed for that.
#[derive(Debug)]
pub(crate) struct Patient {
    aws: Aws,
    sqs: aws_sdk_sqs::Client,
    web: Web,
    table: Table,
    bucket: Bucket,
    table_name: String,
    bucket_name: String,
    api_url: String,
    /// Access key and, if it is known, the end of the operator's credentials.
    access_key: String,
    expires: Option<String>,
    pepper_arn: String,
    facts: StackFacts,
    /// Whether another server stands in for AWS.
    laptop: bool,
}

pub(crate) fn run(which: &Which, options: &Options, as_json: bool) -> Outcome {
    let operator = Operator::of_stack(which, &["TABLE_NAME", "BUCKET_NAME", STACK])?;
    let examined = || work(async { Ok(examine(&operator, options).await) });
    let Some(seconds) = options.watch else {
        let (stack, findings) = (operator.name(STACK), examined()?);
        return Ok(show::report(&stack, &findings, options.strict));
    };
    let mut before: Option<Vec<Finding>> = None;
    loop {
        let findings = examined()?;
        show::watched(&operator.name(STACK), before.as_deref(), &findings, as_json)?;
        before = Some(findings);
        work(async {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(())
        })?;
    }
}

/// Examines the stack. The checks run beside each other, each group within its own time.
async fn examine(operator: &Operator, options: &Options) -> Vec<Finding> {
    let (stack, aws) = (operator.name(STACK), operator.aws());
    let laptop = operator.is_elsewhere();
    let (table, bucket) = match (operator.table(), operator.bucket()) {
        (Ok(table), Ok(bucket)) => (table, bucket),
        (Err(why), _) | (_, Err(why)) => return vec![Finding::failed("table answers", why, "docs/operate/doctor.md")],
    };
    let read = StackFacts::read(&aws, &stack).await;
    let known = read.as_ref().err().map_or_else(Vec::new, |why| vec![Finding::refused("stack", why, laptop)]);
    let patient = Patient {
        facts: read.unwrap_or_else(|_| StackFacts::unknown(stack)),
        sqs: operator.sqs(),
        web: Web::new(),
        table,
        bucket,
        table_name: operator.name("TABLE_NAME"),
        bucket_name: operator.name("BUCKET_NAME"),
        api_url: operator.name("CONSIGNE_URL"),
        access_key: operator.name("AWS_ACCESS_KEY_ID"),
        expires: Some(operator.name("AWS_CREDENTIAL_EXPIRATION")).filter(|time| !time.is_empty()),
        pepper_arn: operator.name("PEPPER_SECRET_ARN"),
        aws,
        laptop,
    };
    let mut found = known;
    found.extend(join_all(groups(&patient, options)).await.into_iter().flatten());
    found
}

/// Returns the groups of checks, each bounded in time.
fn groups<'a>(patient: &'a Patient, options: &Options) -> Vec<LocalBoxFuture<'a, Vec<Finding>>> {
    let mut groups: Vec<(&'static str, Duration, LocalBoxFuture<'a, Vec<Finding>>)> = vec![
        ("credentials", GROUP, account::caller(patient).boxed_local()),
        ("table", GROUP, table::settings(patient).boxed_local()),
        ("table answers", GROUP, table::overdue(patient, clock::now()).boxed_local()),
        ("bucket", GROUP, bucket::settings(patient).boxed_local()),
        (queues::DEAD, GROUP, queues::all(patient).boxed_local()),
        ("API", GROUP, outside::api(patient).boxed_local()),
    ];
    // These ask about the resources that CloudFormation names.
    if !patient.facts.resources.is_empty() {
        groups.splice(0..0, [("stack", GROUP, async { place(patient) }.boxed_local())]);
        groups.extend([
            ("rules", GROUP, events::rules(patient).boxed_local()),
            ("event sources", GROUP, events::sources(patient).boxed_local()),
            ("functions", GROUP, functions::states(patient).boxed_local()),
            ("errors", GROUP, functions::errors(patient).boxed_local()),
            ("sign-in keys", GROUP, identity::all(patient).boxed_local()),
            ("mail", GROUP, mail::all(patient).boxed_local()),
            ("secrets", GROUP, kept(patient).boxed_local()),
        ]);
        if options.drift {
            groups.push(("drift", DRIFT, account::drift(patient).boxed_local()));
        }
    }
    let bounded = groups.into_iter().map(|(name, most, checks)| within(name, most, checks).boxed_local());
    bounded.collect()
}

/// Waits for a group of checks, and says so if it takes too long.
async fn within(name: &'static str, most: Duration, checks: LocalBoxFuture<'_, Vec<Finding>>) -> Vec<Finding> {
    let late = || Finding::failed(name, format!("no answer within {} s", most.as_secs()), "try again");
    tokio::time::timeout(most, checks).await.unwrap_or_else(|_| vec![late()])
}

/// Checks what is known of the stack without a further call.
fn place(patient: &Patient) -> Vec<Finding> {
    let shell = EnvVars::process().variable("AWS_REGION").filter(|_| !patient.laptop);
    vec![
        account::stack(&patient.facts.status),
        account::region(patient.aws.region(), &patient.pepper_arn, shell.as_deref()),
    ]
}

/// Checks the secrets, and then the services whose keys they hold.
async fn kept(patient: &Patient) -> Vec<Finding> {
    let (mut found, secrets) = secrets::all(patient).await;
    let (stripe, model) = tokio::join!(outside::stripe(patient, &secrets), outside::model(patient, &secrets));
    found.extend(stripe);
    found.extend(model);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use finding::State;

    #[test]
    fn the_policy_of_the_documents_allows_every_action_that_is_asked() {
        let policy = include_str!("../../../../docs/operate/doctor-policy.json");
        let sources = [
            include_str!("account.rs"),
            include_str!("bucket.rs"),
            include_str!("events.rs"),
            include_str!("facts.rs"),
            include_str!("functions.rs"),
            include_str!("mail.rs"),
            include_str!("metrics.rs"),
            include_str!("queues.rs"),
            include_str!("secrets.rs"),
            include_str!("table.rs"),
            include_str!("../logs.rs"),
        ];
        // The rights for --drift are named in docs/operate/doctor.md.
        let drift = ["Drift", "Drifts", "DriftDetectionStatus"];
        let services =
            ["cloudformation", "cloudwatch", "dynamodb", "events", "lambda", "logs", "s3", "ses", "sqs", "sts"];
        let mut asked = 0;
        for word in sources.iter().flat_map(|source| source.split('"')) {
            let Some((service, action)) = word.split_once(':') else { continue };
            let is_action = action.starts_with(|c: char| c.is_ascii_uppercase()) && !action.contains(' ');
            if is_action && services.contains(&service) && !drift.iter().any(|end| action.ends_with(end)) {
                assert!(policy.contains(&format!("\"{word}\"")), "{word} is asked and not in doctor-policy.json");
                asked += 1;
            }
        }
        assert!(asked > 25, "{asked} actions were found");
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_is_a_failure_and_does_not_hold_up_the_others() {
        let hangs = std::future::pending::<Vec<Finding>>().boxed_local();
        let quick = async { vec![Finding::ok("table", "is active")] }.boxed_local();
        let (late, quick) = tokio::join!(within("mail", GROUP, hangs), within("table", GROUP, quick));
        assert_eq!((late[0].state, late[0].name.as_str()), (State::Failed, "mail"));
        assert!(late[0].text.contains("25 s") && quick[0].state == State::Ok);
    }
}
