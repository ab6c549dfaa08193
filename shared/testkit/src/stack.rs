//! The stack that `make up` deployed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_credential_types::Credentials;
use consigne_core::Timestamp;
use consigne_runtime::aws::Aws;
use consigne_runtime::clock;
use consigne_storage::{Bucket, Table};
use serde_json::{Value, json};

use crate::http::{Client, Response};
use crate::payload;
use crate::template;
use crate::tokens::Issuer;

/// A deployed stack and a client for it.
pub struct Stack {
    names: HashMap<String, String>,
    /// Sends requests.
    pub client: Client,
    /// Issues tokens that the stack accepts.
    pub issuer: Arc<Issuer>,
}

impl Stack {
    /// Finds the stack that `make up` deployed.
    pub fn find() -> Self {
        began();
        Self::of_file("target/local/stack.env")
    }

    /// Finds a stack by its environment file, relative to the root of the checkout. The client asserts that openapi.json
    /// describes every answer of the API.
    pub fn of_file(file: &str) -> Self {
        let path = payload::root().join(file);
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}; `make up` starts the stack", path.display()));
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let names: HashMap<String, String> =
            pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect();
        let pem = std::fs::read(&names["JWT_KEY_FILE"]).expect("JWT_KEY_FILE can be read");
        let name = |name: &str| names[name].clone();
        let issuer = Arc::new(Issuer::of_stack(&pem, name("JWT_KID"), name("JWT_ISSUER"), name("JWT_AZP")));
        let client = Client::default().asserting_documented(&name("CONSIGNE_URL"));
        Self { names, client, issuer }
    }

    /// Returns a variable of the environment file.
    pub fn name(&self, name: &str) -> &str {
        self.names.get(name).unwrap_or_else(|| panic!("stack.env has no {name}"))
    }

    /// Returns the configuration for clients with the operator's credentials.
    pub fn aws(&self) -> Aws {
        let credentials =
            Credentials::new(self.name("AWS_ACCESS_KEY_ID"), self.name("AWS_SECRET_ACCESS_KEY"), None, None, "stack");
        Aws::new(self.name("AWS_REGION").to_owned(), credentials, Some(self.name("AWS_ENDPOINT_URL").to_owned()))
    }

    /// Returns the table, with the operator's credentials.
    pub fn table(&self) -> Table {
        Table::new(&self.aws().config, self.name("TABLE_NAME"))
    }

    /// Returns the bucket, with the operator's credentials.
    pub fn bucket(&self) -> Bucket {
        Bucket::new(&self.aws().config, self.name("BUCKET_NAME"))
    }

    /// Calls the API without adding any headers.
    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let url = format!("{}{path}", self.name("CONSIGNE_URL"));
        self.client.send(method, &url, headers, body.to_vec()).await
    }

    /// Calls a route for services with a JSON body, with the service token of every new stack.
    pub async fn serve(&self, path: &str, body: &Value, idempotent: Option<&str>) -> Response {
        self.try_serve(path, body, idempotent).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Like [`Self::serve`], but returns an error instead of panicking if the connection breaks.
    pub async fn try_serve(
        &self,
        path: &str,
        body: &Value,
        idempotent: Option<&str>,
    ) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
        let url = format!("{}{path}", self.name("CONSIGNE_URL"));
        let bearer = format!("Bearer {}", self.name("SERVICE_TOKEN"));
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.extend(idempotent.map(|key| ("idempotency-key", key)));
        self.client.try_send("POST", &url, &headers, body.to_string().into_bytes()).await
    }

    /// Returns a user of the stack with a new token.
    pub fn person(&self, user: &str, plan: &str) -> Person<'_> {
        Person { stack: self, id: user.to_owned(), token: self.issuer.token(user, plan) }
    }

    /// Returns a new user.
    pub fn newcomer(&self, plan: &str) -> Person<'_> {
        self.person(&fresh_user(), plan)
    }

    /// Invokes a function with a payload. Returns its answer.
    ///
    /// The server reads only the scope of the signature and does not verify it.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Response {
        let name = format!("{}-{function}", self.name("STACK_NAME"));
        self.invoke_by_name(&name, payload).await
    }

    /// Invokes a function by its full name.
    pub async fn invoke_by_name(&self, name: &str, payload: &Value) -> Response {
        self.operate("lambda", "POST", &format!("/2015-03-31/functions/{name}/invocations"), payload).await
    }

    /// Returns the log lines of a function that contain a text, since this process started.
    pub async fn log_lines(&self, function: &str, holding: &str) -> Vec<String> {
        let group = template::log_group(&template::template(), self.name("STACK_NAME"), function);
        let told_by = format!("\"function\":\"{function}\"");
        let authorization = self.operator("logs");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "Logs_20140328.FilterLogEvents"),
        ];
        let (mut lines, mut token) = (Vec::new(), Value::Null);
        loop {
            let mut ask = json!({ "logGroupName": group, "startTime": began().as_millis() - 1_000 });
            if token.is_string() {
                ask["nextToken"] = token;
            }
            let page =
                self.client.send("POST", self.name("AWS_ENDPOINT_URL"), &headers, ask.to_string().into_bytes()).await;
            let page = page.json();
            let messages =
                page["events"].as_array().into_iter().flatten().filter_map(|event| event["message"].as_str());
            let lines_of_it = messages.filter(|line| line.contains(holding) && line.contains(&told_by));
            lines.extend(lines_of_it.map(str::to_owned));
            token = page["nextToken"].clone();
            if !token.is_string() {
                return lines;
            }
        }
    }

    /// Calls the JSON API of an AWS service as the operator.
    pub async fn operate(&self, service: &str, method: &str, path: &str, body: &Value) -> Response {
        let url = format!("{}{path}", self.name("AWS_ENDPOINT_URL"));
        let authorization = self.operator(service);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        self.client.send(method, &url, &headers, body.to_string().into_bytes()).await
    }

    /// Calls DynamoDB's JSON API as the operator. Returns the body of the answer.
    pub async fn ask_table(&self, operation: &str, body: &Value) -> Value {
        let (authorization, target) = (self.operator("dynamodb"), format!("DynamoDB_20120810.{operation}"));
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
        ];
        let answer =
            self.client.send("POST", self.name("AWS_ENDPOINT_URL"), &headers, body.to_string().into_bytes()).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.json());
        answer.json()
    }

    /// Returns the operator's `Authorization` header for a service, for calls that no client here supports.
    fn operator(&self, service: &str) -> String {
        let (key, region) = (self.name("AWS_ACCESS_KEY_ID"), self.name("AWS_REGION"));
        format!(
            "AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
    }
}

/// Returns the time of the first call of this function in this process.
fn began() -> Timestamp {
    static BEGAN: LazyLock<Timestamp> = LazyLock::new(clock::now);
    *BEGAN
}

static USERS: AtomicU32 = AtomicU32::new(0);

/// Creates a user id that no test has used in any run.
pub fn fresh_user() -> String {
    let n = USERS.fetch_add(1, Ordering::Relaxed);
    format!("user_t{}{}{n}", clock::now().as_millis(), of_this_process())
}

/// Returns whether this process created a user id.
pub fn is_ours(user: &str) -> bool {
    user.contains(&of_this_process())
}

fn of_this_process() -> String {
    format!("p{}n", std::process::id())
}

/// A user who calls the API with a session token.
pub struct Person<'a> {
    stack: &'a Stack,
    /// Their user id.
    pub id: String,
    /// Their token.
    pub token: String,
}

impl Person<'_> {
    /// Calls a route without a body.
    pub async fn call(&self, method: &str, path: &str) -> Response {
        self.stack.call(method, path, &[("authorization", &format!("Bearer {}", self.token))], b"").await
    }

    /// Calls a route with a JSON body.
    pub async fn call_with(&self, method: &str, path: &str, body: &Value) -> Response {
        self.call_with_headers(method, path, body, &[]).await
    }

    /// Calls a route with a JSON body and further headers.
    pub async fn call_with_headers(&self, method: &str, path: &str, body: &Value, more: &[(&str, &str)]) -> Response {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.extend_from_slice(more);
        self.stack.call(method, path, &headers, body.to_string().as_bytes()).await
    }

    /// Requests an upload grant. `size` is in bytes.
    pub async fn grant(&self, filename: &str, content_type: &str, size: usize) -> Response {
        let body = json!({ "filename": filename, "contentType": content_type, "size": size });
        self.call_with("POST", "/api/files/uploads", &body).await
    }

    /// Uploads bytes to the bucket with a grant.
    pub async fn put(&self, grant: &Value, bytes: Vec<u8>) -> Response {
        let headers: Vec<(&str, &str)> = grant["headers"]
            .as_object()
            .map(|headers| headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect())
            .unwrap_or_default();
        self.stack.client.send("PUT", grant["url"].as_str().unwrap_or_default(), &headers, bytes).await
    }

    /// Uploads bytes and waits until the file is ready. Returns its key.
    pub async fn upload(&self, filename: &str, content_type: &str, bytes: Vec<u8>) -> String {
        let grant = self.grant(filename, content_type, bytes.len()).await;
        assert_eq!(grant.status, 201, "{}", grant.json());
        let grant = grant.json();
        let put = self.put(&grant, bytes).await;
        assert_eq!(put.status, 200, "{}", String::from_utf8_lossy(&put.bytes));
        let key = grant["s3Key"].as_str().unwrap().to_owned();
        self.wait_for(&key, "ready").await;
        key
    }

    /// Requests a file's metadata.
    pub async fn metadata(&self, key: &str) -> Response {
        self.call("GET", &format!("/api/files/metadata?s3Key={key}")).await
    }

    /// Waits until a file has a status. Returns its metadata.
    pub async fn wait_for(&self, key: &str, status: &str) -> Value {
        let seen = until(async || {
            let facts = self.metadata(key).await.json();
            (facts["status"] == status).then_some(facts)
        });
        seen.await.unwrap_or_else(|| panic!("{key} did not become {status}"))
    }

    /// Waits until a picture has derivatives or is known to have none. Returns its metadata. From then on, its record
    /// changes only with its owner's requests.
    pub async fn wait_until_derived(&self, key: &str) -> Value {
        let settled = until(async || {
            let facts = self.metadata(key).await.json();
            (facts["derivative"] != "pending").then_some(facts)
        });
        settled.await.unwrap_or_else(|| panic!("{key} has no derivatives"))
    }

    /// Returns the user's storage usage.
    pub async fn usage(&self) -> Value {
        self.call("GET", "/api/files/usage").await.json()
    }

    /// Waits until the number of files, the stored bytes and the reserved bytes are as given.
    pub async fn wait_for_usage(&self, files: u64, bytes: u64, reserved: u64) {
        let want = json!([files, bytes, reserved]);
        let mut last = Value::Null;
        for _ in 0..TRIES {
            let usage = self.usage().await;
            last = json!([usage["totalFiles"], usage["totalSize"], usage["reservedSize"]]);
            if last == want {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        assert_eq!(last, want, "usage as [files, bytes, reserved]");
    }

    /// Requests a signed URL for a file.
    pub async fn ticket(&self, key: &str) -> Response {
        self.call_with("POST", "/api/files/presigned-url", &json!({ "s3Key": key })).await
    }

    /// Deletes a file.
    pub async fn delete(&self, key: &str) -> Response {
        self.call_with("DELETE", "/api/files/delete", &json!({ "s3Key": key })).await
    }
}

/// Number and interval of attempts when waiting for asynchronous work: 30 s in total.
const TRIES: u32 = 300;
const PAUSE: Duration = Duration::from_millis(100);

/// Calls `ask` until it returns something, for up to 30 s.
pub async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    for _ in 0..TRIES {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        tokio::time::sleep(PAUSE).await;
    }
    None
}
