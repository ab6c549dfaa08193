//! `consigne logs`: shows what the functions of a stack log, and follows it.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use consigne_core::Timestamp;
use consigne_runtime::clock;
use serde_json::{Map, Value, json};

use crate::audit;
use crate::aws::{Aws, LOGS, Refusal};
use crate::doctor::facts::StackFacts;
use crate::grid::visible;
use crate::operator::{Operator, work};
use crate::redrive::STACK;
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

/// Time between two looks at the log groups.
const PAUSE: Duration = Duration::from_secs(2);
/// Time between two calls, because CloudWatch answers five a second. Source: CloudWatch Logs user guide, "CloudWatch
/// Logs quotas".
const BETWEEN: Duration = Duration::from_millis(220);
/// Lines may appear this long after the time they carry, so each look reaches back by it.
const LATE: Duration = Duration::from_secs(20);
/// Fields with a place of their own in a printed line, or that only metrics need.
const SHOWN: [&str; 8] = ["timestamp", "level", "message", "function", "duration_ms", "aws.calls", "_aws", "stack"];

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  consigne logs --errors --since 1h --once
  consigne logs --request 5f0c6c1e-8a8b-4ac6-9a34-1b9a1d9c0f11
  consigne --stack consigne --region eu-west-3 logs --org org_01JD0000000000000000000000

A line is shown if one of its fields is the id that was given. Each look at a log group is a request to CloudWatch Logs; with
--function only the group of that function is read.")]
pub(crate) struct Options {
    /// Only lines about a request, by the id that its answer has in `x-request-id` and `requestId`.
    #[arg(long, value_name = "ID")]
    request: Option<String>,
    /// Only lines about a person, such as `user_ann`.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only lines about an organisation.
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Only lines of a function, such as `send-mail`.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Only warnings and errors.
    #[arg(long)]
    errors: bool,
    /// Lines from then on: a time, a day such as 2026-11-21 (UTC), or a span back such as 30m, 12h or 7d.
    #[arg(long, value_name = "TIME", default_value = "10m")]
    since: String,
    /// Show what there is and end, instead of following.
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(which: &Which, options: &Options, as_json: bool) -> Outcome {
    let since = audit::since(&options.since, clock::now())?;
    let operator = Operator::of_stack(which, &[STACK])?;
    let (aws, stack) = (operator.aws(), operator.name(STACK));
    let pause = if operator.is_elsewhere() { Duration::ZERO } else { BETWEEN };
    let groups = work(async { groups(&aws, &stack, options.function.as_deref()).await })?;
    let (mut seen, mut from) = (HashSet::new(), since);
    loop {
        let began = clock::now();
        let lines = work(async {
            let mut lines = Vec::new();
            for group in &groups {
                lines.extend(read(&aws, group, from, options, pause).await?);
            }
            Ok(lines)
        })?;
        for line in fresh(lines, &mut seen) {
            let printed = if as_json { line.to_string() } else { shown(&line) };
            crate::say(&printed).map_err(|error| format!("It cannot be printed: {error}"))?;
        }
        if options.once {
            // Every line was printed already, so the report is empty.
            return Ok(Report::printed());
        }
        from = from.max(began.minus(LATE));
        work(async {
            tokio::time::sleep(PAUSE).await;
            Ok(())
        })?;
    }
}

/// Returns the log groups of the stack's functions, or that of one function.
async fn groups(aws: &Aws, stack: &str, function: Option<&str>) -> Result<Vec<String>, String> {
    if let Some(function) = function {
        let path = format!("/2015-03-31/functions/{stack}-{}/configuration", crate::aws::encoded(function));
        let found = aws.rest("lambda", "lambda", "lambda:GetFunctionConfiguration", path).await;
        match found {
            Ok(found) => {
                if let Some(group) =
                    found["LoggingConfig"]["LogGroup"].as_str().filter(|name| name.starts_with("/consigne"))
                {
                    return Ok(vec![group.to_owned()]);
                }
            }
            Err(Refusal::Missing(_)) => return Err(format!("The stack {stack} has no function {function}.")),
            // Without this right all groups are read.
            Err(_) => {}
        }
    }
    let facts = StackFacts::read(aws, stack).await?;
    let all = facts.of_kind("AWS::Logs::LogGroup").map(|one| one.physical.clone());
    let own: Vec<String> = all.filter(|name| name.starts_with("/consigne/")).collect();
    if own.is_empty() {
        Err(format!("The stack {stack} has no log groups; is it the stack you mean?"))
    } else {
        Ok(own)
    }
}

/// Reads the lines of a log group that were asked for, each with the id under which CloudWatch keeps it.
async fn read(
    aws: &Aws,
    group: &str,
    from: Timestamp,
    options: &Options,
    pause: Duration,
) -> Result<Vec<(String, Value)>, String> {
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut ask = json!({ "logGroupName": group, "startTime": from.as_millis() });
        if let Some(pattern) = options.pattern() {
            ask["filterPattern"] = pattern.into();
        }
        if token.is_string() {
            ask["nextToken"] = token;
        }
        let page = aws.json(LOGS, "logs:FilterLogEvents", "FilterLogEvents", ask).await?;
        let events = page["events"].as_array().into_iter().flatten();
        found.extend(events.filter_map(|event| {
            let line: Value = serde_json::from_str(event["message"].as_str()?.trim()).ok()?;
            options.wants(&line).then(|| (event["eventId"].as_str().unwrap_or_default().to_owned(), line))
        }));
        token = page["nextToken"].clone();
        tokio::time::sleep(pause).await;
        if !token.is_string() {
            return Ok(found);
        }
    }
}

impl Options {
    /// Returns the ids that a line must have.
    fn ids(&self) -> impl Iterator<Item = &str> {
        [&self.request, &self.user, &self.org].into_iter().filter_map(Option::as_deref)
    }

    /// Returns CloudWatch's pattern for lines that may be wanted: all ids as phrases. `wants` decides.
    fn pattern(&self) -> Option<String> {
        let phrases = self.ids().chain(self.function.as_deref()).map(|id| format!("\"{}\"", id.replace('"', "")));
        let pattern = phrases.collect::<Vec<_>>().join(" ");
        (!pattern.is_empty()).then_some(pattern)
    }

    /// Returns whether a line was asked for.
    fn wants(&self, line: &Value) -> bool {
        let of_function = self.function.as_deref().is_none_or(|function| line["function"] == function);
        let quiet = self.errors && (line["level"] == "INFO" || line["level"].is_null());
        line["function"].is_string() && of_function && !quiet && self.ids().all(|id| has(line, id))
    }
}

/// Returns whether a field of a line, at any depth, is a text.
fn has(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Array(all) => all.iter().any(|one| has(one, text)),
        Value::Object(all) => all.values().any(|one| has(one, text)),
        _ => false,
    }
}

/// Returns the lines that were not seen before, oldest first.
fn fresh(mut lines: Vec<(String, Value)>, seen: &mut HashSet<String>) -> Vec<Value> {
    // The laptop's server numbers the lines of each stream, so an id alone names several.
    lines.retain(|(id, line)| seen.insert(format!("{id} {line}")));
    lines.sort_by(|(_, a), (_, b)| a["timestamp"].as_str().cmp(&b["timestamp"].as_str()));
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Writes a line for people: time, level, function, sentence, and the fields that tell what happened.
fn shown(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    let time = text("timestamp").get(11..19).unwrap_or_default();
    let mut parts = vec![format!("{time} {:<5} {:<20} {}", text("level"), text("function"), text("message"))];
    parts.extend(line["duration_ms"].as_f64().map(|took| format!("{took:.0} ms")));
    parts.extend(
        line["aws.calls"].as_u64().map(|calls| format!("{calls} AWS call{}", if calls == 1 { "" } else { "s" })),
    );
    let none = Map::new();
    let fields = line.as_object().unwrap_or(&none).iter().filter(|(name, _)| !SHOWN.contains(&name.as_str()));
    parts
        .extend(fields.map(|(name, value)| {
            format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        }));
    visible(&parts.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        let since = "10m".to_owned();
        Options { request: None, user: None, org: None, function: None, errors: false, since, once: true }
    }

    fn line() -> Value {
        json!({
            "timestamp": "2026-11-28T10:00:01.5Z", "level": "WARN", "message": "answered", "function": "usage",
            "duration_ms": 12.4, "aws.calls": 1, "request.id": "r-1", "user.id": "user_ann",
            "audit": { "files": [{ "org": "org_1" }] }, "_aws": {}, "stack": "consigne"
        })
    }

    #[test]
    fn a_line_is_wanted_by_its_whole_ids_its_function_and_its_level() {
        let some = |text: &str| Some(text.to_owned());
        for wanted in [
            Options { request: some("r-1"), ..options() },
            Options { user: some("user_ann"), org: some("org_1"), ..options() },
            Options { function: some("usage"), errors: true, ..options() },
        ] {
            assert!(wanted.wants(&line()), "{wanted:?}");
        }
        for other in [
            Options { request: some("r-"), ..options() },
            Options { user: some("user_ann"), org: some("org_2"), ..options() },
            Options { function: some("list"), ..options() },
        ] {
            assert!(!other.wants(&line()), "{other:?}");
        }
        let quiet = json!({ "function": "usage", "level": "INFO" });
        assert!(!Options { errors: true, ..options() }.wants(&quiet) && options().wants(&quiet));
        assert!(!options().wants(&json!({ "type": "platform.report" })), "only what functions write");
        let both = Options { user: some("user_ann"), function: some("usage"), ..options() };
        assert_eq!(both.pattern().as_deref(), Some("\"user_ann\" \"usage\""));
        assert_eq!(options().pattern(), None);
    }

    #[test]
    fn a_printed_line_has_what_happened_and_each_is_printed_once() {
        let want = "10:00:01 WARN  usage                answered  12 ms  1 AWS call  request.id=r-1  user.id=user_ann  \
                    audit={\"files\":[{\"org\":\"org_1\"}]}";
        assert_eq!(shown(&line()), want);
        let mut seen = HashSet::new();
        let at = |time: &str| json!({ "timestamp": time });
        let found = fresh(vec![("b".into(), at("2")), ("a".into(), at("1")), ("b".into(), at("2"))], &mut seen);
        assert_eq!(found, [at("1"), at("2")]);
        assert!(fresh(vec![("a".into(), at("1"))], &mut seen).is_empty());
    }
}
