//! Schemas of objects whose fields depend on `kind`.
//!
//! schemars derives a list of alternatives for the enum of such an object. Code generators handle one object better: it
//! has the fields of all alternatives, and for each `kind` a rule with the fields that are required.

use serde_json::{Map, Value, json};

/// The fields for one `kind`, or for several.
pub(super) struct Alternative<'a> {
    /// The schema of `kind`.
    pub(super) kind: Value,
    /// The schema of the fields.
    pub(super) fields: &'a Value,
}

/// Returns the properties of all alternatives, and an `if`-`then` rule for each. `then` builds the consequence from the
/// names of the required fields.
pub(super) fn unite(
    alternatives: &[Alternative<'_>],
    then: impl Fn(&Value) -> Value,
) -> (Map<String, Value>, Vec<Value>) {
    let properties =
        alternatives.iter().filter_map(|alternative| alternative.fields["properties"].as_object()).flatten();
    let rule = |Alternative { kind, fields }: &Alternative<'_>| {
        let condition = json!({ "required": ["kind"], "properties": { "kind": kind } });
        json!({ "if": condition, "then": then(&fields["required"]) })
    };
    let rules = alternatives.iter().map(rule).collect();
    (properties.map(|(name, schema)| (name.clone(), schema.clone())).collect(), rules)
}
