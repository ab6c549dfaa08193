//! Plays a generator on the deployed stack: takes jobs from the queue, uploads files, reports the end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use consigne_auth::WebhookSecrets;
use consigne_core::webhooks::WebhookId;
use consigne_core::{EventId, Timestamp};
use consigne_runtime::clock;
use serde_json::{Value, json};

use crate::http::Response;
use crate::stack::{Stack, is_ours};

/// Messages of this process's jobs that were received but not yet taken, by job. All tests share the queue, so a test
/// may receive the message of another one.
static TAKEN: Mutex<Option<HashMap<String, Value>>> = Mutex::new(None);
/// Only one test receives from the queue at a time.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Longest wait for a job's message.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// A generator.
pub struct Generator<'a> {
    stack: &'a Stack,
    sqs: Client,
    secrets: WebhookSecrets,
}

impl<'a> Generator<'a> {
    /// Creates a generator with the stack's queue and secret.
    pub fn of(stack: &'a Stack) -> Self {
        let secrets = json!({ "current": stack.name("GENERATOR_WEBHOOK_SECRET") }).to_string();
        let secrets = WebhookSecrets::parse(&secrets).expect("the stack's secret is well formed");
        Self { stack, sqs: Client::new(&stack.aws().sdk_config()), secrets }
    }

    /// Waits for the message of a job and returns it.
    pub async fn take(&self, job: &str) -> Value {
        let until = clock::now().plus(MAX_WAIT);
        while clock::now() < until {
            let turn = TURN.lock().await;
            let known = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().remove(job);
            if let Some(message) = known {
                return message;
            }
            self.receive().await;
            drop(turn);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{job} did not reach the queue of the generators");
    }

    /// Receives messages from the queue.
    async fn receive(&self) {
        let received = self.sqs.receive_message().queue_url(self.queue()).max_number_of_messages(10).send().await;
        for message in received.expect("the queue answers").messages.unwrap_or_default() {
            let body: Value = serde_json::from_str(message.body().unwrap_or_default()).unwrap_or_default();
            match (body["job_id"].as_str(), body["user_id"].as_str()) {
                (Some(job), Some(user)) if is_ours(user) => {
                    let job = job.to_owned();
                    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(job, body);
                    self.delete(&message).await;
                }
                _ => self.put_back(&message).await,
            }
        }
    }

    /// Returns the number of messages that wait on the queue.
    pub async fn waiting(&self) -> u32 {
        let name = QueueAttributeName::ApproximateNumberOfMessages;
        let asked = self.sqs.get_queue_attributes().queue_url(self.queue()).attribute_names(name.clone());
        let attributes = asked.send().await.expect("the queue answers").attributes;
        let count = attributes.and_then(|attributes| attributes.get(&name)?.parse().ok());
        count.expect("a queue has a count of its messages")
    }

    async fn delete(&self, message: &Message) {
        let handle = message.receipt_handle().unwrap_or_default();
        let deleted = self.sqs.delete_message().queue_url(self.queue()).receipt_handle(handle).send().await;
        deleted.expect("the queue answers");
    }

    /// Returns another process's message to the queue.
    async fn put_back(&self, message: &Message) {
        let visible = self.sqs.change_message_visibility().queue_url(self.queue()).visibility_timeout(0);
        let handle = message.receipt_handle().unwrap_or_default();
        visible.receipt_handle(handle).send().await.expect("the queue answers");
    }

    fn queue(&self) -> &str {
        self.stack.name("GENERATION_QUEUE_URL")
    }

    /// Returns the headers that sign a body, with a message id and a time.
    pub fn sign(&self, id: &str, at: Timestamp, body: &[u8]) -> [(&'static str, String); 3] {
        self.secrets.sign(&WebhookId::parse(id).expect("it is an id"), at, body)
    }

    /// Sends a signed message with an id.
    pub async fn send_signed(&self, url: &str, id: &str, body: &Value) -> Response {
        let body = body.to_string().into_bytes();
        self.send(url, &self.sign(id, clock::now(), &body), body).await
    }

    /// Sends a message with any signature.
    pub async fn send(&self, url: &str, signed: &[(&'static str, String)], body: Vec<u8>) -> Response {
        let mut headers: Vec<(&str, &str)> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.push(("content-type", "application/json"));
        self.stack.client.send("POST", url, &headers, body).await
    }

    /// Requests an upload grant for a file of a job, with a new message id.
    pub async fn ask(&self, job: &Value, filename: &str, content_type: &str, size: usize) -> Response {
        let body = json!({ "filename": filename, "content_type": content_type, "size": size });
        self.send_signed(url(job, "uploads_url"), &fresh_id(), &body).await
    }

    /// Uploads a file of a job. Returns the entry for it in a completion webhook.
    pub async fn upload(&self, job: &Value, filename: &str, content_type: &str, bytes: Vec<u8>) -> Value {
        let size = bytes.len();
        let granted = self.ask(job, filename, content_type, size).await;
        assert_eq!(granted.status, 201, "{}", granted.json());
        let grant = granted.json();
        let put = self.put(&grant, bytes).await;
        assert_eq!(put.status, 200, "{}", String::from_utf8_lossy(&put.bytes));
        json!({ "s3_key": grant["s3_key"], "filename": filename, "file_size": size, "content_type": content_type })
    }

    /// Uploads bytes with a grant.
    pub async fn put(&self, grant: &Value, bytes: Vec<u8>) -> Response {
        let headers = grant["headers"].as_object().into_iter().flatten();
        let headers: Vec<(&str, &str)> =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect();
        self.stack.client.send("PUT", grant["url"].as_str().unwrap_or_default(), &headers, bytes).await
    }

    /// Reports that a job is done, with a message id.
    pub async fn complete(&self, job: &Value, id: &str, files: &[Value]) -> Response {
        let list = match job["kind"].as_str() {
            Some("image") => "images",
            Some("video") => "videos",
            _ => "texts",
        };
        let body = json!({ "generation_id": job["job_id"], "status": "completed", list: files });
        self.send_signed(url(job, "callback_url"), id, &body).await
    }

    /// Reports that a job has failed, with a message id.
    pub async fn fail(&self, job: &Value, id: &str) -> Response {
        let error = json!({ "code": "SAFETY", "message": "The prompt was refused" });
        let body = json!({ "generation_id": job["job_id"], "status": "failed", "error": error });
        self.send_signed(url(job, "callback_url"), id, &body).await
    }
}

/// Creates a new message id.
pub fn fresh_id() -> String {
    format!("msg_{}", EventId::mint(clock::now()))
}

fn url<'a>(job: &'a Value, name: &str) -> &'a str {
    job[name].as_str().unwrap_or_else(|| panic!("{job} lacks {name}"))
}
