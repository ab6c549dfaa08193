//! Ports for customers' endpoints and deliveries.

use std::net::IpAddr;

use super::{Listed, PageAsk, PortFuture};
use crate::audit::AuditEntry;
use crate::deliveries::{Delivery, DeliveryStatus, DeliveryStep, MoveOutcome, Post, Posted};
use crate::endpoints::{Endpoint, EndpointStep, NewEndpoint};
use crate::idempotency::{IdempotentRequest, WriteOutcome};
use crate::pacing::{PaceAsk, Paced};
use crate::{DeliveryId, EndpointId, OrgId, Timestamp, UserId};

/// Registers an endpoint, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait CreateEndpoint {
    /// Writes the endpoint. Never returns `Conflict`.
    ///
    /// # Errors
    /// `CONFLICT` if the organisation already has the maximum number of endpoints, or one with this URL.
    fn create_endpoint(&self, new: &NewEndpoint) -> impl PortFuture<WriteOutcome>;
}

/// Reads one endpoint. `dynamodb:GetItem`.
pub trait GetEndpoint {
    /// Returns the endpoint, or `None` if the organisation has no such one.
    fn get_endpoint(&self, org: OrgId, id: EndpointId) -> impl PortFuture<Option<Endpoint>>;
}

/// Lists an organisation's endpoints. `dynamodb:Query`.
pub trait ListEndpoints {
    /// Returns a page, newest first.
    fn list_endpoints(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<Endpoint>>;
}

/// Finds the endpoints that a person has registered. `dynamodb:Query`.
pub trait FindEndpoints {
    /// Returns their ids, in all organisations.
    fn find_endpoints(&self, user: &UserId) -> impl PortFuture<Vec<(OrgId, EndpointId)>>;
}

/// Deletes the pointers to the endpoints of a person whose account is closed. `dynamodb:Query`, `dynamodb:DeleteItem`.
pub trait ForgetEndpoints {
    /// Deletes the pointers. The endpoints themselves stay with their organisations.
    fn forget_endpoints(&self, user: &UserId) -> impl PortFuture<()>;
}

/// Changes an endpoint by one step, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:DeleteItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait ChangeEndpoint {
    /// Applies the step. Returns `Conflict` if the endpoint has changed since it was read.
    ///
    /// # Errors
    /// `CONFLICT` naming `url` if the step changes the URL to that of another endpoint of the organisation.
    fn change_endpoint(&self, step: &EndpointStep) -> impl PortFuture<WriteOutcome>;
}

/// Deletes an endpoint, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:DeleteItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait DeleteEndpoint {
    /// Deletes the endpoint. Returns `false` if it no longer exists.
    fn delete_endpoint(&self, endpoint: &Endpoint, audit: &AuditEntry) -> impl PortFuture<bool>;
}

/// Records a delivery. `dynamodb:PutItem`.
pub trait RecordDelivery {
    /// Writes the delivery. Returns `false` if it already exists, in any status.
    fn record_delivery(&self, delivery: &Delivery) -> impl PortFuture<bool>;
}

/// Reads one delivery. `dynamodb:GetItem`.
pub trait GetDelivery {
    /// Returns the delivery, or `None` if the organisation has no such one.
    fn get_delivery(&self, org: OrgId, id: DeliveryId) -> impl PortFuture<Option<Delivery>>;
}

/// Changes a delivery by one step, in one transaction with its endpoint and its slot if those change too.
/// `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait MoveDelivery {
    /// Applies the step. Returns `Conflict` if the delivery or the endpoint has changed since it was read, and `NoSlot`
    /// if the step takes a slot and its organisation has none free.
    fn move_delivery(&self, step: &DeliveryStep) -> impl PortFuture<MoveOutcome>;
}

/// Makes a delivery due again, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`,
/// `dynamodb:ConditionCheckItem`.
pub trait Redeliver {
    /// Applies the step for the member `by`. Returns `Conflict` if the delivery has changed since it was read.
    ///
    /// # Errors
    /// `RATE_LIMITED` if the organisation has used up its redeliveries of this hour. `UNAUTHENTICATED` if the account of
    /// `by` is closed.
    fn redeliver(
        &self,
        step: &DeliveryStep,
        by: &UserId,
        idempotent: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> impl PortFuture<WriteOutcome>;
}

/// A filter of an endpoint's deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only deliveries to this endpoint.
    pub endpoint: EndpointId,
    /// Only deliveries of this status, if set.
    pub status: Option<DeliveryStatus>,
    /// The member who asks. Deliveries of other people's personal events are left out.
    pub viewer: UserId,
}

/// Lists an endpoint's deliveries. `dynamodb:Query`.
pub trait ListDeliveries {
    /// Returns a page, newest first.
    fn list_deliveries(&self, org: OrgId, filter: &DeliveryFilter, page: &PageAsk)
    -> impl PortFuture<Listed<Delivery>>;
}

/// Snoozes a delivery: `sweep` leaves it alone for a while. `dynamodb:UpdateItem`.
pub trait SnoozeDelivery {
    /// Moves the time at which `sweep` finds the delivery to `until`, unless the delivery has changed since it was
    /// read. Changes nothing else.
    fn snooze_delivery(&self, delivery: &Delivery, until: Timestamp) -> impl PortFuture<()>;
}

/// Keeps the rate of a destination across all its callers. `dynamodb:UpdateItem`.
pub trait PaceCall {
    /// Admits a call now, or returns a place in the line.
    fn pace_call(&self, ask: &PaceAsk) -> impl PortFuture<Paced>;
}

/// Sends webhooks. No IAM action. Each time a host name is resolved for a connection, its addresses are checked.
pub trait PostWebhook {
    /// Sends a webhook once. Follows no redirect, and reads only the start of the answer.
    fn post_webhook(&self, post: &Post) -> impl PortFuture<Posted>;
}

/// Resolves host names. No IAM action.
pub trait ResolveHost {
    /// Returns the addresses of a name, or none if it does not resolve.
    fn resolve_host(&self, name: &str) -> impl PortFuture<Vec<IpAddr>>;
}

/// Returns the time and waits, for work that lasts longer than a moment. No IAM action.
pub trait Clock {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Waits until a time.
    fn wait_until(&self, at: Timestamp) -> impl std::future::Future<Output = ()> + Send;
}
