//! The adapters through which functions reach everything outside of them: AWS and other servers, or the fakes of a test.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueInput;
use aws_smithy_runtime_api::client::result::SdkError;
use consigne_aws::{AwsConfig, Client};
use consigne_core::mail::Sender;
use consigne_messaging::mail::Mailer;
use consigne_messaging::{Bus, Queue};
use consigne_storage::{Bucket, Lifetime, Presigner, Table};
use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::aws::{Aws, warm};
use crate::clock;
use crate::courier::WallClock;
use crate::ending::end_environment;
use crate::model::LanguageModel;
use crate::outgoing::Outgoing;
use crate::settings::{self, EnvVars, Setting};
use crate::start::{Start, StartError};
use crate::stripe::Stripe;
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
    /// A queue.
    type Queue: Send + Sync + 'static;
    /// The mail service.
    type Mailer: Send + Sync + 'static;
    /// What calls the servers of services and customers.
    type Outgoing: Send + Sync + 'static;
    /// The payment provider.
    type Payments: Send + Sync + 'static;
    /// The language model.
    type Model: Send + Sync + 'static;
    /// The clock that a function waits by.
    type Clock: Send + Sync + 'static;
    /// What reads secrets.
    type Secrets: ReadSecret + Clone + Send + Sync + 'static;

    /// Creates the table's adapter.
    fn table(start: &Start<Self>) -> Result<Self::Table, StartError>;
    /// Creates the bucket's adapter.
    fn bucket(start: &Start<Self>) -> Result<Self::Bucket, StartError>;
    /// Creates the signer of tickets for the bucket, which makes no calls.
    fn presigner(start: &Start<Self>) -> Result<Presigner, StartError>;
    /// Creates the event bus's adapter.
    fn bus(start: &Start<Self>) -> Result<Self::Bus, StartError>;
    /// Creates the adapter of the queue whose URL a setting holds.
    fn queue(start: &Start<Self>, url: &'static Setting) -> Result<Self::Queue, StartError>;
    /// Creates the mail service's adapter.
    fn mailer(start: &Start<Self>, sender: Sender, configuration_set: String) -> Self::Mailer;
    /// Creates what calls servers, also at private addresses if `private` says so.
    fn outgoing(start: &Start<Self>, private: bool) -> Self::Outgoing;
    /// Creates the payment provider's adapter.
    fn payments(start: &Start<Self>) -> Result<Pending<Self::Payments>, StartError>;
    /// Creates the language model's adapter.
    fn model(start: &Start<Self>) -> Result<Pending<Self::Model>, StartError>;
    /// Creates the clock.
    fn clock(start: &Start<Self>) -> Self::Clock;
    /// Creates what reads secrets.
    fn secrets(start: &Start<Self>) -> Self::Secrets;
}

/// Reads secrets. `secretsmanager:GetSecretValue`.
pub trait ReadSecret {
    /// Reads the text of a secret.
    fn read_secret(&self, id: String) -> impl Future<Output = Result<String, Box<dyn Error + Send + Sync>>> + Send;
}

/// The adapters of functions in AWS, each made when it is first asked for.
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

    /// Returns what AWS clients share. It is created for the first of them.
    pub fn aws(&self) -> &Aws {
        self.adapters().aws.get_or_init(|| Aws::from_environment(self.environment()))
    }

    /// Starts to open a connection to a host that every request will call. This happens during the rest of the start,
    /// such as the reading of secrets. Without an async runtime, or with `--settings`, nothing is opened.
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

    fn presigner(start: &Start) -> Result<Presigner, StartError> {
        let (aws, bucket) = (start.aws(), start.environment().get(&settings::BUCKET_NAME)?);
        let lifetime = Lifetime { until: clock::now().plus(CREDENTIALS_LAST), when_over: end_environment };
        Ok(Presigner::new(aws.config.credentials.clone(), lifetime, &aws.config.region, &aws.endpoint, &bucket))
    }

    fn bus(start: &Start) -> Result<Bus, StartError> {
        start.will_call(&start.aws().config, "events");
        Ok(Bus::new(&start.aws().config, start.environment().get(&settings::BUS_NAME)?))
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
        Stripe::pending(start)
    }

    fn model(start: &Start) -> Result<Pending<LanguageModel>, StartError> {
        LanguageModel::pending(start)
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

/// How long an execution environment's credentials are trusted, from its start. Lambda does not say when they expire.
/// The sessions of execution roles last longer than this, and most execution environments far shorter.
const CREDENTIALS_LAST: Duration = Duration::from_hours(6);
