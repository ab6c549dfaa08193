//! Writes the document as text: one line for each operation and each schema, so that a change is one line of a diff.

use serde_json::Value;

/// The places whose entries stand on lines of their own.
const SPLIT: [&str; 8] = [
    "",
    "/paths",
    "/paths/*",
    "/components",
    "/components/headers",
    "/components/responses",
    "/components/schemas",
    "/components/securitySchemes",
];

/// Returns the document as text.
pub fn written(document: &Value) -> String {
    let mut text = String::new();
    write(document, "", &mut text);
    text + "\n"
}

fn write(value: &Value, place: &str, text: &mut String) {
    let split = SPLIT.contains(&place) && value.as_object().is_some_and(|entries| !entries.is_empty());
    let Some(entries) = value.as_object().filter(|_| split) else {
        return text.push_str(&value.to_string());
    };
    text.push('{');
    for (at, (name, entry)) in entries.iter().enumerate() {
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        text.push_str(&Value::from(name.as_str()).to_string());
        text.push(':');
        // A path contains slashes, which would look like deeper places.
        write(entry, &format!("{place}/{}", if place == "/paths" { "*" } else { name }), text);
    }
    text.push_str("\n}");
}
