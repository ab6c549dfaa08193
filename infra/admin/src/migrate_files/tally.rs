//! What a run has done, in numbers.

use std::collections::BTreeMap;
use std::path::Path;

use consigne_core::files::in_words;
use serde_json::json;

use super::journal::{Entry, Journal, Outcome};
use crate::report::Report;

/// Returns a number of files in words.
pub(super) fn files(count: u64) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// Counts outcomes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Files that an earlier run has settled.
    pub(super) settled: u64,
    counts: BTreeMap<Outcome, u64>,
    bytes: u64,
    /// The first files with a problem, with its reason.
    problems: Vec<(String, String)>,
}

/// Problems that are printed. The journal has all.
const SHOWN: usize = 20;

impl Tally {
    /// Counts a file, and writes its outcome to the journal.
    pub(super) fn note(&mut self, entry: Entry, journal: Option<&mut Journal>) -> Result<(), String> {
        if let Some(journal) = journal {
            journal.write(&entry)?;
        }
        *self.counts.entry(entry.outcome).or_default() += 1;
        if entry.outcome == Outcome::Migrated {
            self.bytes += entry.size;
        }
        if matches!(entry.outcome, Outcome::Refused | Outcome::Failed) {
            self.problems.push((entry.path, entry.reason.unwrap_or_default()));
        }
        Ok(())
    }

    /// Returns what the command prints.
    pub(super) fn report(mut self, dry: bool, journal: &Path) -> Report {
        self.problems.sort();
        let count = |outcome| self.counts.get(&outcome).copied().unwrap_or_default();
        let (would, migrated, present) =
            (count(Outcome::WouldMigrate), count(Outcome::Migrated), count(Outcome::Present));
        let (deleted, refused, failed) = (count(Outcome::Deleted), count(Outcome::Refused), count(Outcome::Failed));
        let mut lines: Vec<String> =
            self.problems.iter().take(SHOWN).map(|(path, reason)| format!("{path}: {reason}")).collect();
        if self.problems.len() > SHOWN {
            lines.push(format!("... and {} more.", self.problems.len() - SHOWN));
        }
        lines.push(if dry {
            format!(
                "{} would be migrated, {present} are there, {refused} would be refused, {failed} cannot be checked.",
                files(would)
            )
        } else {
            format!(
                "{} migrated ({}), {} done before, {deleted} deleted by their owners since, {refused} refused, \
                 {failed} failed.",
                files(migrated),
                in_words(self.bytes),
                self.settled + present,
            )
        });
        lines.push(if dry {
            "Nothing was written. Without --dry-run they are migrated.".to_owned()
        } else if failed > 0 {
            format!("Run the same command again: it does what is left. The outcome of each file: {}", journal.display())
        } else {
            format!("The outcome of each file: {}", journal.display())
        });
        let facts = json!({
            "dry_run": dry, "would_migrate": would, "migrated": migrated, "bytes": self.bytes,
            "present": self.settled + present, "deleted": deleted, "refused": refused, "failed": failed,
            "problems": self.problems.iter().map(|(path, reason)| json!({ "path": path, "reason": reason })).collect::<Vec<_>>(),
            "journal": journal.display().to_string(),
        });
        let printed = Report::new(lines.join("\n"), facts);
        if refused + failed > 0 { printed.incomplete() } else { printed }
    }
}
