//! Tests of endpoints: a member asks for a webhook to one endpoint.

use std::time::Duration;

use super::Endpoint;
use crate::deliveries::Delivery;
use crate::events::{self, Event, EventData};
use crate::idempotency::{IdempotencyKey, IdempotentRequest};
use crate::{Code, DeliveryId, Fault, OrgId, Timestamp, UserId};

/// Most tests that an organisation may request in an hour. Each calls a server that somebody else may own.
pub const TESTS_AN_HOUR: u32 = 60;
/// The span in which tests are counted.
const HOUR: Duration = Duration::from_hours(1);

/// A test to request. The event, the count and the idempotency record are written in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointTest {
    /// The organisation of the endpoint.
    pub org: OrgId,
    /// The member who asks.
    pub by: UserId,
    /// Id of the delivery that the event becomes.
    pub delivery: DeliveryId,
    /// The event `endpoint.test`.
    pub event: Event,
    /// The request with its idempotency key, if there is one. Its result is the delivery's id.
    pub idempotent: Option<IdempotentRequest>,
    /// When the test was requested.
    pub now: Timestamp,
}

impl EndpointTest {
    /// Builds the test of an endpoint. `operation` is the name of the function that was called.
    pub fn new(
        endpoint: &Endpoint,
        by: UserId,
        key: Option<IdempotencyKey>,
        operation: &'static str,
        now: Timestamp,
    ) -> Self {
        let data = events::EndpointTest { org_id: endpoint.org, endpoint_id: endpoint.id, requested_by: by.clone() };
        let event = Event::new(now, EventData::EndpointTest(data));
        let delivery = Delivery::id_of(event.id, event.occurred_at, endpoint.id);
        let idempotent =
            key.map(|key| IdempotentRequest { key, owner: by.clone().into(), operation, result: delivery.to_string() });
        Self { org: endpoint.org, by, delivery, event, idempotent, now }
    }
}

/// Returns the start of the clock hour in which tests are counted.
pub fn test_hour(now: Timestamp) -> Timestamp {
    now.floor(HOUR)
}

/// Returns the 429 for an organisation that has requested [`TESTS_AN_HOUR`] tests in this hour.
pub fn too_many_tests(now: Timestamp) -> Fault {
    let resets_at = test_hour(now).plus(HOUR);
    let message =
        format!("organisation can test endpoints at most {TESTS_AN_HOUR} times an hour; try again at {resets_at}");
    Fault::new(Code::RateLimited, message).limited(TESTS_AN_HOUR.into(), resets_at, now)
}
