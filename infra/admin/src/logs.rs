//! `consigne logs`: shows what the functions of a stack log, and follows it.
//!
//! A function that is killed or runs out of time logs nothing. What Lambda writes about it, in plain text, is an error.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use consigne_core::Timestamp;
use consigne_runtime::clock;
use serde_json::{Value, json};

use crate::audit;
use crate::aws::{Aws, EXPIRED, LOGS, Refusal};
use crate::doctor::facts::StackFacts;
use crate::grid::visible;
use crate::operator::{Operator, work, work_now};
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
const SHOWN: [&str; 9] =
    ["timestamp", "level", "message", "function", "duration_ms", "aws.calls", "_aws", "stack", LAMBDA_ID];
/// The id that Lambda gives a call. It is not the id of the answer, and Lambda's own lines have no other.
const LAMBDA_ID: &str = "lambda.request.id";
/// How the lines begin that Lambda writes about each call and each start. Source: AWS Lambda developer guide,
/// "Understanding the Lambda execution environment lifecycle".
const ROUTINE: [&str; 5] = ["START RequestId:", "END RequestId:", "REPORT RequestId:", "INIT_START ", "INIT_REPORT "];
/// The shortest and the longest wait after a call that failed while following.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A problem after so much time without one is a new one, and is told.
const CALM: Duration = Duration::from_mins(10);
/// Codes of refusals that waiting does not change.
const LASTING: [&str; 4] = ["ExpiredToken", "InvalidParameter", "InvalidClientTokenId", "UnrecognizedClient"];

#[derive(Args, Debug, Default)]
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
    let (mut seen, mut from, mut trouble) = (HashMap::new(), since, Trouble::default());
    loop {
        let mut look = Look { stack: &stack, groups: &groups, token: Value::Null, found: Vec::new() };
        let began = clock::now();
        // A call that fails is made again: what was found before it is kept, and nothing is skipped.
        while let Err(refusal) = work_now(look.go_on(&aws, from, options, pause))? {
            if options.once || lasts(&refusal) {
                return Err(told(refusal));
            }
            let (wait, is_new) = trouble.met(clock::now());
            if is_new {
                crate::complain(&format!(
                    "{} The log is asked again until it answers; Ctrl-C ends this.",
                    told(refusal)
                ));
            }
            std::thread::sleep(wait);
        }
        trouble.wait = None;
        for line in fresh(look.found, &mut seen) {
            let printed = if as_json { line.to_string() } else { shown(&line) };
            crate::say(&printed).map_err(|error| format!("It cannot be printed: {error}"))?;
        }
        if options.once {
            // Every line was printed already, so the report is empty.
            return Ok(Report::printed());
        }
        // What is older is not read again.
        from = from.max(began.minus(LATE));
        seen.retain(|_, at| *at >= from);
        std::thread::sleep(PAUSE);
    }
}

/// The last wait, if no look succeeded since, and when a call failed last.
#[derive(Debug, Default)]
struct Trouble {
    wait: Option<Duration>,
    last: Option<Timestamp>,
}

impl Trouble {
    /// Returns how long to wait after a call that failed, and whether to tell why: once, however often calls fail.
    fn met(&mut self, now: Timestamp) -> (Duration, bool) {
        let wait = self.wait.map_or(WAITS.0, |before| WAITS.1.min(before * 2));
        let is_new = self.last.is_none_or(|last| now.since(last) > CALM);
        (self.wait, self.last) = (Some(wait), Some(now));
        (wait, is_new)
    }
}

/// Returns whether a call that was refused would be refused again.
fn lasts(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::Denied(_) | Refusal::Missing(_) | Refusal::Unsupported)
        || matches!(refusal, Refusal::Failed(why) if LASTING.iter().any(|code| why.starts_with(code)))
}

/// Returns the sentence about a call that failed.
fn told(refusal: Refusal) -> String {
    let has_expired = matches!(&refusal, Refusal::Failed(why) if why.starts_with("ExpiredToken"));
    if has_expired { EXPIRED.to_owned() } else { refusal.into() }
}

/// Returns the log groups of the stack's functions, or that of one function.
async fn groups(aws: &Aws, stack: &str, function: Option<&str>) -> Result<Vec<String>, String> {
    if let Some(function) = function {
        let path = format!("/2015-03-31/functions/{stack}-{}/configuration", crate::aws::encoded(function));
        let found = aws.rest("lambda", "lambda", "lambda:GetFunctionConfiguration", path).await;
        match found {
            Ok(found) => {
                let group = found["LoggingConfig"]["LogGroup"].as_str().filter(|name| name.starts_with("/consigne"));
                if let Some(group) = group {
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

/// A line of the log: the id and the time that CloudWatch gave it, and its fields.
type Line = (String, Timestamp, Value);

/// A look at all log groups: those that are left, how far the first is read, and the lines that were asked for.
#[derive(Debug)]
struct Look<'a> {
    stack: &'a str,
    groups: &'a [String],
    token: Value,
    found: Vec<Line>,
}

impl Look<'_> {
    /// Reads what is left. After an error it may be called again.
    async fn go_on(&mut self, aws: &Aws, from: Timestamp, options: &Options, pause: Duration) -> Result<(), Refusal> {
        while let Some((group, others)) = self.groups.split_first() {
            let mut ask = json!({ "logGroupName": group, "startTime": from.as_millis() });
            if let Some(pattern) = options.pattern() {
                ask["filterPattern"] = pattern.into();
            }
            if self.token.is_string() {
                ask["nextToken"] = self.token.clone();
            }
            let page = aws.json(LOGS, "logs:FilterLogEvents", "FilterLogEvents", ask).await?;
            let lines = page["events"].as_array().into_iter().flatten().filter_map(|event| entry(event, self.stack));
            self.found.extend(lines.filter(|(_, _, line)| options.wants(line)));
            self.token = page["nextToken"].clone();
            if !self.token.is_string() {
                self.groups = others;
            }
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }
}

/// Reads an event of CloudWatch: a function's line as it is, and as an error what Lambda writes if something is wrong.
fn entry(event: &Value, stack: &str) -> Option<Line> {
    let part = |name: &str| event[name].as_str().unwrap_or_default();
    let (text, stream) = (part("message").trim(), part("logStreamName"));
    let at = Timestamp::from_millis(event["timestamp"].as_i64().unwrap_or_default());
    let fields = match serde_json::from_str::<Value>(text) {
        Ok(own) if own["function"].is_string() => own,
        // In JSON, Lambda's lines have a type. The template asks for text.
        Ok(other) if other["type"].is_string() => return None,
        _ => plain(text, at, function(stream, stack))?,
    };
    // The laptop's server gives no ids.
    Some((format!("{} {stream} {} {text}", part("eventId"), at.as_millis()), at, fields))
}

/// Makes an error of a line that no function wrote, if it is not routine.
fn plain(text: &str, at: Timestamp, function: &str) -> Option<Value> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    let status = words.windows(2).find(|pair| pair[0] == "Status:").map_or("success", |pair| pair[1]);
    let is_fine = status == "success" && !text.contains("Error Type:");
    if text.is_empty() || (is_fine && ROUTINE.iter().any(|begin| text.starts_with(begin))) {
        return None;
    }
    let is_id = |word: &&&str| word.len() == 36 && word.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    let mut fields = json!({ "timestamp": at, "level": "ERROR", "message": text, "function": function });
    if let Some(id) = words.iter().take(3).find(is_id) {
        fields[LAMBDA_ID] = (*id).into();
    }
    Some(fields)
}

/// Returns the function in the name of a log stream, `2026/11/28/<stack>-<function>[7]0123...`, or else that name.
/// Source: AWS Lambda developer guide, "Configuring CloudWatch log groups".
fn function<'a>(stream: &'a str, stack: &str) -> &'a str {
    let called = stream.splitn(4, '/').nth(3).and_then(|last| last.split_once('[')).map_or("", |(called, _)| called);
    let own = called.strip_prefix(stack).and_then(|rest| rest.strip_prefix('-')).unwrap_or(called);
    if own.is_empty() { stream } else { own }
}

impl Options {
    /// Returns the ids that a line must have.
    fn ids(&self) -> impl Iterator<Item = &str> {
        [&self.request, &self.user, &self.org].into_iter().filter_map(Option::as_deref)
    }

    /// Returns CloudWatch's pattern for lines that may be wanted: all ids as phrases. `wants` decides.
    ///
    /// Lambda's lines name no function and nobody, so the function is a phrase only with a person or an organisation.
    fn pattern(&self) -> Option<String> {
        let function = self.function.as_deref().filter(|_| self.user.is_some() || self.org.is_some());
        let phrases = self.ids().chain(function).map(|id| format!("\"{}\"", id.replace('"', "")));
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
fn fresh(mut lines: Vec<Line>, seen: &mut HashMap<String, Timestamp>) -> Vec<Value> {
    lines.retain(|(id, at, _)| seen.insert(id.clone(), *at).is_none());
    lines.sort_by(|(_, a, one), (_, b, other)| (one["timestamp"].as_str(), a).cmp(&(other["timestamp"].as_str(), b)));
    lines.into_iter().map(|(_, _, line)| line).collect()
}

/// Writes a line for people: time, level, function, sentence, and the fields that tell what happened.
fn shown(line: &Value) -> String {
    let text = |name: &str| line[name].as_str().unwrap_or_default();
    // With the day and in UTC, in the form that `--since` takes.
    let time = Timestamp::parse(text("timestamp")).map_or_else(|| text("timestamp").to_owned(), |at| at.to_string());
    let mut parts = vec![format!("{time} {:<5} {:<20} {}", text("level"), text("function"), text("message"))];
    parts.extend(line["duration_ms"].as_f64().map(|took| format!("{took:.0} ms")));
    parts.extend(
        line["aws.calls"].as_u64().map(|calls| format!("{calls} AWS call{}", if calls == 1 { "" } else { "s" })),
    );
    let fields = line.as_object().into_iter().flatten().filter(|(name, _)| !SHOWN.contains(&name.as_str()));
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    parts.extend(fields.map(|(name, value)| format!("{name}={}", word(value))));
    visible(&parts.join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options::default()
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
        for (options, is_wanted) in [
            (Options { request: some("r-1"), ..options() }, true),
            (Options { user: some("user_ann"), org: some("org_1"), ..options() }, true),
            (Options { function: some("usage"), errors: true, ..options() }, true),
            (Options { request: some("r-"), ..options() }, false),
            (Options { user: some("user_ann"), org: some("org_2"), ..options() }, false),
            (Options { function: some("list"), ..options() }, false),
        ] {
            assert_eq!(options.wants(&line()), is_wanted, "{options:?}");
        }
        let quiet = json!({ "function": "usage", "level": "INFO" });
        assert!(!Options { errors: true, ..options() }.wants(&quiet) && options().wants(&quiet));
        let both = Options { user: some("user_ann"), function: some("usage"), ..options() };
        assert_eq!(both.pattern().as_deref(), Some("\"user_ann\" \"usage\""));
        let of_request = Options { request: some("r-1"), function: some("usage"), ..options() };
        assert_eq!(of_request.pattern().as_deref(), Some("\"r-1\""), "Lambda's lines name no function");
        assert_eq!(Options { function: some("usage"), ..options() }.pattern(), None);
    }

    #[test]
    fn a_printed_line_has_what_happened_and_each_is_printed_once() {
        let want = "2026-11-28T10:00:01Z WARN  usage                answered  12 ms  1 AWS call  request.id=r-1  \
                    user.id=user_ann  audit={\"files\":[{\"org\":\"org_1\"}]}";
        assert_eq!(shown(&line()), want);
        let at = |id: &str, millis| (id.to_owned(), Timestamp::from_millis(millis), json!({ "id": id }));
        let mut seen = HashMap::new();
        let found = fresh(vec![at("b", 2), at("a", 1), at("b", 2)], &mut seen);
        assert_eq!(found, [json!({ "id": "a" }), json!({ "id": "b" })]);
        assert!(fresh(vec![at("a", 1)], &mut seen).is_empty());
    }

    /// Reads a line of a function in a shared group.
    fn read(text: &str) -> Option<Value> {
        let stream = "2026/11/28/consigne-send-mail[$LATEST]0123456789abcdef0123456789abcdef";
        let event = json!({ "timestamp": 1_795_860_001_500_i64, "logStreamName": stream, "message": text });
        entry(&event, "consigne").map(|(_, _, line)| line)
    }

    #[test]
    fn what_lambda_writes_of_a_crash_or_a_time_out_is_an_error_and_routine_is_hidden() {
        const ID: &str = "527cb862-4f5e-49a9-9ae4-a7edc90f0fda";
        let some = |text: &str| Some(text.to_owned());
        let usual = format!("REPORT RequestId: {ID}\tDuration: 3016.78 ms\tMax Memory Used: 31 MB\t");
        for text in [
            &format!("2026-11-28T10:00:01.500Z {ID} Task timed out after 3.00 seconds\n\n"),
            &format!("RequestId: {ID} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n"),
            &format!("{usual}Status: timeout\n"),
            &format!("{usual}Status: error\tError Type: Runtime.ExitError\n"),
            "INIT_REPORT Init Duration: 1236.04 ms\tPhase: init\tStatus: timeout",
            "INIT_REPORT Init Duration: 1236.04 ms Phase: init Status: error Error Type: Extension.Crash",
            "thread 'main' panicked at src/main.rs:5:9:",
        ] {
            let line = read(text).expect(text);
            let message = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(shown(&line), format!("2026-11-28T10:00:01Z ERROR send-mail            {message}"));
            assert!(Options { function: some("send-mail"), errors: true, ..options() }.wants(&line), "{text}");
            assert_eq!(Options { request: some(ID), ..options() }.wants(&line), text.contains(ID), "{text}");
            assert!(!Options { function: some("usage"), ..options() }.wants(&line), "{text}");
            assert!(!Options { user: some("user_ann"), ..options() }.wants(&line), "{text}");
        }
        for routine in [
            &format!("START RequestId: {ID} Version: $LATEST\n"),
            &format!("END RequestId: {ID}\n"),
            &format!("{usual}\nXRAY TraceId: 1-5e34\tSegmentId: 5f\tSampled: true"),
            "INIT_START Runtime Version: provided:al2023.v1\tRuntime Version ARN: arn:aws:lambda",
            "INIT_REPORT Init Duration: 80.00 ms",
            r#"{"type":"platform.start"}"#,
            "\n",
        ] {
            assert_eq!(read(routine), None, "{routine}");
        }
        assert_eq!(read("{\"function\":\"usage\"}\n"), Some(json!({ "function": "usage" })));
        assert_eq!(function("2026/11/28/other[7]0123", "consigne"), "other");
        assert_eq!(function("2026/11/28/[$LATEST]0123", "consigne"), "2026/11/28/[$LATEST]0123");
    }

    #[test]
    fn following_goes_on_after_a_problem_that_passes_and_tells_it_once() {
        let failed = |why: &str| Refusal::Failed(why.to_owned());
        assert!(!["Throttling: Rate exceeded", "503", "no answer within 8 s"].iter().any(|why| lasts(&failed(why))));
        let expired = failed("ExpiredTokenException: The security token included in the request is expired");
        let unknown = failed("UnrecognizedClientException: The security token included in the request is invalid.");
        assert!([&expired, &unknown, &Refusal::Denied("logs:FilterLogEvents")].into_iter().all(lasts));
        assert_eq!(told(expired), "Your credentials have expired; sign in and start it again.");
        let (mut trouble, now) = (Trouble::default(), Timestamp::from_secs(1_000));
        let met: Vec<_> = (0..7).map(|_| trouble.met(now)).map(|(wait, is_new)| (wait.as_secs(), is_new)).collect();
        assert_eq!(met, [(1, true), (2, false), (4, false), (8, false), (16, false), (30, false), (30, false)]);
        trouble.wait = None;
        assert_eq!(trouble.met(now), (WAITS.0, false), "one that comes and goes is told once");
        assert!(trouble.met(now.plus(CALM * 2)).1);
    }
}
