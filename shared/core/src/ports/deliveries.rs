//! What customers' endpoints and deliveries need of the outside world.

use std::net::IpAddr;

use super::{Listed, PageAsk, PortFuture};
use crate::audit::AuditEntry;
use crate::deliveries::{Delivery, DeliveryStatus, DeliveryStep, Post, Posted};
use crate::endpoints::{Endpoint, EndpointStep, NewEndpoint};
use crate::idempotency::{IdempotentRequest, WriteOutcome};
use crate::pacing::{PaceAsk, Paced};
use crate::{DeliveryId, EndpointId, OrgId, Timestamp, UserId};

/// Registers an endpoint, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait CreateEndpoint {
    /// Writes it; never answers `Moved`.
    ///
    /// # Errors
    /// `CONFLICT` when the organisation has as many as it may.
    fn create_endpoint(&self, new: &NewEndpoint) -> impl PortFuture<WriteOutcome>;
}

/// Reads one endpoint. `dynamodb:GetItem`.
pub trait GetEndpoint {
    /// Gives the endpoint; `None` when the organisation has no such one.
    fn get_endpoint(&self, org: OrgId, id: EndpointId) -> impl PortFuture<Option<Endpoint>>;
}

/// Lists an organisation's endpoints. `dynamodb:Query`.
pub trait ListEndpoints {
    /// Gives a page, newest first.
    fn list_endpoints(&self, org: OrgId, page: &PageAsk) -> impl PortFuture<Listed<Endpoint>>;
}

/// Finds the endpoints that a person has registered. `dynamodb:Query`.
pub trait FindEndpoints {
    /// Names them, in whichever organisations.
    fn find_endpoints(&self, user: &UserId) -> impl PortFuture<Vec<(OrgId, EndpointId)>>;
}

/// Forgets which endpoints somebody has registered whose account is closed. `dynamodb:Query`, `dynamodb:DeleteItem`.
pub trait ForgetEndpoints {
    /// Removes what leads to them; the endpoints stay their organisations'.
    fn forget_endpoints(&self, user: &UserId) -> impl PortFuture<()>;
}

/// Changes an endpoint by one step, in one transaction. `dynamodb:PutItem`.
pub trait ChangeEndpoint {
    /// Applies the step; `Moved` when the endpoint has changed since it was read.
    fn change_endpoint(&self, step: &EndpointStep) -> impl PortFuture<WriteOutcome>;
}

/// Deletes an endpoint, in one transaction. `dynamodb:PutItem`, `dynamodb:UpdateItem`, `dynamodb:DeleteItem`.
pub trait DeleteEndpoint {
    /// Removes it; `false` when it is gone already.
    fn delete_endpoint(&self, endpoint: &Endpoint, audit: &AuditEntry) -> impl PortFuture<bool>;
}

/// Records a delivery. `dynamodb:PutItem`.
pub trait RecordDelivery {
    /// Writes it, once; `false` when it is there already, however far it has come.
    fn record_delivery(&self, delivery: &Delivery) -> impl PortFuture<bool>;
}

/// Reads one delivery. `dynamodb:GetItem`.
pub trait GetDelivery {
    /// Gives the delivery; `None` when the organisation has no such one.
    fn get_delivery(&self, org: OrgId, id: DeliveryId) -> impl PortFuture<Option<Delivery>>;
}

/// Moves a delivery by one step, with its endpoint if it does something to that, in one transaction. `dynamodb:PutItem`.
pub trait MoveDelivery {
    /// Applies the step; `false` when one of the two has moved since it was read, and nothing was changed.
    fn move_delivery(&self, step: &DeliveryStep) -> impl PortFuture<bool>;
}

/// Makes a delivery due again, in one transaction. `dynamodb:GetItem`, `dynamodb:PutItem`, `dynamodb:UpdateItem`.
pub trait Redeliver {
    /// Applies the step; `Moved` when the delivery has moved since it was read.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the organisation has asked for as many as it may in an hour.
    fn redeliver(
        &self,
        step: &DeliveryStep,
        idempotent: Option<&IdempotentRequest>,
        now: Timestamp,
    ) -> impl PortFuture<WriteOutcome>;
}

/// Which deliveries a list shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// Only of this status.
    pub status: Option<DeliveryStatus>,
    /// Who asks: other people's own matters are left out.
    pub viewer: UserId,
}

/// Lists an endpoint's deliveries. `dynamodb:Query`.
pub trait ListDeliveries {
    /// Gives a page, newest first.
    fn list_deliveries(&self, org: OrgId, filter: &DeliveryFilter, page: &PageAsk)
    -> impl PortFuture<Listed<Delivery>>;
}

/// Lets `sweep` leave a delivery alone for a while. `dynamodb:UpdateItem`.
pub trait SnoozeDelivery {
    /// Does so, unless it has moved meanwhile; how it stands is not changed by that.
    fn snooze_delivery(&self, delivery: &Delivery, until: Timestamp) -> impl PortFuture<()>;
}

/// Holds a destination to its own rate, whatever it is and whoever calls it. `dynamodb:UpdateItem`.
pub trait PaceCall {
    /// Admits a call now, or gives a place in the line.
    fn pace_call(&self, ask: &PaceAsk) -> impl PortFuture<Paced>;
}

/// Sends webhooks. No IAM action: where to is checked whenever a name is resolved, for the very connection.
pub trait PostWebhook {
    /// Sends it once; follows no redirect and reads but the beginning of the answer.
    fn post_webhook(&self, post: &Post) -> impl PortFuture<Posted>;
}

/// Resolves names of hosts. No IAM action.
pub trait ResolveHost {
    /// Gives the addresses a name leads to now; none of one that leads nowhere.
    fn resolve_host(&self, name: &str) -> impl PortFuture<Vec<IpAddr>>;
}

/// Tells the time and lets it pass, for work that goes on after its event has come. No IAM action.
pub trait Clock {
    /// Gives the moment.
    fn now(&self) -> Timestamp;

    /// Waits until a moment.
    fn wait_until(&self, at: Timestamp) -> impl std::future::Future<Output = ()> + Send;
}
