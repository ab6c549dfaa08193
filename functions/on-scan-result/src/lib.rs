//! Processes the verdicts of GuardDuty Malware Protection for S3. A clean file becomes ready once its bytes are checked too.
//! An infected file ends at any time: its record first, so that no more tickets are signed, then every version of its
//! object, so that the tickets which exist read nothing.
//!
//! GuardDuty delivers verdicts at least once, before or after S3's event about the same version. Key and version decide
//! which file a verdict is about, and the write is conditional on the record's revision. The tags that the scanner writes to
//! objects are never read, because others can write them too.

use consigne_core::Fault;
use consigne_core::files::{File, ObjectKey, ScanResult, Scanning, Status, Verdict};
use consigne_core::ports::{ApplyTransition, GetFile, GetJob, GetOrder, ListVersions, RemoveVersion};
use consigne_runtime::queue::Message;
use consigne_runtime::uploads::note_checked;
use consigne_runtime::{Adapters, BatchFunction, function, needs};
use consigne_usecases::ConflictRetry;
use consigne_usecases::jobs::follow;
use consigne_usecases::uploads::{Checked, remove_infected};
use serde::Deserialize;

/// An event from EventBridge, "GuardDuty Malware Protection Object Scan Result". Its key is plain.
/// Source: Amazon GuardDuty user guide, "Monitoring S3 object scans with Amazon EventBridge".
#[derive(Debug, Deserialize)]
struct ScanEvent {
    detail: Detail,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    s3_object_details: Object,
    scan_result_details: Outcome,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    object_key: String,
    /// Absent in a bucket without versions.
    version_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    scan_result_status: String,
    /// Null unless threats were found.
    threats: Option<Vec<Threat>>,
}

#[derive(Debug, Deserialize)]
struct Threat {
    name: Option<String>,
}

impl Outcome {
    /// Returns the verdict. A result that this version does not know counts as a failed scan.
    fn verdict(&self) -> Verdict {
        let result = ScanResult::from_name(&self.scan_result_status).unwrap_or(ScanResult::Failed);
        let mut threats = self.threats.iter().flatten();
        Verdict::new(result, threats.find_map(|threat| threat.name.as_deref()))
    }
}

needs! {
    /// The ports this function uses. Each stands for one IAM action.
    pub trait Needs: Adapters<Table: GetFile + GetJob + GetOrder + ApplyTransition, Bucket: ListVersions + RemoveVersion>
}

function! {
    files: A::Table = table(),
    objects: A::Bucket = bucket(),
    scanning: Scanning = scanning(),
}

impl<A: Needs> BatchFunction for Function<A> {
    type Record = Message;

    async fn handle(&self, message: &Message) -> Result<(), Fault> {
        let ScanEvent { detail } = serde_json::from_str(&message.body).map_err(Fault::internal)?;
        let (object, outcome) = (&detail.s3_object_details, &detail.scan_result_details);
        message.log.field("scan.result", &outcome.scan_result_status);
        // Ignore objects that are not files of ours.
        let Some(key) = ObjectKey::parse(&object.object_key) else { return Ok(()) };
        let (version, verdict) = (object.version_id.as_deref().unwrap_or("null"), outcome.verdict());
        let mut retry = ConflictRetry::of("the file");
        let file = loop {
            let known = self.files.get_file(key.owner(), key.file()).await?.filter(|file| file.key == key);
            let Some(file) = known else {
                message.log.field("file.known", false);
                return Ok(());
            };
            message.log.field("file.id", file.id());
            message.log.field("user.id", file.owner());
            let step = file.judged(version, &verdict, self.scanning.of(&key), message.now);
            let Some(step) = step else { break file };
            let step = follow(&self.files, step, message.now).await?;
            if self.files.apply_transition(&step).await?.is_committed() {
                note(message, &file, &step.file, &verdict);
                break step.file;
            }
            retry.wait().await?;
        };
        if file.has_infected_versions() {
            remove_infected(&self.files, &self.objects, &file, message.now).await?;
        }
        Ok(())
    }
}

/// Records what a verdict has changed.
fn note(message: &Message, before: &File, after: &File, verdict: &Verdict) {
    message.log.field("file.status", after.status.name());
    if let Some(why) = verdict.result.unscanned() {
        message.log.count("ScansFailed");
        message.log.field("scan.unscanned_because", why.name());
    }
    match (before.status, after.status) {
        (_, Status::Infected) => note_checked(&message.log, after, Checked::Infected),
        (Status::Processing, Status::Ready) => {
            note_checked(&message.log, after, Checked::Ready);
            let waited = message.now.since(after.granted_at).as_millis();
            message.log.millis("GrantToReady", u64::try_from(waited).unwrap_or(u64::MAX));
        }
        _ => {}
    }
}
