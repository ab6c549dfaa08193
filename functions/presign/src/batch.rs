//! Tickets for several files: each gets one, or is told why not.

use std::collections::BTreeSet;

use consigne_auth::User;
use consigne_core::files::ObjectKey;
use consigne_core::ports::GetFiles;
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Request};
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
    /// Signs tickets for several files, which are read with one call.
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
        let keys: Vec<Option<ObjectKey>> = asked.iter().map(|key| ObjectKey::parse_for(&user.id, key)).collect();
        let ids: BTreeSet<_> = keys.iter().flatten().map(ObjectKey::file).collect();
        let found = self.files.get_files(&user.id, &ids).await?;
        let valid = self.tickets.validity(wanted.valid, request.now)?;
        let expires_at = request.now.plus(valid).to_string();

        let mut urls = Vec::with_capacity(asked.len());
        for (s3_key, key) in asked.iter().cloned().zip(&keys) {
            let readable = key.as_ref().ok_or_else(|| Fault::not_found("File"));
            urls.push(match readable.and_then(|key| wanted.readable(found.get(&key.file()), key)) {
                Ok(readable) => {
                    let url = self.tickets.read(&readable, valid, request.now)?;
                    BatchTicket::Signed { s3_key, url, expires_at: expires_at.clone() }
                }
                Err(fault) => BatchTicket::Refused { s3_key, error: TicketRefusal::from(fault) },
            });
        }
        request.log.field("tickets.asked", asked.len());
        request
            .log
            .field("tickets.refused", urls.iter().filter(|one| matches!(one, BatchTicket::Refused { .. })).count());
        Ok(TicketBatch { urls })
    }
}

impl From<Fault> for TicketRefusal {
    fn from(fault: Fault) -> Self {
        Self { code: fault.code.as_str(), message: fault.message.to_string(), details: fault.details.clone() }
    }
}
