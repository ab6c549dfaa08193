//! Types that are one string in JSON: how they are read, and how a schema describes them.

use schemars::{Schema, json_schema};

/// Implements `Deserialize` with the type's `parse`, and `JsonSchema` with the given schema.
///
/// The error names the type and does not quote the string, which may be personal data.
macro_rules! read_from_json_string {
    ($type:ident, $schema:expr) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("not a ", stringify!($type))))
            }
        }

        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

/// Describes an opaque string: its form may change, so clients must not parse it.
pub(crate) fn opaque() -> Schema {
    json_schema!({ "type": "string", "minLength": 1 })
}

/// Describes an id. Its prefix, if any, shows what it identifies; the rest is opaque.
pub(crate) fn prefixed(prefix: &str) -> Schema {
    if prefix.is_empty() { opaque() } else { matching(&format!("^{prefix}")) }
}

/// Describes a string by a regular expression.
pub(crate) fn matching(pattern: &str) -> Schema {
    json_schema!({ "type": "string", "pattern": pattern })
}
