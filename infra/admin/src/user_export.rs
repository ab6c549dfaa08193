//! `consigne user export`: asks for an export of a person's data, waits for it, and downloads it with the files.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write as _, stderr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use consigne_core::audit::AuditAction;
use consigne_core::exports::{Export, ExportKey, ExportState, PARTS_MAX};
use consigne_core::files::{File, Status, in_words};
use consigne_core::ports::{GetExport, GetFiles, ReadRange, RequestExport, WriteAudit};
use consigne_core::{Code, Fault, FileId, UserId};
use consigne_runtime::clock;
use consigne_storage::Table;
use serde_json::{Value, json};
use tokio::fs;
use tokio::io::AsyncWriteExt as _;

use crate::operator::{Operator, causes, reason, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;
use crate::user::person;

/// Time between two looks at an export that is under way.
const WAIT: Duration = Duration::from_secs(2);
/// Bytes that are read at once. The adapter waits three seconds for them, so on a slow line less is asked for.
const CHUNK: u64 = 2 << 20;
/// Bytes that are read at once on the slowest line, and by how many more the next ones are after a success.
const CHUNK_LEAST: u64 = 64 << 10;
/// Pauses before bytes are asked for again that could not be read.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(15)];
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
        if let Some(folder) = &options.to {
            read_manifest(folder, &user).await?;
        }
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

/// Reads the manifest of the export that a folder has already. Returns `None` if it has none.
///
/// # Errors
/// If the export is of another person. Their files would be sent along.
async fn read_manifest(folder: &Path, user: &UserId) -> Result<Option<Value>, String> {
    let path = folder.join("manifest.json");
    let text = match fs::read(&path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(|error| failed(&path, &error))?,
    };
    let manifest: Value = serde_json::from_slice(&text).unwrap_or_default();
    if manifest["user_id"] == json!(user) {
        return Ok(Some(manifest));
    }
    Err(format!("{} is not of an export of {user}. Name another folder.", path.display()))
}

/// Removes parts of an earlier export from a folder, those that this one does not have.
async fn remove_parts(folder: &Path, export: &Export) -> Result<(), String> {
    for number in export.parts.len() + 1..=PARTS_MAX {
        remove(&folder.join(ExportKey::part(&export.user, export.id, number).name())).await?;
    }
    Ok(())
}

/// Removes a file if it is there.
async fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

/// Downloads the objects of an export, then the files that it lists. Files that are there already are left alone.
async fn download<T: GetFiles, B: ReadRange>(
    table: &T,
    bucket: &B,
    export: &Export,
    folder: &Path,
) -> Result<Downloaded, String> {
    let mut done = Downloaded::default();
    if read_manifest(folder, &export.user).await?.is_some() {
        remove_parts(folder, export).await?;
    }
    for (key, part) in export.objects() {
        let path = folder.join(key.name());
        // Of another export there may be a beginning in the folder.
        remove(&incomplete(&path)).await?;
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

/// Downloads a file, unless it is there already: its path has its id. Returns `false` if it is gone.
async fn fetch_file<B: ReadRange>(bucket: &B, file: &File, folder: &Path) -> Result<bool, String> {
    let Some(pinned) = file.pinned.as_ref().filter(|_| file.status == Status::Ready) else { return Ok(false) };
    // The key is made here, and its parts are safe as names of files.
    let path = folder.join("files").join(file.kind().name()).join(format!("{}-{}", file.id(), file.key.safe_name()));
    if fs::metadata(&path).await.is_ok_and(|there| there.len() == file.size) {
        return Ok(true);
    }
    fetch(bucket, (file.key.as_str(), &pinned.version), file.size, &path).await
}

/// Returns the path of what is there of a file that is not whole.
fn incomplete(path: &Path) -> PathBuf {
    path.with_extension("incomplete")
}

/// Downloads a version of an object, and goes on where an earlier run was stopped. It gets its name when it is whole.
/// Returns `false` if it is gone.
async fn fetch<B: ReadRange>(bucket: &B, (key, version): (&str, &str), size: u64, path: &Path) -> Result<bool, String> {
    let part = incomplete(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).await.map_err(|error| failed(folder, &error))?;
    }
    let opened = fs::OpenOptions::new().create(true).append(true).open(&part).await;
    let mut to = opened.map_err(|error| failed(&part, &error))?;
    let mut from = to.metadata().await.map_err(|error| failed(&part, &error))?.len();
    if from > size {
        to.set_len(0).await.map_err(|error| failed(&part, &error))?;
        from = 0;
    }
    let mut chunk = CHUNK;
    while from < size {
        let read = read_patiently(bucket, (key, version), (from, size), &mut chunk).await;
        if read.is_err() {
            // The next run goes on with what has come.
            to.flush().await.map_err(|error| failed(&part, &error))?;
        }
        let Some(bytes) = read? else {
            fs::remove_file(&part).await.map_err(|error| failed(&part, &error))?;
            return Ok(false);
        };
        to.write_all(&bytes).await.map_err(|error| failed(&part, &error))?;
        from += bytes.len() as u64;
        chunk = (chunk + CHUNK_LEAST).min(CHUNK);
    }
    to.flush().await.map_err(|error| failed(&part, &error))?;
    fs::rename(&part, path).await.map_err(|error| failed(path, &error))?;
    Ok(true)
}

/// Reads the next bytes of a version of an object, at most `chunk`, which becomes smaller when they cannot be read in time.
/// Returns `None` if it is gone.
async fn read_patiently<B: ReadRange>(
    bucket: &B,
    (key, version): (&str, &str),
    (from, size): (u64, u64),
    chunk: &mut u64,
) -> Result<Option<Vec<u8>>, String> {
    let mut pauses = PAUSES.iter();
    loop {
        let fault = match bucket.read_range(key, version, from, (*chunk).min(size - from)).await {
            Ok(read) => return Ok(read),
            Err(fault) => fault,
        };
        let Some(pause) = pauses.next() else {
            return Err(format!("{key} was not read: {}\nRun the command again: it goes on.", causes(&fault)));
        };
        *chunk = (*chunk / 2).max(CHUNK_LEAST);
        tokio::time::sleep(*pause).await;
    }
}

fn failed(path: &Path, error: &dyn std::error::Error) -> String {
    format!("{}: {}", path.display(), causes(error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};

    use consigne_core::Timestamp;
    use consigne_core::exports::{Part, Walk};

    use super::*;

    /// Objects by key, without their versions. There are no records of files.
    struct Stored(BTreeMap<String, String>);

    impl ReadRange for Stored {
        async fn read_range(&self, key: &str, _: &str, from: u64, length: u64) -> Result<Option<Vec<u8>>, Fault> {
            let bytes = self.0.get(key).map(|text| text.bytes().skip(usize::try_from(from).unwrap()));
            Ok(bytes.map(|bytes| bytes.take(usize::try_from(length).unwrap()).collect()))
        }
    }

    impl GetFiles for Stored {
        async fn get_files(&self, _: &UserId, _: &BTreeSet<FileId>) -> Result<BTreeMap<FileId, File>, Fault> {
            Ok(BTreeMap::new())
        }
    }

    /// Returns an export with as many parts, and its objects, of the same sizes as those of every other export.
    fn exported(user: &str, at: i64, parts: usize) -> (Export, Stored) {
        let now = Timestamp::from_secs(at);
        let mut export = Export::begin(UserId::parse(user).unwrap(), now);
        let mut objects = BTreeMap::new();
        let part = |text: &str| Part { version: "v1".to_owned(), size: text.len() as u64, records: 0, files: 0 };
        for _ in 0..parts {
            let text = json!({ "export_id": export.id, "records": [] }).to_string();
            objects.insert(export.next_part().to_string(), text.clone());
            export = export.with_part(Some(part(&text)), &BTreeMap::new(), Walk::Manifest).unwrap();
        }
        let manifest = export.manifest_text(now);
        objects.insert(ExportKey::manifest(&export.user, export.id).to_string(), manifest.clone());
        (export.completed(part(&manifest), now).0, Stored(objects))
    }

    #[tokio::test]
    async fn a_folder_never_mixes_two_exports_or_two_people() {
        let folder = std::env::temp_dir().join(format!("consigne-export-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let first = exported("user_ann1", 1_795_257_000, 3);
        let second = exported("user_ann1", 1_795_267_000, 2);
        let bobs = exported("user_bob1", 1_795_277_000, 1);
        for (export, stored) in [&first, &second] {
            download(stored, stored, export, &folder).await.unwrap();
            let mut names: Vec<String> = Vec::new();
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let read: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                assert_eq!(read["export_id"], json!(export.id), "{}", path.display());
                names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
            names.sort();
            let mut wanted: Vec<String> = export.objects().map(|(key, _)| key.name().to_owned()).collect();
            wanted.sort();
            assert_eq!(names, wanted);
        }
        let refused = download(&bobs.1, &bobs.1, &bobs.0, &folder).await.unwrap_err();
        assert!(refused.contains("is not of an export of user_bob1"), "{refused}");
        let gone = download(&Stored(BTreeMap::new()), &Stored(BTreeMap::new()), &second.0, &folder).await;
        assert!(gone.unwrap_err().contains("manifest.json is gone"));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 3, "nothing incomplete is left");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// An object of 5 MiB on a line that fails now and then, and never carries more than a quarter of a mebibyte at once.
    struct SlowLine {
        bytes: Vec<u8>,
        asked: AtomicU64,
        /// The request from which on nothing comes any more.
        ends: u64,
    }

    impl ReadRange for SlowLine {
        async fn read_range(&self, _: &str, _: &str, from: u64, length: u64) -> Result<Option<Vec<u8>>, Fault> {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            if asked >= self.ends || asked % 5 == 1 || length > 256 << 10 {
                return Err(Fault::unavailable(std::io::Error::other("late")));
            }
            let bytes = self.bytes.iter().skip(usize::try_from(from).unwrap());
            Ok(Some(bytes.take(usize::try_from(length).unwrap()).copied().collect()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_comes_over_a_slow_line_and_goes_on_after_the_line_was_cut() {
        let path = std::env::temp_dir().join(format!("consigne-slow-{}.bin", std::process::id()));
        let bytes: Vec<u8> = (0..5_u32 << 20).map(|at| at.to_le_bytes()[usize::from(at % 3 == 0)]).collect();
        let mut line = SlowLine { bytes, asked: AtomicU64::new(0), ends: 15 };
        let size = line.bytes.len() as u64;
        let cut = fetch(&line, ("key", "v1"), size, &path).await.unwrap_err();
        assert!(cut.contains("Run the command again: it goes on"), "{cut}");
        let there = std::fs::metadata(incomplete(&path)).unwrap().len();
        assert!(there > 0 && there < size, "{there}");

        (line.asked, line.ends) = (AtomicU64::new(0), u64::MAX);
        assert!(fetch(&line, ("key", "v1"), size, &path).await.unwrap());
        assert!(std::fs::read(&path).unwrap() == line.bytes);
        // What was there was not asked for again.
        assert!(line.asked.into_inner() <= (size - there) / CHUNK_LEAST);
        assert!(!incomplete(&path).exists());
        std::fs::remove_file(&path).unwrap();
    }

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
