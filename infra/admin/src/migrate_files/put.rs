//! Sends a file to its signed URL, piece by piece, so that a file of 5 GiB needs no memory.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::{AggregatedBytes, ByteStream};
use consigne_aws::connections::{Connections, IDLE, Roots, Terms};
use consigne_core::chain_of;
use consigne_storage::SignedUpload;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use tokio::io::AsyncReadExt as _;

/// Bytes that are read and sent at a time.
const PIECE: usize = 256 * 1024;
/// Longest time to open a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest time until S3 has answered, the sending included: 5 GiB at 1.5 MB a second.
const ANSWER: Duration = Duration::from_hours(1);

/// Sends files to S3.
#[derive(Clone, Debug)]
pub(super) struct Sender(Connections);

/// What S3 answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It has the bytes now.
    Stored,
    /// It had an object under this key before, which is never replaced.
    WasThere,
    /// It has no room or no answer at the moment, or the connection broke. Another try may succeed.
    Busy(String),
    /// It refuses the bytes, as the error says.
    Refused(String),
}

impl Sender {
    /// Creates a sender without any connection.
    pub(super) fn new() -> Self {
        let anywhere: fn(IpAddr) -> bool = |_| true;
        let terms = Terms { roots: Roots::Amazon, connect: CONNECT, answer: ANSWER, idle: IDLE, allowed: anywhere };
        Self(Connections::new(terms))
    }

    /// Sends a file of `size` bytes.
    ///
    /// # Errors
    /// If the file cannot be read, or if the request cannot be made.
    pub(super) async fn put(&self, upload: &SignedUpload, place: &Path, size: u64) -> Result<Sent, String> {
        let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", place.display());
        let file = tokio::fs::File::open(place).await.map_err(unreadable)?;
        let pieces = stream::try_unfold(file, async |mut file| {
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await?;
            piece.truncate(read);
            Ok::<_, std::io::Error>((read > 0).then(|| (Frame::data(Bytes::from(piece)), file)))
        });
        let body = SdkBody::from_body_1_x(StreamBody::new(Box::pin(pieces)));
        let mut request = http::Request::put(&upload.url).header("content-length", size);
        for (name, value) in &upload.headers {
            request = request.header(*name, value);
        }
        let request = request.body(body).map_err(|error| error.to_string())?;
        let request = HttpRequest::try_from(request).map_err(|error| error.to_string())?;
        let mut answer = match self.0.call(request).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Sent::Busy(chain_of(&error))),
        };
        let status = answer.status().as_u16();
        Ok(match status {
            200..=299 => Sent::Stored,
            412 => Sent::WasThere,
            // 409: another PUT of the same key is on its way.
            409 | 429 | 500.. => Sent::Busy(format!("S3 answered {status}")),
            _ => {
                let body = ByteStream::new(answer.take_body()).collect().await.map(AggregatedBytes::to_vec);
                Sent::Refused(format!("S3 answered {status}: {}", code(&body.unwrap_or_default())))
            }
        })
    }
}

/// Returns the code of S3's error, such as `AccessDenied`.
fn code(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or("no code", |(code, _)| code).to_owned()
}
