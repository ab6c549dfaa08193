//! What a command prints on standard output: text for people, or with `--json` one JSON document for programs.

use std::io::{ErrorKind, Result as Written, Write};

use serde::Serialize;
use serde_json::{Value, json};

/// The outcome of a command: what it prints, or the error for standard error.
pub(crate) type Outcome = Result<Report, String>;

/// The exit code of a report that tells of a problem.
const FAILED: u8 = 1;
/// The exit code of work that could not be done in full. 2 is for wrong arguments.
const INCOMPLETE: u8 = 3;

/// What a command prints.
#[derive(Debug)]
pub(crate) struct Report {
    /// For people.
    text: String,
    /// For programs, with `--json`; `None` if the text is JSON itself, a document on each line.
    json: Option<Value>,
    /// The code with which the command exits.
    exit: u8,
}

impl Report {
    /// Creates it from both forms of the same facts.
    pub(crate) fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json: Some(json), exit: 0 }
    }

    /// Creates the report of a change: the facts, and for people the sentences in `text`, which are `message` in JSON.
    pub(crate) fn done(text: impl Into<String>, facts: Value) -> Self {
        let text = text.into();
        let mut json = json!({ "message": text });
        if let (Value::Object(all), Value::Object(facts)) = (&mut json, facts) {
            all.extend(facts);
        }
        Self { text, json: Some(json), exit: 0 }
    }

    /// Creates it from text that is JSON itself, a document on each line, for people and programs alike.
    pub(crate) fn lines(text: String) -> Self {
        Self { text, json: None, exit: 0 }
    }

    /// Creates the report of a command that has printed everything itself.
    pub(crate) fn printed() -> Self {
        Self { text: String::new(), json: None, exit: 0 }
    }

    /// Returns whether nothing is left to print.
    pub(crate) fn is_printed(&self) -> bool {
        self.exit == 0 && self.text.is_empty() && self.json.is_none()
    }

    /// Makes the command exit with 1 although it prints a report.
    #[must_use]
    pub(crate) fn failed(self) -> Self {
        Self { exit: FAILED, ..self }
    }

    /// Makes the command exit with 3: it did its work, but could not do all of it.
    #[must_use]
    pub(crate) fn incomplete(self) -> Self {
        Self { exit: INCOMPLETE, ..self }
    }

    /// Returns the code with which the command exits.
    pub(crate) fn exit(&self) -> u8 {
        self.exit
    }

    /// Returns what is printed.
    pub(crate) fn render(&self, as_json: bool) -> String {
        self.json.as_ref().filter(|_| as_json).map_or_else(|| self.text.clone(), |json| format!("{json:#}"))
    }
}

/// Prints a text and a line end. Whoever reads may stop early, as `head` does: the rest is not printed, and nothing failed.
///
/// # Errors
/// If it cannot be written for another reason, such as a full disk.
pub(crate) fn print(text: &str, to: &mut impl Write) -> Written<()> {
    match writeln!(to, "{text}").and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
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

    /// A reader that takes nothing, for a reason.
    struct Gone(ErrorKind);

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> Written<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> Written<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_stops_early_is_no_failure_and_a_full_disk_is_one() {
        assert!(print("Suspended org_1.", &mut Gone(ErrorKind::BrokenPipe)).is_ok());
        let full = print("Suspended org_1.", &mut Gone(ErrorKind::StorageFull)).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        let mut printed = Vec::new();
        print("Suspended org_1.", &mut printed).unwrap();
        assert_eq!(printed, b"Suspended org_1.\n");
    }

    #[test]
    fn a_change_is_sentences_for_people_and_facts_for_programs() {
        let report = Report::done("Suspended org_1.", json!({ "id": "org_1", "state": "suspended" }));
        assert_eq!(report.render(false), "Suspended org_1.");
        let json: Value = serde_json::from_str(&report.render(true)).unwrap();
        assert_eq!(json, json!({ "message": "Suspended org_1.", "id": "org_1", "state": "suspended" }));
        assert_eq!(report.exit(), 0);
        assert_eq!(report.failed().exit(), 1);
        assert_eq!(Report::lines(String::new()).incomplete().exit(), 3);
    }
}
