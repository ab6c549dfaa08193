use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use consigne_aws::AwsConfig;
use consigne_aws::budget::InvocationBudget;

use super::*;

const IN_PROGRESS: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionInProgressException"}"#;
const CONFLICT: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
    "CancellationReasons":[{"Code":"TransactionConflict"}]}"#;

/// A fake DynamoDB that gives these answers in turn and repeats the last one. It records the requests.
#[derive(Clone, Debug)]
struct Answering {
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Answering {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default();
        self.asked.lock().unwrap().push(String::from_utf8_lossy(body).into_owned());
        let mut answers = self.answers.lock().unwrap();
        let (status, body) = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))))
    }
}

impl Answering {
    fn with(answers: impl IntoIterator<Item = (u16, &'static str)>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), asked: Arc::default() }
    }

    fn table(&self) -> Table {
        let config = AwsConfig {
            connector: SharedHttpConnector::new(self.clone()),
            region: "eu-west-3".to_owned(),
            credentials: Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"),
            address: None,
        };
        Table::new(&config, "table")
    }

    /// Returns the request tokens that were sent.
    fn tokens(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let token = |body: &String| body.split(r#""ClientRequestToken":""#).nth(1).unwrap()[..32].to_owned();
        asked.iter().map(token).collect()
    }
}

fn item() -> Item {
    HashMap::from([("pk".to_owned(), AttributeValue::S("1".to_owned()))])
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_still_under_way_is_repeated_with_its_token() {
    // More answers than the client has tries of its own.
    let fake =
        Answering::with([(400, IN_PROGRESS), (400, IN_PROGRESS), (400, IN_PROGRESS), (400, IN_PROGRESS), (200, "{}")]);
    let table = fake.table();
    let outcome = table.transact(vec![table.put(item()).unwrap()]).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed));
    let tokens = fake.tokens();
    assert_eq!(tokens.len(), 5);
    assert!(tokens.iter().all(|token| *token == tokens[0]), "{tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_transaction_is_retried_with_another_token() {
    let fake = Answering::with([(400, CONFLICT), (200, "{}")]);
    let table = fake.table();
    assert!(matches!(table.transact(vec![table.put(item()).unwrap()]).await.unwrap(), Outcome::Committed));
    let tokens = fake.tokens();
    assert!(tokens.len() == 2 && tokens[0] != tokens[1], "{tokens:?}");
}

#[tokio::test(start_paused = true)]
async fn unprocessed_keys_are_read_again_with_waits_until_the_deadline() {
    let unread = r#"{"UnprocessedKeys":{"table":{"Keys":[{"pk":{"S":"1"}}]}}}"#;
    let found = r#"{"Responses":{"table":[{"pk":{"S":"1"}}]}}"#;
    let fake = Answering::with([(200, unread), (200, found)]);
    assert_eq!(fake.table().batch_get(&[item()], true).await.unwrap(), [item()]);
    let fake = Answering::with([(200, unread)]);
    let table = fake.table();
    let asking = InvocationBudget::new(Duration::from_secs(5));
    let fault = asking.run(table.batch_get(&[item()], true)).await.unwrap_err();
    assert_eq!(fault.code.as_str(), "UNAVAILABLE");
    let asked = fake.asked.lock().unwrap().len();
    assert!((3..100).contains(&asked), "{asked}");
}
