//! Checking an upload that has arrived: the same whether an event announces it or `sweep` finds it.

use super::{Arrival, File, Finding, HEAD_BYTES, Pinned, Removal, Transition, inspect};
use crate::ports::{ApplyTransition, ReadHead, RemoveVersion};
use crate::{Fault, Timestamp};

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
    Overtaken,
}

/// Looks at the object a pending file waits for and moves the file on.
///
/// `version` is the one announced, or `None` for whatever is there. Running it twice is safe: the second run is
/// overtaken by the first. A crash between the rejection and the removal is mended by the event's redelivery, which
/// finds the record rejected and removes the version.
///
/// # Errors
/// `UNAVAILABLE` when bucket or table do not answer; nothing is lost by trying again.
pub async fn check_arrival(
    files: &impl ApplyTransition,
    objects: &(impl ReadHead + RemoveVersion),
    file: &File,
    version: Option<&str>,
    sequencer: &str,
    now: Timestamp,
) -> Result<Checked, Fault> {
    let apply = async |step: Transition, checked| {
        Ok(if files.apply_transition(&step).await? { checked } else { Checked::Overtaken })
    };
    let Some(head) = objects.read_head(file.key.as_str(), version, HEAD_BYTES).await? else {
        return apply(file.remove(Removal::Expired, now), Checked::Gone).await;
    };
    let finding = inspect(&head.bytes, file.media);
    let pinned = Pinned { version: head.version, etag: head.etag, sequencer: sequencer.to_owned() };
    match finding {
        Finding::Genuine(dimensions) => {
            let arrival = Arrival { pinned, size: head.size, dimensions };
            apply(file.settle(arrival, now), Checked::Ready).await
        }
        Finding::Impostor(found) => {
            let reason = format!("declared {}, found {found}", file.media.name);
            let checked = apply(file.reject(&reason, now), Checked::Rejected).await?;
            if checked == Checked::Rejected {
                objects.remove_version(file.key.as_str(), &pinned.version).await?;
            }
            Ok(checked)
        }
    }
}
