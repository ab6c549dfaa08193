//! Steps with credits: holds, the gateway, checkouts, refunds.

use std::time::Duration;

use serde_json::{Value, json};

use super::books::{Held, Sale};
use super::events::{keyed, request, token};
use super::sim::Sim;
use super::steps::PEOPLE;
use crate::functions::SERVICE_TOKEN;
use crate::stripe;

/// Price of the pack `starter` in cents, and its credits.
const STARTER: (u64, u64) = (1_000, 1_000);

impl Sim {
    /// Opens a hold.
    pub(super) fn open_hold(&mut self) {
        let Some((place, text, refused)) = self.some_text() else { return };
        if self.books.keys[place].is_test {
            return;
        }
        let number = self.books.number();
        let amount = 5 + self.rng.below(40);
        let body = json!({ "key": text, "amount": amount, "service": "pdf", "scope": "pdf:read", "ttl_seconds": 900 });
        let event = keyed(request("POST /api/credits/holds", &[], SERVICE_TOKEN, &body), &format!("hold-{number}"));
        let opened = self.call(&format!("a service holds {amount} credits"), "hold-open", &event);
        let Some((201, body)) = opened else { return };
        if refused {
            self.breaks("a hold was opened with a key that was revoked before");
        }
        let id = body["data"]["hold_id"].as_str().unwrap_or_default().to_owned();
        self.books.holds.push(Held { id, amount, used: None, end_asked: false });
    }

    /// Settles a hold.
    pub(super) fn settle_hold(&mut self) {
        let Some(place) = self.some_hold() else { return };
        let amount = self.rng.below(self.books.holds[place].amount + 1);
        let body = json!({ "amount": amount, "status_code": 200, "response_ms": 1200 });
        self.end_hold(place, "settle", &body, &format!("a service settles {amount} credits"));
    }

    /// Voids a hold.
    pub(super) fn void_hold(&mut self) {
        let Some(place) = self.some_hold() else { return };
        let reason = if self.rng.percent(60) { "provider_error" } else { "caller_error" };
        self.end_hold(place, "void", &json!({ "reason": reason }), &format!("a service voids a hold, {reason}"));
    }

    fn some_hold(&mut self) -> Option<usize> {
        let often = self.rng.percent(20);
        let fitting: Vec<usize> =
            (0..self.books.holds.len()).filter(|place| often || !self.books.holds[*place].end_asked).collect();
        self.rng.pick(&fitting)
    }

    fn end_hold(&mut self, place: usize, verb: &str, body: &Value, who: &str) {
        let number = self.books.number();
        let hold = self.books.holds[place].clone();
        self.books.holds[place].end_asked = true;
        let route = format!("POST /api/credits/holds/{{id}}/{verb}");
        let event = keyed(request(&route, &[&hold.id], SERVICE_TOKEN, body), &format!("end-{number}"));
        let function = if verb == "settle" { "hold-settle" } else { "hold-void" };
        if let Some((200, answer)) = self.call(who, function, &event) {
            let used = answer["data"]["used"].as_u64().unwrap_or(0);
            if let Some(before) = hold.used.filter(|before| *before != used) {
                self.breaks(format!("the end of a hold was acknowledged twice: {before} credits, then {used}"));
            }
            self.books.holds[place].used = Some(used);
        }
    }

    /// Calls a service through the gateway.
    pub(super) fn gateway(&mut self) {
        let Some((_, text, refused)) = self.some_text() else { return };
        let number = self.books.number();
        self.books.gateway_calls += 1;
        let event = request("ANY /api/v1/{service}/{proxy+}", &["pdf", "render"], &text, &json!({ "page": number }));
        let answer = self.call("a client calls the gateway", "gateway", &keyed(event, &format!("gateway-{number}")));
        if answer.is_some_and(|(status, _)| status == 200) {
            self.books.gateway_answered += 1;
            if refused {
                self.breaks("the gateway served a key that was revoked before");
            }
        }
    }

    /// Buys credits: a checkout, Stripe's event, and sometimes a refund, whose event may come first.
    pub(super) fn buy(&mut self) {
        let number = self.books.number();
        let org = self.books.org();
        let event = request(
            "POST /api/orgs/{org}/credits/checkout",
            &[&org],
            &token(PEOPLE[0], self.now()),
            &json!({ "pack": "starter" }),
        );
        let opened = self.call("Ann opens a checkout", "checkout", &keyed(event, &format!("buy-{number}")));
        let Some((201, body)) = opened else { return };
        if self.rng.percent(10) {
            return self.say("Ann does not pay");
        }
        let session = body["data"]["session_id"].as_str().unwrap_or_default();
        let payment = format!("pi_drill{number}");
        let object = json!({ "id": session, "object": "checkout.session", "amount_subtotal": STARTER.0,
            "amount_total": STARTER.0, "client_reference_id": org, "created": self.now().as_secs(), "currency": "eur",
            "customer": null, "livemode": false, "metadata": { "org_id": org, "pack": "starter", "credits": "1000" },
            "mode": "payment", "payment_intent": payment, "payment_method_types": ["card"], "payment_status": "paid",
            "status": "complete" });
        self.stripe("checkout.session.completed", &object, number, Duration::ZERO);
        let mut sale = Sale { credits: STARTER.1, taken_back: 0 };
        if self.rng.percent(30) {
            let cents = if self.rng.percent(50) { 250 } else { STARTER.0 };
            sale.taken_back = STARTER.1 * cents / STARTER.0;
            self.stripe(
                "charge.refunded",
                &stripe::refunded(&payment, STARTER.0, cents),
                number,
                Duration::from_secs(20),
            );
        }
        self.books.sales.push(sale);
    }

    /// Sends an event of Stripe's, which repeats it until it is accepted.
    pub(super) fn stripe(&mut self, kind: &str, object: &Value, number: u64, wait: Duration) {
        let id = format!("evt_{}_{number}", kind.replace('.', "_"));
        let body = json!({ "id": id, "object": "event", "api_version": "2024-06-20", "type": kind,
            "created": self.now().plus(wait).as_secs(), "livemode": false, "pending_webhooks": 1,
            "data": { "object": object } });
        let event = request("POST /api/webhooks/stripe", &[], "", &body);
        self.post("webhook-stripe", event, kind, wait);
    }
}
