//! The adapters through which functions reach AWS and other servers. In tests they are fakes.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueInput;
use aws_smithy_runtime_api::client::result::SdkError;
use consigne_aws::{AwsConfig, Client};
use consigne_core::Application;
use consigne_core::gateway::Upstream;
use consigne_core::mail::Sender;
use consigne_messaging::mail::Mailer;
use consigne_messaging::{Bus, Cdn, Queue};
use consigne_outgoing::Outgoing;
use consigne_outgoing::language_model::{LanguageModel, ModelKey, REPLY_TIMEOUT};
use consigne_outgoing::stripe::{ApiKey, Stripe};
use consigne_storage::{Bucket, Lifetime, Presigner, Table};
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::aws::{Aws, warm};
use crate::clock::{self, WallClock};
use crate::ending::end_environment;
use crate::settings::{self, EnvVars, Setting, SettingError};
use crate::start::{Start, StartError};
use crate::wire::Pending;

/// A set of adapters, one for each resource.
///
/// A function names the verbs that it needs of each, and these bounds are its IAM policy:
/// `impl<A: Adapters<Table: GetMember + ListKeys>> HttpFunction for Function<A>`.
pub trait Adapters: Sized + 'static {
    /// The table.
    type Table: Send + Sync + 'static;
    /// The bucket of user files.
    type Bucket: Send + Sync + 'static;
    /// The event bus.
    type Bus: Send + Sync + 'static;
    /// The CDN's cache.
    type Cdn: Send + Sync + 'static;
    /// A queue.
    type Queue: Send + Sync + 'static;
    /// The mail service.
    type Mailer: Send + Sync + 'static;
    /// The client that calls services behind the gateway and customers' endpoints.
    type Outgoing: Send + Sync + 'static;
    /// The payment provider.
    type Payments: Send + Sync + 'static;
    /// The language model.
    type Model: Send + Sync + 'static;
    /// The clock, with which a function also waits.
    type Clock: Send + Sync + 'static;
    /// The reader of secrets.
    type Secrets: ReadSecret + Clone + Send + Sync + 'static;

    /// Creates the table's adapter. Like the methods below, it fails if a setting that it reads is missing or unusable.
    fn table(start: &Start<Self>) -> Result<Self::Table, StartError>;
    /// Creates the bucket's adapter.
    fn bucket(start: &Start<Self>) -> Result<Self::Bucket, StartError>;
    /// Creates the adapter of the replica bucket `name`, in `region` or in the functions' own.
    fn replica(start: &Start<Self>, name: String, region: Option<String>) -> Self::Bucket;
    /// Creates the signer of URLs for the bucket. Signing makes no calls.
    fn presigner(start: &Start<Self>) -> Result<Presigner, StartError>;
    /// Creates the event bus's adapter.
    fn bus(start: &Start<Self>) -> Result<Self::Bus, StartError>;
    /// Creates the adapter of the CDN's cache.
    fn cdn(start: &Start<Self>) -> Result<Self::Cdn, StartError>;
    /// Creates the adapter of the queue whose URL a setting holds.
    fn queue(start: &Start<Self>, url: &'static Setting) -> Result<Self::Queue, StartError>;
    /// Creates the mail service's adapter.
    fn mailer(start: &Start<Self>, sender: Sender, configuration_set: String) -> Self::Mailer;
    /// Creates the client that calls services and endpoints. With `private` it may also call private addresses.
    fn outgoing(start: &Start<Self>, private: bool) -> Self::Outgoing;
    /// Creates the payment provider's adapter.
    fn payments(start: &Start<Self>) -> Result<Pending<Self::Payments>, StartError>;
    /// Creates the language model's adapter.
    fn model(start: &Start<Self>) -> Result<Pending<Self::Model>, StartError>;
    /// Creates the clock.
    fn clock(start: &Start<Self>) -> Self::Clock;
    /// Creates the reader of secrets.
    fn secrets(start: &Start<Self>) -> Self::Secrets;
}

/// Reads secrets. `secretsmanager:GetSecretValue`.
pub trait ReadSecret {
    /// Reads the text of a secret.
    fn read_secret(&self, id: String) -> impl Future<Output = Result<String, Box<dyn Error + Send + Sync>>> + Send;
}

/// The adapters of deployed functions. What they share is created when the first of them is.
#[derive(Default)]
pub struct AwsAdapters {
    aws: OnceLock<Aws>,
    /// Hosts that every request will call, each with the task that opens a connection.
    pub(crate) hosts: RefCell<Vec<(String, Option<JoinHandle<()>>)>>,
}

impl fmt::Debug for AwsAdapters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsAdapters(..)")
    }
}

impl Start {
    /// Starts from an environment, with the adapters of AWS.
    pub fn new(environment: EnvVars) -> Self {
        Self::with(environment, AwsAdapters::default())
    }

    /// Returns the configuration that all AWS clients share. The first call creates it.
    pub fn aws(&self) -> &Aws {
        self.adapters().aws.get_or_init(|| Aws::from_environment(self.environment()))
    }

    /// Starts opening a connection to a host that every request will call. It opens while the rest of the start goes
    /// on, such as the reading of secrets. Without an async runtime, or with `--settings`, nothing is opened.
    fn will_call(&self, config: &AwsConfig, host: impl Into<String>) {
        let host = host.into();
        let runs = !self.environment().is_describing() && Handle::try_current().is_ok();
        let opening = runs.then(|| tokio::spawn(warm(config.clone(), host.clone())));
        self.adapters().hosts.borrow_mut().push((host, opening));
    }

    /// Waits until the connections for requests are open, while the execution environment still starts.
    pub(crate) async fn open_connections(&self) {
        // If one cannot be opened, the first request opens it and reports the error.
        drop(join_all(self.adapters().hosts.take().into_iter().filter_map(|(_, opening)| opening)).await);
    }
}

impl Adapters for AwsAdapters {
    type Table = Table;
    type Bucket = Bucket;
    type Bus = Bus;
    type Cdn = Cdn;
    type Queue = Queue;
    type Mailer = Mailer;
    type Outgoing = Outgoing;
    type Payments = Stripe;
    type Model = LanguageModel;
    type Clock = WallClock;
    type Secrets = Client<SecretsManager>;

    fn table(start: &Start) -> Result<Table, StartError> {
        start.will_call(&start.aws().config, "dynamodb");
        Ok(Table::new(&start.aws().config, start.environment().get(&settings::TABLE_NAME)?))
    }

    fn bucket(start: &Start) -> Result<Bucket, StartError> {
        let bucket = start.environment().get(&settings::BUCKET_NAME)?;
        start.will_call(&start.aws().config, format!("{bucket}.s3"));
        Ok(Bucket::new(&start.aws().config, bucket))
    }

    fn replica(start: &Start, name: String, region: Option<String>) -> Bucket {
        let mut config = start.aws().config.clone();
        if let Some(region) = region {
            config.region = region;
        }
        start.will_call(&config, format!("{name}.s3"));
        Bucket::new(&config, name)
    }

    fn presigner(start: &Start) -> Result<Presigner, StartError> {
        let (aws, bucket) = (start.aws(), start.environment().get(&settings::BUCKET_NAME)?);
        let lifetime = Lifetime { until: clock::now().plus(CREDENTIALS_LAST), when_over: end_environment };
        Ok(Presigner::new(aws.config.credentials.clone(), lifetime, &aws.config.region, &aws.endpoint, &bucket))
    }

    fn bus(start: &Start) -> Result<Bus, StartError> {
        start.will_call(&start.aws().config, "events");
        Ok(Bus::new(&start.aws().config, start.environment().get(&settings::BUS_NAME)?))
    }

    fn cdn(start: &Start) -> Result<Cdn, StartError> {
        Ok(Cdn::new(&start.aws().config, start.environment().get(&settings::CDN_DISTRIBUTION)?))
    }

    fn queue(start: &Start, url: &'static Setting) -> Result<Queue, StartError> {
        Ok(Queue::new(&start.aws().config, start.environment().get(url)?))
    }

    fn mailer(start: &Start, sender: Sender, configuration_set: String) -> Mailer {
        let config = start.aws().config_once("SES", start.environment());
        start.will_call(&config, "email");
        Mailer::new(&config, sender, configuration_set)
    }

    fn outgoing(_: &Start, private: bool) -> Outgoing {
        Outgoing::new(private)
    }

    fn payments(start: &Start) -> Result<Pending<Stripe>, StartError> {
        let url = start.environment().get(&settings::STRIPE_URL)?;
        let application = Application::at(&start.environment().get(&settings::APPLICATION_URL)?);
        let example = "sk_test_0123456789abcdef0123456789abcdef";
        let key = start.refreshed(&settings::STRIPE_API_KEY_ARN, example, |text| {
            ApiKey::parse(text).ok_or_else(|| "it must be a secret key of Stripe".into())
        })?;
        Ok(key.map(move |key| Stripe::new(&url, key, application, clock::now)))
    }

    fn model(start: &Start) -> Result<Pending<LanguageModel>, StartError> {
        let private = start.environment().is_on(&settings::PRIVATE_UPSTREAMS);
        let address = start.environment().get(&settings::TEXT_MODEL_URL)?;
        let address = if start.environment().is_describing() { "https://api.example.com/v1" } else { &address };
        let unusable = |problem| SettingError::new(&settings::TEXT_MODEL_URL, problem);
        let at = Upstream::parse(address, private).map_err(unusable)?;
        let name = start.environment().get(&settings::TEXT_MODEL)?;
        let example = "sk-0123456789abcdef0123456789abcdef";
        let key = start.refreshed(&settings::TEXT_MODEL_KEY_ARN, example, |text| {
            ModelKey::parse(text).ok_or_else(|| "it must be at least 32 visible characters".into())
        })?;
        let outgoing = Outgoing::new(private);
        Ok(key.map(move |key| LanguageModel::new(outgoing, at, name, key, REPLY_TIMEOUT, clock::now)))
    }

    fn clock(_: &Start) -> WallClock {
        WallClock
    }

    fn secrets(start: &Start) -> Client<SecretsManager> {
        Client::new(&start.aws().config)
    }
}

consigne_aws::service! {
    /// AWS Secrets Manager, with the operation used here.
    pub struct SecretsManager: "secretsmanager" at "secretsmanager";
    aws_sdk_secretsmanager::get_secret_value, GetSecretValue, GetSecretValueInputBuilder, GetSecretValueInput, GetSecretValueOutput, GetSecretValueError;
}

impl ReadSecret for Client<SecretsManager> {
    async fn read_secret(&self, id: String) -> Result<String, Box<dyn Error + Send + Sync>> {
        let read = self.send(GetSecretValueInput::builder().secret_id(id)).await;
        Ok(read.map_err(SdkError::into_service_error)?.secret_string.unwrap_or_default())
    }
}

/// How long an execution environment trusts its credentials, counted from its start. Lambda does not say when they
/// expire, but they last longer than this. Most execution environments end far earlier.
const CREDENTIALS_LAST: Duration = Duration::from_hours(6);
