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
    /// Who changed the key: a user's id, or `operator:` or `service:` and a name.
    pub actor: Actor,
}

impl KeyEvent {
    /// Builds the event of a change of a key.
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
    /// The keys that have not been replaced, at most 100 of them.
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
    /// Id of the key; absent if many keys were created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The key's name; absent if many keys were created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub name: Option<String>,
    /// What is unusual, as `kind` and `details`.
    #[serde(flatten)]
    #[schemars(schema_with = "anomaly_schema")]
    pub anomaly: Anomaly,
    /// The response: `alerted` if only the owners were notified, `suspended` if the key or the organisation was also
    /// suspended.
    pub action: AnomalyResponse,
}

/// An anomaly, with its numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "details", rename_all = "snake_case")]
pub enum Anomaly {
    /// A key is used from many countries.
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
    /// An organisation creates many keys.
    KeysCreated {
        /// Number of keys that were created.
        #[schemars(range(min = CREATED_MAX + 1))]
        keys: usize,
        /// The period in which it happened, in minutes.
        #[schemars(range(min = 1))]
        within_minutes: u64,
    },
    /// A key is used far more than before.
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
    /// Returns the kind of the anomaly.
    pub const fn kind(&self) -> AnomalyKind {
        match self {
            Self::Countries { .. } => AnomalyKind::Countries,
            Self::KeysCreated { .. } => AnomalyKind::KeysCreated,
            Self::UsageJump { .. } => AnomalyKind::UsageJump,
        }
    }
}

/// The response to an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnomalyResponse {
    /// Only the owners were notified.
    Alerted,
    /// The owners were notified, and the key or the organisation was suspended until an operator resumes it.
    Suspended,
}

/// Returns the JSON schema of an anomaly.
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
            "details": { "description": "The numbers of the anomaly; its fields depend on the kind.", "type": "object", "properties": details },
        },
        "allOf": rules,
    })
}
