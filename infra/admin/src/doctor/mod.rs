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
mod pace;
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

use crate::aws::{Aws, EXPIRED, Refusal};
use crate::operator::{Operator, work};
use crate::redrive::STACK;
use crate::report::Outcome;
use crate::stack_env::Which;
use facts::StackFacts;
use finding::Finding;
use pace::Pace;
use web::Web;

/// Calls of one kind that run at once. Services throttle more.
const AT_ONCE: usize = 8;
/// The same for Lambda, which answers fewer.
const FEW_AT_ONCE: usize = 4;
/// Time between two calls to Lambda, which answers 15 of these a second. Source: AWS Lambda developer guide, "Lambda
/// quotas".
const LAMBDA: Duration = Duration::from_millis(80);
/// Time between two calls to SES, which answers one a second. Source: Amazon SES developer guide, "Service quotas".
const SES: Duration = Duration::from_secs(1);
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
    /// The pace at which Lambda may be asked.
    lambda: Pace,
    /// The pace at which SES may be asked.
    ses: Pace,
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
    let signed_in = || Operator::of_stack(which, &["TABLE_NAME", "BUCKET_NAME", STACK]);
    let mut operator = signed_in()?;
    let examined = |operator: &Operator| work(async { Ok(examine(operator, options).await) });
    let Some(seconds) = options.watch else {
        let (stack, findings) = (operator.name(STACK), examined(&operator)?);
        return Ok(show::report(&stack, &findings, options.strict));
    };
    let mut before: Option<Vec<Finding>> = None;
    loop {
        let findings = look(&mut operator, examined, signed_in)?;
        show::watched(&operator.name(STACK), before.as_deref(), &findings, as_json)?;
        before = Some(findings);
        work(async {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok(())
        })?;
    }
}

/// Examines once. If the credentials have expired meanwhile, reads them again, as a profile may have new ones, and
/// examines once more.
///
/// # Errors
/// If there are no credentials that are valid.
fn look<T>(
    operator: &mut T,
    examined: impl Fn(&T) -> Result<Vec<Finding>, String>,
    signed_in: impl Fn() -> Result<T, String>,
) -> Result<Vec<Finding>, String> {
    let findings = examined(operator)?;
    if !have_expired(&findings) {
        return Ok(findings);
    }
    *operator = signed_in().map_err(|why| format!("{EXPIRED}\n{why}"))?;
    let findings = examined(operator)?;
    if have_expired(&findings) { Err(EXPIRED.to_owned()) } else { Ok(findings) }
}

/// Returns whether a service has refused a call because the credentials have expired: `ExpiredToken` or
/// `ExpiredTokenException`.
fn have_expired(findings: &[Finding]) -> bool {
    findings.iter().any(|one| !one.is_well() && one.text.contains("ExpiredToken"))
}

/// Examines the stack. The checks run beside each other, each group within its own time.
async fn examine(operator: &Operator, options: &Options) -> Vec<Finding> {
    let (stack, aws) = (operator.name(STACK), operator.aws());
    let laptop = operator.is_elsewhere();
    let (table, bucket) = match (operator.table(), operator.bucket()) {
        (Ok(table), Ok(bucket)) => (table, bucket),
        (Err(why), _) | (_, Err(why)) => return vec![Finding::failed("table answers", why, "docs/operate/doctor.md")],
    };
    let (facts, refusals) = StackFacts::read_in_part(&aws, &stack).await;
    let paced = |between| Pace::new(if laptop { Duration::ZERO } else { between });
    let patient = Patient {
        facts,
        lambda: paced(LAMBDA),
        ses: paced(SES),
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
    let (runnable, mut found) = divided(&patient.facts, groups(&patient, options), &refusals, laptop);
    let bounded = runnable.into_iter().map(|group| within(group.name, group.most, group.checks));
    found.extend(join_all(bounded).await.into_iter().flatten());
    found
}

/// What a group of checks needs to know of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Only its name and the names of its table and bucket.
    Nothing,
    /// Its state and its parameters.
    Description,
    /// Its resources.
    Resources,
}

/// A group of checks.
struct Group<'a> {
    name: &'static str,
    needs: Needs,
    /// Longest time for it.
    most: Duration,
    checks: LocalBoxFuture<'a, Vec<Finding>>,
}

/// Returns the groups of checks.
fn groups<'a>(patient: &'a Patient, options: &Options) -> Vec<Group<'a>> {
    fn group<'a>(name: &'static str, needs: Needs, checks: impl Future<Output = Vec<Finding>> + 'a) -> Group<'a> {
        Group { name, needs, most: GROUP, checks: checks.boxed_local() }
    }
    let mut groups = vec![
        group("stack", Needs::Description, async { place(patient) }),
        group("credentials", Needs::Nothing, account::caller(patient)),
        group("table", Needs::Nothing, table::settings(patient)),
        group("table answers", Needs::Nothing, table::overdue(patient, clock::now())),
        group("bucket", Needs::Nothing, bucket::settings(patient)),
        group(queues::DEAD, Needs::Nothing, queues::all(patient)),
        group("API", Needs::Nothing, outside::api(patient)),
        group("rules", Needs::Resources, events::rules(patient)),
        group("event sources", Needs::Resources, events::sources(patient)),
        group("functions", Needs::Resources, functions::states(patient)),
        group("errors", Needs::Nothing, functions::errors(patient)),
        group(functions::ANSWERS, Needs::Resources, functions::answers(patient)),
        group("sign-in keys", Needs::Description, identity::all(patient)),
        group("mail", Needs::Description, mail::all(patient)),
        group("secrets", Needs::Resources, kept(patient)),
    ];
    if options.drift {
        groups.push(Group { most: DRIFT, ..group("drift", Needs::Nothing, account::drift(patient)) });
    }
    groups
}

/// Divides the groups into those that can run with what is known, and findings that say why the others cannot.
/// `refusals` are those of the stack's description and of the list of its resources.
fn divided<'a>(
    facts: &StackFacts,
    groups: Vec<Group<'a>>,
    refusals: &[Option<Refusal>; 2],
    laptop: bool,
) -> (Vec<Group<'a>>, Vec<Finding>) {
    let runs = |group: &Group<'a>| match group.needs {
        Needs::Nothing => true,
        Needs::Description => facts.is_described(),
        Needs::Resources => facts.is_listed(),
    };
    let (runnable, others): (Vec<_>, Vec<_>) = groups.into_iter().partition(runs);
    let mut found = Vec::new();
    if let Some(why) = &refusals[0] {
        found.push(Finding::refused("stack", why, laptop));
    }
    if let Some(why) = refusals.iter().flatten().next_back().filter(|_| !others.is_empty()) {
        let names: Vec<&str> = others.iter().map(|group| group.name).collect();
        let cure = Finding::refused("", why, laptop).cure.unwrap_or_else(|| "docs/operate/doctor.md".to_owned());
        found.push(Finding::warning("other checks", format!("not checked: {}: {why}", names.join(", ")), cure));
    }
    (runnable, found)
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
    if !patient.facts.is_described() {
        // Their addresses are parameters.
        found.extend(["Stripe", "language model"].map(Finding::without_parameters));
        return found;
    }
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

    #[test]
    fn what_cannot_run_is_named_once_and_the_rest_runs() {
        let groups = || {
            let group = |name, needs| {
                let checks = async { Vec::new() }.boxed_local();
                Group { name, needs, most: GROUP, checks }
            };
            vec![
                group("table", Needs::Nothing),
                group("mail", Needs::Description),
                group("rules", Needs::Resources),
                group("secrets", Needs::Resources),
            ]
        };
        let divide = |facts: &StackFacts, refusals| {
            let (runnable, found) = divided(facts, groups(), &refusals, false);
            (runnable.iter().map(|group| group.name).collect::<Vec<_>>(), found)
        };
        let denied = Refusal::Denied("cloudformation:ListStackResources");
        let (facts, refusals) = StackFacts::joined("s", Ok(StackFacts::described("s", "<R/>")), Err(denied));
        let (runs, found) = divide(&facts, refusals);
        assert_eq!(runs, ["table", "mail"]);
        assert_eq!((found.len(), found[0].state), (1, State::Warning));
        assert_eq!(found[0].text, "not checked: rules, secrets: you may not call cloudformation:ListStackResources");
        assert!(found[0].cure.as_deref().is_some_and(|cure| cure.contains("doctor-policy.json")));

        let failed = Refusal::Failed("503".to_owned());
        let (facts, refusals) = StackFacts::joined("s", Err(failed.clone()), Ok(Vec::new()));
        let (runs, found) = divide(&facts, refusals);
        assert_eq!(runs, ["table", "rules", "secrets"]);
        assert_eq!(found[0], Finding::refused("stack", &failed, false));
        assert_eq!((found.len(), found[1].text.as_str()), (2, "not checked: mail: 503"));
    }

    #[test]
    fn a_watch_reads_credentials_again_once_they_have_expired() {
        let expired =
            vec![Finding::failed("table", "ExpiredTokenException: The security token included is expired", "")];
        let well = vec![Finding::ok("table", "is active")];
        // The number stands for a sign-in; only the second one is valid.
        let examined = |sign_in: &u32| Ok(if *sign_in == 2 { well.clone() } else { expired.clone() });
        let mut sign_in = 1;
        assert_eq!(look(&mut sign_in, examined, || Ok(2)), Ok(well.clone()));
        assert_eq!(look(&mut sign_in, examined, || Err("not asked".to_owned())), Ok(well.clone()));
        assert_eq!(look(&mut 1, examined, || Ok(3)), Err(EXPIRED.to_owned()));
        assert!(look(&mut 1, examined, || Err("no profile".to_owned())).unwrap_err().starts_with(EXPIRED));
    }

    #[test]
    fn the_policy_of_the_documents_allows_reading_the_secrets_of_the_template_and_no_others() {
        let template = include_str!("../../../../template.yaml");
        let lines: Vec<&str> = template.lines().collect();
        let secrets = lines.windows(2).filter(|pair| pair[1] == "    Type: AWS::SecretsManager::Secret");
        // CloudFormation names a secret without a name after the resource, and adds twelve random characters.
        let pattern =
            |pair: &[&str]| format!("arn:*:secretsmanager:*:*:secret:{}-*", pair[0].trim().trim_end_matches(':'));
        let mut want: Vec<String> = secrets.map(pattern).collect();
        want.sort();
        let policy: serde_json::Value =
            serde_json::from_str(include_str!("../../../../docs/operate/doctor-policy.json")).unwrap();
        let statements = policy["Statement"].as_array().unwrap();
        let statement = statements.iter().find(|one| one["Action"] == "secretsmanager:GetSecretValue").unwrap();
        assert_eq!(statement["Resource"], serde_json::json!(want));
        assert!(want.len() > 10 && policy.to_string().matches(":secret:").count() == want.len(), "{want:?}");
    }
}
