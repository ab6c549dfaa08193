//! The OpenAPI document agrees with the types of the handlers and the routes of the template. That it agrees with every
//! answer is asserted where tests call handlers and the deployed stack.

use consigne_testkit::openapi::overlay;
use consigne_testkit::{openapi, payload, template};
use serde_json::{Value, json};

#[test]
fn the_committed_document_is_up_to_date() {
    let (document, descriptions) = overlay::split(openapi::whole());
    for (path, made) in [(openapi::PATH, openapi::written(&document)), (overlay::PATH, overlay::written(&descriptions))]
    {
        let written = std::fs::read_to_string(payload::root().join(path)).unwrap();
        assert!(written == made, "{path} is out of date; `make openapi` writes it");
    }
}

#[test]
fn the_overlay_has_what_is_short_and_examples_of_requests_alone() {
    let (short, long) = ("Id of the key", "x".repeat(100));
    let described = |text: &str| json!({ "type": "string", "description": text });
    let whole = json!({
        "info": { "version": "1" },
        "paths": { "/a": { "get": { "summary": "Read", "parameters": [described(short), described(&long)] } } },
        "components": { "schemas": { "A": {
            "description": "An answer",
            "properties": { "list": { "items": { "properties": { "id": described(short), "rule": described(&long) } } } },
        } } },
    });
    let (document, overlay) = overlay::split(whole.clone());
    let places = [
        "$['paths']['/a']['get']['parameters'][0]",
        "$['components']['schemas']['A']['properties']['list']['items']['properties']['id']",
    ];
    let action = |place| json!({ "target": place, "update": { "description": short } });
    assert_eq!(overlay["actions"], json!(places.map(action)));
    let mut wanted = whole;
    for at in ["/paths/~1a/get/parameters/0", "/components/schemas/A/properties/list/items/properties/id"] {
        wanted.pointer_mut(at).unwrap().as_object_mut().unwrap().remove("description");
    }
    assert_eq!(document, wanted);
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

#[test]
fn every_example_is_valid() {
    assert_eq!(openapi::answers::faults_of_examples(), [""; 0]);
}

#[test]
fn every_request_with_a_body_has_an_example() {
    let whole = openapi::whole();
    let operations = whole["paths"].as_object().unwrap().iter().flat_map(|(path, operations)| {
        operations.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    let bare: Vec<String> = operations
        .filter(|(place, _)| !place.contains("/webhooks/"))
        .filter(|(_, operation)| {
            let body = operation.pointer("/requestBody/content/application~1json");
            body.is_some_and(|body| body.get("example").is_none())
        })
        .map(|(place, _)| place)
        .collect();
    assert_eq!(bare, [""; 0]);
}

#[test]
fn names_of_schemas_do_not_depend_on_the_order_of_functions() {
    let document = openapi::document();
    // schemars adds a number to the name of a second type.
    let numbered =
        |name: &&String| name.ends_with(|last: char| last.is_ascii_digit()) && !name.starts_with("ApiGateway");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let numbered: Vec<&String> = schemas.keys().filter(numbered).collect();
    assert!(numbered.is_empty(), "{numbered:?}: name one type otherwise with #[schemars(rename = \"..\")]");
}

#[test]
fn operation_ids_are_unique() {
    let document = openapi::document();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
    let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len());
}

#[test]
fn the_document_has_one_line_for_each_operation_and_schema() {
    let written = std::fs::read_to_string(payload::root().join(openapi::PATH)).unwrap();
    let document = openapi::document();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        let line = format!("\"{name}\":{schema}");
        assert!(written.lines().any(|one| one.trim_end_matches(',') == line), "{name}");
    }
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let line = format!("\"{method}\":{operation}");
            assert!(written.lines().any(|one| one.trim_end_matches(',') == line), "{method} {path}");
        }
    }
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
