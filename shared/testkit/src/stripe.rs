//! Plays Stripe in tests: creates and signs its events, and calls its stand-in on the laptop.

use consigne_auth::StripeSecrets;
use consigne_core::{EventId, Timestamp};
use consigne_runtime::clock;
use serde_json::{Value, json};

use crate::http::Response;
use crate::org_fixture::OrgFixture;
use crate::stack::Stack;

/// The secret with which functions on fakes verify Stripe's events.
pub const SECRET: &str = "whsec_9Yh3k2LqT7vB5nR8cX1wZ4mD6pF0sJaG";

fn secrets(secret: &str) -> StripeSecrets {
    StripeSecrets::parse(&json!({ "current": secret }).to_string()).expect("the secret is well formed")
}

/// Signs an HTTP event with the current time.
pub fn signed(event: Value) -> Value {
    signed_at(event, SECRET, clock::now())
}

/// Signs an HTTP event with a secret and a time.
pub fn signed_at(mut event: Value, secret: &str, at: Timestamp) -> Value {
    let (name, value) = secrets(secret).sign(at, event["body"].as_str().expect("the event has a body").as_bytes());
    event["headers"][name] = value.into();
    event
}

/// Creates an event of a type about an object, with the current time.
pub fn event(kind: &str, object: &Value) -> Value {
    let id = format!("evt_{}", EventId::mint(clock::now()));
    json!({ "id": id, "object": "event", "api_version": "2024-06-20", "type": kind, "created": clock::now().as_secs(),
        "livemode": false, "pending_webhooks": 1, "data": { "object": object } })
}

/// Returns a session after it was paid with a payment.
pub fn paid(session: &Value, payment: &str) -> Value {
    let mut paid = session.clone();
    paid["payment_status"] = json!("paid");
    paid["status"] = json!("complete");
    paid["payment_intent"] = json!(payment);
    paid
}

/// Returns the charge of a payment after a refund. Amounts are in cents.
pub fn refunded(payment: &str, amount: u64, refunded: u64) -> Value {
    json!({ "id": "ch_1", "object": "charge", "payment_intent": payment, "amount": amount, "amount_refunded": refunded,
        "currency": "eur", "refunded": amount == refunded })
}

/// Returns a dispute of a payment. The amount is in cents.
pub fn disputed(payment: &str, id: &str, amount: u64, status: &str) -> Value {
    json!({ "id": id, "object": "dispute", "payment_intent": payment, "charge": "ch_1", "amount": amount,
        "currency": "eur", "status": status, "reason": "fraudulent" })
}

/// Stripe and its customers, on a deployed stack.
pub struct Payments<'a> {
    stack: &'a Stack,
    secrets: StripeSecrets,
}

impl<'a> Payments<'a> {
    /// Creates it with the stack's secret and the address of the stand-in.
    pub fn of(stack: &'a Stack) -> Self {
        Self { stack, secrets: secrets(stack.name("STRIPE_WEBHOOK_SECRET")) }
    }

    /// Sends a signed event.
    pub async fn send_event(&self, event: &Value) -> Response {
        let body = event.to_string();
        let (_, signature) = self.secrets.sign(clock::now(), body.as_bytes());
        self.send(&signature, body).await
    }

    /// Sends a body with any signature.
    pub async fn send(&self, signature: &str, body: String) -> Response {
        let headers = [("stripe-signature", signature), ("content-type", "application/json; charset=utf-8")];
        self.stack.call("POST", "/api/webhooks/stripe", &headers, body.as_bytes()).await
    }

    /// Returns the signature of a body with a time.
    pub fn sign(&self, at: Timestamp, body: &str) -> String {
        self.secrets.sign(at, body.as_bytes()).1
    }

    /// Opens a checkout as an organisation's owner. Returns the session from the stand-in.
    pub async fn open(&self, fixture: &OrgFixture<'_>, pack: &str) -> Value {
        let opened =
            fixture.owner.call_with("POST", &fixture.path("/credits/checkout"), &json!({ "pack": pack })).await;
        assert_eq!(opened.status, 201, "{}", opened.json());
        let id = opened.json()["data"]["session_id"].as_str().expect("a session has an id").to_owned();
        self.session(&id).await
    }

    /// Returns a session from the stand-in.
    pub async fn session(&self, id: &str) -> Value {
        let bearer = format!("Bearer {}", self.stack.name("STRIPE_API_KEY"));
        let url = format!("{}/v1/checkout/sessions/{id}", self.stack.name("STRIPE_URL"));
        let shown = self.stack.client.send("GET", &url, &[("authorization", &bearer)], Vec::new()).await;
        assert_eq!(shown.status, 200, "{}", shown.json());
        shown.json()
    }

    /// Returns the number of requests to the stand-in for an organisation, and of its sessions.
    pub async fn asked(&self, org: &str) -> (u64, usize) {
        let url = format!("{}/_stand-in/sessions/{org}", self.stack.name("STRIPE_URL"));
        let shown = self.stack.client.send("GET", &url, &[], Vec::new()).await.json();
        (shown["requests"].as_u64().expect("requests are counted"), shown["sessions"].as_array().map_or(0, Vec::len))
    }

    /// Plans faults for the next requests for an organisation.
    pub async fn plan_faults(&self, org: &str, next: &Value) {
        let url = format!("{}/_stand-in/faults", self.stack.name("STRIPE_URL"));
        let plan = json!({ "org": org, "next": next }).to_string().into_bytes();
        assert_eq!(self.stack.client.send("POST", &url, &[], plan).await.status, 200);
    }
}
