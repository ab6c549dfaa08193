//! What a check found: its state, what is so, and how to mend it.

use serde_json::{Value, json};

use crate::aws::Refusal;

/// How things stand with what was checked. In the order of how much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// An optional part that is not used.
    NotSetUp,
    /// The laptop's server cannot answer it.
    NotOnLaptop,
    /// Works, and deserves a look; or could not be checked.
    Warning,
    /// Does not work, or loses data or protection.
    Failed,
}

impl State {
    /// Returns the word for it, in text and JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotSetUp => "not set up",
            Self::NotOnLaptop => "not on the laptop",
            Self::Warning => "warning",
            Self::Failed => "FAILED",
        }
    }

    /// Returns its name in JSON.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotSetUp => "not_set_up",
            Self::NotOnLaptop => "not_on_laptop",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// What was checked, such as `table stream`. The same in every run.
    pub(crate) name: String,
    /// How it stands.
    pub(crate) state: State,
    /// What is so.
    pub(crate) text: String,
    /// A command or a page that mends it; `None` where nothing has to be mended.
    pub(crate) cure: Option<String>,
}

impl Finding {
    /// Creates a finding that needs nothing. `text` is what was found, such as `yes` or a number.
    pub(crate) fn ok(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, text: text.into(), cure: None }
    }

    /// Creates a failure, with which `doctor` exits with 1. `cure` is a command or a page.
    pub(crate) fn failed(name: impl Into<String>, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Failed, text: text.into(), cure: Some(cure.into()) }
    }

    /// Creates a warning, which does not change the exit code. `cure` is a command or a page.
    pub(crate) fn warning(name: impl Into<String>, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Warning, text: text.into(), cure: Some(cure.into()) }
    }

    /// Creates the finding of an optional part that is switched off. `cure` is what switches it on.
    pub(crate) fn not_set_up(name: impl Into<String>, text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::NotSetUp, text: text.into(), cure: Some(cure.into()) }
    }

    /// Creates the finding of something that only AWS has.
    pub(crate) fn not_on_laptop(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::NotOnLaptop, text: text.into(), cure: None }
    }

    /// Creates an [`Self::ok`] with the text `good` if `holds`, otherwise a failure with `bad` and `cure`.
    pub(crate) fn when(holds: bool, name: &str, good: &str, bad: impl Into<String>, cure: impl Into<String>) -> Self {
        if holds { Self::ok(name, good) } else { Self::failed(name, bad, cure) }
    }

    /// Creates the finding of a call without an answer: a failure if the thing does not exist or AWS does not answer, a warning
    /// if the caller has no right to ask or AWS is asked too often.
    pub(crate) fn refused(name: impl Into<String>, refusal: &Refusal, laptop: bool) -> Self {
        match refusal {
            Refusal::Denied(action) => Self::warning(
                name,
                format!("not checked: you may not call {action}"),
                format!("allow {action}; docs/operate/doctor-policy.json has all rights"),
            ),
            Refusal::Throttled(_) => Self::warning(name, format!("not checked: {refusal}"), "look again in a minute"),
            Refusal::Unsupported if laptop => Self::not_on_laptop(name, "the laptop's server does not answer it"),
            Refusal::Missing(code) => {
                Self::failed(name, format!("does not exist ({code})"), "deploy the stack again: `make deploy`")
            }
            other => Self::failed(name, other.to_string(), "try again; if it stays, see docs/operate/doctor.md"),
        }
    }

    /// Creates the finding of a check that depends on a parameter, if CloudFormation did not tell the stack's parameters.
    pub(crate) fn without_parameters(name: impl Into<String>) -> Self {
        let text = "not checked: the stack's parameters could not be read";
        Self::warning(name, text, "mend the check of the stack, then look again")
    }

    /// Returns whether it is no failure.
    pub(crate) fn is_well(&self) -> bool {
        self.state != State::Failed
    }

    /// Returns it for programs.
    pub(crate) fn document(&self) -> Value {
        json!({
            "name": self.name, "ok": self.is_well(), "state": self.state.name(), "text": self.text, "cure": self.cure
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_right_is_a_warning_that_names_the_action_and_a_missing_thing_a_failure() {
        let denied = Finding::refused("table", &Refusal::Denied("dynamodb:DescribeTable"), false);
        assert_eq!(denied.state, State::Warning);
        assert!(denied.text.contains("dynamodb:DescribeTable") && denied.cure.unwrap().contains("doctor-policy.json"));
        let busy = Finding::refused("x", &Refusal::Throttled("Throttling".into()), false);
        assert!(busy.state == State::Warning && busy.text.starts_with("not checked: "), "{busy:?}");
        assert_eq!(Finding::refused("x", &Refusal::Missing("NoSuchBucket".into()), true).state, State::Failed);
        assert_eq!(Finding::refused("x", &Refusal::Unsupported, true).state, State::NotOnLaptop);
        assert_eq!(Finding::refused("x", &Refusal::Unsupported, false).state, State::Failed);
        assert_eq!(Finding::refused("x", &Refusal::Failed("500".into()), true).state, State::Failed);
    }
}
