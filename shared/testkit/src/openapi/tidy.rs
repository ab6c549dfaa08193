//! Rewrites derived schemas, so that they say what the API does and no more.

use serde_json::{Map, Value, json};

/// Tidies the schema of something that is sent to callers. A field that may be absent is absent and never null.
pub(super) fn answer(schema: Value) -> Value {
    let mut schema = tidied(schema);
    let required = schema["required"].clone();
    let is_required = |name: &str| required.as_array().is_some_and(|names| names.iter().any(|one| one == name));
    for (name, field) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        if !is_required(name) {
            *field = without_null(field.take());
        }
    }
    for keyword in ["anyOf", "oneOf"] {
        for one in schema.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten() {
            *one = answer(one.take());
        }
    }
    schema
}

/// Tidies the schema of something that callers send.
pub(super) fn request(schema: Value) -> Value {
    tidied(schema)
}

fn tidied(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    join_constants(&mut schema);
    with_null(&mut schema);
    // The standard defines no formats for unsigned numbers, and `minimum` says the same.
    let is_of_rust = |format: &str| format.starts_with("uint") || matches!(format, "int8" | "int16");
    if schema.get("format").and_then(Value::as_str).is_some_and(is_of_rust) {
        schema.remove("format");
    }
    for keyword in ["properties", "$defs"] {
        for (_, field) in schema.get_mut(keyword).and_then(Value::as_object_mut).into_iter().flatten() {
            *field = tidied(field.take());
        }
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        for one in schema.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten() {
            *one = tidied(one.take());
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(keyword) {
            *inner = tidied(inner.take());
        }
    }
    Value::Object(schema)
}

/// Joins alternatives that are a constant each to an enumeration. The description tells what each constant means.
fn join_constants(schema: &mut Map<String, Value>) {
    let Some(alternatives) = schema.get("oneOf").and_then(Value::as_array) else { return };
    if !alternatives.iter().all(|one| one["const"].is_string()) {
        return;
    }
    let values: Vec<Value> = alternatives.iter().map(|one| one["const"].clone()).collect();
    let meanings = alternatives.iter().filter_map(|one| {
        let (value, meaning) = (one["const"].as_str()?, one["description"].as_str()?);
        Some(format!("`{value}`: {meaning}"))
    });
    let words: Vec<String> =
        schema.get("description").and_then(Value::as_str).map(str::to_owned).into_iter().chain(meanings).collect();
    schema.remove("oneOf");
    schema.insert("type".to_owned(), json!("string"));
    schema.insert("enum".to_owned(), json!(values));
    schema.insert("description".to_owned(), json!(words.join(" ")));
}

/// Adds null to the values of a schema whose types include it.
fn with_null(schema: &mut Map<String, Value>) {
    let is_nullable =
        schema.get("type").and_then(Value::as_array).is_some_and(|kinds| kinds.iter().any(|it| it == "null"));
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut).filter(|_| is_nullable)
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

/// Removes null from the values of a schema.
fn without_null(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = &kinds[..] {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(alternatives)) = schema.get_mut("anyOf") {
        alternatives.retain(|one| one["type"] != "null");
        if let [Value::Object(only)] = &alternatives[..] {
            let only = only.clone();
            schema.remove("anyOf");
            schema.extend(only);
        }
    }
    Value::Object(schema)
}
