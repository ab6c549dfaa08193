//! Tests of signatures and retries, over a fake connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::operation::get_item::{GetItemError, GetItemInput};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::sdk_config::SharedCredentialsProvider;

use crate::budget::{self, InvocationBudget};
use crate::requests_tests::DynamoDb;
use crate::{AwsConfig, Client};

/// What the fake connection does with a request.
#[derive(Clone, Debug)]
enum Reply {
    Answer(u16, &'static str),
    Break,
    Hang,
}

/// A fake connection that takes its replies from a list and records every request. After the last one it replies 200.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeConnection {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Sent {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Removes the headers that name the client and the try, and the signature that covers them.
    pub(crate) fn essence(mut self) -> Self {
        let own = ["user-agent", "x-amz-user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "x-amz-date"];
        self.headers.retain(|(name, _)| !own.contains(&name.as_str()) && name != "authorization");
        self.headers.sort();
        self
    }
}

impl HttpConnector for FakeConnection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let headers = request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let (method, uri) = (request.method().to_owned(), request.uri().to_owned());
        self.sent.lock().unwrap().push(Sent { method, uri, headers, body });
        match self.replies.lock().unwrap().pop_front() {
            Some(Reply::Break) => HttpConnectorFuture::ready(Err(ConnectorError::io("cut".into()))),
            Some(Reply::Hang) => HttpConnectorFuture::new(std::future::pending()),
            reply => {
                let (status, body) =
                    if let Some(Reply::Answer(status, body)) = reply { (status, body) } else { (200, "{}") };
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))))
            }
        }
    }
}

impl FakeConnection {
    fn replying(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self { replies: Arc::new(Mutex::new(replies.into_iter().collect())), sent: Arc::default() }
    }

    pub(crate) fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().unwrap())
    }

    pub(crate) fn config(&self) -> AwsConfig {
        AwsConfig {
            connector: SharedHttpConnector::new(self.clone()),
            region: "eu-west-3".to_owned(),
            credentials: Credentials::new("AKIDEXAMPLE", "secret", Some("token".to_owned()), None, "test"),
            address: None,
        }
    }

    pub(crate) fn sdk(&self) -> SdkConfig {
        let config = self.config();
        let connector = config.connector;
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(config.region))
            .credentials_provider(SharedCredentialsProvider::new(config.credentials))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
            .build()
    }

    /// Asks for an item. Returns how many requests that took and a word for the outcome.
    async fn get_item(&self) -> (usize, String) {
        let asked = Client::<DynamoDb>::new(&self.config()).send(get_item()).await;
        let said = match asked {
            Ok(_) => "an answer".to_owned(),
            Err(error) => match error.as_service_error() {
                Some(refusal) => refusal.meta().code().unwrap_or("a refusal").to_owned(),
                None => error.to_string(),
            },
        };
        (self.sent().len(), said)
    }
}

pub(crate) fn get_item() -> aws_sdk_dynamodb::operation::get_item::builders::GetItemInputBuilder {
    GetItemInput::builder().table_name("table").key("pk", AttributeValue::S("é".to_owned())).consistent_read(true)
}

#[tokio::test]
async fn all_headers_are_signed_except_those_that_may_change_on_the_way() {
    let connection = FakeConnection::default();
    let client = Client::<DynamoDb>::new(&connection.config());
    budget::traced(Some("Root=1-2".to_owned()), client.send(get_item())).await.unwrap();
    let sent = connection.sent().remove(0);
    assert_eq!(sent.header("x-amzn-trace-id"), Some("Root=1-2"));
    assert_eq!(sent.header("x-amz-security-token"), Some("token"));
    let signature = sent.header("authorization").unwrap();
    assert!(signature.contains("/eu-west-3/dynamodb/aws4_request"), "{signature}");
    let (_, signed) = signature.split_once("SignedHeaders=").unwrap();
    let signed: Vec<&str> = signed.split(',').next().unwrap().split(';').collect();
    let meant = ["content-length", "content-type", "host", "x-amz-date", "x-amz-security-token", "x-amz-target"];
    assert!(meant.iter().all(|name| signed.contains(name)), "{signed:?}");
    assert!(!signed.contains(&"x-amzn-trace-id") && !signed.contains(&"user-agent"), "{signed:?}");
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tried_three_times() {
    let throttled = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#;
    for reply in
        [Reply::Answer(500, "{}"), Reply::Answer(503, ""), Reply::Answer(400, throttled), Reply::Break, Reply::Hang]
    {
        let (twice, thrice) = (vec![reply.clone(); 2], vec![reply; 3]);
        assert_eq!(FakeConnection::replying(twice).get_item().await, (3, "an answer".to_owned()));
        let (tries, said) = FakeConnection::replying(thrice).get_item().await;
        assert!(tries == 3 && said != "an answer", "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn permanent_failures_are_not_tried_again() {
    let refused = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"no"}"#;
    let said = FakeConnection::replying([Reply::Answer(400, refused)]).get_item().await;
    assert_eq!(said, (1, "ValidationException".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_service_error_keeps_its_type_and_its_response() {
    let body = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#;
    let connection = FakeConnection::replying([Reply::Answer(400, body)]);
    let error = Client::<DynamoDb>::new(&connection.config()).send(get_item()).await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 400);
    assert!(matches!(error.into_service_error(), GetItemError::ResourceNotFoundException(_)));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_tried_again_near_the_deadline_or_if_retries_are_off() {
    let connection = FakeConnection::replying([Reply::Break]);
    let (tries, _) = InvocationBudget::new(Duration::from_millis(200)).run(connection.get_item()).await;
    assert_eq!(tries, 1);
    let connection = FakeConnection::replying([Reply::Break]);
    assert!(Client::<DynamoDb>::new(&connection.config()).once().send(get_item()).await.is_err());
    assert_eq!(connection.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_try_of_a_transaction_has_the_same_token() {
    let connection = FakeConnection::replying([Reply::Break, Reply::Answer(500, "{}")]);
    let transaction = TransactWriteItemsInput::builder().set_transact_items(Some(Vec::new()));
    Client::<DynamoDb>::new(&connection.config()).send(transaction.client_request_token("t1")).await.unwrap();
    let bodies: Vec<String> = connection.sent().into_iter().map(|sent| sent.body).collect();
    assert_eq!(bodies.len(), 3);
    assert!(bodies.iter().all(|body| body.contains(r#""ClientRequestToken":"t1""#)), "{bodies:?}");
}
