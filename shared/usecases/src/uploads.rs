//! Checks uploads that have arrived, by an event of S3 or as `sweep` finds them, and finishes deletions.

use consigne_core::files::{
    Arrival, File, Finding, INDEX_BYTES, Measured, Pinned, Removal, SAMPLE_BYTES, Sample, Scanning, Status, Transition,
    index_behind, inspect, measure_index,
};
use consigne_core::ports::{
    AbortUpload, ApplyTransition, GetJob, GetOrder, ListUploads, ListVersions, ObjectHead, ReadHead, ReadRange,
    RemoveVersion,
};
use consigne_core::{Fault, Timestamp};

use crate::jobs::{follow, follow_arrival};

/// The outcome of checking an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It has the declared type and is kept.
    Ready,
    /// It has the declared type, and its malware scan is not finished or could not be done.
    Waiting,
    /// It contains malware and was removed.
    Infected,
    /// It has another type, or its order no longer waits for it. It was removed.
    Rejected,
    /// The object no longer exists. The reserved bytes were released.
    Gone,
    /// Another writer has changed the record first. Nothing was done.
    Conflict,
}

/// How an upload was noticed.
#[derive(Clone, Copy, Debug)]
pub enum ArrivalSource<'a> {
    /// By an event, which is delivered again until the upload is handled.
    Event {
        /// The version that was announced; `None` in a bucket without versions.
        version: Option<&'a str>,
        /// The event's place in the order of its key's events.
        sequencer: &'a str,
    },
    /// By `sweep`, which looked into the bucket because the record was due. Once the record is no longer due, `sweep`
    /// does not look again.
    Look {
        /// The version to check; `None` for the current one.
        version: Option<&'a str>,
    },
}

/// Checks the object that a pending file waits for, and moves the file to its next status.
///
/// Running it twice is safe: the second run gets a conflict. A rejected object is removed in the end, even if a run is
/// interrupted:
///
/// * After an event, the record is rejected first. If the run is interrupted then, the redelivered event finds the
///   rejected record and removes the version.
/// * After a look, the version is removed first, because `sweep` does not look at a rejected record. If the run is
///   interrupted then, the next look finds no object and ends the grant as unused.
///
/// # Errors
/// `UNAVAILABLE` if the bucket or the table does not answer. The caller can safely retry.
pub async fn check_arrival(
    files: &(impl ApplyTransition + GetJob + GetOrder),
    objects: &(impl ReadHead + ReadRange + RemoveVersion),
    file: &File,
    source: ArrivalSource<'_>,
    scanning: &Scanning,
    now: Timestamp,
) -> Result<Checked, Fault> {
    let commit = async |step: Transition, checked| {
        Ok(if files.apply_transition(&step).await?.is_committed() { checked } else { Checked::Conflict })
    };
    let apply = async |step: Transition, checked| commit(follow(files, step, now).await?, checked).await;
    let (version, sequencer) = match source {
        ArrivalSource::Event { version, sequencer } => (version, sequencer),
        ArrivalSource::Look { version } => (version, ""),
    };
    let Some(head) = objects.read_head(file.key.as_str(), version, SAMPLE_BYTES).await? else {
        return apply(file.remove(Removal::Expired, now), Checked::Gone).await;
    };
    let finding = inspect(Sample { bytes: &head.bytes, size: head.size }, file.media);
    let behind = match finding {
        Finding::Genuine(_) => measure_behind(objects, file, &head).await?,
        Finding::Impostor(_) => None,
    };
    let version = head.version.clone();
    let pinned = Pinned { version: head.version, etag: head.etag, sequencer: sequencer.to_owned() };
    match finding {
        Finding::Genuine(measured) => {
            let arrival = Arrival { pinned, size: head.size, measured: behind.unwrap_or(measured) };
            let step = follow_arrival(files, file.arrive(arrival, scanning.of(&file.key), now), now).await?;
            let checked = match step.file.status {
                Status::Processing => Checked::Waiting,
                Status::Infected => Checked::Infected,
                // Its order no longer waits for it.
                Status::Rejected => Checked::Rejected,
                _ => Checked::Ready,
            };
            let looked = matches!(source, ArrivalSource::Look { .. });
            if checked == Checked::Rejected && looked {
                objects.remove_version(file.key.as_str(), &version).await?;
            }
            let checked = commit(step, checked).await?;
            if checked == Checked::Infected || checked == Checked::Rejected && !looked {
                // The record of an infected file stays due until `sweep` has seen that no other version is left.
                objects.remove_version(file.key.as_str(), &version).await?;
            }
            Ok(checked)
        }
        Finding::Impostor(found) => {
            let step = file.reject(&format!("declared {}, found {found}", file.media.name), now);
            if let ArrivalSource::Look { .. } = source {
                objects.remove_version(file.key.as_str(), &pinned.version).await?;
                return apply(step, Checked::Rejected).await;
            }
            let checked = apply(step, Checked::Rejected).await?;
            if checked == Checked::Rejected {
                objects.remove_version(file.key.as_str(), &pinned.version).await?;
            }
            Ok(checked)
        }
    }
}

/// Measures a film or a sound whose index comes after the part that was inspected. Returns `None` if there is none.
async fn measure_behind(objects: &impl ReadRange, file: &File, head: &ObjectHead) -> Result<Option<Measured>, Fault> {
    let sample = Sample { bytes: &head.bytes, size: head.size };
    let Some(at) = index_behind(sample, file.media) else { return Ok(None) };
    let index = objects.read_range(file.key.as_str(), &head.version, at, INDEX_BYTES).await?;
    Ok(index.map(|index| measure_index(&index, file.media)))
}

/// Times that the open uploads of a key are listed and aborted. S3 may keep the parts that arrive during an abort, so it
/// is asked again. Source: Amazon S3 API reference, `AbortMultipartUpload`.
const ABORTS: usize = 3;

/// Aborts what is open of a file's upload in parts, including uploads that its record does not name because a function was
/// interrupted when it had opened one.
///
/// It comes before the record's last step, which gives the bytes back: as long as an upload is open, the file is due.
///
/// # Errors
/// `UNAVAILABLE` if the bucket does not answer, or an upload stays open. The caller can safely retry.
pub async fn close_uploads(objects: &(impl ListUploads + AbortUpload), file: &File) -> Result<(), Fault> {
    let Some(session) = &file.parts else { return Ok(()) };
    let key = file.key.as_str();
    if let Some(upload) = &session.upload {
        objects.abort_upload(key, &upload.id).await?;
    }
    for _ in 0..ABORTS {
        let open = objects.list_uploads(key).await?;
        if open.is_empty() {
            return Ok(());
        }
        for upload in &open {
            objects.abort_upload(key, upload).await?;
        }
    }
    Err(Fault::unavailable("an aborted upload stays open"))
}

/// Removes every version of an infected file's object, then records that none is left.
///
/// Running it twice is safe. If it is interrupted, the file stays due, so `sweep` does the rest.
///
/// # Errors
/// `UNAVAILABLE` if the bucket or the table does not answer.
pub async fn remove_infected(
    files: &impl ApplyTransition,
    objects: &(impl ListVersions + RemoveVersion),
    file: &File,
    now: Timestamp,
) -> Result<(), Fault> {
    remove_versions(objects, file).await?;
    // After a conflict the record was changed by another run, or its owner has deleted it. Its object is gone either way.
    files.apply_transition(&file.cleared(now)).await.map(drop)
}

/// Removes every version of a file's object.
async fn remove_versions(objects: &(impl ListVersions + RemoveVersion), file: &File) -> Result<(), Fault> {
    let key = file.key.as_str();
    for version in objects.list_versions(key).await? {
        objects.remove_version(key, &version).await?;
    }
    Ok(())
}

/// Finishes the deletion of a file that is marked as deleted: removes its version or aborts its upload in parts, then ends
/// its record.
///
/// Of an order's photo it removes every version, including those whose events S3 has not delivered: a form may be used
/// more than once.
///
/// Running it twice is safe. If S3's event about the removal was handled first, the record has changed, and this does
/// nothing.
///
/// # Errors
/// `UNAVAILABLE` if the bucket or the table does not answer. The file stays due, so `sweep` tries again.
pub async fn finish_deletion(
    files: &(impl ApplyTransition + GetJob + GetOrder),
    objects: &(impl ListVersions + RemoveVersion + ListUploads + AbortUpload),
    file: &File,
    now: Timestamp,
) -> Result<(), Fault> {
    match &file.pinned {
        _ if file.owner().as_order().is_some() => remove_versions(objects, file).await?,
        Some(pinned) => objects.remove_version(file.key.as_str(), &pinned.version).await?,
        None => close_uploads(objects, file).await?,
    }
    let step = follow(files, file.remove(Removal::Deleted, now), now).await?;
    files.apply_transition(&step).await.map(drop)
}
