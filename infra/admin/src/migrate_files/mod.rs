//! `consigne migrate-files`: brings folders of files into the installation, as their owners would upload them.
//!
//! A file's id is derived from its owner, path and bytes, so a repeated run finds what is there and sends nothing twice.
//! The bytes go to S3 with their SHA-256 and create-only, and the stack checks them as it checks every upload. The
//! journal keeps the outcome of each file.

mod folder;
mod journal;
mod progress;
mod put;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use consigne_core::files::{
    File, Finding, Grant, GrantOutcome, GrantRequest, Metadata, ObjectKey, SAMPLE_BYTES, Sample, Status,
    UPLOAD_GRANT_VALID, inspect,
};
use consigne_core::ports::{GetFile, GetFiles};
use consigne_core::{Fault, FileId, Plan, Timestamp, UserId};
use consigne_runtime::clock;
use consigne_runtime::settings::BUCKET_NAME;
use consigne_storage::{Presigner, Table};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use crate::complain;
use crate::operator::{Operator, table_failed, work};
use crate::report;
use crate::stack_env::Which;
use folder::Source;
use journal::{Entry, Journal, Outcome};
use progress::Progress;
use put::{Sender, Sent};
use tally::{Tally, files};

/// Tries to send a file.
const TRIES: u32 = 5;
/// How long sent files are waited for until the stack has checked them.
const CHECKED_WITHIN: Duration = Duration::from_mins(5);
/// Time between two looks at the files that are being checked.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes that are read at a time to compute a checksum.
const PIECE: usize = 1024 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "\
The folder has one folder for each user, named by the user's id, with files at any depth:
  photos/user_2abc/2019/lighthouse.jpg
Files keep their name; the folders in between become `metadata.folder`.

Examples:
  consigne migrate-files photos --dry-run
  consigne --stack consigne --region eu-west-3 migrate-files photos --plan pro --yes

Run it again after it was killed: it leaves out what is done. Files that users have deleted since are not brought back.
It exits with 3 if a file was refused or failed; the journal says which and why.")]
pub(crate) struct Options {
    /// The folder.
    folder: PathBuf,
    /// Check every file against the rules of uploads, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Plan whose limits for a file and for a user's storage apply.
    #[arg(long, default_value = "enterprise", value_parser = plan)]
    plan: Plan,
    /// Files that are sent at the same time, 1 to 64.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    parallel: u8,
    /// File in which the outcomes are kept, one line of JSON for each file. Without it, `<folder>.migration.jsonl`.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

fn plan(name: &str) -> Result<Plan, String> {
    Plan::ALL.into_iter().find(|plan| plan.name() == name).ok_or_else(|| {
        let names: Vec<&str> = Plan::ALL.iter().map(|plan| plan.name()).collect();
        format!("the plans are {}", names.join(", "))
    })
}

pub(crate) fn run(which: &Which, options: &Options) -> report::Outcome {
    let names = ["TABLE_NAME", BUCKET_NAME.name];
    let operator = if options.dry_run {
        Operator::of_stack(which, &names)?
    } else {
        Operator::to_change(which, &names, &format!("Migrate the files of {}", options.folder.display()))?
    };
    let sources = folder::read(&options.folder)?;
    let path = options.journal.clone().unwrap_or_else(|| beside(&options.folder));
    let journal = if options.dry_run { None } else { Some(Journal::open(&path)?) };
    let (table, presigner) = (operator.table()?, operator.presigner()?);
    let migration = Migration {
        table,
        presigner,
        sender: Sender::new(),
        plan: options.plan,
        dry: options.dry_run,
        parallel: usize::from(options.parallel),
    };
    let tally = work(migration.run(sources, journal))?;
    Ok(tally.report(options.dry_run, &path))
}

/// Returns the journal's place beside the folder.
fn beside(folder: &Path) -> PathBuf {
    let name = folder.file_name().map_or_else(|| "files".into(), std::ffi::OsStr::to_owned);
    let mut name = name;
    name.push(".migration.jsonl");
    folder.with_file_name(name)
}

/// What a run works with.
struct Migration {
    table: Table,
    presigner: Presigner,
    sender: Sender,
    plan: Plan,
    dry: bool,
    parallel: usize,
}

/// What is known of a file after its turn.
enum Turn {
    /// Its outcome.
    Over(Entry),
    /// Its bytes are in the bucket, and the stack has not said yet what they are.
    Sent(Entry, UserId, FileId, Outcome),
}

impl Migration {
    async fn run(&self, sources: Vec<Source>, journal: Option<Journal>) -> Result<Tally, String> {
        let mut tally = Tally::default();
        let todo: Vec<Source> = sources
            .into_iter()
            .filter(|source| {
                let settled = journal
                    .as_ref()
                    .and_then(|journal| journal.settled(&source.path, source.size, source.changed.as_secs()));
                tally.settled += u64::from(settled.is_some());
                settled.is_none()
            })
            .collect();
        let bytes = todo.iter().map(|source| source.size).sum();
        let progress = Mutex::new(Progress::of(todo.len() as u64, bytes));
        let turns = futures_util::stream::iter(&todo).map(async |source| {
            let turn = self.turn(source).await;
            if let Ok(mut progress) = progress.lock() {
                progress.add(source.size);
            }
            turn
        });
        let mut turns = std::pin::pin!(turns.buffer_unordered(self.parallel));
        let (mut journal, mut waiting) = (journal, BTreeMap::new());
        while let Some(turn) = turns.next().await {
            match turn? {
                Turn::Over(entry) => tally.note(entry, journal.as_mut())?,
                Turn::Sent(entry, owner, id, outcome) => {
                    waiting.entry(owner).or_insert_with(BTreeMap::new).insert(id, (entry, outcome));
                }
            }
        }
        if let Ok(progress) = progress.lock() {
            progress.finish();
        }
        self.wait(waiting, &mut tally, journal.as_mut()).await?;
        Ok(tally)
    }

    /// Does all for one file but waiting for the stack.
    ///
    /// # Errors
    /// If the table does not answer, or the file cannot be read: then the run stops.
    async fn turn(&self, source: &Source) -> Result<Turn, String> {
        let entry = |outcome, reason: Option<String>| Entry {
            path: source.path.clone(),
            outcome,
            key: None,
            reason,
            size: source.size,
            changed: source.changed.as_secs(),
        };
        let refused = |reason: String| Ok(Turn::Over(entry(Outcome::Refused, Some(reason))));
        let owner = match &source.owner {
            Ok(owner) => owner,
            Err(why) => return refused((*why).to_owned()),
        };
        let (sha256, head) = match read(&source.place).await {
            Ok(read) => read,
            Err(error) => return Ok(Turn::Over(entry(Outcome::Failed, Some(format!("it cannot be read: {error}"))))),
        };
        let now = clock::now();
        let file = match self.file(source, owner, &sha256) {
            Ok(file) => file,
            Err(fault) => return refused(fault.message.to_string()),
        };
        if let Finding::Impostor(found) = inspect(Sample { bytes: &head, size: source.size }, file.media) {
            return refused(format!("its bytes are {found}, not {}", file.media.name));
        }
        let with_key = |outcome, reason| Entry { key: Some(file.key.to_string()), ..entry(outcome, reason) };
        let before = self.table.get_file(owner, file.id()).await.map_err(|fault| table_failed(&fault))?;
        let (file, outcome) = match before {
            None if self.dry => return Ok(Turn::Over(with_key(Outcome::WouldMigrate, None))),
            None => match self.grant(&file, now).await? {
                Some(reason) => return Ok(Turn::Over(with_key(Outcome::Failed, Some(reason)))),
                None => (file.clone(), Outcome::Migrated),
            },
            Some(known) => match known.status {
                // An earlier run was killed before the bytes were there.
                Status::Pending if now < known.grant_expires_at && !self.dry => (known, Outcome::Migrated),
                Status::Pending => {
                    let reason = "an earlier upload of it was cut off; run this again in half an hour";
                    return Ok(Turn::Over(with_key(Outcome::Failed, Some(reason.to_owned()))));
                }
                Status::Processing => {
                    return Ok(Turn::Sent(
                        with_key(Outcome::Failed, None),
                        owner.clone(),
                        known.id(),
                        Outcome::Present,
                    ));
                }
                _ => return Ok(Turn::Over(judged(with_key(Outcome::Failed, None), &known, Outcome::Present))),
            },
        };
        Ok(match self.send(&file, &source.place).await? {
            None => Turn::Sent(with_key(Outcome::Failed, None), owner.clone(), file.id(), outcome),
            Some(reason) => Turn::Over(with_key(Outcome::Failed, Some(reason))),
        })
    }

    /// Returns the record to create, with the id that every run gives to these bytes in this place.
    ///
    /// # Errors
    /// Those of the rules of uploads.
    fn file(&self, source: &Source, owner: &UserId, sha256: &str) -> Result<File, Fault> {
        let texts = BTreeMap::from([("folder".to_owned(), source.folder.clone())]);
        let texts = texts.into_iter().filter(|(_, folder)| !folder.is_empty()).collect();
        let file = GrantRequest::parse(&source.name, "", source.size, Some(sha256), None)?
            .with_metadata(Metadata::parse(texts)?)
            .admit(owner, self.plan, self.validity()?, clock::now())?;
        let id = FileId::derive_at(source.changed, &["migration", "file", owner.as_str(), &source.path, sha256]);
        let key = ObjectKey::mint(owner, file.kind(), id, &file.name, file.media);
        // One request carries a large file too: a run that is cut off sends it again.
        Ok(File { key, parts: None, ..file })
    }

    fn validity(&self) -> Result<Duration, Fault> {
        self.presigner.validity(UPLOAD_GRANT_VALID, clock::now())
    }

    /// Records the file and reserves its bytes. Returns why that was refused, if it was.
    async fn grant(&self, file: &File, now: Timestamp) -> Result<Option<String>, String> {
        let grant = Grant { file: file.clone(), plan: self.plan, job: None, seen: None, idempotency: None, now };
        let outcome = self.table.grant_migration(&grant).await.map_err(|fault| table_failed(&fault))?;
        Ok(match outcome {
            GrantOutcome::Granted => None,
            GrantOutcome::OverQuota { .. } => Some(format!("the storage of the plan {} is full", self.plan.name())),
            other => Some(format!("the table refused it: {other:?}")),
        })
    }

    /// Sends the bytes. Returns what failed, if anything did.
    async fn send(&self, file: &File, place: &Path) -> Result<Option<String>, String> {
        let mut failed = String::new();
        for tried in 1..=TRIES {
            let (now, valid) = (clock::now(), self.validity().map_err(|fault| fault.message.to_string())?);
            let left = file.grant_expires_at.since(now).min(valid);
            let upload = self.presigner.upload(file, left, now).map_err(|fault| fault.message.to_string())?;
            match self.sender.put(&upload, place, file.size).await {
                Ok(Sent::Stored | Sent::WasThere) => return Ok(None),
                Ok(Sent::Refused(reason)) | Err(reason) => return Ok(Some(reason)),
                Ok(Sent::Busy(reason)) => failed = reason,
            }
            tokio::time::sleep(Duration::from_millis(200 << tried)).await;
        }
        Ok(Some(failed))
    }

    /// Waits until the stack has checked the files that were sent.
    async fn wait(
        &self,
        mut waiting: BTreeMap<UserId, BTreeMap<FileId, (Entry, Outcome)>>,
        tally: &mut Tally,
        mut journal: Option<&mut Journal>,
    ) -> Result<(), String> {
        let began = Instant::now();
        let count = waiting.values().map(|files| files.len() as u64).sum();
        if count > 0 {
            complain(&format!("Sent {}. Waiting until the stack has checked them...", files(count)));
        }
        loop {
            for (owner, files) in &mut waiting {
                let ids: Vec<FileId> = files.keys().copied().collect();
                for ids in ids.chunks(100) {
                    let ids: BTreeSet<FileId> = ids.iter().copied().collect();
                    let records = self.table.get_files(owner, &ids).await.map_err(|fault| table_failed(&fault))?;
                    for (id, file) in records {
                        if matches!(file.status, Status::Pending | Status::Processing) {
                            continue;
                        }
                        if let Some((entry, outcome)) = files.remove(&id) {
                            tally.note(judged(entry, &file, outcome), journal.as_deref_mut())?;
                        }
                    }
                }
            }
            waiting.retain(|_, files| !files.is_empty());
            if waiting.is_empty() || began.elapsed() >= CHECKED_WITHIN {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        for (entry, _) in waiting.into_values().flat_map(BTreeMap::into_values) {
            let reason = Some("it was sent, and the stack has not checked it yet; run this again later".to_owned());
            tally.note(Entry { outcome: Outcome::Failed, reason, ..entry }, journal.as_deref_mut())?;
        }
        Ok(())
    }
}

/// Returns the entry of a file whose record says what became of it.
fn judged(entry: Entry, file: &File, if_ready: Outcome) -> Entry {
    let (outcome, reason) = match file.status {
        Status::Ready => (if_ready, None),
        Status::Deleting | Status::Deleted => (Outcome::Deleted, None),
        Status::Rejected => (Outcome::Refused, file.rejected_reason.clone()),
        Status::Infected => (Outcome::Refused, Some("it contains malware".to_owned())),
        Status::Pending | Status::Processing => (Outcome::Failed, Some("it is being checked".to_owned())),
    };
    Entry { outcome, reason, ..entry }
}

/// Reads a file once. Returns its SHA-256 in base64 and its first bytes.
async fn read(place: &Path) -> std::io::Result<(String, Vec<u8>)> {
    let mut file = tokio::fs::File::open(place).await?;
    let (mut hash, mut head, mut piece) = (Sha256::new(), Vec::new(), vec![0; PIECE]);
    let most = usize::try_from(SAMPLE_BYTES).unwrap_or(usize::MAX);
    loop {
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Ok((BASE64_STANDARD.encode(hash.finalize()), head));
        }
        hash.update(&piece[..read]);
        head.extend_from_slice(&piece[..read.min(most - head.len())]);
    }
}
