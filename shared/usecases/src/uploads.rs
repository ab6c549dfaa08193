//! Checking an upload that has arrived: the same whether an event announces it or `sweep` finds it.

use consigne_core::files::{Arrival, File, Finding, HEAD_BYTES, Pinned, Removal, Transition, inspect};
use consigne_core::ports::{ApplyTransition, GetJob, ReadHead, RemoveVersion};
use consigne_core::{Fault, Timestamp};

use crate::jobs::follow;

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is what was declared, and kept.
    Ready,
    /// It is something else, and gone.
    Rejected,
    /// There is nothing under the key any more; the reservation is released.
    Gone,
    /// Someone else moved the record first; nothing was done.
    Conflict,
}

/// How an upload came to notice.
#[derive(Clone, Copy, Debug)]
pub enum ArrivalSource<'a> {
    /// By an event, which comes again until its work is done.
    Event {
        /// The version announced; `None` in a bucket without versions.
        version: Option<&'a str>,
        /// The event's place among those of its key.
        sequencer: &'a str,
    },
    /// By a look into the bucket, for which the record was due; nothing comes again once it no longer is.
    Look,
}

/// Looks at the object a pending file waits for and moves the file on.
///
/// Running it twice is safe: the second run is overtaken by the first. What is not what it says is gone in the end, at
/// whatever point a run is cut short. After an event the rejection comes first, and the event's redelivery finds the
/// record rejected and removes the version. After a look the removal comes first, since nobody would look at a rejected
/// record again; cut short in between, the next look finds nothing and ends the grant as unused.
///
/// # Errors
/// `UNAVAILABLE` when bucket or table do not answer; nothing is lost by trying again.
pub async fn check_arrival(
    files: &(impl ApplyTransition + GetJob),
    objects: &(impl ReadHead + RemoveVersion),
    file: &File,
    source: ArrivalSource<'_>,
    now: Timestamp,
) -> Result<Checked, Fault> {
    let apply = async |step: Transition, checked| {
        let step = follow(files, step, now).await?;
        Ok(if files.apply_transition(&step).await? { checked } else { Checked::Conflict })
    };
    let (version, sequencer) = match source {
        ArrivalSource::Event { version, sequencer } => (version, sequencer),
        ArrivalSource::Look => (None, ""),
    };
    let Some(head) = objects.read_head(file.key.as_str(), version, HEAD_BYTES).await? else {
        return apply(file.remove(Removal::Expired, now), Checked::Gone).await;
    };
    let finding = inspect(&head.bytes, file.media);
    let pinned = Pinned { version: head.version, etag: head.etag, sequencer: sequencer.to_owned() };
    match finding {
        Finding::Genuine(dimensions) => {
            let arrival = Arrival { pinned, size: head.size, dimensions };
            apply(file.accept(arrival, now), Checked::Ready).await
        }
        Finding::Impostor(found) => {
            let step = file.reject(&format!("declared {}, found {found}", file.media.name), now);
            if let ArrivalSource::Look = source {
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
