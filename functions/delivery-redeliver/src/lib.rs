//! Redelivers an event: makes its delivery due now, with the same `webhook-id`. The delivery may have succeeded or failed,
//! or it may be waiting for a later attempt.

use consigne_auth::{Route, SessionVerifier};
use consigne_core::deliveries::{Delivery, DeliveryMessage, DeliveryView, delivery_in_path, delivery_not_found};
use consigne_core::endpoints::Endpoint;
use consigne_core::idempotency::{IdempotentRequest, WriteOutcome, key_reused};
use consigne_core::ports::{GetDelivery, GetEndpoint, GetMember, Redeliver, SendMessage};
use consigne_core::{Code, DeliveryId, Fault, OrgId, UserId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Named, Operation, Request, function, needs, settings};
use consigne_usecases::ConflictRetry;

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetMember + GetEndpoint + GetDelivery + Redeliver, Queue: SendMessage>
}

function! {
    users: SessionVerifier = session_verifier(),
    /// Members, endpoints and deliveries.
    deliveries: A::Table = table(),
    /// Takes the deliveries that are due.
    queue: A::Queue = queue(&settings::DELIVERIES_QUEUE_URL),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let (user, org) = request.member(&self.users, &self.deliveries, Route::DeliveryRedeliver).await?;
        self.users.count_write(&user, request.now)?;
        let id = delivery_in_path(request.parameter("delivery"))?;
        request.log.field("delivery.id", id);
        // The request has no body. The idempotency key is bound to the path, which names the delivery.
        let idempotency_key = request.idempotency_key(&())?;

        let delivery = self.known(org, id, &user.id).await?;
        let endpoint = self.deliveries.get_endpoint(org, delivery.endpoint).await?.filter(Endpoint::is_active);
        endpoint.ok_or_else(|| Fault::new(Code::Conflict, "The endpoint of the delivery is disabled or deleted"))?;

        let idempotent = idempotency_key.map(|key| IdempotentRequest {
            key,
            owner: user.id.clone().into(),
            operation: Self::NAME,
            result: id.to_string(),
        });
        let delivery = self.make_due(delivery, &user.id, idempotent.as_ref(), request).await?;
        // If this fails, `sweep` finds the delivery and sends the message.
        self.queue.send_message(&DeliveryMessage::attempt(org, id)?).await?;
        Ok(Answer::envelope(200, "Delivery is due again", &DeliveryView::of(&delivery), request.now))
    }

    fn operations() -> Vec<Operation> {
        let operation = Operation::new::<DeliveryView>(
            "POST /api/orgs/{org}/deliveries/{delivery}/redeliver",
            "Redeliver an event, with the same webhook-id",
        );
        let operation = operation.in_org().parameter("delivery", "Id of the delivery", true);
        vec![operation.idempotent().refuses(&[Code::Conflict])]
    }
}

impl<A: Needs> Function<A> {
    /// Reads a delivery that a member may see.
    async fn known(&self, org: OrgId, id: DeliveryId, member: &UserId) -> Result<Delivery, Fault> {
        let known = self.deliveries.get_delivery(org, id).await?;
        known.filter(|delivery| delivery.is_shown_to(member)).ok_or_else(delivery_not_found)
    }

    /// Makes the delivery due, unless it is due already or an earlier try of the same request has made it due.
    async fn make_due(
        &self,
        mut delivery: Delivery,
        by: &UserId,
        idempotent: Option<&IdempotentRequest>,
        request: &Request,
    ) -> Result<Delivery, Fault> {
        let mut retry = ConflictRetry::of("the delivery");
        loop {
            let Some(step) = delivery.again(request.now) else { return Ok(delivery) };
            match self.deliveries.redeliver(&step, by, idempotent, request.now).await? {
                WriteOutcome::Applied => return Ok(step.delivery),
                WriteOutcome::Replayed(_) => return Ok(delivery),
                WriteOutcome::KeyReused => return Err(key_reused()),
                WriteOutcome::Conflict => {
                    retry.wait().await?;
                    let (org, id) = (delivery.org, delivery.id);
                    delivery = self.deliveries.get_delivery(org, id).await?.ok_or_else(delivery_not_found)?;
                }
            }
        }
    }
}
