//! The OpenAPI document says what the handlers take and give, and what the template routes.

use consigne_testkit::{openapi, payload, template};

#[test]
fn the_document_in_the_repository_is_the_one_the_handlers_make() {
    let written = std::fs::read_to_string(payload::root().join(openapi::PATH)).unwrap();
    let made = serde_json::to_string_pretty(&openapi::document()).unwrap() + "\n";
    assert!(written == made, "openapi.json is out of date; `make openapi` writes it");
}

#[test]
fn every_route_of_the_template_is_described_and_no_other() {
    let mut routed: Vec<String> = template::routes(&template::template())
        .into_iter()
        .map(|(_, method, path)| format!("{method} {path}"))
        .collect();
    let mut described: Vec<String> = openapi::operations().iter().map(|operation| operation.route.to_owned()).collect();
    routed.sort();
    described.sort();
    assert_eq!(described, routed);
}
