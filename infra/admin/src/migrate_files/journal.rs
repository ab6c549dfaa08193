//! The journal of a migration: one line of JSON for each file whose outcome is known. It is the report for people, and
//! what a repeated run reads to leave out what is done.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The outcome of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its path below the folder.
    pub(super) path: String,
    /// What became of it.
    pub(super) outcome: Outcome,
    /// Its key in the installation, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    /// Why it was refused, or what failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Its size in bytes when it was read.
    pub(super) size: u64,
    /// When it had been changed last, in seconds since 1970.
    pub(super) changed: i64,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// It would be migrated; only in a dry run, which writes no journal.
    WouldMigrate,
    /// It is in the installation, checked and ready.
    Migrated,
    /// It was in the installation before, byte for byte.
    Present,
    /// Its owner deleted it after an earlier run. It is not brought back.
    Deleted,
    /// It breaks a rule of uploads. Another run refuses it again unless it has changed.
    Refused,
    /// It could not be brought over now. Another run tries it again.
    Failed,
}

impl Outcome {
    /// Returns whether a repeated run has nothing to do, as long as the file is as it was.
    fn is_final(self) -> bool {
        matches!(self, Self::Migrated | Self::Present | Self::Deleted)
    }
}

/// The journal's file, and what earlier runs wrote to it.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    done: BTreeMap<String, Entry>,
}

impl Journal {
    /// Opens the journal, or begins one.
    ///
    /// # Errors
    /// If it cannot be read or written, or if a line other than the last is not an entry.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let problem = |error: std::io::Error| format!("The journal {} cannot be used: {error}", path.display());
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(problem)?;
        let lines: Vec<String> = BufReader::new(&file).lines().collect::<Result<_, _>>().map_err(problem)?;
        let mut done = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            match serde_json::from_str::<Entry>(line) {
                Ok(entry) => {
                    done.insert(entry.path.clone(), entry);
                }
                // A killed run leaves half a line. What follows must not be joined to it.
                Err(_) if at + 1 == lines.len() => file.write_all(b"\n").map_err(problem)?,
                Err(_) if line.is_empty() || !line.ends_with('}') => {}
                Err(error) => return Err(format!("{}:{}: {error}", path.display(), at + 1)),
            }
        }
        Ok(Self { file, path: path.to_owned(), done })
    }

    /// Returns the outcome of a file in an earlier run, if nothing is left to do and the file has not changed since.
    pub(super) fn settled(&self, path: &str, size: u64, changed: i64) -> Option<&Entry> {
        let entry = self.done.get(path)?;
        (entry.outcome.is_final() && entry.size == size && entry.changed == changed).then_some(entry)
    }

    /// Writes the outcome of a file at once, so that a killed run loses no more than the files in flight.
    pub(super) fn write(&mut self, entry: &Entry) -> Result<(), String> {
        let line = serde_json::to_string(entry).map_err(|error| error.to_string())? + "\n";
        let written = self.file.write_all(line.as_bytes());
        written.map_err(|error| format!("The journal {} cannot be written: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, outcome: Outcome) -> Entry {
        Entry { path: path.to_owned(), outcome, key: None, reason: None, size: 3, changed: 7 }
    }

    #[test]
    fn a_killed_run_loses_only_its_last_line() {
        let path = std::env::temp_dir().join(format!("consigne-journal-{}.jsonl", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut journal = Journal::open(&path).unwrap();
        journal.write(&entry("a", Outcome::Migrated)).unwrap();
        journal.write(&entry("b", Outcome::Refused)).unwrap();
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "{\"path\":\"c\",\"outc").unwrap();
        let mut again = Journal::open(&path).unwrap();
        again.write(&entry("d", Outcome::Present)).unwrap();
        let last = Journal::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(last.settled("a", 3, 7), Some(&entry("a", Outcome::Migrated)));
        assert_eq!(last.settled("a", 4, 7), None, "it has changed");
        assert_eq!(last.settled("b", 3, 7), None, "a refused file is tried again");
        assert_eq!(last.settled("c", 3, 7), None);
        assert!(last.settled("d", 3, 7).is_some());
    }
}
