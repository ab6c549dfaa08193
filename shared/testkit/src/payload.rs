//! Payloads `events/<function>/<case>.json`: the input of a function in tests and with `cargo lambda invoke`.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Returns the root of the checkout.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Returns the path of a binary from the same build as the running one: a function or the operator's command line.
///
/// # Panics
/// If the running binary is not in cargo's folder for tests.
pub fn built(name: &str) -> PathBuf {
    let asking = std::env::current_exe().expect("the path of the running binary is known");
    // Tests are in the folder `deps`, below the folder of the other binaries.
    let folder = asking.parent().and_then(Path::parent).expect("the running binary is in cargo's folder for tests");
    folder.join(name)
}

/// Reads a payload and replaces `$TOKEN` in it.
pub fn event(function: &str, case: &str, token: &str) -> Value {
    let path = root().join("events").join(function).join(format!("{case}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text.replace("$TOKEN", token)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Replaces values that differ in each run with placeholders: ids, times, version ids, signatures, texts of API keys.
pub fn steady(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(steady_text(text)),
        Value::Array(items) => items.iter().map(steady).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), steady_field(name, value))).collect(),
        other => other.clone(),
    }
}

/// Replaces values that can be recognised only by the name of their field.
fn steady_field(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("hint", Value::String(hint)) if hint.len() == 4 => "<hint>".into(),
        ("next_cursor", Value::String(_)) => "<cursor>".into(),
        // A slug begins with the name and ends with six characters of an id.
        ("slug", Value::String(slug)) if slug.len() >= 6 => format!("{}<end>", &slug[..slug.len() - 6]).into(),
        _ => steady(value),
    }
}

fn steady_text(text: &str) -> String {
    let rules = [
        (r"sk_(live|test)_[0-9A-Za-z]{43}", "<key>"),
        (r"[0-9A-HJKMNP-TV-Z]{26}", "<id>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
        (r"X-Amz-Date=\d{8}T\d{6}Z", "X-Amz-Date=<time>"),
        (r"%2F\d{8}%2F", "%2F<day>%2F"),
        (r"X-Amz-Signature=[0-9a-f]{64}", "X-Amz-Signature=<signature>"),
    ];
    rules.iter().fold(text.to_owned(), |text, (pattern, with)| {
        let pattern = regex_lite::Regex::new(pattern).expect("the patterns above are valid");
        pattern.replace_all(&text, *with).into_owned()
    })
}
