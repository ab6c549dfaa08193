//! A delivery, as members see it. What is told in it is no part of that: it may be a person's own matter.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Attempt, Delivery};

/// One attempt.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AttemptView {
    /// Which, from 1 on, redeliveries included.
    pub number: u32,
    /// When it was begun.
    pub at: String,
    /// Status of the answer, if there was one.
    pub status_code: Option<u16>,
    /// How long it took, in milliseconds; nothing of one that was cut short.
    pub duration_ms: Option<u64>,
    /// What went wrong: `status` (no 2xx), `redirect` (none is followed), `timeout`, `unreachable` (no connection, or no address
    /// that may be called), `malformed`, `not_allowed`, or `cut_short` (it may have arrived).
    pub error: Option<String>,
    /// How the answer's body begins.
    pub response: String,
}

/// A delivery.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct DeliveryView {
    /// Id; the `webhook-id` of every attempt.
    pub id: String,
    /// To which endpoint.
    pub endpoint_id: String,
    /// Of which event.
    pub event_id: String,
    /// What that event is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What became of it: `pending`, `delivered`, `failed` or `cancelled`.
    pub status: &'static str,
    /// Since when it is.
    pub created_at: String,
    /// When the next attempt is due; while one is made, when another one would be.
    pub next_attempt_at: Option<String>,
    /// The last attempts, oldest first.
    pub attempts: Vec<AttemptView>,
}

impl AttemptView {
    fn of(attempt: &Attempt) -> Self {
        let Attempt { number, at, status_code, duration_ms, error, response } = attempt.clone();
        Self { number, at: at.to_string(), status_code, duration_ms, error, response }
    }
}

impl DeliveryView {
    /// Shows a delivery.
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
