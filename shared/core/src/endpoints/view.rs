//! Endpoints as members see them.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Endpoint, EndpointStatus};
use crate::Timestamp;
use crate::pacing::RATE_MAX;

/// An endpoint without its secret.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EndpointView {
    /// Id of the endpoint.
    pub id: String,
    /// URL to which webhooks are sent.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// The events it subscribes to.
    pub events: Vec<&'static str>,
    /// How fast it is called at most, in calls a second.
    #[schemars(range(min = 1, max = RATE_MAX))]
    pub rate_per_second: u32,
    /// Whether it gets webhooks: `active` or `disabled`.
    #[schemars(extend("enum" = ["active", "disabled"]))]
    pub status: &'static str,
    /// Why it was disabled: `gone` if it answered 410, `failing` if it had failed for a week.
    #[schemars(extend("enum" = ["gone", "failing"]))]
    pub disabled_reason: Option<&'static str>,
    /// When it was disabled.
    #[schemars(extend("format" = "date-time"))]
    pub disabled_at: Option<String>,
    /// Since when every attempt has failed.
    #[schemars(extend("format" = "date-time"))]
    pub failing_since: Option<String>,
    /// Until when webhooks are also signed with the previous secret; null if they are not.
    #[schemars(extend("format" = "date-time"))]
    pub previous_valid_until: Option<String>,
    /// Id of the member who registered it. It gets the personal events of this member and of nobody else.
    pub created_by: String,
    /// When it was registered.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
}

impl EndpointView {
    /// Builds the view of an endpoint at a moment.
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

/// An endpoint with its secret, which only the answers to its creation and its rotation show.
#[derive(Clone, Serialize, JsonSchema)]
pub struct IssuedEndpoint {
    /// The secret that signs webhooks, `whsec_...`. It is not shown again. If it is lost, rotate it.
    pub secret: String,
    /// The endpoint without its secret.
    #[serde(flatten)]
    pub view: EndpointView,
}
