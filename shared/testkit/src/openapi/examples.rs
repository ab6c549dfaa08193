//! Examples: requests from the payloads in events/, answers from `answers.json` beside this file.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use crate::payload::root;

static ANSWERS: LazyLock<BTreeMap<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("answers.json")).expect("answers.json is a map of examples"));

/// Returns the body of a function's first payload for a route. Bodies of webhooks are long, and their senders know them.
pub(super) fn request(function: &str, route: &str) -> Option<Value> {
    if route.contains("/webhooks/") {
        return None;
    }
    let folder = std::fs::read_dir(root().join("events").join(function)).ok()?;
    let mut files: Vec<_> = folder.filter_map(|file| Some(file.ok()?.path())).collect();
    files.sort();
    let bodies = files.iter().filter_map(|file| {
        let event: Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
        let body = event["body"].as_str().filter(|_| event["routeKey"] == route)?;
        // The key of a payload is put in by its test.
        serde_json::from_str(&body.replace("$KEY", "sk_live_...")).ok()
    });
    bodies.into_iter().find(Value::is_object)
}

/// Returns the example of the answer to a route.
pub(super) fn answer(route: &str) -> Option<Value> {
    ANSWERS.get(route).cloned()
}

/// Returns the routes with an example of their answer.
pub(super) fn answered() -> impl Iterator<Item = &'static str> {
    ANSWERS.keys().map(String::as_str)
}
