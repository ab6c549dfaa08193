//! Sends webhooks: an event becomes one delivery per subscribed endpoint, and each delivery is attempted until the
//! endpoint accepts it or three days have passed.
//!
//! Messages come at least once, in any order, and may be lost. So the delivery's record decides, and every write is
//! conditional on its revision. Only the call itself can happen twice: if its outcome could not be recorded, it is
//! repeated with the same `webhook-id`.

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
use consigne_runtime::{Adapters, BatchFunction, function, needs, settings};

/// Most endpoints read in one query. An organisation cannot have more.
const ENDPOINTS: u32 = 100;

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: FindEndpoints + ListEndpoints + GetEndpoint + GetMember + RecordDelivery + GetDelivery + MoveDelivery + PaceCall,
        Outgoing: PostWebhook,
        Queue: SendLater + SendMessages + SendMessage,
        Clock: Clock,
    >
}

function! {
    /// Endpoints, deliveries and members.
    table: A::Table = table(),
    courier: A::Outgoing = courier(),
    /// Takes the messages for attempts, some of them delayed.
    queue: A::Queue = queue(&settings::DELIVERIES_QUEUE_URL),
    /// Takes messages that can never be processed.
    dead_letters: A::Queue = queue(&settings::PARKING_QUEUE_URL),
    /// Derives the secrets of endpoints.
    secrets: EndpointSecrets = endpoint_secrets().await,
    clock: A::Clock = clock(),
}

impl<A: Needs> BatchFunction for Function<A> {
    type Record = Message;

    /// Processes one message: records the deliveries of an event, or attempts a delivery.
    ///
    /// # Errors
    /// If the table or the queue does not answer. The message is then delivered again. If it is lost, `sweep` finds
    /// what is due.
    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        match DeliveryMessage::parse(&message.body) {
            Ok(DeliveryMessage::Event(event)) => self.record_deliveries(&event, message).await,
            Ok(DeliveryMessage::Attempt(org, id)) => self.attempt(org, id, message).await,
            Ok(DeliveryMessage::Nothing) => Ok(()),
            Err(problem) => {
                message.log.field("message.malformed", problem);
                message.log.count("DeliveriesParked");
                self.dead_letters.send_message(&message.body).await
            }
        }
    }
}

impl<A: Needs> Function<A> {
    /// Records a delivery for every endpoint that gets the event, and sends the message for its first attempt.
    async fn record_deliveries(&self, event: &SubscribedEvent, message: &Message) -> Result<(), Fault> {
        message.log.field("event.id", event.id);
        message.log.field("event.kind", event.kind.name());
        let (endpoints, person) = match &event.subject {
            Subject::Org(org) => (endpoints_of(&self.table, *org).await?, None),
            Subject::Person(user) => (endpoints_of_person(&self.table, user).await?, Some(user)),
            Subject::Endpoint(org, id) => (self.table.get_endpoint(*org, *id).await?.into_iter().collect(), None),
        };
        let gets = |endpoint: &&Endpoint| match event.subject {
            Subject::Org(_) | Subject::Person(_) => endpoint.gets(event.kind),
            Subject::Endpoint(..) => endpoint.is_active(),
        };
        let mut tasks = Vec::new();
        for endpoint in endpoints.iter().filter(gets) {
            let delivery = Delivery::of(event, endpoint, person.cloned(), self.clock.now());
            // A delivery that an earlier try recorded may lack its message, so send that in any case.
            self.table.record_delivery(&delivery).await?;
            tasks.push(DeliveryMessage::attempt(delivery.org, delivery.id)?);
        }
        message.log.field("deliveries", tasks.len());
        if tasks.is_empty() { Ok(()) } else { self.queue.send_messages(&tasks).await }
    }
}

/// Returns all endpoints of an organisation.
async fn endpoints_of<F: ListEndpoints>(table: &F, org: OrgId) -> Result<Vec<Endpoint>, Fault> {
    table.list_endpoints(org, &PageAsk { limit: ENDPOINTS, after: None }).await.map(|listed| listed.items)
}

/// Returns the endpoints that a person has registered in organisations that they are still a member of.
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
