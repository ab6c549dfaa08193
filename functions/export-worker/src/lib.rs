//! Writes exports: everything that is stored of a person, as JSON in a few objects, then the manifest that lists them.
//!
//! Each message leads to one object. The export's record says where the next one begins, and is written behind the object,
//! on condition that nobody has written it meanwhile and that the account is open. Whoever loses removes the version that it
//! wrote. So a worker may be killed at any moment, and messages may come twice.

use std::time::Duration;

use consigne_core::exports::{Export, ExportKey, ExportMessage, ExportState, Part, PartText, Walk, show_membership};
use consigne_core::ports::{
    AdvanceExport, GetExport, ListOrgs, ListVersionPage, PageAsk, PutExport, RemoveVersion, SendLater, WalkPerson,
};
use consigne_core::{Code, Fault};
use consigne_runtime::queue::Message;
use consigne_runtime::{Adapters, BatchFunction, function, needs, remaining, settings};
use consigne_usecases::exports::remove_exports;

/// Records, or memberships, that are read with one query.
const PAGE: u32 = 500;
/// Queries for one part. A person's partition also has items that are not exported, so a part may need many.
const QUERIES_MAX: u32 = 50;
/// Time reserved for writing a part and the export. With less, nothing more is read or removed.
const RESERVE: Duration = Duration::from_secs(5);

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetExport + AdvanceExport + WalkPerson + ListOrgs,
        Bucket: PutExport + ListVersionPage + RemoveVersion,
        Queue: SendLater,
    >
}

function! {
    table: A::Table = table(),
    objects: A::Bucket = bucket(),
    /// Takes the message for the next object.
    queue: A::Queue = queue(&settings::EXPORT_QUEUE_URL),
}

impl<A: Needs> BatchFunction for Function<A> {
    type Record = Message;

    /// Writes the next object of an export.
    ///
    /// # Errors
    /// If the message is malformed, if the table, the bucket or the queue does not answer, or if time ran short before
    /// anything was done. The message is then delivered again. If it keeps failing, it goes to the dead-letter queue, and the export fails when its time is over.
    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let task = ExportMessage::parse(&message.body)?;
        message.log.field("export.id", task.export_id);
        message.log.field("user.id", &task.user_id);
        let export = self.table.get_export(&task.user_id).await?.filter(|export| export.id == task.export_id);
        let Some(export) = export.filter(|export| export.state(message.now) == ExportState::Pending) else {
            message.log.field("export.wanted", false);
            return Ok(());
        };
        message.log.field("export.parts", export.parts.len());
        if export.walk == Walk::Manifest {
            if !remove_exports(&self.objects, &export.user, Some(&export), || remaining() > RESERVE).await? {
                message.log.field("export.late", true);
                return self.queue.send_later(&task.message(), Duration::ZERO).await;
            }
            return self.complete(&export, message).await;
        }
        if self.write_part(&export, message).await? {
            self.queue.send_later(&task.message(), Duration::ZERO).await?;
        }
        Ok(())
    }
}

impl<A: Needs> Function<A> {
    /// Writes the next part. Returns `false` if the export was ended or continued meanwhile.
    async fn write_part(&self, export: &Export, message: &Message) -> Result<bool, Fault> {
        let (text, walk) = self.collect(export).await?;
        let (key, mut part) = (export.next_part(), None);
        if !text.is_empty() {
            export.require_room()?;
            part = Some(self.put(&key, text.text(), text.len(), text.files()).await?);
        }
        message.log.field("export.records", text.len());
        let after = export.with_part(part.clone(), text.counts(), walk)?;
        if self.advance(&after, None).await? {
            return Ok(true);
        }
        message.log.field("export.overtaken", true);
        if let Some(part) = part {
            self.objects.remove_version(key.as_str(), &part.version).await?;
        }
        Ok(false)
    }

    /// Writes the manifest, and the event that tells the person. What earlier exports and killed workers had left is gone by
    /// then.
    async fn complete(&self, export: &Export, message: &Message) -> Result<(), Fault> {
        let key = ExportKey::manifest(&export.user, export.id);
        let manifest = self.put(&key, export.manifest_text(message.now), 0, 0).await?;
        let (after, event) = export.completed(manifest.clone(), message.now);
        if self.advance(&after, Some(&event)).await? {
            message.log.count("ExportsCompleted");
            return Ok(());
        }
        message.log.field("export.overtaken", true);
        self.objects.remove_version(key.as_str(), &manifest.version).await
    }

    async fn put(&self, key: &ExportKey, text: String, records: u64, files: u64) -> Result<Part, Fault> {
        let size = text.len() as u64;
        let version = self.objects.put_export(key, text).await?;
        Ok(Part { version, size, records, files })
    }

    /// Writes the export. Returns `false` if another worker was faster, or if the account was closed.
    async fn advance(&self, after: &Export, event: Option<&consigne_core::events::Event>) -> Result<bool, Fault> {
        match self.table.advance_export(after, event).await {
            Ok(outcome) => Ok(outcome.is_committed()),
            Err(fault) if fault.code == Code::Unauthenticated => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Reads the records of the next part, as far as time allows. Returns them with the place at which the one after it
    /// begins.
    async fn collect(&self, export: &Export) -> Result<(PartText, Walk), Fault> {
        let (mut text, mut walk) = (PartText::of(export), export.walk.clone());
        for done in 0..QUERIES_MAX {
            if remaining() < RESERVE {
                if done == 0 {
                    return Err(Fault::unavailable("time ran short before anything was read"));
                }
                break;
            }
            walk = match walk {
                Walk::Records(after) => self.records(export, after, &mut text).await?,
                Walk::Memberships(after) => self.memberships(export, after, &mut text).await?,
                Walk::Manifest | Walk::Over => break,
            };
            if text.is_full() {
                break;
            }
        }
        Ok((text, walk))
    }

    async fn records(&self, export: &Export, after: Option<String>, text: &mut PartText) -> Result<Walk, Fault> {
        let (records, next) = self.table.walk_person(&export.user, after.as_deref(), PAGE).await?;
        for record in &records {
            text.push(&record.show());
        }
        Ok(next.map_or(Walk::Memberships(None), |next| Walk::Records(Some(next))))
    }

    async fn memberships(&self, export: &Export, after: Option<String>, text: &mut PartText) -> Result<Walk, Fault> {
        let listed = self.table.list_orgs(&export.user, &PageAsk { limit: PAGE, after }).await?;
        for (org, member) in &listed.items {
            text.push(&show_membership(org, member));
        }
        Ok(listed.next.map_or(Walk::Manifest, |next| Walk::Memberships(Some(next))))
    }
}
