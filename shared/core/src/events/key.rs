//! Events about API keys.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::schema::{Alternative, unite};
use crate::anomalies::{AnomalyKind, COUNTRIES_MAX, CREATED_MAX};
use crate::audit::Actor;
use crate::keys::ApiKey;
use crate::periods::Day;
use crate::{KeyId, OrgId, Timestamp, UserId};

/// `key.issued`, `key.rotated`, `key.revoked` and `key.deleted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyEvent {
    /// Id of the key's organisation.
    pub org_id: OrgId,
    /// Id of the key.
    pub key_id: KeyId,
    /// The key's name.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Who did it: a user's id, or `operator:` or `service:` and a name.
    pub actor: Actor,
}

impl KeyEvent {
    /// Says that somebody has done something to a key.
    pub fn of(key: &ApiKey, actor: &Actor) -> Self {
        Self { org_id: key.org, key_id: key.id, name: key.name.clone(), actor: actor.clone() }
    }
}

/// `key.migration-started` and `key.migration-reminder`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyMigrationEvent {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// Id of the person whose keys they are.
    pub user_id: UserId,
    /// The keys that have not been replaced; 100 at most.
    #[schemars(length(min = 1))]
    pub keys: Vec<NamedKey>,
    /// Number of all keys that have not been replaced.
    #[schemars(range(min = 1))]
    pub total: u64,
    /// When keys that have not been replaced are revoked.
    pub until: Timestamp,
}

/// A key and its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedKey {
    /// Id of the key.
    pub key_id: KeyId,
    /// The key's name.
    #[schemars(length(min = 1))]
    pub name: String,
}

/// `key.anomaly`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeyAnomaly {
    /// Id of the organisation.
    pub org_id: OrgId,
    /// Id of the key; absent if many were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The key's name; absent if many were made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// What is unusual, as `kind` and `details`.
    #[serde(flatten)]
    #[schemars(schema_with = "anomaly_schema")]
    pub anomaly: Anomaly,
    /// What was done: `alerted` the owners, or also `suspended` the key or the organisation.
    pub action: AnomalyResponse,
}

/// What is unusual, with the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "details", rename_all = "snake_case")]
pub enum Anomaly {
    /// One key is used from many countries.
    Countries {
        /// Number of countries from which the key was used.
        #[schemars(range(min = COUNTRIES_MAX + 1))]
        countries: usize,
        /// Codes of the countries; 50 at most.
        #[schemars(length(min = 1))]
        codes: Vec<String>,
        /// The period in which it happened, in minutes.
        #[schemars(range(min = 1))]
        within_minutes: u64,
    },
    /// One organisation makes many keys.
    KeysCreated {
        /// Number of keys that were made.
        #[schemars(range(min = CREATED_MAX + 1))]
        keys: usize,
        /// The period in which it happened, in minutes.
        #[schemars(range(min = 1))]
        within_minutes: u64,
    },
    /// One key is used far more than it was.
    UsageJump {
        /// Number of calls on the day.
        #[schemars(range(min = 1))]
        calls: u64,
        /// Number of calls on the median day of the week before.
        median: u64,
        /// The day, in UTC.
        day: Day,
    },
}

impl Anomaly {
    /// Returns what kind of anomaly it is.
    pub const fn kind(&self) -> AnomalyKind {
        match self {
            Self::Countries { .. } => AnomalyKind::Countries,
            Self::KeysCreated { .. } => AnomalyKind::KeysCreated,
            Self::UsageJump { .. } => AnomalyKind::UsageJump,
        }
    }
}

/// What was done about an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnomalyResponse {
    /// The owners were told.
    Alerted,
    /// The key, or the organisation, works no more until an operator resumes it.
    Suspended,
}

/// Describes what is unusual.
fn anomaly_schema(generator: &mut SchemaGenerator) -> Schema {
    let anomalies = Anomaly::json_schema(generator).to_value();
    let alternatives: Vec<_> = anomalies["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|anomaly| &anomaly["properties"])
        .map(|properties| Alternative {
            kind: json!({ "const": properties["kind"]["const"] }),
            fields: &properties["details"],
        })
        .collect();
    let kinds: Vec<&Value> = alternatives.iter().map(|alternative| &alternative.kind["const"]).collect();
    let (details, rules) =
        unite(&alternatives, |required| json!({ "properties": { "details": { "required": required } } }));
    json_schema!({
        "type": "object",
        "required": ["kind", "details"],
        "properties": {
            "kind": { "description": "What is unusual.", "enum": kinds },
            "details": { "description": "The numbers behind it; which there are depends on the kind.", "type": "object", "properties": details },
        },
        "allOf": rules,
    })
}
