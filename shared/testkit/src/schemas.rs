//! The schemas of events, and a validator for the part of JSON Schema that they use.
//!
//! Fakes validate every event, so no event can be published that differs from its schema.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use consigne_core::Timestamp;
use consigne_core::events::EventKind;
use regex_lite::Regex;
use serde_json::Value;

use crate::payload;

/// Folder of the schemas below the root of the checkout: `<detail-type>.json` and `<detail-type>.example.json`.
pub const FOLDER: &str = "events/schemas";

static SCHEMAS: LazyLock<BTreeMap<&str, Value>> =
    LazyLock::new(|| EventKind::ALL.into_iter().map(|kind| (kind.name(), read(kind.name()))).collect());

/// Reads a file in the folder as JSON.
pub fn read(name: &str) -> Value {
    let path = payload::root().join(FOLDER).join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns how the `detail` of an event differs from the schema of its kind. Empty if it is valid.
pub fn faults(kind: &str, detail: &Value) -> Vec<String> {
    let Some(schema) = SCHEMAS.get(kind) else { return vec![format!("{kind} has no schema")] };
    let mut faults = Vec::new();
    check(schema, detail, kind, &mut faults);
    faults
}

/// Asserts that the `detail` of an event, as JSON text, is valid for its kind.
///
/// # Panics
/// If it differs from the schema.
pub fn assert_valid(kind: &str, detail: &str) {
    let value: Value = serde_json::from_str(detail).unwrap_or_else(|error| panic!("{kind}: {error}: {detail}"));
    let faults = faults(kind, &value);
    assert!(faults.is_empty(), "{faults:#?} of {detail}");
}

/// Validates a value, whose place in the event is `path`. Appends what is wrong to `faults`.
fn check(schema: &Value, value: &Value, path: &str, faults: &mut Vec<String>) {
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "then" => {}
            "additionalProperties" => assert_eq!(*rule, true, "{path}: schemas must allow fields that are added later"),
            "required" => {
                let missing = names(rule).filter(|name| value.get(name).is_none());
                faults.extend(missing.map(|name| format!("{path} lacks {name}")));
            }
            "properties" => {
                for (name, schema) in rule.as_object().expect("properties are an object") {
                    if let Some(value) = value.get(name) {
                        check(schema, value, &format!("{path}.{name}"), faults);
                    }
                }
            }
            "items" => {
                for (at, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, value, &format!("{path}[{at}]"), faults);
                }
            }
            "allOf" => rule.as_array().into_iter().flatten().for_each(|schema| check(schema, value, path, faults)),
            "if" => {
                let mut otherwise = Vec::new();
                check(rule, value, path, &mut otherwise);
                if otherwise.is_empty() {
                    check(&schema["then"], value, path, faults);
                }
            }
            keyword if !holds(keyword, rule, value) => faults.push(format!("{path} is {value}, {keyword} {rule}")),
            _ => {}
        }
    }
}

fn names(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Returns whether a value satisfies one keyword. As in the standard, a keyword for one type accepts values of others.
fn holds(keyword: &str, rule: &Value, value: &Value) -> bool {
    let text = value.as_str();
    match keyword {
        "type" => match rule.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_i64() || value.is_u64(),
            _ => panic!("a schema uses the type {rule}, which this validator does not support"),
        },
        "enum" => rule.as_array().is_some_and(|values| values.contains(value)),
        "const" => rule == value,
        "pattern" => text.is_none_or(|text| {
            let pattern = rule.as_str().map(Regex::new).expect("a pattern is a text");
            pattern.expect("the pattern is valid").is_match(text)
        }),
        "format" => text.is_none_or(|text| match rule.as_str() {
            Some("date-time") => Timestamp::parse(text).is_some(),
            Some("uri") => text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some()),
            _ => panic!("a schema uses the format {rule}, which this validator does not support"),
        }),
        "minLength" => text.is_none_or(|text| Some(text.chars().count() as u64) >= rule.as_u64()),
        "minItems" => value.as_array().is_none_or(|items| Some(items.len() as u64) >= rule.as_u64()),
        "minimum" => value.as_i64().is_none_or(|number| Some(number) >= rule.as_i64()),
        "maximum" => value.as_i64().is_none_or(|number| Some(number) <= rule.as_i64()),
        other => panic!("a schema uses {other}, which this validator does not support"),
    }
}
