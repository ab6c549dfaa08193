//! Tickets: signed URLs that read files. The one place that knows whether S3 or the CDN checks them.

use std::time::Duration;

use consigne_auth::Refreshed;
use consigne_core::files::Readable;
use consigne_core::{Fault, Timestamp};
use consigne_storage::{CdnKeys, CdnSigner, CdnValidity, Presigner};

/// Signs tickets: for the CDN where there is one, else for S3.
#[derive(Debug)]
pub struct Tickets {
    bucket: Presigner,
    cdn: Option<Cdn>,
}

/// What signs for the CDN.
#[derive(Debug)]
pub(crate) struct Cdn {
    pub(crate) signer: CdnSigner,
    pub(crate) keys: Refreshed<CdnKeys>,
}

/// The tickets of one request, which all expire at the same time.
#[derive(Debug)]
pub struct Validity<'a> {
    /// When the tickets expire.
    pub expires_at: Timestamp,
    /// How long they are valid, in seconds.
    pub expires_in: u64,
    how: How<'a>,
}

#[derive(Debug)]
enum How<'a> {
    Bucket { presigner: &'a Presigner, valid: Duration, now: Timestamp },
    Cdn { signer: &'a CdnSigner, keys: std::sync::Arc<CdnKeys>, valid: CdnValidity },
}

impl Tickets {
    pub(crate) fn new(bucket: Presigner, cdn: Option<Cdn>) -> Self {
        Self { bucket, cdn }
    }

    /// Begins to sign tickets that shall be valid for `asked`.
    ///
    /// Where there is a CDN, its keys are read again if they are five minutes old. Else nothing is called.
    ///
    /// # Errors
    /// `UNAVAILABLE` if S3 checks tickets and the credentials that sign them expire in less than a minute.
    pub async fn valid_for(&self, asked: Duration, now: Timestamp) -> Result<Validity<'_>, Fault> {
        if let Some(Cdn { signer, keys }) = &self.cdn {
            let valid = CdnValidity::of(asked, now);
            let how = How::Cdn { signer, keys: keys.get(now).await, valid };
            // Rounded up, because the time of a request counts in whole seconds.
            let left = valid.expires_at.since(now).as_millis().div_ceil(1_000);
            let expires_in = u64::try_from(left).unwrap_or(u64::MAX);
            return Ok(Validity { expires_at: valid.expires_at, expires_in, how });
        }
        let presigner = &self.bucket;
        let valid = presigner.validity(asked, now)?;
        let how = How::Bucket { presigner, valid, now };
        Ok(Validity { expires_at: now.plus(valid), expires_in: valid.as_secs(), how })
    }
}

impl Validity<'_> {
    /// Signs the ticket of one file.
    ///
    /// # Errors
    /// `INTERNAL` if signing fails.
    pub fn sign(&self, file: &Readable) -> Result<String, Fault> {
        match &self.how {
            How::Bucket { presigner, valid, now } => presigner.read(file, *valid, *now),
            How::Cdn { signer, keys, valid } => signer.read(keys, file, *valid),
        }
    }
}
