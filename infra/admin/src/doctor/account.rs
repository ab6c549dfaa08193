//! Checks of the stack as a whole, and of the machine and credentials that examine it.

use std::time::Duration;

use consigne_core::Timestamp;
use consigne_runtime::clock;

use super::Patient;
use super::facts::{VERSION, pages, with_token};
use super::finding::Finding;
use crate::aws::xml::{first, rows, value};
use crate::aws::{Aws, Refusal};

/// A clock that is this far off deserves a look; AWS refuses signatures that are five minutes old. Source: AWS General
/// Reference, "Troubleshoot Signature Version 4 signing".
const SKEW: (Duration, Duration) = (Duration::from_secs(30), Duration::from_mins(4));
/// Time between two looks at a detection of drift.
const DRIFT_PAUSE: Duration = Duration::from_secs(3);
/// Credentials that expire sooner deserve a look.
const EXPIRES_SOON: Duration = Duration::from_mins(10);

/// Judges the state of the stack.
pub(crate) fn stack(status: &str) -> Finding {
    let name = "stack";
    let events = "the events of the stack in CloudFormation say why; docs/operate/deploy.md";
    if status.ends_with("_IN_PROGRESS") {
        Finding::warning(name, format!("is being changed: {status}"), "wait until it is done, then look again")
    } else if status == "UPDATE_ROLLBACK_COMPLETE" || status == "IMPORT_ROLLBACK_COMPLETE" {
        Finding::warning(name, format!("its last change was taken back: {status}"), events)
    } else if ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"].contains(&status) {
        Finding::ok(name, status)
    } else {
        Finding::failed(name, format!("is {status}"), events)
    }
}

/// Judges whether everything is in one region.
pub(crate) fn region(region: &str, secret: &str, shell: Option<&str>) -> Finding {
    let of_secret = secret.split(':').nth(3).unwrap_or(region);
    let cure = "give --region as the stack was deployed with";
    if of_secret != region {
        Finding::failed("region", format!("the stack is in {of_secret}, and {region} was asked"), cure)
    } else if let Some(other) = shell.filter(|other| *other != region) {
        let text = format!("the stack is in {region}, and AWS_REGION of this shell is {other}");
        Finding::warning("region", text, format!("`export AWS_REGION={region}` before other tools"))
    } else {
        Finding::ok("region", region)
    }
}

/// Checks credentials and clock with one call.
pub(crate) async fn caller(patient: &Patient) -> Vec<Finding> {
    let form = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")];
    match patient.aws.query("sts", "sts:GetCallerIdentity", &form).await {
        Ok(answer) => {
            let now = clock::now();
            let arn = first(&answer.body, "Arn").unwrap_or_default();
            let credentials = if patient.laptop {
                Finding::not_on_laptop("credentials", "the laptop's server accepts its own")
            } else {
                let expiry = patient.expires.as_deref().and_then(Timestamp::parse);
                credentials(&arn, &patient.access_key, expiry, now)
            };
            vec![credentials, skew(answer.date.as_deref().and_then(Timestamp::parse_http), now)]
        }
        Err(refusal) => vec![Finding::refused("credentials", &refusal, patient.laptop)],
    }
}

/// Judges the kind of credentials, and how long they still live.
fn credentials(arn: &str, key: &str, expiry: Option<Timestamp>, now: Timestamp) -> Finding {
    let name = "credentials";
    let role =
        "sign in with a role instead, for example `aws sso login`; docs/operate/doctor-policy.json has the rights";
    if arn.ends_with(":root") {
        return Finding::warning(name, "are those of the account's root user", role);
    }
    if key.starts_with("AKIA") {
        return Finding::warning(name, format!("{arn} has a key that never expires"), role);
    }
    match expiry {
        Some(at) if at.since(now) < EXPIRES_SOON => {
            Finding::warning(name, format!("{arn}: they expire at {at}"), "sign in again soon")
        }
        Some(at) => Finding::ok(name, format!("{arn}: temporary, until {at}")),
        None => Finding::ok(name, format!("{arn}: temporary")),
    }
}

/// Judges this machine's clock by the date of an answer, which has whole seconds.
fn skew(date: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(date) = date else {
        return Finding::warning("clock", "AWS did not say what time it is", "look at `date -u`");
    };
    let apart = if date > now { date.since(now) } else { now.since(date) };
    let text = format!("{} s from AWS's", apart.as_secs());
    let cure = "set this machine's clock, or let NTP do it: AWS refuses requests signed at another time";
    match apart {
        apart if apart >= SKEW.1 => Finding::failed("clock", text, cure),
        apart if apart >= SKEW.0 => Finding::warning("clock", text, cure),
        _ => Finding::ok("clock", text),
    }
}

/// Lets CloudFormation compare every resource with the template, which takes minutes.
pub(crate) async fn drift(patient: &Patient) -> Vec<Finding> {
    match drifted(&patient.aws, &patient.facts.name).await {
        Ok((names, incomplete)) => judge_drift(&names, incomplete.as_deref()),
        Err(refusal) => vec![Finding::refused("drift", &refusal, patient.laptop)],
    }
}

/// Returns the resources that differ from the template, each with what differs; and why some could not be compared.
async fn drifted(aws: &Aws, stack: &str) -> Result<(Vec<String>, Option<String>), Refusal> {
    let ask = [("Action", "DetectStackDrift"), VERSION, ("StackName", stack)];
    let answer = aws.query("cloudformation", "cloudformation:DetectStackDrift", &ask).await?.body;
    let id = first(&answer, "StackDriftDetectionId").unwrap_or_default();
    let incomplete = loop {
        let ask = [("Action", "DescribeStackDriftDetectionStatus"), VERSION, ("StackDriftDetectionId", id.as_str())];
        let action = "cloudformation:DescribeStackDriftDetectionStatus";
        let answer = aws.query("cloudformation", action, &ask).await?.body;
        match detected(&answer) {
            Some(ended) => break ended?,
            None => tokio::time::sleep(DRIFT_PAUSE).await,
        }
    };
    let ask = [
        ("Action", "DescribeStackResourceDrifts"),
        VERSION,
        ("StackName", stack),
        ("StackResourceDriftStatusFilters.member.1", "MODIFIED"),
        ("StackResourceDriftStatusFilters.member.2", "DELETED"),
        ("MaxResults", "100"),
    ];
    let pages = pages(async |token| {
        let ask = with_token(&ask, &token);
        Ok(aws.query("cloudformation", "cloudformation:DescribeStackResourceDrifts", &ask).await?.body)
    });
    Ok((pages.await?.iter().flat_map(|page| differing(page)).collect(), incomplete))
}

/// Reads an answer of `DescribeStackDriftDetectionStatus`: `None` while CloudFormation compares, then why some resources
/// could not be compared. Source: AWS CloudFormation API reference, `DescribeStackDriftDetectionStatus`.
fn detected(answer: &str) -> Option<Result<Option<String>, Refusal>> {
    match first(answer, "DetectionStatus").as_deref() {
        Some("DETECTION_IN_PROGRESS") => None,
        Some("DETECTION_COMPLETE") => Some(Ok(None)),
        // It failed for some resources. The others were compared.
        Some("DETECTION_FAILED") => {
            let why = first(answer, "DetectionStatusReason").filter(|why| !why.is_empty());
            Some(Ok(Some(why.unwrap_or_else(|| "no reason was given".to_owned()))))
        }
        other => Some(Err(Refusal::Failed(format!("the detection is {}", other.unwrap_or("in no state"))))),
    }
}

/// Reads an answer of `DescribeStackResourceDrifts`.
fn differing(page: &str) -> Vec<String> {
    let drifts = rows(page, "member", &["LogicalResourceId", "StackResourceDriftStatus"]);
    let named = drifts.iter().filter(|row| row.contains_key("LogicalResourceId"));
    let line = |row: &_| format!("{} ({})", value(row, "LogicalResourceId"), value(row, "StackResourceDriftStatus"));
    named.map(line).collect()
}

fn judge_drift(names: &[String], incomplete: Option<&str>) -> Vec<Finding> {
    let mut found = Vec::new();
    if !names.is_empty() {
        let cure = "change it back, or change the template; `make deploy` does not notice such changes";
        found.push(Finding::warning("drift", format!("changed by hand: {}", names.join(", ")), cure));
    }
    if let Some(why) = incomplete {
        let cure = "allow reading these resources, for example with the role of docs/operate/deployer-policy.json";
        found.push(Finding::warning("drift of some resources", format!("not checked: {why}"), cure));
    }
    if found.is_empty() {
        found.push(Finding::ok("drift", "every resource is as the template says"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn states_of_the_stack_are_judged() {
        for (status, want) in [
            ("CREATE_COMPLETE", State::Ok),
            ("IMPORT_COMPLETE", State::Ok),
            ("UPDATE_IN_PROGRESS", State::Warning),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", State::Warning),
            ("UPDATE_ROLLBACK_COMPLETE", State::Warning),
            ("UPDATE_ROLLBACK_FAILED", State::Failed),
            ("ROLLBACK_COMPLETE", State::Failed),
            ("", State::Failed),
        ] {
            assert_eq!(stack(status).state, want, "{status}");
        }
    }

    #[test]
    fn a_stack_elsewhere_fails_and_another_region_of_the_shell_is_a_warning() {
        let arn = "arn:aws:secretsmanager:eu-west-3:1:secret:x";
        assert_eq!(region("eu-west-3", arn, None).state, State::Ok);
        assert_eq!(region("eu-west-3", arn, Some("eu-west-3")).state, State::Ok);
        assert_eq!(region("eu-west-3", arn, Some("us-east-1")).state, State::Warning);
        assert_eq!(region("us-east-1", arn, None).state, State::Failed);
    }

    #[test]
    fn long_lived_and_dying_credentials_deserve_a_look() {
        let now = Timestamp::from_millis(1_000_000_000);
        let user = "arn:aws:iam::1:user/ann";
        let judge = |arn: &str, key, minutes: Option<u64>| {
            credentials(arn, key, minutes.map(|span| now.plus(Duration::from_secs(span * 60))), now).state
        };
        assert_eq!(judge(user, "AKIAX", None), State::Warning);
        assert_eq!(judge("arn:aws:iam::1:root", "ASIAX", None), State::Warning);
        assert_eq!((judge(user, "ASIAX", Some(60)), judge(user, "ASIAX", Some(5))), (State::Ok, State::Warning));
        assert_eq!(judge(user, "ASIAX", None), State::Ok);
    }

    #[test]
    fn a_clock_that_is_off_is_found_before_aws_refuses_it() {
        let now = Timestamp::from_millis(1_000_000_000);
        let off = |seconds| skew(Some(now.minus(Duration::from_secs(seconds))), now).state;
        assert_eq!([off(1), off(60), off(600)], [State::Ok, State::Warning, State::Failed]);
        assert_eq!(skew(Some(now.plus(Duration::from_mins(10))), now).state, State::Failed);
        assert_eq!(skew(None, now).state, State::Warning);
    }

    #[test]
    fn what_was_changed_by_hand_is_named() {
        let page = "<R><member><LogicalResourceId>Bucket</LogicalResourceId><StackResourceDriftStatus>MODIFIED\
                    </StackResourceDriftStatus></member><member><PropertyPath>/x</PropertyPath></member></R>";
        assert_eq!(differing(page), ["Bucket (MODIFIED)"]);
        assert_eq!(judge_drift(&[], None), [Finding::ok("drift", "every resource is as the template says")]);
        let drift = judge_drift(&differing(page), None);
        assert!(drift.len() == 1 && drift[0].state == State::Warning && drift[0].text.contains("Bucket (MODIFIED)"));
    }

    #[test]
    fn resources_that_could_not_be_compared_do_not_hide_the_others() {
        let status = |status: &str, why: &str| {
            detected(&format!(
                "<R><DetectionStatus>{status}</DetectionStatus><DetectionStatusReason>{why}</DetectionStatusReason></R>"
            ))
        };
        assert_eq!(status("DETECTION_IN_PROGRESS", ""), None);
        assert_eq!(status("DETECTION_COMPLETE", ""), Some(Ok(None)));
        assert!(matches!(status("OTHER", ""), Some(Err(Refusal::Failed(_)))));
        let why = status("DETECTION_FAILED", "Failed to detect drift on resources [Api]").unwrap().unwrap().unwrap();
        let found = judge_drift(&["Bucket (DELETED)".to_owned()], Some(&why));
        assert!(found.iter().all(|one| one.state == State::Warning) && found.len() == 2, "{found:?}");
        assert!(found[0].text.contains("Bucket (DELETED)") && found[1].text.contains("[Api]"), "{found:?}");
        assert_eq!(judge_drift(&[], Some(&why)).len(), 1, "nothing is said about what was not compared");
    }
}
