//! What functions are started with on the bench: their settings, and events with valid credentials.

use std::path::PathBuf;
use std::time::Duration;

use consigne_auth::{InvitationToken, InvitationTokens, KeyPrefix, KeyText, Secret};
use consigne_core::keys::KeyMode;
use consigne_core::mail::Topic;
use consigne_core::{InvitationId, OrgId, UserId};
use consigne_runtime::clock;
use consigne_testkit::functions::{self, SERVICE_TOKEN};
use consigne_testkit::tokens::Issuer;
use consigne_testkit::{payload, stripe, webhooks};
use serde_json::{Value, json};

use crate::Problem;
use crate::process::Subject;
use crate::shelf::Shelf;
use crate::stub::{self, Stub};

/// How long tokens are valid: longer than any part takes, even under a tool that slows a machine down a hundredfold.
const TOKEN_VALID: Duration = Duration::from_hours(12);

/// The access key of all functions on the bench.
pub(crate) const ACCESS_KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_KEY: &str = "secret";

/// The issuer of tokens, the stub of AWS, and the binaries that are measured.
pub(crate) struct Scene {
    /// The issuer of session tokens.
    pub(crate) issuer: Issuer,
    /// The stub of AWS.
    pub(crate) aws: Stub,
    binaries: PathBuf,
}

impl Scene {
    /// Creates the scene for the binaries in a directory. Queries find these files.
    pub(crate) async fn set(binaries: PathBuf, files: Shelf) -> Result<Self, Problem> {
        Ok(Self { issuer: Issuer::fresh("bench-1"), aws: stub::start(files).await?, binaries })
    }

    /// Returns the hello-world, which needs nothing.
    pub(crate) fn hello(&self) -> Subject {
        Subject {
            name: "hello".to_owned(),
            command: self.command("hello"),
            settings: Vec::new(),
            event: "{}".to_owned(),
        }
    }

    /// Returns the hello-world with the settings and the event of another program.
    pub(crate) fn hello_in_place_of(&self, subject: &Subject) -> Subject {
        Subject { settings: subject.settings.clone(), event: subject.event.clone(), ..self.hello() }
    }

    /// Returns a hello-world that makes this many bare calls to AWS.
    pub(crate) fn floor(&self, calls: usize) -> Subject {
        let command = [self.command("floor"), vec![self.aws.address.to_string(), calls.to_string()]].concat();
        Subject { name: "floor".to_owned(), command, settings: Vec::new(), event: "{}".to_owned() }
    }

    /// Returns a function with its first payload.
    pub(crate) fn function(&self, name: &str) -> Result<Subject, Problem> {
        let (name, command) = (name.to_owned(), self.command(name));
        let mut settings = self.settings();
        settings.extend(of_an_optional_part(&name).map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(Subject { event: self.event(&name)?, name, command, settings })
    }

    /// Returns the command of a binary, of the bench or of a function.
    pub(crate) fn command(&self, name: &str) -> Vec<String> {
        vec![self.binaries.join(name).display().to_string()]
    }

    /// Returns the first payload of a function, by its name, with a valid token.
    pub(crate) fn event(&self, name: &str) -> Result<String, Problem> {
        let folder = payload::root().join("events").join(name);
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut cases: Vec<String> = entries
            .flatten()
            .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
            .filter(|case| !case.contains("poison"))
            .collect();
        cases.sort();
        // Files that a generator claims to have delivered would have to be in the bucket.
        if name.ends_with("-completion") {
            cases.retain(|case| case == "failed");
        }
        // A marker asks for nothing.
        cases.retain(|case| case != "delete-marker");
        let case = cases.first().ok_or_else(|| format!("{} holds no payload", folder.display()))?;
        let token = match name {
            "hold-open" | "hold-settle" | "hold-void" | "key-verify" | "receipt-outcome" => SERVICE_TOKEN.to_owned(),
            "mail-unsubscribe" => a_way_out().ok_or("no link to unsubscribe can be made")?,
            "invitation-accept" => {
                self.issuer.token_with("user_ann1", &json!({ "email": stub::INVITED, "email_verified": true }))
            }
            "order-get" | "order-list" => self.token_of(&json!({ "role": "expert" })),
            _ => self.session_token(),
        };
        let event = payload::event(name, case, &token);
        let event = match name {
            "webhook-stripe" => stripe::signed(event),
            "webhook-text-completion" => webhooks::signed(about(event, "FTTann1"), "msg_1"),
            "webhook-video-completion" => webhooks::signed(about(event, "FTVann1"), "msg_1"),
            "job-upload-grant" => webhooks::signed(event, "msg_1"),
            // A name that this machine resolves by itself. What a network needs to answer is no part of a start.
            "endpoint-create" => elsewhere(event, "hooks.example.com", "localhost"),
            _ if name.starts_with("webhook-") => webhooks::signed(event, "msg_1"),
            _ => event,
        };
        let event = event.to_string().replace("$KEY", a_key().expose());
        Ok(event.replace("$INVITATION", an_invitation().expose()))
    }

    /// Issues a session token that stays valid during the bench, of the plan that allows the most reads in a minute.
    pub(crate) fn session_token(&self) -> String {
        self.token_of(&json!({ "subscription": "enterprise" }))
    }

    fn token_of(&self, metadata: &Value) -> String {
        let expires = clock::now().plus(TOKEN_VALID).as_secs();
        self.issuer.token_with("user_ann1", &json!({ "exp": expires, "public_metadata": metadata }))
    }

    /// Returns every setting that any function reads.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let (issuer, endpoint) = (&self.issuer, format!("http://{}", self.aws.address));
        let queue = format!("{endpoint}/000000000000/queue");
        [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
            ("AWS_SESSION_TOKEN", "token"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("TABLE_NAME", "table"),
            ("BUCKET_NAME", "bucket"),
            ("BUS_NAME", "bus"),
            ("PARKING_QUEUE_URL", &queue),
            ("QUOTA_QUEUE_URL", &queue),
            ("REPLICA_QUEUE_URL", &queue),
            ("STATS_QUEUE_URL", &queue),
            ("STORAGE_QUEUE_URL", &queue),
            ("EXPORT_QUEUE_URL", &queue),
            ("TEXT_QUEUE_URL", &queue),
            ("TEXT_MODEL_URL", &endpoint),
            ("TEXT_MODEL", "model"),
            ("TEXT_MODEL_KEY_ARN", "model"),
            ("DELIVERIES_QUEUE_URL", &queue),
            ("CURSOR_SECRET_ARN", "cursors"),
            ("ENDPOINT_SECRET_ARN", "endpoints"),
            ("PRIVATE_ENDPOINTS", "true"),
            ("GATEWAY_SECRET_ARN", "gateway"),
            ("UPSTREAMS", &format!("pdf={endpoint}")),
            ("PRIVATE_UPSTREAMS", "true"),
            ("INVITATION_SECRET_ARN", "invitations"),
            ("PEPPER_SECRET_ARN", "peppers"),
            ("SERVICE_TOKENS_ARN", "tokens"),
            ("CLERK_SECRETS_ARN", "webhooks"),
            ("GENERATOR_SECRETS_ARN", "webhooks"),
            ("STRIPE_SECRETS_ARN", "stripe-webhooks"),
            ("STRIPE_API_KEY_ARN", "stripe"),
            ("STRIPE_URL", &endpoint),
            ("UNSUBSCRIBE_SECRET_ARN", "unsubscribe"),
            ("MAIL_FROM", "no-reply@example.com"),
            ("MAIL_CONFIGURATION_SET", "mails"),
            ("APPLICATION_URL", "https://app.example.com"),
            ("PUBLIC_URL", "https://api.example.com"),
            ("KEY_PREFIX", "sk"),
            ("CLERK_ISSUER", &issuer.iss),
            ("MAX_TOKEN_SECONDS", "86400"),
            ("TICKET_SECONDS", "3600"),
            ("UNSCANNED_FILES", "held"),
            ("ORDER_RETENTION_DAYS", "0"),
            ("AUTHORIZED_PARTIES", &issuer.azp),
            ("CLERK_JWT_KEY", &issuer.public_pem),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }
}

/// Returns the settings of functions that the template deploys on a condition. Other functions do without them, as most
/// installations do.
fn of_an_optional_part(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let settings: &[_] = match name {
        "cdn-invalidate" => &[("CDN_DISTRIBUTION", "E1")],
        "publish" => &[("CDN_DOMAIN", "files.example.com")],
        "erase-replica" => &[("REPLICA_BUCKET", "replica")],
        "on-scan-result" => &[("SCANNED_PREFIXES", "user_")],
        _ => &[],
    };
    settings.iter().copied()
}

/// Changes an event to a job of another kind. The stub derives the kind from the end of the id.
fn about(event: Value, end: &str) -> Value {
    elsewhere(event, "FTRann1", end)
}

/// Replaces a text in the body of an event.
fn elsewhere(mut event: Value, from: &str, to: &str) -> Value {
    event["body"] = event["body"].as_str().unwrap_or_default().replace(from, to).into();
    event
}

/// Creates the token of a link to unsubscribe, with the stub's secret.
fn a_way_out() -> Option<String> {
    Some(functions::unsubscribe_seal().token(&UserId::parse("user_ann1")?, Topic::Jobs))
}

/// Derives the token of the stub's invitation, with the stub's secret.
fn an_invitation() -> InvitationToken {
    let secret = Secret::new(stub::SECRET).unwrap_or_else(|| unreachable!("it is long enough"));
    let ids = (OrgId::parse(stub::ORG), InvitationId::parse(stub::INVITATION));
    let (Some(org), Some(id)) = ids else { unreachable!("they are ids") };
    InvitationTokens::new(secret).derive(org, id)
}

/// Returns the text of the stub's API key.
pub(crate) fn a_key() -> KeyText {
    let prefix = KeyPrefix::parse("sk").unwrap_or_else(|| unreachable!("sk is a word"));
    KeyText::write(&prefix, KeyMode::Production, [7; 32])
}
