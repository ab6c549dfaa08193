//! Signs webhooks as their senders do.

use consigne_auth::WebhookSecrets;
use consigne_core::Timestamp;
use consigne_core::webhooks::WebhookId;
use consigne_runtime::clock;
use serde_json::{Value, json};

/// The secret with which functions on fakes verify every sender.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn secrets(secret: &str) -> WebhookSecrets {
    WebhookSecrets::parse(&json!({ "current": secret }).to_string()).expect("the secret is well formed")
}

/// Signs a body with a time. Returns the headers to send with it.
pub fn headers(secret: &str, id: &str, at: Timestamp, body: &str) -> [(&'static str, String); 3] {
    secrets(secret).sign(&WebhookId::parse(id).expect("it is an id"), at, body.as_bytes())
}

/// Signs an HTTP event with a message id and the current time.
pub fn signed(event: Value, id: &str) -> Value {
    signed_at(event, id, clock::now())
}

/// Signs an HTTP event with a message id and a time.
pub fn signed_at(mut event: Value, id: &str, at: Timestamp) -> Value {
    for (name, value) in headers(SECRET, id, at, event["body"].as_str().expect("the event has a body")) {
        event["headers"][name] = value.into();
    }
    event
}
