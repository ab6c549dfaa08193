//! Publishes a file at a permanent address that anybody can read, and withdraws that address.
//!
//! Only the record changes, in one transaction. `public-file` reads it whenever somebody follows the address.

use consigne_auth::{SessionVerifier, User};
use consigne_core::files::{File, ObjectKey, PublicAddresses, Publication};
use consigne_core::ports::{FileChangeOutcome, GetFile, PublishFile};
use consigne_core::{Code, Fault};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, function};
use consigne_usecases::ConflictRetry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Request to publish a file, or to withdraw its address.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PublishRequest {
    /// Key of the file.
    #[schemars(length(min = 1))]
    pub s3_key: String,
}

/// A published file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Published {
    /// Permanent address of the file. Anybody can read it until it is withdrawn.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
}

/// Confirms that a file has no public address.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unpublished {
    /// Always true.
    #[schemars(extend("const" = true))]
    pub success: bool,
    /// Confirmation for people to read.
    pub message: &'static str,
    /// Seconds for which somebody who has just followed the address can still read the file; 0 if it had no address.
    pub readable_for: u64,
}

function! {
    users: SessionVerifier = file_users(),
    files: A::Table = table(),
    addresses: PublicAddresses = public_addresses(),
}

impl<A: Adapters<Table: GetFile + PublishFile>> HttpFunction for Function<A> {
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let user = request.user(&self.users).await?;
        let body: PublishRequest = request.json()?;
        if body.s3_key.is_empty() {
            return Err(Fault::field("s3Key", "s3Key must not be empty"));
        }
        request.names_file(&body.s3_key);
        if request.route().starts_with("DELETE ") {
            return self.withdraw(&user, &body.s3_key, request).await;
        }
        self.publish(&user, &body.s3_key, request).await
    }

    fn operations() -> Vec<Operation> {
        vec![
            Operation::new::<Published>("POST /api/files/publish", "Publish a file at a permanent address")
                .takes::<PublishRequest>()
                .refuses(&[Code::NotFound, Code::NotReady, Code::FileRejected, Code::FileInfected])
                .refuses(&[Code::UnsupportedFileType, Code::CdnRequired, Code::RateLimited]),
            Operation::new::<Unpublished>("DELETE /api/files/publish", "Withdraw the address of a published file")
                .takes::<PublishRequest>()
                .refuses(&[Code::NotFound, Code::RateLimited]),
        ]
    }
}

impl<A: Adapters<Table: GetFile + PublishFile>> Function<A> {
    /// Publishes a file. One that is public already keeps its address.
    async fn publish(&self, user: &User, key: &str, request: &Request) -> Result<Answer, Fault> {
        let mut retry = ConflictRetry::of("the file");
        loop {
            let file = self.find(user, key).await?;
            let Some(step) = file.publish(request.now)? else {
                let id = file.published.ok_or_else(|| Fault::internal("a public file has no address"))?;
                return Ok(Answer::plain(200, &Published { url: self.addresses.of(id)? }));
            };
            // Before the write, because without a CDN nobody could follow the address.
            let url = self.addresses.of(step.id)?;
            if self.apply(&step, user, request).await? {
                request.log.count("FilesPublished");
                return Ok(Answer::plain(200, &Published { url }));
            }
            retry.wait().await?;
        }
    }

    /// Withdraws the address of a file, if it has one.
    async fn withdraw(&self, user: &User, key: &str, request: &Request) -> Result<Answer, Fault> {
        let mut retry = ConflictRetry::of("the file");
        let readable_for = loop {
            let file = self.find(user, key).await?;
            let Some(step) = file.unpublish(request.now) else { break 0 };
            if self.apply(&step, user, request).await? {
                request.log.count("FilesUnpublished");
                break file.readable_after_withdrawal().as_secs();
            }
            retry.wait().await?;
        };
        let message = "File is not public";
        Ok(Answer::plain(200, &Unpublished { success: true, message, readable_for }))
    }

    /// Reads a user's file that is not being deleted.
    async fn find(&self, user: &User, key: &str) -> Result<File, Fault> {
        let key = ObjectKey::parse_for(&user.id, key).ok_or_else(|| Fault::not_found("File"))?;
        let file = self.files.get_file(&user.id, key.file()).await?;
        let file = file.filter(|file| file.key == key && file.status.is_visible());
        file.ok_or_else(|| Fault::not_found("File"))
    }

    /// Applies a change. Returns `false` if the record has changed meanwhile.
    async fn apply(&self, step: &Publication, user: &User, request: &Request) -> Result<bool, Fault> {
        match self.files.publish_file(step, user.plan, request.now).await? {
            FileChangeOutcome::Applied => Ok(true),
            FileChangeOutcome::Conflict => Ok(false),
            FileChangeOutcome::OverRate(over) => Err(over.refusal(user.plan, request.now)),
        }
    }
}
