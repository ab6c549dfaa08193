//! Processes S3's events about objects. It checks an object that has arrived and accepts or rejects it. When an object is
//! gone, it gives the bytes back.
//!
//! S3 delivers events at least once and in any order. The file's record, the version and the sequencer decide what an
//! event means, and the write is conditional on the record's revision. So an event that comes twice has no second effect.

use consigne_core::Fault;
use consigne_core::files::{File, ObjectKey, OnCreated, Removal, Scanning, Status};
use consigne_core::ports::{
    ApplyTransition, GetFile, GetJob, GetOrder, ListVersions, ReadHead, ReadRange, RemoveVersion,
};
use consigne_runtime::queue::Message;
use consigne_runtime::uploads::note_checked;
use consigne_runtime::{Adapters, BatchFunction, function, needs};
use consigne_usecases::ConflictRetry;
use consigne_usecases::jobs::follow;
use consigne_usecases::uploads::{ArrivalSource, Checked, check_arrival};
use serde::Deserialize;
use serde_json::Value;

/// The kind of the event of an uploaded object.
const CREATED: &str = "Object Created";

/// An S3 event from EventBridge. Its key is plain, unlike in S3's own notifications, where it is URL-encoded.
/// Source: Amazon S3 user guide, "Event message structure" of EventBridge.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ObjectEvent {
    detail_type: String,
    detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    object: Object,
    deletion_type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Object {
    key: String,
    /// Absent in a bucket without versions.
    version_id: Option<String>,
    #[serde(default)]
    sequencer: String,
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<
        Table: GetFile + GetJob + GetOrder + ApplyTransition,
        Bucket: ReadHead + ReadRange + ListVersions + RemoveVersion,
    >
}

function! {
    files: A::Table = table(),
    objects: A::Bucket = bucket(),
    scanning: Scanning = scanning(),
}

impl<A: Needs> BatchFunction for Function<A> {
    type Record = Message;

    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let Some(event) = parse(&message.body)? else { return Ok(()) };
        message.log.field("event.kind", &event.detail_type);
        if event.detail_type == CREATED {
            // However the check ends, so that failures can be compared with all.
            message.log.count("UploadChecks");
        }
        let mut retry = ConflictRetry::of("the file");
        loop {
            // Ignore objects that are not files of ours: keys of another form, and keys without a record.
            let Some(file) = record(&self.files, &event.detail.object.key).await? else {
                message.log.field("file.known", false);
                return Ok(());
            };
            message.log.field("file.id", file.id());
            message.log.field("user.id", file.owner());
            let settled = match event.detail_type.as_str() {
                CREATED => self.created(&file, &event.detail.object, message).await?,
                "Object Deleted" => self.deleted(&file, &event.detail, message).await?,
                _ => true,
            };
            if settled {
                return Ok(());
            }
            // Files of one job arrive together and each of them changes the job, so conflicts are normal.
            retry.wait().await?;
        }
    }
}

/// Parses a message. Returns `None` for the test event that S3 sends when a notification is set up.
fn parse(body: &str) -> Result<Option<ObjectEvent>, Fault> {
    let value: Value = serde_json::from_str(body).map_err(Fault::internal)?;
    if value["Event"] == "s3:TestEvent" {
        return Ok(None);
    }
    serde_json::from_value(value).map(Some).map_err(Fault::internal)
}

async fn record(files: &impl GetFile, key: &str) -> Result<Option<File>, Fault> {
    let Some(key) = ObjectKey::parse(key) else { return Ok(None) };
    let file = files.get_file(key.owner(), key.file()).await?;
    Ok(file.filter(|file| file.key == key))
}

impl<A: Needs> Function<A> {
    /// Handles a created object. Returns `false` when the record changed meanwhile.
    async fn created(&self, file: &File, object: &Object, message: &Message) -> Result<bool, Fault> {
        if file.status == Status::Pending {
            return self.arrived(file, object, message).await;
        }
        let key = file.key.as_str();
        let version = match &object.version_id {
            Some(version) => Some(version.clone()),
            None => self.objects.read_head(key, None, 1).await?.map(|head| head.version),
        };
        if let Some(version) = version.filter(|version| file.on_created(version) == OnCreated::RemoveVersion) {
            message.log.count("UploadsReplayed");
            self.objects.remove_version(key, &version).await?;
        }
        Ok(true)
    }

    /// Checks the upload of a pending file. Returns `false` when the record changed meanwhile.
    async fn arrived(&self, file: &File, object: &Object, message: &Message) -> Result<bool, Fault> {
        let (mut version, mut sequencer) = (object.version_id.clone(), object.sequencer.as_str());
        let mut later = false;
        if file.owner().as_order().is_some() {
            // A form can be used again while it is valid, and events come in any order. The first version counts.
            let first = self.objects.list_versions(file.key.as_str()).await?.pop();
            later = first.is_some() && first != version;
            if later {
                (version, sequencer) = (first, "");
            }
        }
        let source = ArrivalSource::Event { version: version.as_deref(), sequencer };
        let checked = check_arrival(&self.files, &self.objects, file, source, &self.scanning, message.now).await?;
        note_checked(&message.log, file, checked);
        match checked {
            Checked::Ready => {
                let waited = message.now.since(file.granted_at).as_millis();
                message.log.millis("GrantToReady", u64::try_from(waited).unwrap_or(u64::MAX));
            }
            Checked::Waiting | Checked::Infected | Checked::Rejected => {}
            Checked::Gone => message.log.field("file.gone", true),
            Checked::Conflict => return Ok(false),
        }
        // The record is read again, which then tells that the announced version is not the one it keeps.
        Ok(!later)
    }

    /// Handles a deleted object. Returns `false` when the record changed meanwhile.
    async fn deleted(&self, file: &File, detail: &Detail, message: &Message) -> Result<bool, Fault> {
        // A delete marker only hides the object; its bytes remain. S3 sends another event when the version itself is
        // deleted.
        if detail.deletion_type.as_deref() == Some("Delete Marker Created") {
            return Ok(true);
        }
        let ended = match (&detail.object.version_id, file.keeps()) {
            (Some(version), _) => file.ends_with(version, &detail.object.sequencer),
            // The event does not name the deleted version, so look whether the one we serve is still there.
            (None, Some(pinned)) => {
                self.objects.read_head(file.key.as_str(), Some(&pinned.version), 1).await?.is_none()
            }
            (None, None) => file.status == Status::Pending,
        };
        if !ended {
            return Ok(true);
        }
        let step = follow(&self.files, file.remove(Removal::Deleted, message.now), message.now).await?;
        Ok(self.files.apply_transition(&step).await?.is_committed())
    }
}
