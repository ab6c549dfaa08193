//! Tests of calls over a real connection, to a listener on this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use aws_sdk_dynamodb::operation::get_item::{GetItemError, GetItemOutput};
use tokio::time::Instant;

use crate::budget::{self, InvocationBudget};
use crate::connections::{IDLE, was_never_connected};
use crate::requests_tests::DynamoDb;
use crate::tests::{FakeConnection, get_item};
use crate::{AwsConfig, Client, Failure, connector};

const OK: (u16, &str) = (200, "{}");
const THROTTLED: (u16, &str) =
    (400, r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#);

/// A listener that answers one connection with each of its answers. Later connections get no answer.
struct Listener {
    address: String,
    requests: Receiver<String>,
}

impl Listener {
    fn answering(answers: impl IntoIterator<Item = (u16, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        let mut answers = answers.into_iter().collect::<Vec<_>>().into_iter();
        thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                sender.send(request(&stream)).unwrap();
                match answers.next() {
                    Some((status, body)) => {
                        let length = body.len();
                        let head =
                            format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
                        stream.write_all((head + body).as_bytes()).unwrap();
                    }
                    None => unanswered.push(stream),
                }
            }
        });
        Self { address, requests }
    }

    fn client(&self) -> Client<DynamoDb> {
        Client::new(&config().at(&self.address))
    }

    fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }
}

/// Reads a whole request and returns it with its head in lower case.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

/// Returns a configuration with the connections that functions use.
fn config() -> AwsConfig {
    FakeConnection::default().config().through(|_| connector(Duration::from_millis(500), IDLE))
}

/// Asks for an item within the time `within`. Returns the outcome and how many requests were counted.
async fn ask(client: Client<DynamoDb>, within: Duration) -> (Result<GetItemOutput, Failure<GetItemError>>, u32) {
    let call = InvocationBudget::new(within);
    let outcome = call.run(budget::traced(Some("Root=1-2".to_owned()), client.send(get_item()))).await;
    (outcome, call.aws_calls())
}

const LONG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_call_arrives_signed_and_names_its_trace() {
    let listener = Listener::answering([OK]);
    let (outcome, counted) = ask(listener.client(), LONG).await;
    outcome.unwrap();
    assert_eq!(counted, 1);
    let request = listener.requests().remove(0);
    let by_sdk = request.contains("\r\nuser-agent: aws-sdk-rust/");
    assert_eq!(by_sdk, cfg!(feature = "sdk-client"), "{request}");
    for wanted in [
        "post / http/1.1\r\n",
        "\r\nauthorization: aws4-hmac-sha256 credential=akidexample/",
        "/eu-west-3/dynamodb/aws4_request, ",
        "\r\nx-amz-security-token: token\r\n",
        "\r\nx-amzn-trace-id: root=1-2\r\n",
        r#""TableName":"table""#,
    ] {
        assert!(request.contains(wanted), "{wanted}: {request}");
    }
}

#[tokio::test]
async fn throttling_is_tried_again_unless_retries_are_off() {
    let listener = Listener::answering([THROTTLED, THROTTLED, OK]);
    let (outcome, counted) = ask(listener.client(), LONG).await;
    outcome.unwrap();
    assert_eq!((counted, listener.requests().len()), (3, 3));
    let listener = Listener::answering([THROTTLED, OK]);
    let (outcome, counted) = ask(listener.client().once(), LONG).await;
    assert!(outcome.unwrap_err().into_service_error().is_provisioned_throughput_exceeded_exception());
    assert_eq!((counted, listener.requests().len()), (1, 1));
}

#[tokio::test]
async fn a_call_without_an_answer_ends_before_the_invocations_deadline() {
    let listener = Listener::answering([]);
    let begun = Instant::now();
    let (outcome, counted) = ask(listener.client(), Duration::from_secs(1)).await;
    outcome.unwrap_err();
    assert!((700..1_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert_eq!(counted, 1);
}

#[tokio::test]
async fn a_failure_shows_whether_a_connection_was_opened() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = |scheme: &str| Client::<DynamoDb>::new(&config().at(format!("{scheme}://{address}"))).once();
    let (plain, tls) = (client("http"), client("https"));
    // The listener never answers the TLS handshake, so the time to connect runs out.
    assert!(was_never_connected(&ask(tls, LONG).await.0.unwrap_err()));
    let closing = thread::spawn(move || drop((listener.accept(), listener.accept())));
    assert!(!was_never_connected(&ask(plain.clone(), LONG).await.0.unwrap_err()));
    closing.join().unwrap();
    assert!(was_never_connected(&ask(plain, LONG).await.0.unwrap_err()));
}
