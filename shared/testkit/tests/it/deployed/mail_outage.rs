//! An outage of the mail service, on a stack of its own whose mails go to a mail service in the test.

use std::convert::Infallible;
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consigne_testkit::generator::{Generator, fresh_id};
use consigne_testkit::stack::{Stack, until};
use consigne_testkit::{payload, pictures};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use super::jobs::{pictures_of, wait_for};
use super::mail::{address, founder, happen, job_of};
use super::text;

const ENV_FILE: &str = "target/local/mail-lab.env";

/// How the service answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServiceMode {
    Throttles,
    IsOut,
    Works,
}

/// The test's mail service.
#[derive(Default)]
struct Service {
    mode: Mutex<Option<ServiceMode>>,
    /// The number of refused requests, and the accepted messages.
    refused: Mutex<u32>,
    taken: Mutex<Vec<String>>,
}

impl Service {
    fn set(&self, mode: ServiceMode) {
        *self.mode.lock().unwrap() = Some(mode);
        *self.refused.lock().unwrap() = 0;
    }

    async fn answer(&self, request: http::Request<Incoming>) -> http::Response<Full<Bytes>> {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let form: Vec<(String, String)> = form_of(&body);
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        assert_eq!(field("Action").as_deref(), Some("SendRawEmail"));
        let error = |status: u16, code: &str| {
            *self.refused.lock().unwrap() += 1;
            let xml = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>No.</Message></Error></ErrorResponse>"
            );
            (status, xml)
        };
        let (status, xml) = match self.mode.lock().unwrap().unwrap_or(ServiceMode::Works) {
            ServiceMode::Throttles => error(400, "Throttling"),
            ServiceMode::IsOut => error(503, "ServiceUnavailable"),
            ServiceMode::Works => {
                let message = STANDARD.decode(field("RawMessage.Data").unwrap()).unwrap();
                assert_eq!(field("ConfigurationSetName").as_deref(), Some("mail-lab"));
                self.taken.lock().unwrap().push(String::from_utf8(message).unwrap());
                let id = "<SendRawEmailResult><MessageId>m-1</MessageId></SendRawEmailResult>";
                (200, format!("<SendRawEmailResponse>{id}</SendRawEmailResponse>"))
            }
        };
        let response = http::Response::builder().status(status).header("content-type", "text/xml");
        response.body(Full::new(Bytes::from(xml))).unwrap()
    }

    fn taken_for(&self, address: &str) -> Vec<String> {
        let to = format!("To: <{address}>\r\n");
        self.taken.lock().unwrap().iter().filter(|message| message.contains(&to)).cloned().collect()
    }
}

fn form_of(body: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(body).unwrap();
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

/// Starts the service. Returns its address.
async fn serve(service: &Arc<Service>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = service.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service.clone();
            tokio::spawn(async move {
                let answer = service_fn(|request| {
                    let service = service.clone();
                    async move { Ok::<_, Infallible>(service.answer(request).await) }
                });
                // A client may close its connection.
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
            });
        }
    });
    format!("http://{address}")
}

/// Deploys the stack, with the address of the mail service. Its queue redelivers messages after a second.
async fn deploy(ses: &str) -> Stack {
    let root = payload::root();
    let output = Command::new(root.join(".venv/bin/python"))
        .arg(root.join("infra/local/stack.py"))
        .args(["deploy", "--stack", "mail-lab", "--env-file"])
        .arg(root.join(ENV_FILE))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stack = Stack::of_file(ENV_FILE);
    let function = format!("/2015-03-31/functions/{}-send-mail/configuration", stack.name("STACK_NAME"));
    let now = stack.operate("lambda", "GET", &function, &json!({})).await.json();
    let mut variables = now["Environment"]["Variables"].clone();
    variables["AWS_ENDPOINT_URL_SES"] = ses.into();
    let set = json!({ "Environment": { "Variables": variables } });
    assert_eq!(stack.operate("lambda", "PUT", &function, &set).await.status, 200);
    let sqs = aws_sdk_sqs::Client::new(&stack.aws().sdk_config());
    let name = format!("{}-mails", stack.name("STACK_NAME"));
    let queue = sqs.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap();
    let fast = sqs.set_queue_attributes().queue_url(queue).attributes("VisibilityTimeout".into(), "1");
    fast.send().await.unwrap();
    stack
}

#[tokio::test]
async fn an_outage_of_the_mail_service_loses_and_repeats_no_mail() {
    let service = Arc::new(Service::default());
    let stack = deploy(&serve(&service).await).await;
    let (ann, _) = founder(&stack, "fr").await;
    let generator = Generator::of(&stack);
    for mode in [ServiceMode::Throttles, ServiceMode::IsOut] {
        service.set(mode);
        let before = service.taken_for(&address(&ann)).len();
        for _ in 0..2 {
            happen(&stack, None, "job.completed", &job_of(&ann)).await;
        }
        // A job completes even if no mail can be sent.
        let message = pictures_of(&ann, &generator, 1).await;
        let file = generator.upload(&message, "a.png", "image/png", pictures::png(64, 48, 1000)).await;
        assert_eq!(generator.complete(&message, &fresh_id(), &[file]).await.status, 200);
        wait_for(&ann, &text(&message, "job_id"), "completed").await;
        let tried = until(async || (*service.refused.lock().unwrap() >= 7).then_some(()));
        assert!(tried.await.is_some(), "the mails were not redelivered");
        assert_eq!(service.taken_for(&address(&ann)).len(), before);
        service.set(ServiceMode::Works);
        let sent = until(async || (service.taken_for(&address(&ann)).len() >= before + 3).then_some(()));
        assert!(sent.await.is_some(), "mails were lost");
    }
    // Messages that are still redelivered now find their mail recorded as sent.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let taken = service.taken_for(&address(&ann));
    assert_eq!(taken.len(), 6);
    assert!(stack.log_lines("send-mail", "MailsPerhapsTwice").await.is_empty());
    for header in
        ["List-Unsubscribe: <http://", "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "Auto-Submitted: "]
    {
        assert!(taken[0].contains(header), "{header}: {}", taken[0]);
    }
}
