//! Leads from the permanent address of a published file to a signed URL of the CDN.
//!
//! Whether the file is public, readable and clean is read from its record at each call, so an address ends with its
//! withdrawal, with the file, and with a verdict of malware. The CDN keeps an answer for a minute, so that a file that many
//! people read does not become as many calls.

use consigne_core::files::ADDRESS_CACHED;
use consigne_core::ports::{GetFile, GetPublished};
use consigne_core::{Code, Fault, PublicId};
use consigne_runtime::{Adapters, Answer, HttpFunction, Operation, Request, Tickets, function};
use schemars::JsonSchema;
use serde::Serialize;

/// Where a published file is read now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct PublicFile {
    /// Signed URL, also in the header `Location`.
    #[schemars(extend("format" = "uri"))]
    pub url: String,
}

function! {
    files: A::Table = table(),
    tickets: Tickets = tickets().await,
}

impl<A: Adapters<Table: GetPublished + GetFile>> HttpFunction for Function<A> {
    /// Answers with the signed URL. Nobody signs in: whoever knows the address may read the file.
    async fn handle(&self, request: &Request) -> Result<Answer, Fault> {
        let none = || Fault::not_found("File");
        let id = PublicId::parse(request.parameter("id")).ok_or_else(none)?;
        let (owner, file) = self.files.get_published(id).await?.ok_or_else(none)?;
        request.log.field("file.id", file);
        request.log.field("user.id", &owner);

        let file = self.files.get_file(&owner, file).await?.ok_or_else(none)?;
        let readable = file.readable_at(id).ok_or_else(none)?;
        let url = self.tickets.valid_for(file.public_validity(), request.now).await?.sign(&readable)?;
        request.log.count("PublicFilesRead");
        let caching = format!("public, max-age=0, s-maxage={}", ADDRESS_CACHED.as_secs());
        let answer = Answer::plain(302, &PublicFile { url: url.clone() });
        Ok(answer.header("location", url).header("cache-control", caching))
    }

    fn operations() -> Vec<Operation> {
        let operation = |route, summary| {
            let operation = Operation::new::<PublicFile>(route, summary).for_anyone().redirects();
            operation.parameter("id", "Id in the address of the file", true).refuses(&[Code::NotFound])
        };
        vec![
            operation("GET /public/{id}", "Follow the address of a published file"),
            operation("HEAD /public/{id}", "Follow the address of a published file, without a body"),
        ]
    }
}
