//! Metrics of uploads, the same whoever has checked one: the function of the event, or `sweep` in its stead.

use consigne_core::files::File;
use consigne_usecases::uploads::Checked;

use crate::log::RequestLog;

/// Notes what became of a pending file: `UploadsReady` with `BytesReady`, or `UploadsRejected`.
pub fn note_checked(log: &RequestLog, file: &File, checked: Checked) {
    match checked {
        Checked::Ready => {
            log.count("UploadsReady");
            log.bytes("BytesReady", file.size);
        }
        Checked::Rejected => log.count("UploadsRejected"),
        Checked::Gone | Checked::Conflict => {}
    }
}
