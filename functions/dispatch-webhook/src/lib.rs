//! Tells customers' endpoints what has happened: an event becomes a delivery an endpoint, and each delivery is attempted until
//! its receiver has it, or three days have passed.
//!
//! Messages come at least once, in any order, and may be lost: what counts stands in the delivery's record, and every step is
//! taken on condition that it still stands so. The one thing that may happen twice is the call itself, when its outcome was
//! never put down; it has the same `webhook-id` then.

mod attempt;

use consigne_auth::EndpointSecrets;
use consigne_core::deliveries::{Delivery, DeliveryMessage, Subject, SubscribedEvent};
use consigne_core::endpoints::Endpoint;
use consigne_core::ports::{
    Clock, FindEndpoints, GetDelivery, GetEndpoint, GetMember, ListEndpoints, MoveDelivery, PaceCall, PageAsk,
    PostWebhook, RecordDelivery, SendLater, SendMessage, SendMessages,
};
use consigne_core::{Fault, OrgId, UserId};
use consigne_runtime::queue::Message;

/// What the handler works with.
#[derive(Debug)]
pub struct Deps<F, P, Q, D, C> {
    /// Endpoints, deliveries and members.
    pub table: F,
    /// Calls endpoints.
    pub courier: P,
    /// Takes what is due later.
    pub queue: Q,
    /// Takes what can never be processed.
    pub dead_letters: D,
    /// Derives endpoints' secrets.
    pub secrets: EndpointSecrets,
    /// Tells the time.
    pub clock: C,
}

/// Most endpoints read at once; an organisation has fewer.
const ENDPOINTS: u32 = 100;

/// What telling an event takes of the table.
pub trait Tells: FindEndpoints + ListEndpoints + GetEndpoint + GetMember + RecordDelivery {}
impl<T: FindEndpoints + ListEndpoints + GetEndpoint + GetMember + RecordDelivery> Tells for T {}

/// What an attempt takes of the table.
pub trait Attempts: GetDelivery + MoveDelivery + GetEndpoint + GetMember + PaceCall {}
impl<T: GetDelivery + MoveDelivery + GetEndpoint + GetMember + PaceCall> Attempts for T {}

/// Processes one message.
///
/// # Errors
/// Table or queue that do not answer; the message comes again, and should it be lost after all, `sweep` finds what is due.
pub async fn handle<F, P, Q, D, C>(deps: &Deps<F, P, Q, D, C>, message: &Message) -> Result<(), Fault>
where
    F: Tells + Attempts,
    P: PostWebhook,
    Q: SendLater + SendMessages,
    D: SendMessage,
    C: Clock,
{
    match DeliveryMessage::parse(&message.body) {
        Ok(DeliveryMessage::Tell(heard)) => tell(deps, &heard, message).await,
        Ok(DeliveryMessage::Attempt(org, id)) => attempt::attempt(deps, org, id, message).await,
        Ok(DeliveryMessage::Nothing) => Ok(()),
        Err(problem) => {
            message.log.field("message.malformed", problem);
            message.log.count("DeliveriesParked");
            deps.dead_letters.send_message(&message.body).await
        }
    }
}

/// Records a delivery for every endpoint that hears of an event, and has each attempted.
async fn tell<F: Tells, P, Q: SendMessages, D, C: Clock>(
    deps: &Deps<F, P, Q, D, C>,
    heard: &SubscribedEvent,
    message: &Message,
) -> Result<(), Fault> {
    message.log.field("event.id", heard.id);
    message.log.field("event.kind", heard.kind.name());
    let (endpoints, person) = match &heard.subject {
        Subject::Org(org) => (endpoints_of(&deps.table, *org).await?, None),
        Subject::Person(user) => (endpoints_of_person(&deps.table, user).await?, Some(user)),
    };
    let mut errands = Vec::new();
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.hears(heard.kind)) {
        let delivery = Delivery::of(heard, endpoint, person.cloned(), deps.clock.now());
        // One that was recorded before may still lack its message.
        deps.table.record_delivery(&delivery).await?;
        errands.push(DeliveryMessage::attempt(delivery.org, delivery.id)?);
    }
    message.log.field("deliveries", errands.len());
    if errands.is_empty() { Ok(()) } else { deps.queue.send_messages(&errands).await }
}

/// Gives all endpoints of an organisation.
async fn endpoints_of<F: ListEndpoints>(table: &F, org: OrgId) -> Result<Vec<Endpoint>, Fault> {
    table.list_endpoints(org, &PageAsk { limit: ENDPOINTS, after: None }).await.map(|listed| listed.items)
}

/// Gives the endpoints that a person has registered, in organisations they are still a member of.
async fn endpoints_of_person<F>(table: &F, user: &UserId) -> Result<Vec<Endpoint>, Fault>
where
    F: FindEndpoints + GetEndpoint + GetMember,
{
    let mut found = Vec::new();
    for (org, id) in table.find_endpoints(user).await? {
        if table.get_member(org, user).await?.is_some() {
            found.extend(table.get_endpoint(org, id).await?);
        }
    }
    Ok(found)
}
