//! What a command prints on standard output: text for people, or with `--json` one JSON document for programs.

use serde::Serialize;
use serde_json::{Value, json};

/// The outcome of a command: what it prints, or the error for standard error.
pub(crate) type Outcome = Result<Report, String>;

/// What a command prints.
#[derive(Debug)]
pub(crate) struct Report {
    /// For people.
    text: String,
    /// For programs, with `--json`; `None` if the text is JSON itself, a document on each line.
    json: Option<Value>,
    /// Whether it tells of a problem, so that the command exits with 1.
    failed: bool,
}

impl Report {
    /// Creates it from both forms of the same facts.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json: Some(json), failed: false }
    }

    /// Creates the report of a change: the facts, and for people the sentences in `text`, which are `message` in JSON.
    pub(crate) fn done(text: impl Into<String>, facts: Value) -> Self {
        let text = text.into();
        let mut json = json!({ "message": text });
        if let (Value::Object(all), Value::Object(facts)) = (&mut json, facts) {
            all.extend(facts);
        }
        Self { text, json: Some(json), failed: false }
    }

    /// Creates it from text that is JSON itself, a document on each line, for people and programs alike.
    pub(crate) fn lines(text: String) -> Self {
        Self { text, json: None, failed: false }
    }

    /// Makes the command exit with 1 although it prints a report.
    #[must_use]
    pub(crate) fn failed(self) -> Self {
        Self { failed: true, ..self }
    }

    /// Returns whether the command exits with 1.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Returns what is printed.
    pub(crate) fn render(&self, as_json: bool) -> String {
        self.json.as_ref().filter(|_| as_json).map_or_else(|| self.text.clone(), |json| format!("{json:#}"))
    }
}

/// Converts a view of the API to JSON.
///
/// # Errors
/// If it cannot be written as JSON, which every view can.
pub(crate) fn document(view: &impl Serialize) -> Result<Value, String> {
    serde_json::to_value(view).map_err(|error| format!("The answer cannot be written as JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_sentences_for_people_and_facts_for_programs() {
        let report = Report::done("Suspended org_1.", json!({ "id": "org_1", "state": "suspended" }));
        assert_eq!(report.render(false), "Suspended org_1.");
        let json: Value = serde_json::from_str(&report.render(true)).unwrap();
        assert_eq!(json, json!({ "message": "Suspended org_1.", "id": "org_1", "state": "suspended" }));
        assert!(!report.has_failed() && report.failed().has_failed());
    }
}
