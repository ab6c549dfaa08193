//! Validates JSON with the part of JSON Schema that our documents use. It panics on any other keyword, so that no rule is
//! ignored.

use std::collections::BTreeSet;
use std::net::IpAddr;

use consigne_core::Timestamp;
use consigne_core::periods::Day;
use regex_lite::Regex;
use serde_json::Value;

/// Keywords that describe a value and do not restrict it.
const NOTES: [&str; 9] =
    ["$schema", "$id", "title", "description", "default", "example", "examples", "discriminator", "then"];

/// Validates values with schemas of one document.
#[derive(Clone, Copy, Debug)]
pub struct Validator<'a> {
    /// The document in which `$ref` is looked up.
    document: &'a Value,
}

impl<'a> Validator<'a> {
    /// Creates a validator for schemas whose references point into `document`.
    pub fn new(document: &'a Value) -> Self {
        Self { document }
    }

    /// Returns how a value differs from a schema, each with its place. Empty if it is valid. `place` is that of the value.
    pub fn faults(&self, schema: &'a Value, value: &Value, place: &str) -> Vec<String> {
        let mut faults = Vec::new();
        self.check(schema, value, place, &mut faults);
        faults
    }

    /// Like [`Self::faults`], but a field that the schema does not name is a fault too, unless the schema lists no fields
    /// at all.
    pub fn faults_of_all_fields(&self, schema: &'a Value, value: &Value, place: &str) -> Vec<String> {
        let mut faults = self.faults(schema, value, place);
        if faults.is_empty() {
            self.find_unknown(&[schema], value, place, &mut faults);
        }
        faults
    }

    /// Returns the schema to which a reference such as `#/components/schemas/Error` points.
    pub fn resolve(&self, reference: &str) -> &'a Value {
        let found = reference.strip_prefix('#').and_then(|pointer| self.document.pointer(pointer));
        found.unwrap_or_else(|| panic!("{reference} points nowhere"))
    }

    fn check(self, schema: &'a Value, value: &Value, place: &str, faults: &mut Vec<String>) {
        // `true` accepts everything.
        if *schema == true {
            return;
        }
        for (keyword, rule) in schema.as_object().expect("a schema is an object") {
            match keyword.as_str() {
                keyword if NOTES.contains(&keyword) => {}
                "$ref" => self.check(self.resolve(text(rule)), value, place, faults),
                "required" if value.is_object() => {
                    let missing = list(rule).iter().map(text).filter(|name| value.get(name).is_none());
                    faults.extend(missing.map(|name| format!("{place} lacks {name}")));
                }
                "properties" => {
                    for (name, schema) in rule.as_object().expect("properties are an object") {
                        if let Some(value) = value.get(name) {
                            self.check(schema, value, &format!("{place}.{name}"), faults);
                        }
                    }
                }
                "additionalProperties" => {
                    for (name, value) in value.as_object().into_iter().flatten() {
                        if schema["properties"].get(name).is_some() {
                            continue;
                        }
                        if *rule == false {
                            faults.push(format!("{place}.{name} is not a field"));
                        } else {
                            self.check(rule, value, &format!("{place}.{name}"), faults);
                        }
                    }
                }
                "items" => {
                    for (at, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, value, &format!("{place}[{at}]"), faults);
                    }
                }
                "allOf" => list(rule).iter().for_each(|schema| self.check(schema, value, place, faults)),
                "anyOf" | "oneOf" => {
                    let refused: Vec<_> = list(rule).iter().map(|one| self.faults(one, value, place)).collect();
                    let accepting = refused.iter().filter(|faults| faults.is_empty()).count();
                    if accepting == 0 {
                        // The alternative that is wrong in the fewest places is the one that was meant.
                        let closest = refused.into_iter().min_by_key(Vec::len).unwrap_or_default();
                        faults.push(format!("{place} fits no alternative; the closest: {}", closest.join(", ")));
                    } else if accepting > 1 && keyword == "oneOf" {
                        faults.push(format!("{place} fits {accepting} alternatives"));
                    }
                }
                "if" if self.faults(rule, value, place).is_empty() => {
                    self.check(&schema["then"], value, place, faults);
                }
                "if" | "required" => {}
                keyword if !holds(keyword, rule, value) => {
                    faults.push(format!("{place} is {value}, {keyword} {rule}"));
                }
                _ => {}
            }
        }
    }

    /// Appends the places of fields that no schema names. `schemas` all apply to the value, which is valid.
    fn find_unknown(self, schemas: &[&'a Value], value: &Value, place: &str, faults: &mut Vec<String>) {
        let mut applied = Vec::new();
        for schema in schemas {
            self.gather(schema, value, place, &mut applied);
        }
        if let Some(items) = value.as_array() {
            let schemas: Vec<&Value> = applied.iter().filter_map(|schema| schema.get("items")).collect();
            for (at, value) in items.iter().enumerate() {
                self.find_unknown(&schemas, value, &format!("{place}[{at}]"), faults);
            }
        }
        let lists_fields = applied.iter().any(|schema| schema.get("properties").is_some());
        for (name, value) in value.as_object().into_iter().flatten() {
            let place = format!("{place}.{name}");
            let mut of_name: Vec<&Value> = applied.iter().filter_map(|schema| schema["properties"].get(name)).collect();
            if of_name.is_empty() {
                of_name.extend(applied.iter().filter_map(|schema| schema.get("additionalProperties")));
                if of_name.is_empty() && lists_fields {
                    faults.push(format!("{place} is not documented"));
                }
            }
            self.find_unknown(&of_name, value, &place, faults);
        }
    }

    /// Collects a schema and every schema in it that applies to the same value.
    fn gather(self, schema: &'a Value, value: &Value, place: &str, applied: &mut Vec<&'a Value>) {
        applied.push(schema);
        if let Some(reference) = schema.get("$ref") {
            self.gather(self.resolve(text(reference)), value, place, applied);
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            for one in schema[keyword].as_array().into_iter().flatten() {
                if self.faults(one, value, place).is_empty() {
                    self.gather(one, value, place, applied);
                }
            }
        }
    }
}

fn text(rule: &Value) -> &str {
    rule.as_str().unwrap_or_else(|| panic!("{rule} is not a text"))
}

fn list(rule: &Value) -> &Vec<Value> {
    rule.as_array().unwrap_or_else(|| panic!("{rule} is not a list"))
}

/// Returns whether a value satisfies one keyword. As in the standard, a keyword for one type accepts values of others.
fn holds(keyword: &str, rule: &Value, value: &Value) -> bool {
    let written = value.as_str();
    let count = |number: usize| u64::try_from(number).ok();
    let characters = written.and_then(|text| count(text.chars().count()));
    let entries = value.as_array().and_then(|items| count(items.len()));
    match keyword {
        "type" => match rule {
            Value::Array(kinds) => kinds.iter().any(|kind| is(text(kind), value)),
            kind => is(text(kind), value),
        },
        "enum" => list(rule).contains(value),
        "const" => rule == value,
        "pattern" => written.is_none_or(|written| {
            Regex::new(text(rule)).unwrap_or_else(|error| panic!("{rule}: {error}")).is_match(written)
        }),
        "format" => match text(rule) {
            "int32" => value.as_i64().is_none_or(|number| i32::try_from(number).is_ok()),
            "int64" => !value.is_u64() || value.is_i64(),
            "double" => true,
            format => written.is_none_or(|written| has_format(format, written)),
        },
        "minLength" => characters.is_none() || characters >= rule.as_u64(),
        "maxLength" => characters.is_none() || characters <= rule.as_u64(),
        "minItems" => entries.is_none() || entries >= rule.as_u64(),
        "maxItems" => entries.is_none() || entries <= rule.as_u64(),
        "uniqueItems" => {
            let items: Vec<String> = value.as_array().into_iter().flatten().map(Value::to_string).collect();
            items.iter().collect::<BTreeSet<_>>().len() == items.len()
        }
        "minProperties" => value.as_object().is_none_or(|fields| count(fields.len()) >= rule.as_u64()),
        "minimum" => value.as_f64().is_none_or(|number| Some(number) >= rule.as_f64()),
        "maximum" => value.as_f64().is_none_or(|number| Some(number) <= rule.as_f64()),
        other => panic!("a schema uses {other}, which this validator does not support"),
    }
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        // 500.0 is an integer too. Source: JSON Schema core, draft 2020-12, section 4.2.1.
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => panic!("a schema uses the type {kind}, which this validator does not support"),
    }
}

fn has_format(format: &str, text: &str) -> bool {
    match format {
        "date-time" => Timestamp::parse(text).is_some(),
        "date" => Day::parse(text).is_some(),
        "uri" => text.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some()),
        "email" => text.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty()),
        "ip" => text.parse::<IpAddr>().is_ok(),
        _ => panic!("a schema uses the format {format}, which this validator does not support"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({ "components": { "schemas": {
            "Name": { "type": "string", "minLength": 1, "maxLength": 3 },
            "Cat": {
                "type": "object", "required": ["kind", "name"],
                "properties": { "kind": { "const": "cat" }, "name": { "$ref": "#/components/schemas/Name" } },
            },
            "Dog": {
                "type": "object", "required": ["kind"],
                "properties": { "kind": { "const": "dog" }, "age": { "type": ["integer", "null"], "minimum": 0 } },
            },
        } } })
    }

    fn faults(schema: &Value, value: &Value) -> Vec<String> {
        let document = document();
        Validator::new(&document).faults_of_all_fields(schema, value, "pet")
    }

    #[test]
    fn a_fault_names_its_place() {
        let pets = json!({ "type": "array", "items": { "oneOf": [
            { "$ref": "#/components/schemas/Cat" }, { "$ref": "#/components/schemas/Dog" },
        ] } });
        assert_eq!(faults(&pets, &json!([{ "kind": "cat", "name": "Tom" }, { "kind": "dog", "age": null }])), [""; 0]);
        for (pet, fault) in [
            (json!({ "kind": "cat" }), "pet[0] fits no alternative; the closest: pet[0] lacks name"),
            (json!({ "kind": "dog", "age": "2" }), "pet[0].age is \"2\", type [\"integer\",\"null\"]"),
            (json!({ "kind": "dog", "age": -1 }), "pet[0].age is -1, minimum 0"),
            (json!({ "kind": "cat", "name": "Garfield" }), "pet[0].name is \"Garfield\", maxLength 3"),
            (json!({ "kind": "dog", "tail": true }), "pet[0].tail is not documented"),
        ] {
            let found = faults(&pets, &json!([pet])).join("");
            assert!(found.contains(fault), "{found}");
        }
    }

    #[test]
    fn fields_of_all_schemas_that_apply_are_known() {
        let both = json!({ "allOf": [
            { "$ref": "#/components/schemas/Dog" }, { "properties": { "tag": { "type": "object" } } },
        ] });
        assert_eq!(faults(&both, &json!({ "kind": "dog", "age": 1, "tag": { "any": 1 } })), [""; 0]);
        assert_eq!(faults(&both, &json!({ "kind": "dog", "name": "Rex" })), ["pet.name is not documented"]);
        let map = json!({ "type": "object", "additionalProperties": { "type": "integer" } });
        assert_eq!(faults(&map, &json!({ "a": 1 })), [""; 0]);
        assert_eq!(faults(&map, &json!({ "a": "1" })), ["pet.a is \"1\", type \"integer\""]);
        let closed = json!({ "properties": { "a": {} }, "additionalProperties": false });
        assert_eq!(faults(&closed, &json!({ "b": 1 })), ["pet.b is not a field"]);
    }
}
