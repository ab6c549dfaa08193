//! The OpenAPI document agrees with the types of the handlers and the routes of the template.

use consigne_testkit::{openapi, payload, template};
use serde_json::{Value, json};

#[test]
fn the_committed_document_is_up_to_date() {
    let written = std::fs::read_to_string(payload::root().join(openapi::PATH)).unwrap();
    let made = serde_json::to_string_pretty(&openapi::document()).unwrap() + "\n";
    assert!(written == made, "openapi.json is out of date; `make openapi` writes it");
}

#[test]
fn the_document_has_exactly_the_routes_of_the_template() {
    let mut routed: Vec<String> = template::routes(&template::template())
        .into_iter()
        .map(|(_, method, path)| format!("{method} {path}"))
        .collect();
    let mut described: Vec<String> = openapi::operations().iter().map(|operation| operation.route.to_owned()).collect();
    routed.sort();
    described.sort();
    assert_eq!(described, routed);
}

/// Values of every kind that JSON has.
const VALUES: [&str; 11] = ["null", "true", "7", "-1", "1.5", "1e300", "\"x\"", "[]", "{}", "[null]", "{\"x\": 7}"];
/// Words by which serde names types of Rust.
const RUST: [&str; 24] = [
    "struct", "enum", "tuple", "newtype", "unit", "sequence", "map", "untagged", "Option", "Vec", "String", "u8",
    "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "isize", "f32", "f64",
];

/// Returns values for a place in a body: of every kind, and with values of every kind in each place below it.
fn values(schema: &Value, definitions: &Value, depth: u32) -> Vec<Value> {
    let mut all: Vec<Value> = VALUES.iter().map(|value| serde_json::from_str(value).unwrap()).collect();
    if depth == 0 {
        return all;
    }
    if let Some(name) = schema["$ref"].as_str() {
        return values(&definitions[name.rsplit('/').next().unwrap()], definitions, depth);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        for part in schema[choice].as_array().into_iter().flatten() {
            all.extend(values(part, definitions, depth));
        }
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        all.extend(values(inner, definitions, depth - 1).into_iter().map(|value| json!({ name: value })));
    }
    if schema["items"].is_object() {
        all.extend(values(&schema["items"], definitions, depth - 1).into_iter().map(|value| json!([value])));
    }
    all
}

#[test]
fn no_refusal_of_a_body_names_a_type_of_rust() {
    let is_named_as_a_type = |word: &str| {
        let mut letters = word.chars();
        let capital = letters.next().is_some_and(char::is_uppercase);
        RUST.contains(&word)
            || (capital && word.len() > 3 && letters.any(char::is_uppercase) && word.contains(char::is_lowercase))
    };
    let (mut bodies, mut refused) = (0, 0);
    for operation in openapi::operations() {
        let (Some(body), Some(refusal)) = (operation.body, operation.refusal) else { continue };
        bodies += 1;
        let mut generator = schemars::SchemaGenerator::default();
        let schema = body(&mut generator).to_value();
        let definitions = Value::Object(generator.take_definitions(true));
        for value in values(&schema, &definitions, 5) {
            let Some(fault) = refusal(value.to_string().as_bytes()) else { continue };
            refused += 1;
            let message = fault.message.to_string();
            let mut words = message.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            assert!(!words.any(is_named_as_a_type), "{}: {value}: {message}", operation.route);
        }
    }
    assert!(bodies > 25 && refused > 1_000, "{bodies} bodies, {refused} refusals");
}
