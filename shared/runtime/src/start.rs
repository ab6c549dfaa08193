//! The start of a function: from its environment to its dependencies.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueInput;
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use consigne_auth::{
    EndpointSecrets, Fetch, FetchError, GatewaySeal, InvitationTokens, KeyFinder, KeyMint, KeyPrefix, KeySource,
    Peppers, Refreshed, Seal, Secret, ServiceTokens, SessionPolicy, SessionVerifier, UnsubscribeSeal, WebhookSecrets,
};
use consigne_aws::budget::{self, InvocationBudget};
use consigne_aws::{AwsConfig, Client};
use consigne_core::Timestamp;
use consigne_core::mail::Sender;
use consigne_messaging::mail::{Application, MailTheme, Mailer};
use consigne_messaging::{Bus, Queue};
use consigne_storage::{Bucket, Lifetime, Presigner, Table};
use futures_util::future::join_all;
use lambda_runtime::tower::layer::layer_fn;
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::aws::{Aws, outside_connector, warm};
use crate::clock;
use crate::ending::{Ending, end_environment};
use crate::http::Paging;
use crate::log::{self, Level};
use crate::outgoing::body_within;
use crate::settings::{self, EnvVars, Setting, SettingError};

/// Creates a function's dependencies, with one method each. Their errors name the setting that is missing or unusable.
#[derive(Debug)]
pub struct Start {
    environment: EnvVars,
    aws: OnceLock<Aws>,
    /// Hosts that every request will call, each with the task that opens a connection.
    hosts: RefCell<Vec<(String, Option<JoinHandle<()>>)>>,
}

/// Why a function cannot start.
#[derive(Debug)]
pub struct StartError(Box<dyn Error + Send + Sync>);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Error for StartError {}

impl From<SettingError> for StartError {
    fn from(error: SettingError) -> Self {
        Self(error.into())
    }
}

impl Start {
    /// Creates the start from an environment.
    pub fn new(environment: EnvVars) -> Self {
        Self { environment, aws: OnceLock::new(), hosts: RefCell::default() }
    }

    /// Returns the environment from which settings are read.
    pub fn environment(&self) -> &EnvVars {
        &self.environment
    }

    /// Returns what AWS clients share. It is created for the first of them.
    pub fn aws(&self) -> &Aws {
        self.aws.get_or_init(|| Aws::from_environment(&self.environment))
    }

    /// Creates the table's adapter.
    pub fn table(&self) -> Result<Table, StartError> {
        self.will_call(&self.aws().config, "dynamodb");
        Ok(Table::new(&self.aws().config, self.environment.get(&settings::TABLE_NAME)?))
    }

    /// Creates the bucket's adapter.
    pub fn bucket(&self) -> Result<Bucket, StartError> {
        let bucket = self.environment.get(&settings::BUCKET_NAME)?;
        self.will_call(&self.aws().config, format!("{bucket}.s3"));
        Ok(Bucket::new(&self.aws().config, bucket))
    }

    /// Creates the signer of URLs for the bucket.
    pub fn presigner(&self) -> Result<Presigner, StartError> {
        let (aws, bucket) = (self.aws(), self.environment.get(&settings::BUCKET_NAME)?);
        let lifetime = Lifetime { until: clock::now().plus(CREDENTIALS_LAST), when_over: end_environment };
        Ok(Presigner::new(aws.config.credentials.clone(), lifetime, &aws.config.region, &aws.endpoint, &bucket))
    }

    /// Creates the event bus's adapter.
    pub fn bus(&self) -> Result<Bus, StartError> {
        self.will_call(&self.aws().config, "events");
        Ok(Bus::new(&self.aws().config, self.environment.get(&settings::BUS_NAME)?))
    }

    /// Creates a queue's adapter.
    pub fn queue(&self, url: &'static Setting) -> Result<Queue, StartError> {
        Ok(Queue::new(&self.aws().config, self.environment.get(url)?))
    }

    /// Creates the mail service's adapter. Returns `None` if this installation sends no mail.
    pub fn mailer(&self) -> Result<Option<Mailer>, StartError> {
        let configuration_set = self.environment.get(&settings::MAIL_CONFIGURATION_SET)?;
        let Some(sender) = self.mail_sender()? else { return Ok(None) };
        let config = self.aws().config_once("SES", &self.environment);
        self.will_call(&config, "email");
        Ok(Some(Mailer::new(&config, sender, configuration_set)))
    }

    /// Creates the common layout of all mails.
    pub fn theme(&self) -> Result<MailTheme, StartError> {
        let application = Application::at(&self.environment.get(&settings::APPLICATION_URL)?);
        let brand = self.mail_sender()?.and_then(|sender| sender.name);
        Ok(MailTheme { brand: brand.unwrap_or_else(|| "Consigne".to_owned()), application })
    }

    fn mail_sender(&self) -> Result<Option<Sender>, StartError> {
        let Some(text) = self.environment.optional(&settings::MAIL_FROM) else { return Ok(None) };
        let bad = || SettingError::new(&settings::MAIL_FROM, "must be an address or `Name <address>`");
        let text = if self.environment.is_describing() { "Consigne <no-reply@example.com>" } else { &text };
        Sender::parse(text).map(Some).ok_or_else(|| bad().into())
    }

    /// Reads the secret that seals links to unsubscribe.
    pub async fn unsubscribe_seal(&self) -> Result<UnsubscribeSeal, StartError> {
        self.secret(&settings::UNSUBSCRIBE_SECRET_ARN).await.map(UnsubscribeSeal::new)
    }

    /// Returns the public URL of the API, without a slash at the end.
    pub fn public_url(&self) -> Result<String, StartError> {
        Ok(self.environment.get(&settings::PUBLIC_URL)?.trim_end_matches('/').to_owned())
    }

    /// Starts to open a connection to a host that every request will call. This happens during the rest of the start,
    /// such as the reading of secrets. Without an async runtime, or with `--settings`, nothing is opened.
    fn will_call(&self, config: &AwsConfig, host: impl Into<String>) {
        let host = host.into();
        let runs = !self.environment.is_describing() && Handle::try_current().is_ok();
        let opening = runs.then(|| tokio::spawn(warm(config.clone(), host.clone())));
        self.hosts.borrow_mut().push((host, opening));
    }

    /// Waits until the connections for requests are open, while the execution environment still starts.
    async fn open_connections(&self) {
        // If one cannot be opened, the first request opens it and reports the error.
        drop(join_all(self.hosts.take().into_iter().filter_map(|(_, opening)| opening)).await);
    }

    /// Creates the verifier of session tokens.
    pub fn session_verifier(&self) -> Result<SessionVerifier, StartError> {
        let issuer = self.environment.get(&settings::CLERK_ISSUER)?;
        let parties = self.environment.get(&settings::AUTHORIZED_PARTIES)?;
        let authorized_parties = parties.split(',').map(|party| party.trim().to_owned()).collect();
        let keys = self.session_keys()?;
        Ok(SessionVerifier::new(SessionPolicy { issuer, authorized_parties }, keys))
    }

    fn session_keys(&self) -> Result<KeySource, StartError> {
        let pem = self.environment.optional(&settings::CLERK_JWT_KEY);
        let url = self.environment.optional(&settings::CLERK_JWKS_URL);
        match (pem, url) {
            (Some(pem), _) if !self.environment.is_describing() => KeySource::from_pem(&pem)
                .map_err(|error| SettingError::new(&settings::CLERK_JWT_KEY, error.to_string()).into()),
            (_, Some(url)) => Ok(fetched_keys(url)),
            _ => Err(SettingError::new(&settings::CLERK_JWKS_URL, "is missing, and so is CLERK_JWT_KEY").into()),
        }
    }

    /// Reads the secret that seals list cursors.
    pub async fn cursor_seal(&self) -> Result<Seal, StartError> {
        self.secret(&settings::CURSOR_SECRET_ARN).await.map(Seal::new)
    }

    /// Creates the pager of lists.
    pub async fn paging(&self) -> Result<Paging, StartError> {
        self.cursor_seal().await.map(Paging::new)
    }

    /// Reads the secret from which tokens of invitations are derived.
    pub async fn invitation_tokens(&self) -> Result<InvitationTokens, StartError> {
        self.secret(&settings::INVITATION_SECRET_ARN).await.map(InvitationTokens::new)
    }

    /// Reads the secret from which secrets of customers' endpoints are derived.
    pub async fn endpoint_secrets(&self) -> Result<EndpointSecrets, StartError> {
        self.secret(&settings::ENDPOINT_SECRET_ARN).await.map(EndpointSecrets::new)
    }

    /// Reads the secret with which the gateway signs who calls a service.
    pub async fn gateway_seal(&self) -> Result<GatewaySeal, StartError> {
        self.secret(&settings::GATEWAY_SECRET_ARN).await.map(GatewaySeal::new)
    }

    /// Returns the word with which API keys begin.
    fn key_prefix(&self) -> Result<KeyPrefix, StartError> {
        let word = self.environment.get(&settings::KEY_PREFIX)?;
        let bad = || SettingError::new(&settings::KEY_PREFIX, "must be 2 to 12 lower-case letters and digits");
        KeyPrefix::parse(&word).ok_or_else(|| bad().into())
    }

    /// Reads the peppers of API keys.
    async fn peppers(&self) -> Result<Refreshed<Peppers>, StartError> {
        let example = r#"{"current": 1, "1": "0123456789abcdef0123456789abcdef"}"#;
        self.refreshed(&settings::PEPPER_SECRET_ARN, example, |text| Ok(Peppers::parse(text)?)).await
    }

    /// Reads the tokens of services.
    pub async fn service_tokens(&self) -> Result<Refreshed<ServiceTokens>, StartError> {
        self.refreshed(&settings::SERVICE_TOKENS_ARN, "{}", |text| Ok(ServiceTokens::parse(text)?)).await
    }

    /// Reads the secrets with which a sender signs its webhooks.
    pub async fn webhook_secrets(&self, arn: &'static Setting) -> Result<Refreshed<WebhookSecrets>, StartError> {
        let example = r#"{"current": "whsec_0123456789abcdef0123456789abcdef"}"#;
        self.refreshed(arn, example, |text| Ok(WebhookSecrets::parse(text)?)).await
    }

    /// Creates what mints the texts of API keys.
    pub async fn key_mint(&self) -> Result<KeyMint, StartError> {
        Ok(KeyMint::new(self.key_prefix()?, self.peppers().await?))
    }

    /// Creates what finds API keys by their texts.
    pub async fn key_finder(&self) -> Result<KeyFinder, StartError> {
        Ok(KeyFinder::new(self.key_prefix()?, self.peppers().await?, self.legacy_keys_until()?))
    }

    /// Returns until when keys of an older installation work.
    fn legacy_keys_until(&self) -> Result<Option<Timestamp>, StartError> {
        let end = self.environment.optional(&settings::LEGACY_KEYS_UNTIL);
        let bad = || SettingError::new(&settings::LEGACY_KEYS_UNTIL, "must be a time such as 2027-01-31T00:00:00Z");
        let end = end.filter(|_| !self.environment.is_describing());
        end.map(|end| Timestamp::parse(&end).ok_or_else(|| bad().into())).transpose()
    }

    /// Reads a secret that may change during the life of this execution environment, and parses it with `parse`. With
    /// `--settings` it parses `example` instead.
    pub(crate) async fn refreshed<T: Send + Sync + 'static>(
        &self,
        arn: &'static Setting,
        example: &str,
        parse: fn(&str) -> Result<T, Box<dyn Error + Send + Sync>>,
    ) -> Result<Refreshed<T>, StartError> {
        let id = self.environment.get(arn)?;
        let client = Client::<SecretsManager>::new(&self.aws().config);
        let fetch: Fetch<T> = Box::new(move || {
            let (client, id) = (client.clone(), id.clone());
            Box::pin(async move {
                let read = client.send(GetSecretValueInput::builder().secret_id(id)).await?;
                parse(read.secret_string().unwrap_or_default())
            })
        });
        let unusable = |problem: String| StartError::from(SettingError::new(arn, problem));
        let value = if self.environment.is_describing() { parse(example) } else { fetch().await };
        let value = value.map_err(|error| unusable(format!("names an unusable secret: {error}")))?;
        Ok(Refreshed::new(value, clock::now(), fetch))
    }

    /// Reads a secret once, from Secrets Manager.
    async fn secret(&self, arn: &'static Setting) -> Result<Secret, StartError> {
        let unusable = |problem: String| StartError::from(SettingError::new(arn, problem));
        let id = self.environment.get(arn)?;
        let text = if self.environment.is_describing() {
            "0123456789abcdef0123456789abcdef".to_owned()
        } else {
            let client = Client::<SecretsManager>::new(&self.aws().config);
            let read = client.send(GetSecretValueInput::builder().secret_id(id)).await;
            let read = read.map_err(|error| unusable(format!("cannot be read: {}", error.into_service_error())))?;
            read.secret_string.unwrap_or_default()
        };
        Secret::new(text).ok_or_else(|| unusable("names a secret that is short or a placeholder".to_owned()))
    }
}

consigne_aws::service! {
    /// AWS Secrets Manager, with the operation used here.
    struct SecretsManager: "secretsmanager" at "secretsmanager";
    aws_sdk_secretsmanager::get_secret_value, GetSecretValue, GetSecretValueInputBuilder, GetSecretValueInput, GetSecretValueOutput, GetSecretValueError;
}

/// How long a start may take. Lambda ends it after ten seconds, without saying what it waited for.
///
/// Source: AWS Lambda developer guide, "Understanding the Lambda execution environment lifecycle".
const INIT: Duration = Duration::from_secs(9);

/// How long an execution environment's credentials are trusted, from its start. Lambda does not say when they expire.
/// The sessions of execution roles last longer than this, and most execution environments far shorter.
const CREDENTIALS_LAST: Duration = Duration::from_hours(6);

/// Longest time for the issuer's key endpoint to answer.
const KEYS_WAIT: Duration = Duration::from_secs(3);

/// Largest key set, in bytes. Real ones contain a few keys of half a kilobyte.
const KEY_SET_MAX: usize = 256 * 1024;

/// Creates a key source that fetches the key set from a URL.
fn fetched_keys(url: String) -> KeySource {
    let connector = outside_connector(KEYS_WAIT);
    KeySource::fetched(Box::new(move || {
        let (connector, url) = (connector.clone(), url.clone());
        Box::pin(async move {
            let mut answer = connector.call(HttpRequest::get(url)?).await?;
            if !answer.status().is_success() {
                return Err(FetchError::from(format!("the key endpoint answered {}", answer.status().as_u16())));
            }
            let body = body_within(&mut answer, KEY_SET_MAX).await;
            Ok(String::from_utf8(body.map_err(|(_, why)| why)?)?)
        })
    }))
}

/// The future that handles one event, boxed.
pub(crate) type Work<'a, R> = Pin<Box<dyn Future<Output = Result<R, lambda_runtime::Error>> + Send + 'a>>;

/// Runs a function's whole life: creates its dependencies, then processes events until Lambda ends it.
///
/// With the argument `--settings` it prints the settings the function reads instead.
pub(crate) fn serve<D, H, E, R>(
    name: &'static str,
    wire: impl AsyncFnOnce(&Start) -> Result<D, StartError>,
    handle: H,
    process: for<'a> fn(&'a str, &'a D, &'a H, E, SystemTime) -> Work<'a, R>,
) -> ExitCode
where
    D: Send + Sync + 'static,
    H: Send + Sync + 'static,
    E: for<'de> Deserialize<'de> + Send + 'static,
    R: Serialize + Send + 'static,
{
    let describing = std::env::args().nth(1).as_deref() == Some("--settings");
    let environment = if describing { EnvVars::describing() } else { EnvVars::process() };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(name, &error),
    };
    runtime.block_on(async {
        log::learn_stack(&environment.variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(), name);
        let start = Start::new(environment);
        let deps = match InvocationBudget::new(INIT).run(wire(&start)).await {
            Ok(deps) => deps,
            Err(error) => return failed(name, &error),
        };
        if describing {
            let settings = start.environment.asked_for();
            let lines = settings.iter().map(|setting| format!("{}\t{}", setting.name, setting.doc));
            log::write(&lines.collect::<Vec<_>>().join("\n"));
            return ExitCode::SUCCESS;
        }
        start.open_connections().await;
        let shared = Arc::new((deps, handle));
        let service = service_fn(move |event: LambdaEvent<E>| {
            let shared = shared.clone();
            async move {
                let deadline = event.context.deadline();
                let work = process(name, &shared.0, &shared.1, event.payload, deadline);
                budget::traced(event.context.xray_trace_id, work).await
            }
        });
        match Runtime::new(service).layer(layer_fn(Ending::after)).run_concurrent().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(name, &*error),
        }
    })
}

/// Logs why a function ends, before Lambda starts it again.
fn failed(name: &str, error: &dyn Error) -> ExitCode {
    let mut fields = serde_json::Map::new();
    fields.insert("error.chain".to_owned(), error.to_string().into());
    log::write(&log::line(Level::Error, name, "The function cannot run", clock::now(), fields));
    ExitCode::FAILURE
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
