//! Settings: each is read once, at start, by its name. `bootstrap --settings` prints those that a function reads.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

/// A setting that template.yaml puts into a function's environment.
#[derive(Debug)]
pub struct Setting {
    /// Name of the environment variable.
    pub name: &'static str,
    /// What it contains, with its unit, and what happens without it.
    pub doc: &'static str,
}

macro_rules! settings {
    ($($name:ident: $doc:literal,)*) => {
        $(#[doc = $doc] pub static $name: Setting = Setting { name: stringify!($name), doc: $doc };)*
    };
}

settings! {
    TABLE_NAME: "Name of the DynamoDB table.",
    BUCKET_NAME: "Name of the bucket of user files.",
    BUS_NAME: "Name of the event bus.",
    REPLICA_BUCKET: "Name of the bucket to which S3 replicates user files; empty if there is none.",
    REPLICA_REGION: "Region of the replica bucket, such as `eu-central-1`; empty for the functions' own.",
    REPLICA_QUEUE_URL: "URL of the queue of versions that are to be removed from the replica bucket.",
    PARKING_QUEUE_URL: "URL of the queue for records and messages that cannot be processed.",
    EXPORT_QUEUE_URL: "URL of the queue of exports to write.",
    QUOTA_QUEUE_URL: "URL of the queue of organisations whose keys and wallets need maintenance.",
    STATS_QUEUE_URL: "URL of the queue of days to count.",
    STORAGE_QUEUE_URL: "URL of the queue of nights whose stored bytes are to be counted.",
    TEXT_QUEUE_URL: "URL of the queue of texts to write.",
    TEXT_MODEL_URL: "URL of the language model's API, such as <https://api.openai.com/v1>, without a slash at the end.",
    TEXT_MODEL: "Name of the language model.",
    TEXT_MODEL_KEY_ARN: "ARN of the secret with the language model's API key; at least 32 visible characters.",
    DELIVERIES_QUEUE_URL: "URL of the queue of events for endpoints and of deliveries to attempt.",
    ENDPOINT_SECRET_ARN: "ARN of the secret from which the secrets of customers' endpoints are derived; at least 32 bytes.",
    PRIVATE_ENDPOINTS: "`true` if endpoints may have private addresses, as on a laptop; anything else means no.",
    CURSOR_SECRET_ARN: "ARN of the secret that seals list cursors; at least 32 bytes.",
    PEPPER_SECRET_ARN: "ARN of the secret with the peppers under which API keys are stored: `{\"current\": 1, \"1\": \"...\"}`.",
    INVITATION_SECRET_ARN: "ARN of the secret from which the tokens of invitations are derived; at least 32 bytes.",
    SERVICE_TOKENS_ARN: "ARN of the secret with the service tokens and their rights: `{\"pdf-api\": \"...\"}`; at least 32 bytes each.",
    GENERATOR_SECRETS_ARN: "ARN of the secrets with which generators sign webhooks: `{\"current\": \"whsec_...\"}`.",
    CLERK_SECRETS_ARN: "ARN of the secrets with which Clerk signs webhooks: `{\"current\": \"whsec_...\"}`.",
    STRIPE_URL: "URL of Stripe's API, without a slash at the end.",
    STRIPE_API_KEY_ARN: "ARN of the secret key of the Stripe account: `sk_live_...`, or a restricted one that may write checkout sessions.",
    STRIPE_SECRETS_ARN: "ARN of the secrets with which Stripe signs webhooks: `{\"current\": \"whsec_...\"}`.",
    PUBLIC_URL: "Public URL of the API, without a slash at the end.",
    APPLICATION_URL: "URL of the application in which people use the product. Mails link to it, and buyers return to it.",
    MAIL_FROM: "Sender of mails, such as `Consigne <no-reply@example.com>`; empty if none are sent.",
    ORDERS_EMAIL: "Address that gets a mail about each new order; empty if nobody does.",
    ORDER_RETENTION_DAYS: "Days after which orders are erased that were submitted or have expired; 0 to 3650, and 0 keeps them.",
    MAIL_CONFIGURATION_SET: "Name of the SES configuration set that publishes bounces and complaints.",
    UNSUBSCRIBE_SECRET_ARN: "ARN of the secret that seals links to unsubscribe; at least 32 bytes.",
    GATEWAY_SECRET_ARN: "ARN of the secret with which the gateway signs who calls a service; at least 32 bytes.",
    UPSTREAMS: "Upstreams of services, `pdf=https://...,ai=https://...` or a JSON object; other services cannot be called.",
    PRIVATE_UPSTREAMS: "`true` if upstreams may have private addresses, as on a laptop; anything else means no.",
    EDGE_SECRET_HASH: "SHA-256 in hex of the secret that the CDN sends as `x-consigne-edge`; two are separated by a comma; empty without a CDN.",
    ADDRESS_HEADER: "Header with which the CDN names the caller's address; empty if it names none.",
    COUNTRY_HEADER: "Header with which the CDN names the caller's country; empty if it names none.",
    KEY_PREFIX: "Word with which API keys begin, such as `sk`.",
    LEGACY_KEYS_UNTIL: "Until when keys of an older installation work, as an RFC 3339 time; empty if there are none.",
    WATERMARK_KEY: "Key in the bucket of the PNG that is laid on what is derived from pictures, of plans that say so; empty if none is.",
    SCANNED_PREFIXES: "Prefixes of the keys of files that wait for a malware scan, separated by commas; empty if none do.",
    UNSCANNED_FILES: "What happens to files that could not be scanned: `held` or `released`.",
    CDN_DOMAIN: "Domain of the CDN through which files are read; empty if they are read from S3.",
    CDN_KEYS_ARN: "ARN of the secret with the keys that sign URLs of the CDN; empty without a CDN.",
    RECONCILE_REPAIR: "`true` if the reconciliation removes what nothing refers to; anything else means that it only reports.",
    CDN_DISTRIBUTION: "Id of the CDN's distribution, whose cache forgets files that must not be read any more.",
    TICKET_SECONDS: "Seconds for which a ticket is valid when the request does not say; 1 to 3600.",
    CLERK_ISSUER: "The only `iss` accepted in session tokens, such as <https://clerk.example.com>.",
    AUTHORIZED_PARTIES: "Accepted `azp` values and origins of cookie writes, separated by commas.",
    MAX_TOKEN_SECONDS: "Most seconds from the issue of a session token to its expiry.",
    REQUIRE_SECOND_FACTOR: "`true` if issuing, rotating and widening production keys needs a second factor verified within ten minutes; anything else means no.",
    CLERK_JWT_KEY: "The issuer's public keys in PEM, with `\\n` for line breaks; empty to fetch them from `CLERK_JWKS_URL`.",
    CLERK_JWKS_URL: "URL of the issuer's key set; used if `CLERK_JWT_KEY` is empty.",
}

/// Reads settings and remembers which were read.
#[derive(Debug)]
pub struct EnvVars {
    variables: Source,
    read: RefCell<Vec<&'static Setting>>,
}

#[derive(Debug)]
enum Source {
    Process,
    Fixed(HashMap<String, String>),
    /// Answers every setting with a placeholder, to find out which are read.
    Describing,
}

/// A setting that is missing or unusable.
#[derive(Debug)]
pub struct SettingError {
    name: &'static str,
    doc: &'static str,
    problem: String,
}

impl SettingError {
    /// Creates the error of a setting. It must not contain the value.
    pub fn new(setting: &Setting, problem: impl Into<String>) -> Self {
        Self { name: setting.name, doc: setting.doc, problem: problem.into() }
    }
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "setting {} {} ({})", self.name, self.problem, self.doc)
    }
}

impl std::error::Error for SettingError {}

impl EnvVars {
    /// Reads the process's environment variables.
    pub fn process() -> Self {
        Self { variables: Source::Process, read: RefCell::default() }
    }

    /// Reads from a map, for tests and tools.
    pub fn fixed(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: Source::Fixed(variables.into_iter().collect()), read: RefCell::default() }
    }

    /// Reads nothing and only records which settings are asked for.
    pub fn describing() -> Self {
        Self { variables: Source::Describing, read: RefCell::default() }
    }

    /// Returns whether it only records which settings are asked for.
    pub fn is_describing(&self) -> bool {
        matches!(self.variables, Source::Describing)
    }

    /// Returns a setting.
    ///
    /// # Errors
    /// If it is missing or empty.
    pub fn get(&self, setting: &'static Setting) -> Result<String, SettingError> {
        self.optional(setting).ok_or_else(|| SettingError::new(setting, "is missing"))
    }

    /// Returns a setting that may be missing or empty.
    pub fn optional(&self, setting: &'static Setting) -> Option<String> {
        self.read.borrow_mut().push(setting);
        self.variable(setting.name)
    }

    /// Returns whether a setting is `true`. A missing one, or any other value, means no.
    pub fn is_on(&self, setting: &'static Setting) -> bool {
        self.optional(setting).as_deref() == Some("true")
    }

    /// Returns a variable that Lambda itself sets and no template has to.
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.variables {
            // The one place where environment variables are read.
            #[allow(clippy::disallowed_methods)]
            Source::Process => std::env::var(name).ok(),
            Source::Fixed(map) => map.get(name).cloned(),
            Source::Describing => Some("described".to_owned()),
        };
        value.filter(|value| !value.is_empty())
    }

    /// Returns the settings that were asked for, in order, each once.
    pub fn asked_for(&self) -> Vec<&'static Setting> {
        let mut seen: Vec<&'static Setting> = Vec::new();
        for setting in self.read.borrow().iter() {
            if !seen.iter().any(|known| known.name == setting.name) {
                seen.push(setting);
            }
        }
        seen
    }
}
