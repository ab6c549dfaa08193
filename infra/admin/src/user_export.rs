//! `consigne user export`: asks for an export of a person's data, waits for it, and downloads it with the files.

use std::collections::BTreeSet;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use consigne_core::audit::AuditAction;
use consigne_core::exports::{Export, ExportState};
use consigne_core::files::{File, Status, in_words};
use consigne_core::ports::{GetExport, GetFiles, ReadRange, RequestExport, WriteAudit};
use consigne_core::{Code, Fault, FileId, UserId};
use consigne_runtime::clock;
use consigne_storage::{Bucket, Table};
use serde_json::{Value, json};
use tokio::fs;
use tokio::io::AsyncWriteExt as _;

use crate::operator::{Operator, causes, reason, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;
use crate::user::person;

/// Time between two looks at an export that is under way.
const WAIT: Duration = Duration::from_secs(2);
/// Bytes that are read at once. The adapter waits three seconds for them.
const CHUNK: u64 = 2 << 20;
/// Records of files that are read with one call.
const RECORDS: usize = 100;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Id of the person: `user_` and letters or digits.
    user: String,
    /// Reason for the audit log: 1 to 200 characters.
    #[arg(long)]
    reason: String,
    /// Folder for the export and the files. Without it, nothing is downloaded.
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let (user, reason) = (person(&options.user)?, reason(&options.reason)?);
    let operator = Operator::to_change(which, &["TABLE_NAME", "BUCKET_NAME"], &format!("Export the data of {user}"))?;
    let (table, bucket) = (operator.table()?, operator.bucket()?);
    let details = json!({ "reason": reason, "downloaded": options.to.is_some() });
    let audit = operator.entry(None, AuditAction::AccountExported, user.to_string(), details)?;
    work(async {
        let asked = Export::begin(user.clone(), clock::now());
        let export = table.request_export(&asked, Some(&audit)).await.map_err(|fault| refused(&fault, &user))?;
        if export.id != asked.id {
            // The person has asked for this one. What the operator does with it is written down all the same.
            table.write_audit(&audit).await.map_err(|fault| table_failed(&fault))?;
        }
        let export = wait_for(&table, export).await?;
        let records: u64 = export.counts.values().sum();
        let mut facts =
            json!({ "user": user, "export": export.id, "records": records, "expires_at": export.expires_at });
        let mut lines =
            vec![format!("The export of {user} is complete: {records} records in {} parts.", export.parts.len())];
        let Some(folder) = &options.to else {
            lines.push(format!("The person can download it on the page of their account until {}.", export.expires_at));
            lines.push("To download it yourself, run this again with --to FOLDER.".to_owned());
            return Ok(Report::done(lines.join("\n"), facts));
        };
        let downloaded = download(&table, &bucket, &export, folder).await?;
        facts["files"] = downloaded.files.into();
        facts["missing"] = json!(downloaded.missing);
        let (files, bytes) = (downloaded.files, in_words(downloaded.bytes));
        lines.push(format!("Downloaded it to {} with {files} files, {bytes}.", folder.display()));
        if !downloaded.missing.is_empty() {
            lines.push(format!("{} files were deleted meanwhile.", downloaded.missing.len()));
        }
        lines.push("Send the folder to the person over a safe channel, then delete it.".to_owned());
        Ok(Report::done(lines.join("\n"), facts))
    })
}

fn refused(fault: &Fault, user: &UserId) -> String {
    if fault.code == Code::Unauthenticated {
        return format!("The account of {user} is closed: nothing is left to export.");
    }
    table_failed(fault)
}

/// Writes a line about how far the work has come. Nobody needs it.
fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// Waits until an export is complete.
async fn wait_for(table: &Table, mut export: Export) -> Result<Export, String> {
    let mut said = None;
    loop {
        match export.state(clock::now()) {
            ExportState::Ready => return Ok(export),
            ExportState::Pending => {}
            ExportState::None | ExportState::Expired => {
                return Err(
                    "The export failed: it was not complete in a day. `consigne redrive exports` may have its message."
                        .to_owned(),
                );
            }
        }
        let records: u64 = export.counts.values().sum();
        if said != Some(records) {
            say(&format!(
                "{} parts with {records} records are written; Ctrl-C stops waiting, not the export",
                export.parts.len()
            ));
            said = Some(records);
        }
        tokio::time::sleep(WAIT).await;
        let read = table.get_export(&export.user).await.map_err(|fault| table_failed(&fault))?;
        export = read.filter(|read| read.id == export.id).ok_or("The export is gone: the account was closed.")?;
    }
}

/// What was downloaded.
#[derive(Debug, Default)]
struct Downloaded {
    files: u64,
    bytes: u64,
    missing: Vec<String>,
}

/// Downloads the objects of an export, then the files that it lists. What is there already with its size is left alone.
async fn download(table: &Table, bucket: &Bucket, export: &Export, folder: &Path) -> Result<Downloaded, String> {
    let mut done = Downloaded::default();
    for (key, part) in export.objects() {
        let path = folder.join(key.name());
        if !fetch(bucket, (key.as_str(), &part.version), part.size, &path).await? {
            return Err(format!("{} is gone: the export has expired, or the account was closed.", key.name()));
        }
        let text = fs::read(&path).await.map_err(|error| failed(&path, &error))?;
        let part: Value = serde_json::from_slice(&text).map_err(|error| failed(&path, &error))?;
        let ids: Vec<FileId> = part["records"].as_array().into_iter().flatten().filter_map(ready_file).collect();
        for some in ids.chunks(RECORDS) {
            let some: BTreeSet<FileId> = some.iter().copied().collect();
            let files = table.get_files(&export.user, &some).await.map_err(|fault| table_failed(&fault))?;
            for id in some {
                match files.get(&id) {
                    Some(file) if fetch_file(bucket, file, folder).await? => {
                        (done.files, done.bytes) = (done.files + 1, done.bytes + file.size);
                    }
                    _ => done.missing.push(id.to_string()),
                }
            }
            say(&format!("{} files, {}", done.files, in_words(done.bytes)));
        }
    }
    Ok(done)
}

/// Returns the id of the file of a record, if that can be downloaded.
fn ready_file(record: &Value) -> Option<FileId> {
    let is_ready = record["type"] == "file" && record["status"] == Status::Ready.name();
    record["id"].as_str().filter(|_| is_ready).and_then(FileId::parse)
}

/// Downloads a file. Returns `false` if it is gone.
async fn fetch_file(bucket: &Bucket, file: &File, folder: &Path) -> Result<bool, String> {
    let Some(pinned) = file.pinned.as_ref().filter(|_| file.status == Status::Ready) else { return Ok(false) };
    // The key is made here, and its parts are safe as names of files.
    let path = folder.join("files").join(file.kind().name()).join(format!("{}-{}", file.id(), file.key.safe_name()));
    fetch(bucket, (file.key.as_str(), &pinned.version), file.size, &path).await
}

/// Downloads a version of an object. Returns `false` if it is gone.
async fn fetch(bucket: &Bucket, (key, version): (&str, &str), size: u64, path: &Path) -> Result<bool, String> {
    if fs::metadata(path).await.is_ok_and(|there| there.len() == size) {
        return Ok(true);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).await.map_err(|error| failed(folder, &error))?;
    }
    let mut to = fs::File::create(path).await.map_err(|error| failed(path, &error))?;
    let mut from = 0;
    while from < size {
        let read = bucket.read_range(key, version, from, CHUNK.min(size - from)).await;
        let Some(bytes) = read
            .map_err(|fault| format!("{key} was not read: {}\nRun the command again: it goes on.", causes(&fault)))?
        else {
            return Ok(false);
        };
        to.write_all(&bytes).await.map_err(|error| failed(path, &error))?;
        from += bytes.len() as u64;
    }
    to.flush().await.map_err(|error| failed(path, &error))?;
    Ok(true)
}

fn failed(path: &Path, error: &dyn std::error::Error) -> String {
    format!("{}: {}", path.display(), causes(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_that_are_ready_are_downloaded() {
        let id = "01M7YREWKH7VM7Z3Z2KWSH2FTR";
        let of = |kind: &str, status: &str| ready_file(&json!({ "type": kind, "status": status, "id": id }));
        assert_eq!(of("file", "ready"), FileId::parse(id));
        for (kind, status) in [("file", "deleted"), ("job", "ready"), ("file", "infected")] {
            assert_eq!(of(kind, status), None);
        }
        assert_eq!(ready_file(&json!({ "type": "file", "status": "ready", "id": "../../x" })), None);
    }
}
