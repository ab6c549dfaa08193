//! What functions that handle uploads share: their metrics, and how a path names an upload.

use consigne_auth::User;
use consigne_core::files::File;
use consigne_core::ports::GetFile;
use consigne_core::{Fault, FileId};
use consigne_usecases::uploads::Checked;

use crate::Request;
use crate::log::RequestLog;

/// Records the outcome of a pending file's check: `UploadsReady` with `BytesReady` and the file's kind, `UploadsRejected`, or what the malware
/// scan says.
pub fn note_checked(log: &RequestLog, file: &File, checked: Checked) {
    match checked {
        Checked::Ready => {
            log.count("UploadsReady");
            log.bytes("BytesReady", file.size);
            log.field("file.kind", file.kind().name());
        }
        Checked::Rejected => log.count("UploadsRejected"),
        Checked::Infected => log.count("FilesInfected"),
        Checked::Waiting => log.field("file.scan", "waiting"),
        Checked::Gone | Checked::Conflict => {}
    }
}

/// Reads the record of the upload whose file's id is in the path as `fileId`, and names the file to log and audit.
///
/// # Errors
/// `NOT_FOUND` if the user has no such file, or deleted it; those of the table.
pub async fn upload_of(files: &impl GetFile, user: &User, request: &Request) -> Result<File, Fault> {
    let unknown = || Fault::not_found("Upload");
    let id = FileId::parse(request.parameter("fileId")).ok_or_else(unknown)?;
    let file = files.get_file(&user.id, id).await?.filter(|file| file.status.is_visible()).ok_or_else(unknown)?;
    request.names_file(file.key.as_str());
    Ok(file)
}
