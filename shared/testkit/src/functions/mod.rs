//! The functions on fakes: each handler behind its real edge, fed with real events.

mod endpoints;
mod gateway;
mod jobs;
mod key_schedules;
mod members;
mod nightly;
mod payments;
mod texts;

pub use crate::webhooks::signed as signed_by_generator;
pub use endpoints::{DispatchDeps, dispatch_deps, endpoint_secrets};
pub use gateway::gateway_seal;
pub use key_schedules::{anomalies_at, migrations_at};
pub use members::invitation_tokens;
pub use nightly::{
    aggregate_at, deliver_night, quota_messages, quota_reset_at, stats_messages, storage_messages, verify_at,
};
pub use payments::stripe_notes;
pub use texts::{Delivered, text_message, texts};

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::HeaderValue;
use aws_credential_types::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_auth::{KeyFinder, KeyMint, KeyPrefix, Peppers, Refreshed, Seal, Secret, ServiceTokens, UnsubscribeSeal};
use consigne_core::Timestamp;
use consigne_messaging::mail::{Application, MailTheme};
use consigne_runtime::{clock, http, queue, schedule, stream};
use consigne_storage::{Endpoint, Lifetime, Presigner};
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::aws_lambda_events::encodings::Body;
use serde_json::{Value, json};

use crate::fakes::World;
use crate::tokens::Issuer;
use crate::webhooks;

/// The issuer of every test on fakes; making its key takes a moment.
static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::fresh("test-1"));

/// Gives the issuer whose tokens the functions here accept.
pub fn issuer() -> &'static Issuer {
    &ISSUER
}

/// Calls an HTTP function on a world and gives status, headers worth seeing, and body.
pub async fn call(world: &World, function: &str, event: Value) -> Value {
    let event: ApiGatewayV2httpRequest = serde_json::from_value(event).expect("the payload is an HTTP event");
    let (users, files) = (ISSUER.verifier(), world.clone());
    let until = deadline();
    let response = match function {
        "presign" => {
            let deps = presign::Deps { users, files, tickets: presigner() };
            http::respond(function, &deps, &|d, r| Box::pin(presign::handle(d, r)), event, until).await
        }
        "upload-grant" => {
            let deps = upload_grant::Deps { users, files, tickets: presigner() };
            http::respond(function, &deps, &|d, r| Box::pin(upload_grant::handle(d, r)), event, until).await
        }
        "list" => {
            let deps = list::Deps { users, files, cursors: seal() };
            http::respond(function, &deps, &|d, r| Box::pin(list::handle(d, r)), event, until).await
        }
        "metadata" => {
            let deps = metadata::Deps { users, files };
            http::respond(function, &deps, &|d, r| Box::pin(metadata::handle(d, r)), event, until).await
        }
        "delete" => {
            let deps = delete::Deps { users, files, objects: world.clone() };
            http::respond(function, &deps, &|d, r| Box::pin(delete::handle(d, r)), event, until).await
        }
        "usage" => {
            let deps = usage::Deps { users, files };
            http::respond(function, &deps, &|d, r| Box::pin(usage::handle(d, r)), event, until).await
        }
        "health" => {
            let deps = health::Deps { table: world.clone(), bucket: world.clone() };
            http::respond(function, &deps, &|d, r| Box::pin(health::handle(d, r)), event, until).await
        }
        "webhook-clerk" => {
            let deps = webhook_clerk::Deps { secrets: webhooks::known(), people: files };
            http::respond(function, &deps, &|d, r| Box::pin(webhook_clerk::handle(d, r)), event, until).await
        }
        "checkout" | "webhook-stripe" => payments::call(world, function, event).await,
        "fallback" => http::respond(function, &(), &|d, r| Box::pin(fallback::handle(d, r)), event, until).await,
        _ if function.starts_with("endpoint") || function.starts_with("delivery") => {
            endpoints::call(world, function, event).await
        }
        _ if function.contains("job") || function.contains("completion") || function == "generate" => {
            jobs::call(world, function, event).await
        }
        _ => call_accounts(world, function, event).await,
    };
    shown(response)
}

/// Calls a function of the key desk.
async fn call_accounts(world: &World, function: &str, event: ApiGatewayV2httpRequest) -> ApiGatewayV2httpResponse {
    let (users, files) = (ISSUER.verifier(), world.clone());
    let until = deadline();
    match function {
        "audit-list" => {
            let deps = audit_list::Deps { users, orgs: files, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(audit_list::handle(d, r)), event, until).await
        }
        "gateway" => gateway::call(world, event).await,
        "hold-open" => {
            let deps = hold_open::Deps { services: service_tokens(), finder: finder(), keys: files };
            http::respond(function, &deps, &|d, r| Box::pin(hold_open::handle(d, r)), event, until).await
        }
        "hold-settle" => {
            let deps = hold_settle::Deps { services: service_tokens(), holds: files };
            http::respond(function, &deps, &|d, r| Box::pin(hold_settle::handle(d, r)), event, until).await
        }
        "hold-void" => {
            let deps = hold_void::Deps { services: service_tokens(), holds: files };
            http::respond(function, &deps, &|d, r| Box::pin(hold_void::handle(d, r)), event, until).await
        }
        "key-delete" => {
            let deps = key_delete::Deps { users, keys: files };
            http::respond(function, &deps, &|d, r| Box::pin(key_delete::handle(d, r)), event, until).await
        }
        "key-issue" => {
            let deps = key_issue::Deps { users, keys: files, mint: mint() };
            http::respond(function, &deps, &|d, r| Box::pin(key_issue::handle(d, r)), event, until).await
        }
        "key-list" => {
            let deps = key_list::Deps { users, keys: files, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(key_list::handle(d, r)), event, until).await
        }
        "key-revoke" => {
            let deps = key_revoke::Deps { users, keys: files };
            http::respond(function, &deps, &|d, r| Box::pin(key_revoke::handle(d, r)), event, until).await
        }
        "key-rotate" => {
            let deps = key_rotate::Deps { users, keys: files, mint: mint() };
            http::respond(function, &deps, &|d, r| Box::pin(key_rotate::handle(d, r)), event, until).await
        }
        "key-update" => {
            let deps = key_update::Deps { users, keys: files };
            http::respond(function, &deps, &|d, r| Box::pin(key_update::handle(d, r)), event, until).await
        }
        "key-verify" => {
            let deps = key_verify::Deps { services: service_tokens(), finder: finder(), keys: files };
            http::respond(function, &deps, &|d, r| Box::pin(key_verify::handle(d, r)), event, until).await
        }
        "mail-unsubscribe" => {
            let deps = mail_unsubscribe::Deps { table: files, seal: unsubscribe_seal() };
            http::respond(function, &deps, &|d, r| Box::pin(mail_unsubscribe::handle(d, r)), event, until).await
        }
        "member-list" => {
            let deps = member_list::Deps { users, orgs: files, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(member_list::handle(d, r)), event, until).await
        }
        "org-create" => {
            let deps = org_create::Deps { users, orgs: files };
            http::respond(function, &deps, &|d, r| Box::pin(org_create::handle(d, r)), event, until).await
        }
        "org-list" => {
            let deps = org_list::Deps { users, orgs: files, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(org_list::handle(d, r)), event, until).await
        }
        "receipt-outcome" => {
            let deps = receipt_outcome::Deps { services: service_tokens(), receipts: files };
            http::respond(function, &deps, &|d, r| Box::pin(receipt_outcome::handle(d, r)), event, until).await
        }
        "services" => {
            let deps = services::Deps { users };
            http::respond(function, &deps, &|d, r| Box::pin(services::handle(d, r)), event, until).await
        }
        "stats" => {
            let deps = stats::Deps { users, stats: files };
            http::respond(function, &deps, &|d, r| Box::pin(stats::handle(d, r)), event, until).await
        }
        "usage-log" => {
            let deps = usage_log::Deps { users, receipts: files, paging: paging() };
            http::respond(function, &deps, &|d, r| Box::pin(usage_log::handle(d, r)), event, until).await
        }
        "wallet" => {
            let deps = wallet::Deps { users, credits: files };
            http::respond(function, &deps, &|d, r| Box::pin(wallet::handle(d, r)), event, until).await
        }
        other => members::call(world, other, event).await,
    }
}

/// The service token the functions here accept, of the service `pdf-api`.
pub const SERVICE_TOKEN: &str = "svc-0123456789abcdef0123456789abcdef";
/// The tokens of two services, as their secret holds them.
const SERVICES: &str =
    r#"{"pdf-api": "svc-0123456789abcdef0123456789abcdef", "ai-api": "svc-fedcba9876543210fedcba9876543210"}"#;
/// The peppers of the functions here, as their secret holds them.
const PEPPERS: &str = r#"{"current": 1, "1": "pepper-0123456789abcdef0123456789"}"#;

fn service_tokens() -> Refreshed<ServiceTokens> {
    Refreshed::fixed(ServiceTokens::parse(SERVICES).expect("the tokens above are well formed"))
}

fn peppers() -> Refreshed<Peppers> {
    Refreshed::fixed(Peppers::parse(PEPPERS).expect("the peppers above are well formed"))
}

fn sk() -> KeyPrefix {
    KeyPrefix::parse("sk").expect("it is a word")
}

fn mint() -> KeyMint {
    KeyMint::new(sk(), peppers())
}

fn finder() -> KeyFinder {
    KeyFinder::new(sk(), peppers(), None)
}

fn paging() -> http::Paging {
    http::Paging::new(seal())
}

/// Hands a batch of messages to `on-object-event` and gives what Lambda is told.
pub async fn object_events(world: &World, batch: Value) -> Value {
    let batch: queue::Batch = serde_json::from_value(batch).expect("the payload is a batch of messages");
    let deps = on_object_event::Deps { files: world.clone(), objects: world.clone() };
    let outcome =
        queue::process("on-object-event", &deps, &|d, m| Box::pin(on_object_event::handle(d, m)), batch, deadline());
    json!(outcome.await)
}

/// Gives what `send-mail` works with on a world, in an installation in which mails are sent or not.
pub fn mail_deps(world: &World, are_sent: bool) -> send_mail::Deps<World, World, World> {
    send_mail::Deps {
        table: world.clone(),
        mailer: are_sent.then(|| world.clone()),
        theme: MailTheme { brand: "Consigne".to_owned(), application: Application::at("https://app.example.com") },
        public_url: "https://api.example.com".to_owned(),
        seal: unsubscribe_seal(),
        invitations: invitation_tokens(),
        dead_letters: world.clone(),
    }
}

/// Hands a batch of messages to `send-mail` and gives what Lambda is told.
pub async fn mails(world: &World, batch: Value) -> Value {
    let batch: queue::Batch = serde_json::from_value(batch).expect("the payload is a batch of messages");
    let deps = mail_deps(world, true);
    let outcome = queue::process("send-mail", &deps, &|d, m| Box::pin(send_mail::handle(d, m)), batch, deadline());
    json!(outcome.await)
}

/// Hands a batch of messages to `mail-feedback` and gives what Lambda is told.
pub async fn mail_feedback(world: &World, batch: Value) -> Value {
    let batch: queue::Batch = serde_json::from_value(batch).expect("the payload is a batch of messages");
    let deps = mail_feedback::Deps { table: world.clone() };
    let outcome =
        queue::process("mail-feedback", &deps, &|d, m| Box::pin(mail_feedback::handle(d, m)), batch, deadline());
    json!(outcome.await)
}

/// Gives what seals links to unsubscribe.
pub fn unsubscribe_seal() -> UnsubscribeSeal {
    UnsubscribeSeal::new(Secret::new("0123456789abcdef0123456789abcdef").expect("it is long enough"))
}

/// Hands a batch of stream records to `publish-events` and gives what Lambda is told.
pub async fn stream_records(world: &World, batch: Value) -> Value {
    let batch: stream::Batch = serde_json::from_value(batch).expect("the payload is a batch of records");
    let deps = publish_events::Deps { table: world.clone(), bus: world.clone(), parking: world.clone() };
    let outcome =
        stream::process("publish-events", &deps, &|d, c| Box::pin(publish_events::handle(d, c)), batch, deadline());
    json!(outcome.await)
}

/// Lets `sweep` run as of a time and gives what it has done.
pub async fn sweep_at(world: &World, event: Value) -> Result<Value, String> {
    let event: schedule::Scheduled = serde_json::from_value(event).expect("the payload is a scheduled event");
    let (table, objects, bus, deliveries) = (world.clone(), world.clone(), world.clone(), world.clone());
    let deps = sweep::Deps { table, objects, bus, deliveries };
    let outcome = schedule::process("sweep", &deps, &|d, t| Box::pin(sweep::handle(d, t)), &event, deadline());
    outcome.await.map_err(|fault| fault.chain())
}

fn presigner() -> Presigner {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    let lifetime = Lifetime { until: Timestamp::from_secs(i64::MAX / 1000), when_over: || () };
    Presigner::new(credentials, lifetime, "eu-west-3", &Endpoint::Aws, "photos")
}

fn seal() -> Seal {
    Seal::new(Secret::new("0123456789abcdef0123456789abcdef").expect("it is long enough"))
}

/// Gives the moment ten seconds from now.
fn deadline() -> SystemTime {
    let now = u64::try_from(clock::now().as_millis()).expect("it is after 1970");
    UNIX_EPOCH + Duration::from_millis(now) + Duration::from_secs(10)
}

/// Shows an answer as a caller sees it, without the headers that every answer has.
fn shown(mut response: ApiGatewayV2httpResponse) -> Value {
    // A preflight's. What an upstream answers so is relayed, and shown like everything else of its.
    if response.status_code == 204 && !response.is_base64_encoded {
        return json!({ "status": 204, "body": matches!(&response.body, Some(Body::Text(text)) if !text.is_empty()) });
    }
    let relayed = response.is_base64_encoded;
    if relayed && !response.headers.contains_key("content-type") {
        response.headers.insert("content-type", HeaderValue::from_static("none"));
    }
    let everywhere = ["content-type", "cache-control", "x-content-type-options", "x-request-id"];
    for name in everywhere {
        assert!(response.headers.contains_key(name), "the answer lacks {name}");
    }
    let is_page = response.headers["content-type"] == "text/html; charset=utf-8";
    let headers: serde_json::Map<String, Value> = response
        .headers
        .iter()
        .filter(|(name, _)| !everywhere.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().into()))
        .collect();
    let body = match response.body {
        Some(Body::Text(page)) if is_page => page.into(),
        // What somebody else answered may be anything.
        Some(Body::Text(encoded)) if relayed => {
            let bytes = STANDARD.decode(&encoded).expect("the body is base64");
            serde_json::from_slice(&bytes).unwrap_or_else(|_| json!({ "base64": encoded }))
        }
        Some(Body::Text(text)) => serde_json::from_str(&text).expect("the body is JSON"),
        other => panic!("the body is text, not {other:?}"),
    };
    let mut shown = json!({ "status": response.status_code });
    if !headers.is_empty() {
        shown["headers"] = headers.into();
    }
    shown["body"] = body;
    shown
}
