//! Credits what was paid for, and takes back what was refunded or disputed.
//!
//! Stripe sends its events again until they are answered, late, and in any order. Nothing of them is remembered here: a
//! session is credited once, and what is known of a payment only grows, so the same event again, or the same fact in
//! another one, changes nothing. What was not sold here is answered 200 as well, since no repetition would mend it.

mod event;

use consigne_auth::{Refreshed, StripeSecrets};
use consigne_core::audit::{Actor, AuditAction, AuditEntry, Origin};
use consigne_core::credits::{ClawBack, ClawBackCause, ClawBackOutcome, PaidSession, PaymentId, PurchaseOutcome};
use consigne_core::ports::{ClawBackCredits, CreditPurchase, GetCheckout, WriteAudit};
use consigne_core::{AuditId, Fault, OrgId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function, needs};
use event::StripeAction;
pub use event::StripeEvent;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

/// Says that an event was taken.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PaymentTaken {
    /// Always true.
    pub success: bool,
}

needs! {
    /// What the function needs.
    pub trait Needs: Adapters<Table: GetCheckout + CreditPurchase + ClawBackCredits + WriteAudit>
}

function! {
    secrets: Refreshed<StripeSecrets> = stripe_secrets().await,
    /// Sessions, wallets and payments.
    credits: A::Table = table(),
}

impl<A: Needs> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        request.signed_by_stripe(&self.secrets).await?;
        let taken = self.take(request).await;
        if taken.is_err() {
            // Stripe tells of it again for some days, and then never.
            request.log.count("PaymentsFailed");
        }
        taken?;
        Ok(Answer::plain(200, &PaymentTaken { success: true }))
    }

    fn operations() -> Vec<Operation> {
        let operation =
            Operation::new::<PaymentTaken>("POST /api/webhooks/stripe", "Tell of a payment, as Stripe does");
        vec![operation.for_stripe().takes::<StripeEvent>()]
    }
}

impl<A: Needs> Function<A> {
    /// Does what an event asks for.
    async fn take(&self, request: &Request) -> Result<(), Fault> {
        let event: StripeEvent = request.json()?;
        request.log.field("stripe.event", event.id());

        let outcome = match event.action()? {
            StripeAction::Paid(paid) => self.credit(&paid, &event, request).await?,
            StripeAction::ClawBack(payment, cause) => self.claw_back(payment, cause, &event, request).await?,
            StripeAction::Ignored(why) => {
                request.log.field("stripe.ignored", why);
                "ignored"
            }
            StripeAction::Unknown(what) => {
                // Told again it would be as unknown; but it is about somebody's money.
                request.log.field("stripe.unheard", what);
                request.log.count("PaymentsFailed");
                "ignored"
            }
        };
        request.log.field("stripe.outcome", outcome);
        Ok(())
    }

    /// Credits a session that is paid, if it is as it was offered.
    async fn credit(&self, paid: &PaidSession, event: &StripeEvent, request: &Request) -> Result<&'static str, Fault> {
        request.log.field("org.id", paid.org);
        request.log.field("checkout.session", paid.session.as_str());
        let Some(offered) = self.credits.get_checkout(paid.org, &paid.session).await? else {
            // In nobody's trail: whom it names may have nothing to do with it.
            return self.refuse(None, paid, "it was not opened here", event, request).await;
        };
        if let Some(field) = paid.differs(&offered) {
            return self.refuse(Some(offered.org), paid, field, event, request).await;
        }
        let purchase = paid.purchase(&offered, &event.id(), &origin(request), request.now);
        match self.credits.credit_purchase(&purchase).await? {
            PurchaseOutcome::Credited => {
                request.log.count("PurchasesCredited");
                Ok("credited")
            }
            PurchaseOutcome::CreditedBefore => Ok("repeated"),
            PurchaseOutcome::NoSuchOrganisation => {
                self.refuse(None, paid, "there is no such organisation", event, request).await
            }
        }
    }

    /// Puts a paid session that buys nothing into the trail, once an event, and says so aloud: somebody's money came in.
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

    /// Brings a wallet to what follows from what is told of a payment.
    async fn claw_back(
        &self,
        payment: PaymentId,
        cause: ClawBackCause,
        event: &StripeEvent,
        request: &Request,
    ) -> Result<&'static str, Fault> {
        request.log.field("payment.id", payment.as_str());
        let (origin, now) = (origin(request), request.now);
        let told = ClawBack { payment, cause, source: event.id(), origin, now };
        Ok(match self.credits.claw_back(&told).await? {
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
