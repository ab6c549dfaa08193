//! Payloads: `events/<function>/<case>.json`, the events a function is fed in tests and by `cargo lambda invoke`.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Gives the root of the checkout.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Gives a binary that was built along with the one that asks: a function's, or the operator's command line.
///
/// # Panics
/// When the one that asks does not lie where cargo puts tests.
pub fn built(name: &str) -> PathBuf {
    let asking = std::env::current_exe().expect("a process knows its own binary");
    // Tests are in `deps`, below the folder of all others.
    let folder = asking.parent().and_then(Path::parent).expect("cargo puts tests into a folder of the target's");
    folder.join(name)
}

/// Reads one payload, with `$TOKEN` replaced.
pub fn event(function: &str, case: &str, token: &str) -> Value {
    let path = root().join("events").join(function).join(format!("{case}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text.replace("$TOKEN", token)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Replaces what differs from run to run: ids, times, version ids, signatures, texts of API keys.
pub fn steady(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(steady_text(text)),
        Value::Array(items) => items.iter().map(steady).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), steady_field(name, value))).collect(),
        other => other.clone(),
    }
}

/// Replaces what only its name tells from ordinary text.
fn steady_field(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("hint", Value::String(hint)) if hint.len() == 4 => "<hint>".into(),
        ("next_cursor", Value::String(_)) => "<cursor>".into(),
        // What is readable of a slug follows from the name; its end is the end of an id.
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
        let pattern = regex_lite::Regex::new(pattern).expect("the patterns above are sound");
        pattern.replace_all(&text, *with).into_owned()
    })
}
