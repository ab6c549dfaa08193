//! Generates the schemas of events from their types, and validates events with them.
//!
//! `make openapi` writes the schemas, and a test checks that the committed files are up to date. The fakes validate every
//! event that is published on them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use consigne_core::events::EventKind;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::json_schema::Validator;
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

/// The order in which the keywords of a schema are written.
const KEYWORDS: [&str; 20] = [
    "$schema",
    "$id",
    "title",
    "description",
    "type",
    "format",
    "enum",
    "const",
    "pattern",
    "minLength",
    "minItems",
    "minimum",
    "maximum",
    "required",
    "properties",
    "items",
    "allOf",
    "if",
    "then",
    "additionalProperties",
];

/// Returns the path of a kind's schema, below the root of the checkout.
pub fn path(kind: EventKind) -> String {
    format!("{FOLDER}/{}.json", kind.name())
}

/// Returns the schema of the `detail` of events of a kind.
pub fn document(kind: EventKind) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = kind.detail_schema(&mut settings.into_generator()).to_value();
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["$id"] = json!(format!("https://consigne.example/events/{}.json", kind.name()));
    schema["title"] = json!(kind.name());
    schema["description"] = json!(kind.description());
    written(&schema)
}

/// Simplifies a derived schema for its readers.
///
/// An optional field is absent and never null, so the type `null` is removed. Alternatives with one value each become an
/// `enum`, which needs no type. Formats such as `uint64` are removed, because the standard does not define them. Objects
/// may always have further fields.
fn written(derived: &Value) -> Value {
    let Some(derived) = derived.as_object() else { return derived.clone() };
    let mut schema = derived.clone();
    if let Some(alternatives) = schema.remove("oneOf") {
        let values: Vec<&Value> = alternatives.as_array().into_iter().flatten().map(|one| &one["const"]).collect();
        match values[..] {
            [one] => schema.insert("const".to_owned(), one.clone()),
            _ => schema.insert("enum".to_owned(), json!(values)),
        };
    }
    if schema.contains_key("enum") {
        schema.retain(|keyword, _| ["description", "enum"].contains(&keyword.as_str()));
    }
    if schema.contains_key("const") {
        schema.retain(|keyword, _| ["description", "const"].contains(&keyword.as_str()));
    }
    if let Some(Value::Array(types)) = schema.get("type") {
        let kept = types.iter().find(|kept| **kept != "null").cloned().expect("a type is not null alone");
        schema.insert("type".to_owned(), kept);
    }
    schema.retain(|keyword, rule| {
        let text = rule.as_str().unwrap_or_default();
        !(keyword == "format" && (text.starts_with("uint") || text.starts_with("int")))
    });
    if schema.get("type").is_some_and(|kind| kind == "object") {
        schema.insert("additionalProperties".to_owned(), json!(true));
    }
    let mut ordered = Map::new();
    for keyword in KEYWORDS {
        let Some(rule) = schema.remove(keyword) else { continue };
        let rule = match (keyword, rule) {
            ("properties", Value::Object(properties)) => {
                properties.into_iter().map(|(name, schema)| (name, written(&schema))).collect()
            }
            ("allOf", Value::Array(schemas)) => schemas.iter().map(written).collect(),
            ("items" | "if" | "then", schema) => written(&schema),
            (_, rule) => rule,
        };
        ordered.insert(keyword.to_owned(), rule);
    }
    assert!(schema.is_empty(), "a schema has keywords that no consumer expects: {schema:?}");
    Value::Object(ordered)
}

/// Returns how the `detail` of an event differs from the schema of its kind. Empty if it is valid.
pub fn faults(kind: &str, detail: &Value) -> Vec<String> {
    let Some(schema) = SCHEMAS.get(kind) else { return vec![format!("{kind} has no schema")] };
    Validator::new(schema).faults(schema, detail, kind)
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
