//! Deliveries as members see them. The payload is not shown, because it may be private to one person.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Attempt, Delivery, DeliveryStatus};
use crate::events::EventKind;

/// One attempt to deliver a webhook.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AttemptView {
    /// Number of the attempt, from 1, including those of redeliveries.
    #[schemars(range(min = 1))]
    pub number: u32,
    /// When the attempt started.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Status of the answer, if there was one.
    pub status_code: Option<u16>,
    /// How long it took, in milliseconds; null if it was cut short.
    pub duration_ms: Option<u64>,
    /// What went wrong; null for a status from 200 to 299. An attempt that was `cut_short` may have arrived.
    #[schemars(extend("enum" = ["status", "redirect", "timeout", "unreachable", "malformed", "not_allowed", "cut_short", null]))]
    pub error: Option<String>,
    /// The start of the response body.
    pub response: String,
}

/// A webhook's delivery to one endpoint.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeliveryView {
    /// Id of the delivery, which is the `webhook-id` of every attempt.
    pub id: String,
    /// Id of the endpoint.
    pub endpoint_id: String,
    /// Id of the event.
    pub event_id: String,
    /// Kind of the event.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = EventKind::ALL.map(EventKind::name)))]
    pub kind: &'static str,
    /// Status: `pending`, `delivered`, `failed` or `cancelled`.
    #[schemars(extend("enum" = DeliveryStatus::ALL.map(DeliveryStatus::name)))]
    pub status: &'static str,
    /// When it was created.
    #[schemars(extend("format" = "date-time"))]
    pub created_at: String,
    /// When the next attempt is due.
    #[schemars(extend("format" = "date-time"))]
    pub next_attempt_at: Option<String>,
    /// The newest attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

impl AttemptView {
    fn of(attempt: &Attempt) -> Self {
        let Attempt { number, at, status_code, duration_ms, error, response } = attempt.clone();
        Self { number, at: at.to_string(), status_code, duration_ms, error, response }
    }
}

impl DeliveryView {
    /// Builds the view of a delivery.
    pub fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            endpoint_id: delivery.endpoint.to_string(),
            event_id: delivery.event.to_string(),
            kind: delivery.kind.name(),
            status: delivery.status.name(),
            created_at: delivery.created_at.to_string(),
            next_attempt_at: delivery.next_at.map(|at| at.to_string()),
            attempts: delivery.attempts.iter().map(AttemptView::of).collect(),
        }
    }
}
