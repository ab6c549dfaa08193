//! Metrics of uploads, shared by the function that handles the event and by `sweep`.

use consigne_core::files::File;
use consigne_usecases::uploads::Checked;

use crate::log::RequestLog;

/// Records the outcome of a pending file's check: `UploadsReady` with `BytesReady`, `UploadsRejected`, or what the malware
/// scan says.
pub fn note_checked(log: &RequestLog, file: &File, checked: Checked) {
    match checked {
        Checked::Ready => {
            log.count("UploadsReady");
            log.bytes("BytesReady", file.size);
        }
        Checked::Rejected => log.count("UploadsRejected"),
        Checked::Infected => log.count("FilesInfected"),
        Checked::Waiting => log.field("file.scan", "waiting"),
        Checked::Gone | Checked::Conflict => {}
    }
}
