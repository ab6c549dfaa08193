//! One attempt of a delivery: waits for the endpoint's rate limit, claims the attempt with a slot of its organisation,
//! waits for the host's rate limit, calls the endpoint, and records the outcome.

use std::time::Duration;

use consigne_core::deliveries::{Conclusion, Delivery, DeliveryMessage, DeliveryStep, Line, MoveOutcome, Post, Posted};
use consigne_core::endpoints::Endpoint;
use consigne_core::pacing::{HOST_RATE, PaceAsk, Paced};
use consigne_core::ports::{
    Clock, DELAY_MAX, GetDelivery, GetEndpoint, GetMember, MoveDelivery, PaceCall, PostWebhook, SendLater,
};
use consigne_core::webhooks::WebhookId;
use consigne_core::{DeliveryId, Fault, OrgId, Timestamp};
use consigne_runtime::queue::Message;
use consigne_usecases::ConflictRetry;

use crate::{Function, Needs};

/// How long an endpoint may take to answer in full.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time to wait inside the invocation. For a longer wait the queue delays a message, in whole seconds.
const MAX_WAIT: Duration = Duration::from_millis(1_500);
/// `User-Agent` of webhooks.
const AGENT: &str = concat!("Consigne-Webhooks/", env!("CARGO_PKG_VERSION"));

impl<A: Needs> Function<A> {
    /// Attempts a delivery if it is due. If it is not due, another message has attempted it, and this one does nothing.
    pub(crate) async fn attempt(&self, org: OrgId, id: DeliveryId, message: &Message) -> Result<(), Fault> {
        message.log.field("delivery.id", id);
        let Some(delivery) =
            self.table.get_delivery(org, id).await?.filter(|delivery| is_due_soon(delivery, self.clock.now()))
        else {
            message.log.field("delivery.outcome", "not due");
            return Ok(());
        };
        message.log.field("endpoint.id", delivery.endpoint);
        let Some(endpoint) = receiver(&self.table, &delivery).await? else {
            message.log.field("delivery.outcome", "cancelled");
            return self.table.move_delivery(&delivery.cancel()).await.map(drop);
        };
        if let Some(step) = self.turn(&delivery, &endpoint).await? {
            message.log.field("delivery.outcome", "waits for its turn");
            return self.postpone(&step).await;
        }
        let begun = delivery.begin(self.clock.now());
        match self.table.move_delivery(&begun).await? {
            MoveOutcome::Committed => {}
            MoveOutcome::Conflict => {
                message.log.field("delivery.outcome", "claimed by another message");
                return Ok(());
            }
            MoveOutcome::NoSlot => {
                message.log.field("delivery.outcome", "waits for a slot");
                message.log.count("WebhooksWithoutSlot");
                return self.postpone(&delivery.wait_for_slot(self.clock.now())).await;
            }
        }
        if let Some(step) = self.turn_at_host(&delivery, &begun.delivery, &endpoint).await? {
            message.log.field("delivery.outcome", "waits for its host");
            return self.postpone(&step).await;
        }
        let (posted, took) = self.send(&begun.delivery, &endpoint).await?;
        note(&posted, took, message);
        self.conclude(&begun.delivery, endpoint, &posted, took, message).await
    }
}

/// Returns whether a delivery is due within [`MAX_WAIT`].
fn is_due_soon(delivery: &Delivery, now: Timestamp) -> bool {
    delivery.is_due(now.plus(MAX_WAIT))
}

/// Returns the endpoint of a delivery. `None` when it is disabled or deleted, and when the event concerns one person
/// who has left the organisation.
async fn receiver<F: GetEndpoint + GetMember>(table: &F, delivery: &Delivery) -> Result<Option<Endpoint>, Fault> {
    if let Some(person) = &delivery.person
        && table.get_member(delivery.org, person).await?.is_none()
    {
        return Ok(None);
    }
    // An event about one person is sent only while the endpoint still subscribes to it: its URL may have changed since.
    let may_receive = |endpoint: &Endpoint| delivery.person.is_none() || endpoint.gets(delivery.kind);
    let endpoint = table.get_endpoint(delivery.org, delivery.endpoint).await?;
    Ok(endpoint.filter(|endpoint| endpoint.is_active() && may_receive(endpoint)))
}

impl<A: Needs> Function<A> {
    /// Waits until the endpoint's rate limit allows a call. If that takes longer than [`MAX_WAIT`], returns the step
    /// that postpones the delivery.
    async fn turn(&self, delivery: &Delivery, endpoint: &Endpoint) -> Result<Option<DeliveryStep>, Fault> {
        // The message may arrive slightly early, but a reserved turn must not be used before its time.
        if let Some(due) = delivery.next_at {
            self.clock.wait_until(due).await;
        }
        let destination = format!("{}#{}", endpoint.org, endpoint.id);
        let interval = endpoint.interval(self.clock.now());
        let paced = self.pace(destination, interval, delivery.place_at_endpoint()).await?;
        let now = self.clock.now();
        Ok(match paced {
            Paced::Now => None,
            Paced::At(then) => Some(delivery.postpone(Line::Endpoint, then, now)),
            Paced::Full => Some(delivery.stand_back(now)),
        })
    }

    /// Waits until the rate limit of the host allows a call, which all organisations share. If that takes longer than
    /// [`MAX_WAIT`], returns the step that withdraws the attempt.
    ///
    /// This comes after the claim: only a delivery that has a slot may use the host's rate or its line.
    async fn turn_at_host(
        &self,
        before: &Delivery,
        begun: &Delivery,
        endpoint: &Endpoint,
    ) -> Result<Option<DeliveryStep>, Fault> {
        let destination = format!("host#{}", endpoint.url.host().to_ascii_lowercase());
        let paced = self.pace(destination, HOST_RATE.interval(), before.place_at_host()).await?;
        let now = self.clock.now();
        Ok(match paced {
            Paced::Now => None,
            Paced::At(then) => Some(begun.withdraw(Some(then), now)),
            Paced::Full => Some(begun.withdraw(None, now)),
        })
    }

    /// Waits until a destination may be called, but no longer than [`MAX_WAIT`].
    async fn pace(
        &self,
        destination: String,
        interval: Duration,
        mut place: Option<Timestamp>,
    ) -> Result<Paced, Fault> {
        let began = self.clock.now();
        loop {
            let ask = PaceAsk { destination: destination.clone(), interval, place, now: self.clock.now() };
            match self.table.pace_call(&ask).await? {
                Paced::At(then) if then.since(began) <= MAX_WAIT => {
                    if !ask.is_in_turn() {
                        place = Some(then);
                    }
                    self.clock.wait_until(then).await;
                }
                paced => return Ok(paced),
            }
        }
    }

    /// Postpones a delivery and sends the message for its next attempt. A delivery that has waited too long gets none.
    async fn postpone(&self, step: &DeliveryStep) -> Result<(), Fault> {
        let (later, now) = (&step.delivery, self.clock.now());
        if !self.table.move_delivery(step).await?.is_committed() {
            return Ok(());
        }
        match later.next_at {
            Some(at) => self.remind(later, at, now).await,
            None => Ok(()),
        }
    }

    /// Sends a message that arrives when the delivery is due. If the wait is longer than [`DELAY_MAX`], `sweep` sends it
    /// instead.
    async fn remind(&self, delivery: &Delivery, at: Timestamp, now: Timestamp) -> Result<(), Fault> {
        let wait = at.since(now);
        if wait > DELAY_MAX {
            return Ok(());
        }
        self.queue.send_later(&DeliveryMessage::attempt(delivery.org, delivery.id)?, wait).await
    }

    /// Signs the webhook and sends it. Returns the answer and how long it took.
    async fn send(&self, delivery: &Delivery, endpoint: &Endpoint) -> Result<(Posted, Duration), Fault> {
        let began = self.clock.now();
        let id = WebhookId::parse(&delivery.id.to_string())
            .ok_or_else(|| Fault::internal("the id of a delivery is not a valid webhook-id"))?;
        let signed = self.secrets.signing(endpoint, began).sign(&id, began, delivery.payload.as_bytes());
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("content-length", delivery.payload.len().to_string()),
            ("user-agent", AGENT.to_owned()),
        ];
        headers.extend(signed);
        let (url, body) = (endpoint.url.clone(), delivery.payload.clone());
        let posted = self.courier.post_webhook(&Post { url, headers, body, timeout: TIMEOUT }).await?;
        Ok((posted, self.clock.now().since(began)))
    }
}

fn note(posted: &Posted, took: Duration, message: &Message) {
    message.log.field("endpoint.status", posted.status());
    message.log.field("endpoint.error", posted.error());
    message.log.field("endpoint.duration_ms", u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    if let Posted::Failed(_, cause) = posted {
        message.log.field("endpoint.cause", cause);
    }
}

impl<A: Needs> Function<A> {
    /// Records the outcome of the attempt. If there will be another attempt, sends the message for it.
    async fn conclude(
        &self,
        begun: &Delivery,
        mut endpoint: Endpoint,
        posted: &Posted,
        took: Duration,
        message: &Message,
    ) -> Result<(), Fault> {
        let now = self.clock.now();
        let mut retry = ConflictRetry::of("the endpoint");
        loop {
            let (step, conclusion) = begun.conclude(posted, took, &endpoint, now);
            if self.table.move_delivery(&step).await?.is_committed() {
                message.log.field("delivery.outcome", conclusion.name());
                if let Conclusion::Again(then) = conclusion {
                    message.log.field("delivery.next_at", then);
                }
                message.log.count(metric(conclusion));
                return match conclusion {
                    Conclusion::Again(then) => self.remind(begun, then, now).await,
                    _ => Ok(()),
                };
            }
            let DeliveryStep { endpoint: Some(_), .. } = step else { break };
            // The endpoint may have changed. If it was deleted, the next attempt cancels the delivery.
            let Some(changed) = self.table.get_endpoint(begun.org, begun.endpoint).await? else { break };
            // A failure of the old URL says nothing about the new one. The attempt is made again there.
            if changed.url != endpoint.url && !posted.is_success() {
                break;
            }
            endpoint = changed;
            if retry.wait().await.is_err() {
                break;
            }
        }
        // Either the attempt took longer than its claim, and another message owns the delivery now, or the endpoint
        // keeps changing. In both cases the delivery is attempted again.
        message.log.field("delivery.outcome", "not recorded");
        Ok(())
    }
}

fn metric(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Delivered => "WebhooksDelivered",
        Conclusion::Again(_) => "WebhooksToRetry",
        Conclusion::GivenUp => "WebhooksGivenUp",
        Conclusion::Disabled => "EndpointsDisabled",
    }
}
