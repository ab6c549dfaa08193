//! Metrics of uploads, the same whoever has checked one: the function of the event, or `sweep` in its stead.

use consigne_core::files::{Checked, File};

use crate::log::Notes;

/// Notes what became of a pending file: `UploadsReady` with `BytesReady`, or `UploadsRejected`.
pub fn note_checked(notes: &Notes, file: &File, checked: Checked) {
    match checked {
        Checked::Ready => {
            notes.count("UploadsReady");
            notes.bytes("BytesReady", file.size);
        }
        Checked::Rejected => notes.count("UploadsRejected"),
        Checked::Gone | Checked::Conflict => {}
    }
}
