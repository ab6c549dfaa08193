//! The OpenAPI document agrees with the types of the handlers and the routes of the template. That it agrees with every
//! answer is asserted where tests call handlers and the deployed stack.

use consigne_testkit::{openapi, payload, template};

#[test]
fn the_committed_document_is_up_to_date() {
    let written = std::fs::read_to_string(payload::root().join(openapi::PATH)).unwrap();
    let made = openapi::written(&openapi::document());
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

#[test]
fn every_example_is_valid() {
    assert_eq!(openapi::answers::faults_of_examples(), [""; 0]);
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
