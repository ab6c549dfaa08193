//! The log: one JSON line for each request, message or record, including its metrics.
//!
//! A line can be read alone: it has a sentence in `message`, and dotted fields with units in their names. It never
//! contains a body, a token, a signed URL or an e-mail address. The caller's IP address is in the audit of access to files
//! and nowhere else.
//!
//! Metrics are in the same line, in CloudWatch's embedded metric format. Source: Amazon CloudWatch user guide,
//! "Specification: Embedded metric format".

use std::sync::{Mutex, OnceLock, PoisonError};

use consigne_core::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Namespace of all metrics.
pub const NAMESPACE: &str = "Consigne";

/// Name of the stack to which this function belongs; empty outside of Lambda.
static STACK: OnceLock<String> = OnceLock::new();

/// The published version of this function that runs, such as `7`; not set if it was not published.
static VERSION: OnceLock<String> = OnceLock::new();

/// Remembers the version that Lambda names. Callers reach published versions only through an alias.
pub(crate) fn learn_version(version: &str) {
    if version.parse::<u64>().is_ok() {
        let _ = VERSION.set(version.to_owned());
    }
}

/// Derives the stack's name from the function's name in Lambda: template.yaml names each function `<stack>-<function>`.
pub(crate) fn learn_stack(called: &str, function: &str) {
    let stack = called.strip_suffix(function).and_then(|rest| rest.strip_suffix('-'));
    let _ = STACK.set(stack.unwrap_or_default().to_owned());
}

/// The fields and metrics that a handler adds to its log line.
#[derive(Debug, Default)]
pub struct RequestLog(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    fields: Map<String, Value>,
    metrics: Vec<(&'static str, &'static str)>,
    is_fault: bool,
}

impl RequestLog {
    /// Adds a field. Its name is dotted and ends in its unit, if it has one.
    pub fn field(&self, name: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.noted().fields.insert(name.to_owned(), value);
    }

    /// Counts one occurrence. Several in one line add up.
    pub fn count(&self, metric: &'static str) {
        self.metric(metric, "Count", 1);
    }

    /// Counts several occurrences at once. Several calls in one line add up.
    pub fn add(&self, metric: &'static str, value: u64) {
        self.metric(metric, "Count", value);
    }

    /// Marks the request as failed through no fault of the caller. A published version counts it as `Faults`, so that an
    /// alarm can tell a new version from the one before.
    pub fn fault(&self) {
        self.noted().is_fault = true;
    }

    /// Records an amount of bytes. Several in one line add up.
    pub fn bytes(&self, metric: &'static str, value: u64) {
        self.metric(metric, "Bytes", value);
    }

    /// Records a time in milliseconds. Several in one line add up.
    pub fn millis(&self, metric: &'static str, value: u64) {
        self.metric(metric, "Milliseconds", value);
    }

    fn metric(&self, name: &'static str, unit: &'static str, value: u64) {
        let mut noted = self.noted();
        let before = noted.fields.get(name).and_then(Value::as_u64);
        noted.fields.insert(name.to_owned(), before.unwrap_or(0).saturating_add(value).into());
        if before.is_none() {
            noted.metrics.push((name, unit));
        }
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all fields and metrics, in the form of the log line.
    pub fn take(&self, function: &str, now: Timestamp) -> Map<String, Value> {
        self.take_of(VERSION.get().map(String::as_str), function, now)
    }

    /// Does what [`RequestLog::take`] does, in a version of the function.
    fn take_of(&self, version: Option<&str>, function: &str, now: Timestamp) -> Map<String, Value> {
        let Noted { mut fields, metrics, is_fault } = std::mem::take(&mut *self.noted());
        let mut directives = Vec::new();
        if !metrics.is_empty() {
            let list: Vec<_> = metrics.iter().map(|(name, unit)| json!({ "Name": name, "Unit": unit })).collect();
            directives.push(json!({ "Namespace": NAMESPACE, "Dimensions": [["stack", "function"]], "Metrics": list }));
        }
        if let Some(version) = version.filter(|_| is_fault) {
            fields.insert("Faults".to_owned(), 1.into());
            fields.insert("version".to_owned(), version.into());
            let (dimensions, list) =
                ([["stack", "function", "version"]], [json!({ "Name": "Faults", "Unit": "Count" })]);
            directives.push(json!({ "Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": list }));
        }
        if !directives.is_empty() {
            fields.insert("_aws".to_owned(), json!({ "Timestamp": now.as_millis(), "CloudWatchMetrics": directives }));
            fields.insert("stack".to_owned(), STACK.get().map_or("", String::as_str).into());
            fields.insert("function".to_owned(), function.into());
        }
        fields
    }
}

/// The level of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Level {
    Info,
    Warn,
    Error,
}

/// Builds a log line.
pub fn line(level: Level, function: &str, message: &str, now: Timestamp, fields: Map<String, Value>) -> String {
    let level = match level {
        Level::Info => "INFO",
        Level::Warn => "WARN",
        Level::Error => "ERROR",
    };
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), json!(now));
    line.insert("level".to_owned(), level.into());
    line.insert("message".to_owned(), message.into());
    line.insert("function".to_owned(), function.into());
    line.extend(fields);
    Value::Object(line).to_string()
}

/// Writes a line to standard output, which Lambda collects.
#[cfg(not(test))]
pub fn write(line: &str) {
    use std::io::Write as _;

    let mut out = std::io::stdout().lock();
    // A line that cannot be written must not stop the work it is about.
    let _ = out.write_all(format!("{line}\n").as_bytes());
    let _ = out.flush();
}

/// Writes a line to the test's own output, which is shown if the test fails.
#[cfg(test)]
// The test harness captures only what this macro prints.
#[allow(clippy::print_stdout)]
pub fn write(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_noted_several_times_is_one_metric_with_the_sum() {
        let log = RequestLog::default();
        log.count("UploadsReady");
        log.bytes("BytesReady", 700);
        log.count("UploadsReady");
        log.bytes("BytesReady", 300);
        let fields = log.take("sweep", Timestamp::from_secs(1));
        assert_eq!((&fields["UploadsReady"], &fields["BytesReady"]), (&json!(2), &json!(1000)));
        let metrics = &fields["_aws"]["CloudWatchMetrics"][0]["Metrics"];
        let want = json!([{ "Name": "UploadsReady", "Unit": "Count" }, { "Name": "BytesReady", "Unit": "Bytes" }]);
        assert_eq!(*metrics, want);
    }
    #[test]
    fn a_published_version_counts_its_faults_apart() {
        let now = Timestamp::from_secs(1);
        let failing = |version| {
            let log = RequestLog::default();
            log.count("KeysUnknown");
            log.fault();
            log.take_of(version, "key-verify", now)
        };
        let fields = failing(Some("7"));
        assert_eq!(
            (&fields["Faults"], &fields["version"], &fields["function"]),
            (&json!(1), &json!("7"), &json!("key-verify"))
        );
        let directives = &fields["_aws"]["CloudWatchMetrics"];
        assert_eq!(directives[0]["Dimensions"], json!([["stack", "function"]]));
        assert_eq!(directives[1]["Dimensions"], json!([["stack", "function", "version"]]));
        assert_eq!(directives[1]["Metrics"], json!([{ "Name": "Faults", "Unit": "Count" }]));

        let unpublished = failing(None);
        assert_eq!((unpublished.get("Faults"), unpublished.get("version")), (None, None));
        let fine = RequestLog::default().take_of(Some("7"), "key-verify", now);
        assert!(fine.is_empty());
    }
}
