//! A stub of AWS that answers every call at once with the least that satisfies it. So a start measures the function and
//! not a server in Python.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use consigne_auth::Peppers;
use consigne_testkit::functions::SERVICE_TOKEN;
use consigne_testkit::{stripe, webhooks};
use http_body_util::{BodyExt as _, Full};
use hyper::Method;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::items::Items;
use crate::records::Records;
use crate::shelf::Shelf;
use crate::{Problem, scene};

/// The object key in the payloads of events/.
pub(crate) const KEY: &str = "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-photo-ete.png";

/// The organisation, the API key and the invitation in these payloads.
pub(crate) const ORG: &str = "org_01M7YREWKH7VM7Z3Z2KWSH2FTR";
pub(crate) const API_KEY: &str = "key_01M7YREWKH7VM7Z3Z2KWSH2FTS";
pub(crate) const INVITATION: &str = "inv_01M7YREWKH7VM7Z3Z2KWSH2FTR";

/// The address to which that invitation was sent.
pub(crate) const INVITED: &str = "bob@example.com";

/// The value of all secrets other than peppers, tokens and webhook secrets.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The peppers of API keys.
pub(crate) const PEPPERS: &str = r#"{"current": 1, "1": "pepper-0123456789abcdef0123456789"}"#;

/// A running stub, with its counts.
#[derive(Clone, Debug)]
pub(crate) struct Stub {
    /// Address on which it listens.
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<BTreeMap<String, u32>>>,
    items: Arc<Items>,
    files: Arc<Shelf>,
}

impl Stub {
    /// Returns the calls by operation since this was last asked.
    pub(crate) fn calls(&self) -> BTreeMap<String, u32> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Starts the stub. Queries find these files.
pub(crate) async fn start(files: Shelf) -> Result<Stub, Problem> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let stub = Stub { address, calls: Arc::default(), items: items()?.into(), files: files.into() };
    let shared = stub.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream.set_nodelay(true));
            let stub = shared.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(request, stub.clone()));
                // A function that ends closes the connection at any point.
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    Ok(stub)
}

/// Returns the items of the table. A function that computes another MAC of the API key's text finds no pointer.
fn items() -> Result<Items, Problem> {
    let peppers = Peppers::parse(PEPPERS).map_err(|error| error.to_string())?;
    let records = Records::new().ok_or("a record of the stub is malformed")?;
    Items::of(&records, &peppers.pointers(&scene::a_key()))
}

async fn answer(request: http::Request<Incoming>, stub: Stub) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let path = request.uri().path().to_owned();
    let of_s3 = xml(request.method(), &path, request.uri().query().unwrap_or_default());
    // Reads the whole request before it answers, as a server would.
    let asked = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let asked: Value = serde_json::from_slice(&asked).unwrap_or(Value::Null);
    *stub.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(operation.clone()).or_default() += 1;
    let body = match operation.as_str() {
        "GetItem" => json!({ "Item": stub.items.get(&asked["Key"]) }),
        "BatchGetItem" => {
            json!({ "Responses": { "table": stub.items.pointers(&asked["RequestItems"]["table"]["Keys"]) } })
        }
        "UpdateItem" => json!({ "Attributes": stub.items.file }),
        "Query" => stub.files.query(&asked),
        "GetSecretValue" => json!({ "ARN": "arn", "Name": "n", "SecretString": secret(&asked) }),
        "PutEvents" => json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }),
        _ if path == "/v1/checkout/sessions" => json!({ "id": "cs_test_1", "url": "https://checkout.example.com/1" }),
        _ => json!({}),
    };
    let (kind, body) = match of_s3.filter(|_| operation.is_empty()) {
        Some(text) => ("application/xml", text),
        None => ("application/x-amz-json-1.0", body.to_string()),
    };
    let response = http::Response::builder().header("content-type", kind);
    let response = response.header("x-amz-version-id", "v1").header("etag", "\"e1\"");
    Ok(response.body(Full::new(Bytes::from(body))).unwrap_or_default())
}

/// Answers the requests of S3 and CloudFront that get XML. Returns `None` for others.
fn xml(method: &Method, path: &str, query: &str) -> Option<String> {
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let listed = |what: &str| format!("<{what}><IsTruncated>false</IsTruncated></{what}>");
    Some(match *method {
        Method::GET if has("uploadId") => {
            let part = |number: u32, etag: &str| {
                let size = consigne_core::files::PART_SIZE;
                format!("<Part><PartNumber>{number}</PartNumber><ETag>\"{etag}\"</ETag><Size>{size}</Size></Part>")
            };
            let parts = [part(1, "etag-1"), part(2, "etag-2")].concat();
            format!("<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>")
        }
        Method::POST if has("uploadId") => "<CompleteMultipartUploadResult/>".to_owned(),
        Method::GET if has("uploads") => listed("ListMultipartUploadsResult"),
        Method::GET if has("versions") => listed("ListVersionsResult"),
        Method::POST if path.ends_with("/invalidation") => "<Invalidation><Id>1</Id></Invalidation>".to_owned(),
        _ => return None,
    })
}

/// Returns the value of a secret, by the names in `Scene::settings`.
fn secret(asked: &Value) -> String {
    match asked["SecretId"].as_str() {
        Some("peppers") => PEPPERS.to_owned(),
        Some("tokens") => json!({ "pdf-api": SERVICE_TOKEN }).to_string(),
        Some("stripe-webhooks") => json!({ "current": stripe::SECRET }).to_string(),
        Some("webhooks") => json!({ "current": webhooks::SECRET }).to_string(),
        _ => SECRET.to_owned(),
    }
}
