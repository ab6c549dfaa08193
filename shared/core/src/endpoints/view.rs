//! An endpoint, as members see it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Endpoint, EndpointStatus};
use crate::Timestamp;

/// An endpoint. Its secret is no part of it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EndpointView {
    /// Id.
    pub id: String,
    /// Where webhooks are sent.
    pub url: String,
    /// What it hears of.
    pub events: Vec<&'static str>,
    /// How fast it is called at most, in calls a second.
    pub rate_per_second: u32,
    /// Whether it gets webhooks: `active` or `disabled`.
    pub status: &'static str,
    /// Why it gets none: `gone`, when it answered 410, or `failing`, when it had failed for a week.
    pub disabled_reason: Option<&'static str>,
    /// Since when it gets none.
    pub disabled_at: Option<String>,
    /// Since when every attempt has failed.
    pub failing_since: Option<String>,
    /// Until when the secret before the last rotation signs, too.
    pub previous_valid_until: Option<String>,
    /// Who registered it; of personal events it hears theirs.
    pub created_by: String,
    /// When.
    pub created_at: String,
}

impl EndpointView {
    /// Shows an endpoint as of a moment.
    pub fn of(endpoint: &Endpoint, now: Timestamp) -> Self {
        let disabled = match endpoint.status {
            EndpointStatus::Active => None,
            EndpointStatus::Disabled(why, at) => Some((why.name(), at.to_string())),
        };
        let mut events: Vec<&'static str> = endpoint.events.iter().map(|kind| kind.name()).collect();
        events.sort_unstable();
        Self {
            id: endpoint.id.to_string(),
            url: endpoint.url.as_str().to_owned(),
            events,
            rate_per_second: endpoint.rate.per_second(),
            status: if disabled.is_none() { "active" } else { "disabled" },
            disabled_reason: disabled.as_ref().map(|(why, _)| *why),
            disabled_at: disabled.map(|(_, at)| at),
            failing_since: endpoint.failing_since.map(|since| since.to_string()),
            previous_valid_until: endpoint.previous_until.filter(|until| *until > now).map(|until| until.to_string()),
            created_by: endpoint.created_by.to_string(),
            created_at: endpoint.created_at.to_string(),
        }
    }
}

/// An endpoint with its secret: shown in the one answer to the request that made it.
#[derive(Clone, Serialize, JsonSchema)]
pub struct IssuedEndpoint {
    /// The secret by which webhooks are signed, `whsec_...`. It is shown nowhere else; whoever loses it rotates it.
    pub secret: String,
    /// The endpoint.
    #[serde(flatten)]
    pub view: EndpointView,
}
