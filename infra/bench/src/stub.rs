//! AWS in a nutshell: answers every call at once with the least that satisfies it, so that a start measures the function
//! and not a server in Python.

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Problem;

/// The key the payloads in events/ speak of.
const KEY: &str = "user_ann1/images/01M7YREWKH7VM7Z3Z2KWSH2FTR-photo-ete.png";

/// Starts the stub; gives its address.
pub(crate) async fn start() -> Result<SocketAddr, Problem> {
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream.set_nodelay(true));
            tokio::spawn(async move {
                // A function that ends hangs up in the middle.
                drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await);
            });
        }
    });
    Ok(address)
}

async fn answer(request: http::Request<Incoming>) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    // The whole request is read before it is answered, as a server would.
    drop(request.into_body().collect().await);
    let body = match operation.as_str() {
        "GetItem" => json!({ "Item": file() }),
        "UpdateItem" => json!({ "Attributes": file() }),
        "Query" => json!({ "Items": [], "Count": 0, "ScannedCount": 0 }),
        "GetSecretValue" => json!({ "ARN": "arn", "Name": "n", "SecretString": "0123456789abcdef0123456789abcdef" }),
        "PutEvents" => json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] }),
        _ => json!({}),
    };
    let response = http::Response::builder().header("content-type", "application/x-amz-json-1.0");
    let response = response.header("x-amz-version-id", "v1").header("etag", "\"e1\"");
    Ok(response.body(Full::new(Bytes::from(body.to_string()))).unwrap_or_default())
}

/// A ready file, as the table holds it; it satisfies readers of the ledger too.
fn file() -> Value {
    let (text, number) = (|text: &str| json!({ "S": text }), |number: u64| json!({ "N": number.to_string() }));
    json!({
        "pk": text("USER#user_ann1"), "sk": text("FILE#01M7YREWKH7VM7Z3Z2KWSH2FTR"), "s3_key": text(KEY),
        "filename": text("photo été.png"), "content_type": text("image/png"), "kind": text("image"),
        "size": number(1000), "holding": text("kept"), "status": text("ready"), "granted_at": number(1_795_257_000_000),
        "grant_expires_at": number(1_795_257_900_000), "changed_at": number(1_795_257_001_000), "revision": number(2),
        "version_id": text("v1"), "etag": text("e1"), "sequencer": text("05"), "width": number(640), "height": number(480),
    })
}
