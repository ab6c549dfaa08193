//! Creates a ticket: a short-lived signed URL that reads one file.
//!
//! Only a READY file gets one, for the version that was checked. Another user's file is answered as not found, so that
//! nobody learns whether it exists.

use std::time::Duration;

use consigne_auth::SessionVerifier;
use consigne_core::files::ObjectKey;
use consigne_core::ports::GetFile;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_storage::Presigner;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest validity of a ticket, and the default, in seconds.
const VALID_MAX: u32 = 3600;
/// Path of the secure route up to the key.
const SECURE_PREFIX: &str = "/api/secure/files/download/";

/// Request for a ticket: a signed URL that reads one file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TicketRequest {
    /// Key of the file.
    #[schemars(length(min = 1))]
    pub s3_key: String,
    /// Requested validity in seconds, 1 to 3600; 3600 when absent.
    #[schemars(range(min = 1, max = VALID_MAX))]
    pub expires_in: Option<u32>,
}

/// A ticket: a signed URL that reads one file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Signed URL to `GET` the file from.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Actual validity in seconds. Shorter than requested when the credentials that signed the URL expire earlier.
    pub expires_in: u64,
    /// When the URL expires.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

/// A ticket, with the field names of `/api/secure`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SecureTicket {
    /// Signed URL to `GET` the file from.
    #[schemars(extend("format" = "uri"))]
    pub download_url: String,
    /// Actual validity in seconds.
    pub expires_in: u64,
    /// When the URL expires.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

function! {
    users: SessionVerifier = file_users(),
    files: A::Table = table(),
    tickets: Presigner = presigner(),
}

impl<A: Adapters<Table: GetFile>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let secure = request.route().starts_with("GET ");
        if !secure {
            // A POST that only reads.
            self.users.count_read(&user, request.now)?;
        }
        let ask = if secure { asked_by_path(request) } else { request.json()? };
        request.names_file(&ask.s3_key);
        let asked = validity(&ask)?;

        let key = ObjectKey::parse_for(&user.id, &ask.s3_key).ok_or_else(|| Fault::not_found("File"))?;
        let file = self.files.get_file(&user.id, key.file()).await?;
        let file = file.filter(|file| file.key == key).ok_or_else(|| Fault::not_found("File"))?;
        let readable = file.readable()?;

        let valid = self.tickets.validity(asked, request.now)?;
        let url = self.tickets.read(&readable, valid, request.now)?;
        let (expires_in, expires_at) = (valid.as_secs(), request.now.plus(valid).to_string());
        if secure {
            let ticket = SecureTicket { download_url: url, expires_in, expires_at };
            return Ok(Answer::envelope(200, "Download URL created", &ticket, request.now));
        }
        Ok(Answer::plain(200, &Ticket { url, expires_in, expires_at }))
    }

    fn operations() -> Vec<Operation> {
        let refusals = [Code::NotFound, Code::NotReady, Code::FileRejected, Code::FileInfected];
        vec![
            Operation::new::<Ticket>("POST /api/files/presigned-url", "Create a signed URL that reads a file")
                .takes::<TicketRequest>()
                .refuses(&refusals),
            Operation::new::<SecureTicket>(
                "GET /api/secure/files/download/{key+}",
                "Create a signed URL that reads a file",
            )
            .in_envelope()
            .parameter("key", "Key of the file. Its slashes may be percent-encoded", true)
            .refuses(&refusals),
        ]
    }
}

fn asked_by_path(request: &Request) -> TicketRequest {
    TicketRequest { s3_key: request.path_after(SECURE_PREFIX).to_owned(), expires_in: None }
}

fn validity(ask: &TicketRequest) -> Result<Duration, Fault> {
    if ask.s3_key.is_empty() {
        return Err(Fault::field("s3Key", "s3Key must not be empty"));
    }
    match ask.expires_in.unwrap_or(VALID_MAX) {
        seconds @ 1..=VALID_MAX => Ok(Duration::from_secs(seconds.into())),
        _ => Err(Fault::field("expiresIn", format!("expiresIn must be 1 to {VALID_MAX} seconds"))),
    }
}
