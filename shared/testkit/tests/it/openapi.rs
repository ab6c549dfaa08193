//! The OpenAPI document agrees with the types of the handlers and the routes of the template.

use consigne_testkit::{openapi, payload, template};

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
