//! Credits paid checkout sessions, takes credits back after refunds and disputes, and records orders that were paid for.
//!
//! Stripe repeats an event until it is answered, and events may come late and in any order. Events are not stored. A
//! session is credited once, and reports about a payment are merged into its record, so a repeated event changes nothing.
//! An event that is not acted on, or about a session that was not opened here, is answered 200 too: repeating it would not
//! help, and Stripe disables endpoints that keep refusing events.

mod event;

use consigne_auth::{Refreshed, StripeSecrets};
use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::{ClawBack, ClawBackCause, ClawBackOutcome, PaidSession, PaymentId, PurchaseOutcome};
use consigne_core::orders::Order;
use consigne_core::ports::{ClawBackCredits, CreditPurchase, GetCheckout, OpenOrder, WriteAudit};
use consigne_core::{AuditId, Fault, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use event::StripeAction;
pub use event::StripeEvent;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// Confirms that an event was received.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StripeEventReceived {
    /// Always true.
    pub success: bool,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetCheckout + CreditPurchase + ClawBackCredits + OpenOrder + WriteAudit>
}

function! {
    secrets: Refreshed<StripeSecrets> = stripe_secrets().await,
    /// Checkout sessions, wallets and payments.
    credits: A::Table = table(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        request.signed_by_stripe(&self.secrets).await?;
        let processed = self.process(request).await;
        if processed.is_err() {
            // Stripe repeats the event for some days and then gives up, so this metric raises an alarm.
            request.log.count("PaymentsFailed");
        }
        processed?;
        Ok(Answer::plain(200, &StripeEventReceived { success: true }))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<StripeEventReceived>("POST /api/webhooks/stripe", "Receive an event from Stripe");
        vec![operation.for_stripe().takes::<StripeEvent>()]
    }
}

impl<A: Needs> Function<A> {
    /// Processes an event: credits a purchase, takes credits back, or ignores it.
    async fn process(&self, request: &Request) -> Result<(), Fault> {
        let event: StripeEvent = request.json_within(usize::MAX)?;
        request.log.field("stripe.event", event.id());

        let outcome = match event.action(request.now)? {
            StripeAction::Paid(paid) => self.credit(&paid, &event, request).await?,
            StripeAction::ClawBack(payment, cause) => self.claw_back(payment, cause, &event, request).await?,
            StripeAction::OrderPaid(payment) => self.open_order(payment, &event, request).await?,
            StripeAction::Ignored(why) => {
                request.log.field("stripe.ignored", why);
                "ignored"
            }
            StripeAction::Unknown(what) => {
                // Repeating the event would not help, so this is not an error. But it concerns money, so the metric raises an
                // alarm.
                request.log.field("stripe.unknown", what);
                request.log.count("PaymentsFailed");
                "ignored"
            }
        };
        request.log.field("stripe.outcome", outcome);
        Ok(())
    }

    /// Credits a paid session, if it agrees with what was offered.
    async fn credit(&self, paid: &PaidSession, event: &StripeEvent, request: &Request) -> Result<&'static str, Fault> {
        request.log.field("org.id", paid.org);
        request.log.field("checkout.session", paid.session.as_str());
        let Some(offered) = self.credits.get_checkout(paid.org, &paid.session).await? else {
            // Not in an organisation's audit log: the one it names may have nothing to do with it.
            return self.refuse(None, paid, "it was not opened here", event, request).await;
        };
        if let Some(field) = paid.differs(&offered) {
            return self.refuse(Some(offered.org), paid, field, event, request).await;
        }
        let purchase = paid.purchase(&offered, &event.id(), &origin(request), request.now);
        match self.credits.credit_purchase(&purchase).await? {
            PurchaseOutcome::Credited => {
                request.log.count("PurchasesCredited");
                request.log.add("CreditsBought", purchase.credits);
                Ok("credited")
            }
            PurchaseOutcome::CreditedBefore => Ok("repeated"),
            PurchaseOutcome::NoSuchOrganisation => {
                // The session was opened here, so the organisation existed. The entry goes to the log of the installation,
                // because nobody reads that of a deleted organisation: an operator gives the money back.
                self.refuse(None, paid, "the organisation was deleted", event, request).await
            }
        }
    }

    /// Records an order that was paid for, once per payment.
    async fn open_order(
        &self,
        payment: PaymentId,
        event: &StripeEvent,
        request: &Request,
    ) -> Result<&'static str, Fault> {
        let order = Order::paid(payment, event.at(request.now));
        request.log.field("order.id", order.id);
        Ok(if self.credits.open_order(&order).await?.is_committed() {
            request.log.count("OrdersPaid");
            "order opened"
        } else {
            "repeated"
        })
    }

    /// Refuses a paid session: writes it to the audit log, once per event, and counts it. Somebody paid and got no
    /// credits, so an operator must look at it.
    async fn refuse(
        &self,
        org: Option<OrgId>,
        paid: &PaidSession,
        why: &'static str,
        event: &StripeEvent,
        request: &Request,
    ) -> Result<&'static str, Fault> {
        request.log.field("webhook.refused", why);
        request.log.count("PurchasesRefused");
        let details = json!({
            "field": why, "org_id": paid.org, "amount_cents": paid.amount_cents, "currency": paid.currency,
            "source": event.id(),
        });
        let (session, at) = (paid.session.as_str(), event.at(request.now));
        let entry = AuditEntry::new(org, AuditAction::WebhookRefused, session, &origin(request), at, details);
        let entry = AuditEntry { id: AuditId::about(at, &event.id()), ..entry };
        self.credits.write_audit(&entry).await?;
        Ok("refused")
    }

    /// Takes credits back, or returns them, so that the wallet agrees with what is known about a payment.
    async fn claw_back(
        &self,
        payment: PaymentId,
        cause: ClawBackCause,
        event: &StripeEvent,
        request: &Request,
    ) -> Result<&'static str, Fault> {
        request.log.field("payment.id", payment.as_str());
        let (origin, now) = (origin(request), request.now);
        let claw_back = ClawBack { payment, cause, source: event.id(), origin, now };
        Ok(match self.credits.claw_back(&claw_back).await? {
            ClawBackOutcome::Taken(credits) => {
                request.log.field("credits.taken", credits);
                "taken back"
            }
            ClawBackOutcome::GivenBack(credits) => {
                request.log.field("credits.given_back", credits);
                "given back"
            }
            ClawBackOutcome::Unchanged => "repeated",
            ClawBackOutcome::Remembered => "remembered",
        })
    }
}

fn origin(request: &Request) -> Origin {
    request.origin_of(Actor::Service("stripe".to_owned()))
}
