//! Tickets for several files: each gets one, or is told why not.

use std::collections::BTreeSet;

use consigne_auth::User;
use consigne_core::files::ReadKey;
use consigne_core::ports::GetFiles;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Request, tickets::Validity};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{Function, Wanted};

/// Why a file of a batch gets no ticket. A request for this file alone would be refused with the same error.
const REFUSALS: [Code; 5] =
    [Code::NotFound, Code::NotReady, Code::FileRejected, Code::FileInfected, Code::UnsupportedFileType];

/// Tickets for several files.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TicketBatch {
    /// One entry for each requested key, in the same order.
    pub urls: Vec<BatchTicket>,
}

/// A ticket, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum BatchTicket {
    /// The file may be read.
    #[serde(rename_all = "camelCase")]
    Signed {
        /// Key of the file.
        s3_key: String,
        /// Signed URL to `GET` the file from.
        #[schemars(extend("format" = "uri"))]
        url: String,
        /// When the URL expires.
        #[schemars(extend("format" = "date-time"))]
        expires_at: String,
    },
    /// The file cannot be read.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Key of the file, as it was sent.
        s3_key: String,
        /// Why it cannot be read.
        error: TicketRefusal,
    },
}

/// Why a file cannot be read, as in the error of a request for it alone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TicketRefusal {
    /// Code that programs branch on.
    #[schemars(extend("enum" = REFUSALS.map(Code::as_str)))]
    pub code: &'static str,
    /// Sentence for people.
    pub message: String,
    /// Details of the code.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

impl<A: Adapters<Table: GetFiles>> Function<A> {
    /// Creates tickets for several files, and tells the audit about each of them.
    ///
    /// # Errors
    /// `UNAVAILABLE` if the credentials expire too soon. What is wrong with one file is in its entry.
    pub(crate) async fn several(
        &self,
        user: &User,
        asked: &[String],
        wanted: &Wanted<'_>,
        request: &Request,
    ) -> Result<TicketBatch, Fault> {
        let signed = self.sign(user, asked, wanted, request).await;
        for (at, key) in asked.iter().enumerate() {
            let refusal = signed.as_ref().ok().and_then(|(urls, _)| urls[at].as_ref().err());
            request.names_one_file(key, refusal);
        }

        let (urls, valid) = signed?;
        let expires_at = valid.expires_at.to_string();
        request.log.field("tickets.asked", asked.len());
        request.log.field("tickets.refused", urls.iter().filter(|url| url.is_err()).count());
        let entry = |(s3_key, url): (String, Result<String, Fault>)| match url {
            Ok(url) => BatchTicket::Signed { s3_key, url, expires_at: expires_at.clone() },
            Err(fault) => BatchTicket::Refused { s3_key, error: TicketRefusal::from(fault) },
        };
        Ok(TicketBatch { urls: asked.iter().cloned().zip(urls).map(entry).collect() })
    }

    /// Signs the tickets of several files, whose records are read with one call. Returns the URL of each or why it has none,
    /// and until when they are valid.
    async fn sign(
        &self,
        user: &User,
        asked: &[String],
        wanted: &Wanted<'_>,
        request: &Request,
    ) -> Result<(Vec<Result<String, Fault>>, Validity<'_>), Fault> {
        let keys: Vec<Option<ReadKey>> = asked.iter().map(|key| ReadKey::parse_for(&user.id, key)).collect();
        let ids: BTreeSet<_> = keys.iter().flatten().map(ReadKey::file).collect();
        let found = self.files.get_files(&user.id, &ids).await?;
        let valid = self.tickets.valid_for(wanted.valid, request.now).await?;

        let mut urls = Vec::with_capacity(keys.len());
        for key in &keys {
            let readable = key.as_ref().ok_or_else(|| Fault::not_found("File"));
            urls.push(match readable.and_then(|key| wanted.readable(found.get(&key.file()), key)) {
                Ok(readable) => Ok(valid.sign(&readable)?),
                Err(fault) => Err(fault),
            });
        }
        Ok((urls, valid))
    }
}

impl From<Fault> for TicketRefusal {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code.as_str(), message: fault.message.to_string(), details: fault.details.clone() }
    }
}
