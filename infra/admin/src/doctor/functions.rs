//! Checks of the functions: their states, and how many of their calls and of the API's answers failed in the last hour.

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::iter;
use serde_json::Value;

use super::events::summed;
use super::facts::Resource;
use super::finding::Finding;
use super::metrics::{Metric, over};
use super::{FEW_AT_ONCE, Patient};

/// Share of failed calls or answers in the last hour that deserves a look.
const ERRORS: f64 = 0.01;
/// Name of the check of the API's answers.
pub(crate) const ANSWERS: &str = "answers of the API";
/// The span of the error rate, in minutes.
const HOUR: u64 = 60;

/// Checks the state of every function.
pub(crate) async fn states(patient: &Patient) -> Vec<Finding> {
    let all: Vec<&Resource> = patient.facts.of_kind("AWS::Lambda::Function").collect();
    let read = iter(&all).map(|one| async move {
        patient.lambda.turn().await;
        let path = format!("/2015-03-31/functions/{}/configuration", one.physical);
        match patient.aws.rest("lambda", "lambda", "lambda:GetFunctionConfiguration", path).await {
            Ok(function) => judge(&one.physical, &function),
            Err(refusal) => Finding::refused(format!("function {}", one.physical), &refusal, patient.laptop),
        }
    });
    let found: Vec<Finding> = read.buffer_unordered(FEW_AT_ONCE).collect().await;
    summed("functions", found, "functions are ready")
}

/// Judges an answer of `GetFunctionConfiguration`.
fn judge(name: &str, function: &Value) -> Finding {
    let check = format!("function {name}");
    let (state, update) = (function["State"].as_str(), function["LastUpdateStatus"].as_str());
    let why = |field: &str| function[field].as_str().unwrap_or("no reason was given").to_owned();
    match (state, update) {
        (Some("Failed"), _) => Finding::failed(check, format!("has failed: {}", why("StateReason")), "`make deploy`"),
        (_, Some("Failed")) => {
            let text = format!("its last update failed: {}", why("LastUpdateStatusReason"));
            Finding::failed(check, text, "`make deploy`")
        }
        (Some("Pending"), _) | (_, Some("InProgress")) => {
            Finding::warning(check, "is being updated", "wait a minute, then look again")
        }
        // `Inactive` has not been called for weeks; the next call wakes it.
        _ => Finding::ok(check, "is ready"),
    }
}

/// Checks how many calls of all functions failed in the last hour: two metrics of the account and the region.
pub(crate) async fn errors(patient: &Patient) -> Vec<Finding> {
    if patient.laptop {
        return vec![Finding::not_on_laptop(
            "errors",
            "the laptop's server does not measure them; `make logs ERRORS=1`",
        )];
    }
    let sum = |name| Metric { namespace: "AWS/Lambda", name, dimension: None, statistic: "Sum", minutes: HOUR };
    let metrics = [sum("Errors"), sum("Invocations"), sum("Throttles")];
    let read = join_all(metrics.iter().map(|metric| over(&patient.aws, metric))).await;
    let value = |at: usize| match &read[at] {
        Ok(value) => Ok(value.unwrap_or(0.0)),
        Err(refusal) => Err(Finding::refused("errors", refusal, false)),
    };
    match (value(0), value(1), value(2)) {
        (Ok(errors), Ok(calls), Ok(throttles)) => vec![rate(errors, calls), throttled(throttles)],
        (Err(finding), ..) | (_, Err(finding), _) | (.., Err(finding)) => vec![finding],
    }
}

/// Checks how many answers of the API had a status of 500 or more in the last hour. Lambda does not count them as errors,
/// because the functions answer them like any other.
pub(crate) async fn answers(patient: &Patient) -> Vec<Finding> {
    if patient.laptop {
        return vec![Finding::not_on_laptop(
            ANSWERS,
            "the laptop's server does not measure them; `make logs ERRORS=1`",
        )];
    }
    let Some(api) = patient.facts.of_kind("AWS::ApiGatewayV2::Api").next() else {
        return vec![Finding::failed(ANSWERS, "the stack has no API", "deploy it: `make deploy`")];
    };
    // Names and dimension of the metrics of an HTTP API. Source: Amazon API Gateway developer guide, "Monitor HTTP API
    // metrics".
    let dimension = Some(("ApiId", api.physical.as_str()));
    let sum = |name| Metric { namespace: "AWS/ApiGateway", name, dimension, statistic: "Sum", minutes: HOUR };
    let (failed, all) = (sum("5xx"), sum("Count"));
    vec![match tokio::join!(over(&patient.aws, &failed), over(&patient.aws, &all)) {
        (Ok(failed), Ok(all)) => answered(failed, all),
        (Err(refusal), _) | (_, Err(refusal)) => Finding::refused(ANSWERS, &refusal, false),
    }]
}

/// Judges how many of the API's answers had a status of 500 or more.
fn answered(failed: Option<f64>, all: Option<f64>) -> Finding {
    let Some(all) = all else { return Finding::ok(ANSWERS, "no figures yet: nobody asked in the last hour") };
    let failed = failed.unwrap_or(0.0);
    let text = format!("{failed:.0} of {all:.0} answers had a status of 500 or more in the last hour");
    if failed > all * ERRORS {
        Finding::warning(ANSWERS, text, "`consigne logs --errors --since 1h`; docs/operate/degraded.md")
    } else {
        Finding::ok(ANSWERS, text)
    }
}

fn rate(errors: f64, calls: f64) -> Finding {
    let text = format!("{errors:.0} of {calls:.0} calls of the region's functions failed in the last hour");
    if errors > calls * ERRORS {
        Finding::warning("errors", text, "`consigne logs --errors --since 1h`")
    } else {
        Finding::ok("errors", text)
    }
}

fn throttled(throttles: f64) -> Finding {
    let text = format!("{throttles:.0} calls of the region's functions were throttled in the last hour");
    if throttles > 0.0 {
        let cure = "ask for more under Service Quotas, AWS Lambda, Concurrent executions (free)";
        Finding::warning("throttles", text, cure)
    } else {
        Finding::ok("throttles", text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::finding::State;

    #[test]
    fn states_and_failed_updates_are_told_apart() {
        for (function, want) in [
            (json!({ "State": "Active", "LastUpdateStatus": "Successful" }), State::Ok),
            (json!({ "State": "Inactive" }), State::Ok),
            (json!({ "State": "Pending" }), State::Warning),
            (json!({ "State": "Active", "LastUpdateStatus": "InProgress" }), State::Warning),
            (json!({ "State": "Failed", "StateReason": "InvalidImage" }), State::Failed),
            (json!({ "State": "Active", "LastUpdateStatus": "Failed" }), State::Failed),
        ] {
            assert_eq!(judge("s-usage", &function).state, want, "{function}");
        }
    }

    #[test]
    fn one_percent_of_errors_and_any_throttle_deserve_a_look() {
        assert_eq!((rate(0.0, 0.0).state, rate(1.0, 100.0).state), (State::Ok, State::Ok));
        assert_eq!((rate(2.0, 100.0).state, throttled(1.0).state), (State::Warning, State::Warning));
        assert_eq!(throttled(0.0).state, State::Ok);
    }

    #[test]
    fn answers_that_lambda_does_not_count_as_errors_are_found() {
        let none = answered(None, None);
        assert!(none.state == State::Ok && none.text.starts_with("no figures yet"), "{none:?}");
        assert_eq!(answered(None, Some(10.0)).state, State::Ok);
        assert_eq!(answered(Some(1.0), Some(100.0)).state, State::Ok);
        let bad = answered(Some(2.0), Some(100.0));
        assert!(bad.state == State::Warning && bad.text.starts_with("2 of 100 answers"), "{bad:?}");
    }
}
