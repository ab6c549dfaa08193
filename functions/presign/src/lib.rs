//! Creates tickets: short-lived signed URLs, each of which reads one file.
//!
//! Only a READY file gets one, for the version that was checked, and so do its thumbnails. Another user's file is answered as not found, so that
//! nobody learns whether it exists.

mod batch;

use std::time::Duration;

use consigne_auth::{SessionVerifier, User};
use consigne_core::files::{
    Disposition, FILE_NAME_MAX, File, FileName, ReadKey, Readable, TICKET_MAX, TICKET_MIN, TICKETS_MAX,
};
use consigne_core::ports::{GetFile, GetFiles};
use consigne_core::{Code, Fault};
use consigne_runtime::tickets::Validity;
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, Tickets as Signer, function};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use batch::{BatchTicket, TicketBatch, TicketRefusal};

/// Path of the secure route up to the key.
const SECURE_PREFIX: &str = "/api/secure/files/download/";

/// Request for tickets: signed URLs, each of which reads one file. It has either `s3Key` or `s3Keys`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TicketRequest {
    /// Key of the file, or of one of its thumbnails.
    #[schemars(length(min = 1))]
    pub s3_key: Option<String>,
    /// Keys of several files or thumbnails.
    #[schemars(length(min = 1, max = TICKETS_MAX), inner(length(min = 1)))]
    pub s3_keys: Option<Vec<String>>,
    /// Requested validity in seconds; the installation's default, an hour at most, when absent.
    #[schemars(range(min = TICKET_MIN.as_secs(), max = TICKET_MAX.as_secs()))]
    pub expires_in: Option<u32>,
    /// How a browser treats the file. Types that could run a script are always attachments.
    pub disposition: Option<Disposition>,
    /// Name under which the file is saved; its own when absent.
    #[schemars(length(min = 1, max = FILE_NAME_MAX))]
    pub filename: Option<String>,
}

/// A ticket: a signed URL that reads one file.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// Signed URL to `GET` the file from.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
    /// Actual validity in seconds. It can be shorter than requested.
    pub expires_in: u64,
    /// When the URL expires.
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: String,
}

/// The answer to `s3Key` or to `s3Keys`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Tickets {
    /// To `s3Key`.
    One(Ticket),
    /// To `s3Keys`.
    Several(TicketBatch),
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
    tickets: Signer = tickets().await,
    lifetime: Duration = ticket_lifetime(),
}

impl<A: Adapters<Table: GetFile + GetFiles>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let secure = request.route().starts_with("GET ");
        if !secure {
            // A POST that only reads.
            self.users.count_read(&user, request.now)?;
        }
        let ask = if secure { asked_by_path(request) } else { request.json()? };
        if let Some(key) = &ask.s3_key {
            request.names_file(key);
        }
        let wanted = Wanted::parse(&ask, self.lifetime)?;

        let answer = match &wanted.keys {
            Keys::One(key) => {
                let (url, valid) = self.one(&user, key, &wanted, request).await?;
                let (expires_in, expires_at) = (valid.expires_in, valid.expires_at.to_string());
                if secure {
                    let ticket = SecureTicket { download_url: url, expires_in, expires_at };
                    return Ok(Answer::envelope(200, "Download URL created", &ticket, request.now));
                }
                Tickets::One(Ticket { url, expires_in, expires_at })
            }
            Keys::Several(keys) => Tickets::Several(self.several(&user, keys, &wanted, request).await?),
        };
        Ok(Answer::plain(200, &answer))
    }

    fn operations() -> Vec<Operation> {
        let refusals = [Code::NotFound, Code::NotReady, Code::FileRejected, Code::FileInfected];
        vec![
            Operation::new::<Tickets>("POST /api/files/presigned-url", "Create signed URLs that read files")
                .takes::<TicketRequest>()
                .refuses(&refusals)
                .refuses(&[Code::InvalidFilename, Code::UnsupportedFileType]),
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

impl<A: Adapters<Table: GetFile>> Function<A> {
    /// Signs the ticket of one file. Returns its URL and until when it is valid.
    async fn one(
        &self,
        user: &User,
        key: &str,
        wanted: &Wanted<'_>,
        request: &Request,
    ) -> Result<(String, Validity<'_>), Fault> {
        let key = ReadKey::parse_for(&user.id, key).ok_or_else(|| Fault::not_found("File"))?;
        let file = self.files.get_file(&user.id, key.file()).await?;
        let readable = wanted.readable(file.as_ref(), &key)?;
        let valid = self.tickets.valid_for(wanted.valid, request.now).await?;
        Ok((valid.sign(&readable)?, valid))
    }
}

fn asked_by_path(request: &Request) -> TicketRequest {
    TicketRequest { s3_key: Some(request.path_after(SECURE_PREFIX).to_owned()), ..TicketRequest::default() }
}

/// The files of a request.
enum Keys<'a> {
    One(&'a str),
    Several(&'a [String]),
}

/// A checked request.
struct Wanted<'a> {
    keys: Keys<'a>,
    valid: Duration,
    disposition: Option<Disposition>,
    name: Option<FileName>,
}

impl<'a> Wanted<'a> {
    /// Parses a request. `lifetime` applies if it does not say how long the ticket shall be valid.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the field, `INVALID_FILENAME`.
    fn parse(ask: &'a TicketRequest, lifetime: Duration) -> Result<Self, Fault> {
        let keys = match (&ask.s3_key, &ask.s3_keys) {
            (Some(key), None) if key.is_empty() => return Err(Fault::field("s3Key", "s3Key must not be empty")),
            (Some(key), None) => Keys::One(key),
            (None, Some(keys)) => Keys::Several(checked(keys)?),
            (Some(_), Some(_)) => return Err(Fault::field("s3Keys", "s3Keys cannot be given together with s3Key")),
            (None, None) => return Err(Fault::field("s3Key", "missing field s3Key, or s3Keys for several files")),
        };
        let asked = ask.expires_in.map_or(lifetime, |seconds| Duration::from_secs(seconds.into()));
        if !(TICKET_MIN..=TICKET_MAX).contains(&asked) {
            let most = TICKET_MAX.as_secs();
            return Err(Fault::field("expiresIn", format!("expiresIn must be 1 to {most} seconds")));
        }
        let name = ask.filename.as_deref().map(FileName::parse).transpose()?;
        Ok(Self { keys, valid: asked, disposition: ask.disposition, name })
    }

    /// Returns what a ticket for a file is signed for. `file` is the record that was found for the key's file.
    ///
    /// # Errors
    /// Those of [`File::readable_by`] and [`Readable::named`].
    fn readable(&self, file: Option<&File>, key: &ReadKey) -> Result<Readable, Fault> {
        let file = file.ok_or_else(|| Fault::not_found("File"))?;
        let readable = Readable { asked: self.disposition, ..file.readable_by(key)? };
        match &self.name {
            Some(name) => readable.named(name.clone()),
            None => Ok(readable),
        }
    }
}

/// Checks the keys of a request for several files.
fn checked(keys: &[String]) -> Result<&[String], Fault> {
    if keys.is_empty() || keys.len() > TICKETS_MAX {
        let message = format!("s3Keys must have 1 to {TICKETS_MAX} keys");
        return Err(Fault::field("s3Keys", message).detail("limit", TICKETS_MAX));
    }
    match keys.iter().position(String::is_empty) {
        Some(at) => Err(Fault::field(&format!("s3Keys[{at}]"), format!("s3Keys[{at}] must not be empty"))),
        None => Ok(keys),
    }
}
