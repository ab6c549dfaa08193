//! The dependencies of functions in tests: one [`World`] as every adapter, fixed settings, and fixed secrets.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error;

use aws_credential_types::Credentials;
use consigne_auth::Secret;
use consigne_core::Timestamp;
use consigne_core::mail::Sender;
use consigne_runtime::adapters::{Adapters, ReadSecret};
use consigne_runtime::settings::{EnvVars, Setting};
use consigne_runtime::{Pending, Start, StartError, clock};
use consigne_storage::{Endpoint, Lifetime, Presigner};
use serde_json::{Value, json};

use super::{BILLING_TOKEN, ISSUER, PORTAL_TOKEN, SERVICE_TOKEN};
use crate::fakes::{SimClock, World};
use crate::{stripe, webhooks};

/// The setting with the sender of mails.
pub const MAIL_FROM: (&str, &str) = ("MAIL_FROM", "Consigne <no-reply@example.com>");

/// The settings of all functions, without the secrets and [`MAIL_FROM`]. Private addresses are refused. Two of the
/// three services have an upstream.
const SETTINGS: [(&str, &str); 22] = [
    ("TABLE_NAME", "table"),
    ("BUCKET_NAME", "photos"),
    ("BUS_NAME", "bus"),
    ("REPLICA_BUCKET", "replica"),
    ("REPLICA_QUEUE_URL", "replica"),
    ("PARKING_QUEUE_URL", "parking"),
    ("QUOTA_QUEUE_URL", "quota"),
    ("STATS_QUEUE_URL", "stats"),
    ("STORAGE_QUEUE_URL", "storage"),
    ("EXPORT_QUEUE_URL", "exports"),
    ("TEXT_QUEUE_URL", "texts"),
    ("DELIVERIES_QUEUE_URL", "deliveries"),
    ("MAIL_CONFIGURATION_SET", "mails"),
    ("APPLICATION_URL", "https://app.example.com"),
    ("PUBLIC_URL", "https://api.example.com"),
    ("UPSTREAMS", "pdf=https://pdf.example.com/v1,ai=https://ai.example.com"),
    ("KEY_PREFIX", "sk"),
    ("TICKET_SECONDS", "3600"),
    ("SCANNED_PREFIXES", "user_scan"),
    ("UNSCANNED_FILES", "held"),
    ("ORDER_RETENTION_DAYS", "0"),
    ("CDN_DISTRIBUTION", "E2QWRUHAPOMQZL"),
];

/// The settings of an installation with a CDN.
pub const CDN: [(&str, &str); 2] = [("CDN_DOMAIN", "cdn.example.com"), ("CDN_KEYS_ARN", "CDN_KEYS_ARN")];

/// The settings that name secrets. The value of each is its own name, which [`text_of`] maps to the secret.
const SECRETS: [&str; 10] = [
    "CURSOR_SECRET_ARN",
    "UNSUBSCRIBE_SECRET_ARN",
    "INVITATION_SECRET_ARN",
    "ENDPOINT_SECRET_ARN",
    "GATEWAY_SECRET_ARN",
    "PEPPER_SECRET_ARN",
    "SERVICE_TOKENS_ARN",
    "GENERATOR_SECRETS_ARN",
    "CLERK_SECRETS_ARN",
    "STRIPE_SECRETS_ARN",
];

/// Returns the text of a secret.
fn text_of(arn: &str) -> String {
    match arn {
        "CURSOR_SECRET_ARN" | "UNSUBSCRIBE_SECRET_ARN" => "0123456789abcdef0123456789abcdef".to_owned(),
        "INVITATION_SECRET_ARN" => "invitation-0123456789abcdef01234".to_owned(),
        "ENDPOINT_SECRET_ARN" => "endpoints-0123456789abcdef012345".to_owned(),
        "GATEWAY_SECRET_ARN" => "gateway-0123456789abcdef01234567".to_owned(),
        "PEPPER_SECRET_ARN" => json!({ "current": 1, "1": "pepper-0123456789abcdef0123456789" }).to_string(),
        "SERVICE_TOKENS_ARN" => json!({
            "pdf-api": SERVICE_TOKEN,
            "ai-api": "svc-fedcba9876543210fedcba9876543210",
            "portal": { "tokens": [PORTAL_TOKEN], "rights": ["files"] },
            "billing": { "tokens": [BILLING_TOKEN], "rights": ["files", "plan"] },
        })
        .to_string(),
        "STRIPE_SECRETS_ARN" => json!({ "current": stripe::SECRET }).to_string(),
        "GENERATOR_SECRETS_ARN" | "CLERK_SECRETS_ARN" => json!({ "current": webhooks::SECRET }).to_string(),
        "CDN_KEYS_ARN" => {
            let vectors: Value = serde_json::from_str(include_str!("../../../storage/vectors/cdn.json")).expect("JSON");
            json!({ "current": "a", "a": { "id": vectors["id"], "private": vectors["private_der"] } }).to_string()
        }
        other => panic!("{other} names no secret"),
    }
}

/// Returns a secret, for code that derives something from it.
pub(super) fn secret(arn: &str) -> Secret {
    Secret::new(text_of(arn)).expect("it is long enough")
}

/// Reads the fixed secrets of functions in tests.
#[derive(Clone, Copy, Debug)]
pub struct FakeSecrets;

impl ReadSecret for FakeSecrets {
    async fn read_secret(&self, id: String) -> Result<String, Box<dyn Error + Send + Sync>> {
        Ok(text_of(&id))
    }
}

/// Reads the fixed secrets of functions while Secrets Manager answers.
#[derive(Clone, Debug)]
pub struct SecretsOf(World);

impl ReadSecret for SecretsOf {
    async fn read_secret(&self, id: String) -> Result<String, Box<dyn Error + Send + Sync>> {
        self.0.reach()?;
        Ok(text_of(&id))
    }
}

/// Uses one [`World`] as every adapter, and records of which AWS services a function asks for a client.
#[derive(Debug)]
pub struct Fakes {
    world: World,
    clock: SimClock,
    clients: RefCell<BTreeSet<&'static str>>,
}

impl Fakes {
    /// Starts a function on a world, with today's clock and the settings of an installation that sends mails.
    pub fn start(world: &World) -> Start<Self> {
        Self::start_with(world, &SimClock::at(clock::now()), [MAIL_FROM])
    }

    /// Like [`Self::start`], with the given clock to wait by and the given settings instead of [`MAIL_FROM`].
    pub fn start_with<const N: usize>(
        world: &World,
        clock: &SimClock,
        settings: [(&'static str, &'static str); N],
    ) -> Start<Self> {
        let session = [
            ("CLERK_ISSUER", ISSUER.iss.as_str()),
            ("AUTHORIZED_PARTIES", &ISSUER.azp),
            ("MAX_TOKEN_SECONDS", "300"),
            ("CLERK_JWT_KEY", &ISSUER.public_pem),
        ];
        let secrets = SECRETS.into_iter().map(|name| (name, name));
        let all = SETTINGS.into_iter().chain(session).chain(secrets).chain(settings);
        let environment = EnvVars::fixed(all.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Start::with(environment, Self { world: world.clone(), clock: clock.clone(), clients: RefCell::default() })
    }

    /// Returns the number of AWS services for which a client was requested.
    pub(super) fn clients(&self) -> usize {
        self.clients.borrow().len()
    }

    /// Returns the world as the client of an AWS service, and records the request.
    fn client_of(&self, service: &'static str) -> World {
        self.clients.borrow_mut().insert(service);
        self.world.as_client_of(service)
    }
}

impl Adapters for Fakes {
    type Table = World;
    type Bucket = World;
    type Bus = World;
    type Cdn = World;
    type Queue = World;
    type Mailer = World;
    type Outgoing = World;
    type Payments = World;
    type Model = World;
    type Clock = SimClock;
    type Secrets = SecretsOf;

    fn table(start: &Start<Self>) -> Result<World, StartError> {
        Ok(start.adapters().client_of("dynamodb"))
    }

    fn bucket(start: &Start<Self>) -> Result<World, StartError> {
        Ok(start.adapters().client_of("s3"))
    }

    fn replica(start: &Start<Self>, _: String, _: Option<String>) -> World {
        start.adapters().client_of("s3").as_replica()
    }

    fn presigner(_: &Start<Self>) -> Result<Presigner, StartError> {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let lifetime = Lifetime { until: Timestamp::from_secs(i64::MAX / 1000), when_over: || () };
        Ok(Presigner::new(credentials, lifetime, "eu-west-3", &Endpoint::Aws, "photos"))
    }

    fn bus(start: &Start<Self>) -> Result<World, StartError> {
        Ok(start.adapters().client_of("events"))
    }

    fn cdn(start: &Start<Self>) -> Result<World, StartError> {
        start.environment().get(&consigne_runtime::settings::CDN_DISTRIBUTION)?;
        Ok(start.adapters().client_of("cloudfront"))
    }

    fn queue(start: &Start<Self>, url: &'static Setting) -> Result<World, StartError> {
        start.environment().get(url)?;
        Ok(start.adapters().client_of("sqs"))
    }

    fn mailer(start: &Start<Self>, _: Sender, _: String) -> World {
        start.adapters().client_of("email")
    }

    fn outgoing(start: &Start<Self>, _: bool) -> World {
        start.adapters().world.as_client_of("upstream")
    }

    // The API keys of Stripe and of the language model are secrets, so these need a client of Secrets Manager.
    fn payments(start: &Start<Self>) -> Result<Pending<World>, StartError> {
        Ok(Pending::ready(start.adapters().client_of("secretsmanager").as_client_of("stripe")))
    }

    fn model(start: &Start<Self>) -> Result<Pending<World>, StartError> {
        Ok(Pending::ready(start.adapters().client_of("secretsmanager")))
    }

    fn clock(start: &Start<Self>) -> SimClock {
        start.adapters().clock.clone()
    }

    fn secrets(start: &Start<Self>) -> SecretsOf {
        SecretsOf(start.adapters().client_of("secretsmanager"))
    }
}
