//! Checks of the bus, its rules, and the event sources of functions.

use futures_util::StreamExt as _;
use futures_util::stream::iter;
use serde_json::{Value, json};

use super::facts::Resource;
use super::finding::{Finding, State};
use super::{AT_ONCE, FEW_AT_ONCE, Patient};
use crate::aws::{EVENTS, Refusal};

/// Share of the account's concurrency that queues may take. The rest answers requests.
const SHARE: f64 = 0.5;
/// Concurrency that AWS gives an event source without a maximum. Source: AWS Lambda developer guide, "Configuring
/// scaling behavior for SQS event source mappings".
const UNBOUNDED: u64 = 1_000;

/// Checks the bus and each rule of the stack.
pub(crate) async fn rules(patient: &Patient) -> Vec<Finding> {
    let bus = patient.facts.physical("Bus");
    let asked = patient.aws.json(EVENTS, "events:DescribeEventBus", "DescribeEventBus", json!({ "Name": bus })).await;
    let mut found = vec![match &asked {
        Ok(_) => Finding::ok("bus", "is there"),
        Err(refusal) => Finding::refused("bus", refusal, patient.laptop),
    }];
    let all: Vec<&Resource> = patient.facts.of_kind("AWS::Events::Rule").collect();
    let judged: Vec<Finding> = iter(&all).map(|one| rule(patient, one)).buffer_unordered(AT_ONCE).collect().await;
    found.extend(summed("rules", judged, "rules are enabled and have a target"));
    found
}

async fn rule(patient: &Patient, resource: &Resource) -> Finding {
    // CloudFormation names a rule of a bus of one's own `bus|rule`, and the laptop's server only `rule`.
    let (bus, name) = resource.physical.rsplit_once('|').unwrap_or(("default", &resource.physical));
    match on_bus(patient, bus, name).await {
        Err(Refusal::Missing(_)) if bus == "default" => on_bus(patient, patient.facts.physical("Bus"), name).await,
        found => found,
    }
    .unwrap_or_else(|refusal| Finding::refused(format!("rule {name}"), &refusal, patient.laptop))
}

async fn on_bus(patient: &Patient, bus: &str, name: &str) -> Result<Finding, Refusal> {
    let ask = |key: &str| json!({ key: name, "EventBusName": bus });
    let described = patient.aws.json(EVENTS, "events:DescribeRule", "DescribeRule", ask("Name"));
    let targets = patient.aws.json(EVENTS, "events:ListTargetsByRule", "ListTargetsByRule", ask("Rule"));
    let (rule, targets) = tokio::join!(described, targets);
    // Both may be refused. The first one is named, whichever came back first.
    Ok(judge_rule(&format!("rule {name}"), &rule?, &targets?, bus))
}

/// Judges answers of `DescribeRule` and `ListTargetsByRule`.
fn judge_rule(check: &str, rule: &Value, targets: &Value, bus: &str) -> Finding {
    let name = check.strip_prefix("rule ").unwrap_or(check);
    if rule["State"] == "DISABLED" {
        let cure = format!("`aws events enable-rule --name {name} --event-bus-name {bus}`");
        return Finding::failed(check, "is disabled: what it leads to does not happen", cure);
    }
    let some = targets["Targets"].as_array().is_some_and(|targets| !targets.is_empty());
    Finding::when(some, check, "is enabled and has a target", "has no target", "deploy the stack: `make deploy`")
}

/// Checks each event source of a function, and whether together they leave concurrency for requests.
pub(crate) async fn sources(patient: &Patient) -> Vec<Finding> {
    let all: Vec<&Resource> = patient.facts.of_kind("AWS::Lambda::EventSourceMapping").collect();
    let read = iter(&all).map(|one| async move {
        patient.lambda.turn().await;
        let path = format!("/2015-03-31/event-source-mappings/{}", one.physical);
        (*one, patient.aws.rest("lambda", "lambda", "lambda:GetEventSourceMapping", path).await)
    });
    let read: Vec<(&Resource, Result<Value, Refusal>)> = read.buffer_unordered(FEW_AT_ONCE).collect().await;
    let judged = read.iter().map(|(one, answer)| match answer {
        Ok(source) => judge_source(&one.logical, &one.physical, source),
        Err(refusal) => Finding::refused(format!("source {}", one.logical), refusal, patient.laptop),
    });
    let mut found = summed("event sources", judged.collect(), "event sources are enabled");
    let taken = read.iter().filter_map(|(_, answer)| answer.as_ref().ok()).map(concurrency).sum();
    let path = "/2016-08-19/account-settings".to_owned();
    patient.lambda.turn().await;
    found.push(match patient.aws.rest("lambda", "lambda", "lambda:GetAccountSettings", path).await {
        Ok(settings) => room(&settings, taken),
        Err(refusal) => Finding::refused("concurrency", &refusal, patient.laptop),
    });
    found
}

/// Judges an answer of `GetEventSourceMapping`.
fn judge_source(logical: &str, id: &str, source: &Value) -> Finding {
    let (name, state) = (format!("source {logical}"), source["State"].as_str().unwrap_or("unknown"));
    let enable = format!("`aws lambda update-event-source-mapping --uuid {id} --enabled`");
    let last = source["LastProcessingResult"].as_str().unwrap_or_default();
    match state {
        "Enabled" | "Updating" | "Enabling" | "Creating" if last.starts_with("PROBLEM") => {
            let cure = "docs/operate/monitor.md; `consigne logs` shows the function behind it";
            Finding::failed(name, last, cure)
        }
        "Enabled" => Finding::ok(name, "is enabled"),
        "Updating" | "Enabling" | "Creating" => Finding::warning(name, format!("is {state}"), "wait a minute"),
        other => Finding::failed(name, format!("is {other}: its messages wait"), enable),
    }
}

/// Returns how many functions a queue's event source may run at once. A stream's has a shard at a time.
fn concurrency(source: &Value) -> u64 {
    let arn = source["EventSourceArn"].as_str().unwrap_or_default();
    if !arn.contains(":sqs:") {
        return 0;
    }
    source["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap_or(UNBOUNDED)
}

/// Judges the account's concurrency against what queues may take of it.
fn room(settings: &Value, taken: u64) -> Finding {
    let account = settings["AccountLimit"]["ConcurrentExecutions"].as_u64().unwrap_or(0);
    let text = format!("the account may run {account} functions at once, and queues may take {taken} of them");
    // Both are small numbers.
    #[allow(clippy::cast_precision_loss)]
    let fits = taken as f64 <= account as f64 * SHARE;
    if fits {
        Finding::ok("concurrency", text)
    } else {
        let cure = "ask for more under Service Quotas, AWS Lambda, Concurrent executions (free), or lower \
                    DeliveryConcurrency and the like";
        Finding::warning("concurrency", text, cure)
    }
}

/// Returns the findings that are not well, or one line for all if they are.
pub(crate) fn summed(name: &str, mut found: Vec<Finding>, good: &str) -> Vec<Finding> {
    let all = found.len();
    found.retain(|one| one.state != State::Ok);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if found.is_empty() && all > 0 {
        return vec![Finding::ok(name, format!("all {all} {good}"))];
    }
    if all == 0 {
        let cure = "give the right --stack, or deploy it: `make deploy`";
        return vec![Finding::failed(name, "the stack has none", cure)];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disabled_rules_and_rules_without_a_target_fail() {
        let one = json!({ "Targets": [{ "Id": "queue" }] });
        let judge = |state, targets: &Value| judge_rule("rule s-mails", &json!({ "State": state }), targets, "s");
        assert_eq!(judge("ENABLED", &one).state, State::Ok);
        assert_eq!(judge("ENABLED", &json!({ "Targets": [] })).state, State::Failed);
        let off = judge("DISABLED", &one);
        assert_eq!(off.state, State::Failed);
        assert_eq!(off.cure.as_deref(), Some("`aws events enable-rule --name s-mails --event-bus-name s`"));
    }

    #[test]
    fn event_sources_that_are_off_or_have_a_problem_fail() {
        let judge = |source: Value| judge_source("MailSource", "u-1", &source);
        assert_eq!(judge(json!({ "State": "Enabled", "LastProcessingResult": "OK" })).state, State::Ok);
        assert_eq!(judge(json!({ "State": "Enabling" })).state, State::Warning);
        let off = judge(json!({ "State": "Disabled" }));
        assert!(off.state == State::Failed && off.cure.unwrap().contains("--uuid u-1 --enabled"));
        let problem = json!({ "State": "Enabled", "LastProcessingResult": "PROBLEM: Function call failed" });
        assert_eq!(judge(problem).state, State::Failed);
    }

    #[test]
    fn queues_must_leave_concurrency_for_requests() {
        let source = |arn: &str, most: Option<u64>| json!({ "EventSourceArn": arn, "ScalingConfig": { "MaximumConcurrency": most } });
        assert_eq!(concurrency(&source("arn:aws:sqs:r:1:q", Some(20))), 20);
        assert_eq!(concurrency(&source("arn:aws:sqs:r:1:q", None)), 1_000);
        assert_eq!(concurrency(&source("arn:aws:dynamodb:r:1:table/t/stream/x", None)), 0);
        let account = |limit| json!({ "AccountLimit": { "ConcurrentExecutions": limit } });
        assert_eq!(room(&account(1_000), 200).state, State::Ok);
        assert_eq!(room(&account(50), 45).state, State::Warning);
    }

    #[test]
    fn what_is_well_takes_one_line_and_a_stack_without_any_fails() {
        let (ok, bad) = (Finding::ok("rule a", "x"), Finding::failed("rule b", "x", "y"));
        assert_eq!(summed("rules", vec![ok.clone(), ok.clone()], "are on"), [Finding::ok("rules", "all 2 are on")]);
        assert_eq!(summed("rules", vec![ok, bad.clone()], "are on"), [bad]);
        assert_eq!(summed("rules", Vec::new(), "are on")[0].state, State::Failed);
    }
}
