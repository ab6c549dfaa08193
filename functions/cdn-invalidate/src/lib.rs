//! Makes the CDN forget what must not be read any more: a withdrawn address, and a file with malware. A deleted file too,
//! if it was public.
//!
//! A deleted file that was never public is left to the CDN's short time to live: only its owner's signed URLs reach it, and
//! each invalidation costs money.

use consigne_core::Fault;
use consigne_core::events::{EventData, EventMessage, FileFacts};
use consigne_core::files::DerivedKey;
use consigne_core::ports::InvalidatePaths;
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function};

function! {
    cdn: A::Cdn = cdn(),
}

impl<A: Adapters<Cdn: InvalidatePaths>> BatchFunction for Function<A> {
    type Record = Message;

    /// Processes one event of a file. Its id names the invalidation, so a repeated delivery changes nothing.
    ///
    /// # Errors
    /// If the message is malformed, or if the CDN does not take the invalidation. The message is then delivered again. If it
    /// keeps failing, it goes to the dead-letter queue.
    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let event = EventMessage::parse(&message.body).map_err(Fault::internal)?;
        message.log.field("event.kind", &event.detail_type);
        let paths = match &event.data {
            Some(EventData::FileUnpublished(ended)) => address(&ended.file),
            Some(EventData::FileInfected(found)) => everything(&found.file),
            Some(EventData::FileDeleted(deleted)) if deleted.file.public_id.is_some() => everything(&deleted.file),
            _ => return Ok(()),
        };
        message.log.field("cdn.paths", paths.len());
        self.cdn.invalidate_paths(&event.id.to_string(), &paths).await
    }
}

/// Returns the path of a file's public address, if it has one.
fn address(file: &FileFacts) -> Vec<String> {
    file.public_id.iter().map(|id| format!("/public/{id}")).collect()
}

/// Returns the paths of all that can be read of a file. The asterisk stands for the query, and for the names of copies.
fn everything(file: &FileFacts) -> Vec<String> {
    let mut paths = address(file);
    paths.push(format!("/{}*", file.s3_key));
    paths.push(format!("/{}*", DerivedKey::prefix(&file.user_id, file.file_id)));
    paths
}
