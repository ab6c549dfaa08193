//! `consigne migrate-keys`: migrates API keys from an older installation, which stored their texts encrypted or hashed.
//!
//! Each row is one transaction, and the new ids are derived from the row's id. A run that is killed can be repeated: it
//! does what is left and changes nothing that is done. A key's text is in memory only while its row is processed.

mod cipher;
mod export;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use consigne_auth::{KeyPrefix, Peppers};
use consigne_core::keys::{ApiKey, ChangeContext, Pointer};
use consigne_core::migrations::{AccessLevel, LegacyKey, MigrationId};
use consigne_core::{Fault, OrgId, Timestamp};
use consigne_runtime::clock;
use consigne_runtime::settings::{KEY_PREFIX, PEPPER_SECRET_ARN};
use consigne_storage::Table;
use consigne_usecases::migrations::{CarryOutcome, Plan, announce, carry_over, plan};
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::input::given;
use crate::operator::{Operator, table_failed, work};
use crate::report;
use crate::stack_env::Which;
use cipher::Cipher;
use export::{Reader, Unfit};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne migrate-keys export.jsonl --dry-run
  consigne --stack consigne --region eu-west-3 migrate-keys export.jsonl --key-file key.hex --yes

It prints JSON with and without --json: a line for each row with a problem, and the counts on the last line.
It exits with 3 if there was a row with a problem, and with 1 if it was cut short.")]
pub(crate) struct Options {
    /// The export: one JSON object per line.
    export: PathBuf,
    /// Print what would be done, row by row, and write nothing. Without it, --yes is needed on every stack.
    #[arg(long)]
    dry_run: bool,
    /// File with the key that decrypts the texts, 32 bytes in hex or base64. Without it, a line of standard input is
    /// read.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// Scopes of rows without accessLevel: `read` or `all`. `read` without this option, `all` if it has no value.
    #[arg(long, value_name = "SCOPES", num_args = 0..=1, require_equals = true, default_missing_value = "all")]
    default_scopes: Option<DefaultScopes>,
}

/// The scopes of a key whose row has no access level.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DefaultScopes {
    /// The scopes that only read.
    Read,
    /// All scopes of the catalogue.
    All,
}

pub(crate) fn run(which: &Which, options: &Options) -> report::Outcome {
    if options.dry_run && which.agreed() {
        return Err("--dry-run writes nothing, and --yes writes; give one of them.".to_owned());
    }
    if !options.dry_run && !which.agreed() {
        return Err("Nothing was done. Read what `--dry-run` prints, then run it with `--yes`.".to_owned());
    }
    let names = ["TABLE_NAME", PEPPER_SECRET_ARN.name, KEY_PREFIX.name];
    // `--yes` answers the question that other changes ask.
    let operator = Operator::named(which, &names)?;
    let (table, secret) = (operator.table()?, operator.secret(&PEPPER_SECRET_ARN)?);
    let prefix =
        KeyPrefix::parse(&operator.setting(&KEY_PREFIX)?).ok_or("KEY_PREFIX is not a valid prefix of keys.")?;
    let sealed = lines(&options.export)?.any(|line| line.is_ok_and(|line| line.contains("\"encryptedKey\"")));
    let cipher = if sealed { Some(Cipher::parse(&key(options.key_file.as_deref())?)?) } else { None };
    let lines = lines(&options.export)?;
    work(async {
        let peppers = Peppers::parse(&secret.read().await?.text).map_err(|error| error.to_string())?;
        let default_access = match options.default_scopes {
            Some(DefaultScopes::All) => AccessLevel::Full,
            Some(DefaultScopes::Read) | None => AccessLevel::Read,
        };
        let reader = Reader { prefix, peppers, cipher, default_access };
        let mut migrator = Migrator { table, operator, now: clock::now(), dry: options.dry_run, seen: Seen::default() };
        let mut report = Report { dry_run: options.dry_run, ..Report::default() };
        for (number, line) in (1..).zip(lines) {
            let line = line.map_err(|error| format!("The export cannot be read: {error}"))?;
            if line.trim().is_empty() {
                continue;
            }
            match migrator.row(reader.read(number, &line)).await {
                Ok(outcome) => report.note(outcome),
                Err(fault) => return Err(cut_short(&report, &fault)),
            }
        }
        report.owners_told = migrator.announce().await.map_err(|fault| cut_short(&report, &fault))?;
        let printed = report::Report::lines(report.render());
        Ok(if report.problems > 0 { printed.incomplete() } else { printed })
    })
}

/// Prints what was done before the table failed, as the report would have, and returns how to continue.
fn cut_short(report: &Report, fault: &Fault) -> String {
    let unprinted = crate::say(&report.render()).err();
    let unprinted = unprinted.map_or_else(String::new, |error| format!("The report could not be printed: {error}\n"));
    format!("{unprinted}{}\nRun it again: it does what is left and changes nothing that is done.", table_failed(fault))
}

fn lines(path: &Path) -> Result<impl Iterator<Item = std::io::Result<String>> + use<>, String> {
    let file = File::open(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    Ok(BufReader::new(file).lines())
}

/// Reads the key that decrypts the export.
fn key(path: Option<&Path>) -> Result<Zeroizing<String>, String> {
    let Some(path) = path else { return given() };
    let read = std::fs::read_to_string(path).map(Zeroizing::new);
    read.map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// What a run works with.
struct Migrator {
    table: Table,
    operator: Operator,
    now: Timestamp,
    dry: bool,
    seen: Seen,
}

/// What a run has seen so far.
#[derive(Debug, Default)]
struct Seen {
    ids: BTreeSet<String>,
    pointers: BTreeSet<Pointer>,
    founded: BTreeSet<OrgId>,
    migrations: BTreeSet<MigrationId>,
}

/// The outcome of one row.
#[derive(Debug)]
enum Outcome {
    Carried { founded: bool, hashed: bool, revoked: bool },
    Unchanged,
    Problem(Unfit),
}

impl Migrator {
    /// Migrates one row, or with `--dry-run` returns what would be done.
    async fn row(&mut self, row: Result<LegacyKey, Unfit>) -> Result<Outcome, Fault> {
        let legacy = match row {
            Ok(legacy) => legacy,
            Err(unfit) => return Ok(Outcome::Problem(unfit)),
        };
        let problem = |problem| Outcome::Problem(Unfit { id: legacy.id.clone(), problem });
        if !self.seen.ids.insert(legacy.id.clone()) {
            return Ok(problem("another row of the export has this id"));
        }
        if !self.seen.pointers.insert(legacy.text.pointer.clone()) {
            return Ok(problem("another row of the export has the same text"));
        }
        let origin = self.operator.origin().map_err(Fault::internal)?;
        let by = ChangeContext { origin, now: self.now };
        let carrying = if self.dry {
            match plan(&self.table, &legacy, &by).await? {
                Plan::Carry(carrying) => carrying,
                Plan::Unchanged(_) => return Ok(Outcome::Unchanged),
                Plan::Problem(why) => return Ok(problem(why)),
            }
        } else {
            match carry_over(&self.table, &legacy, &by).await? {
                CarryOutcome::Applied(carrying) => carrying,
                CarryOutcome::AppliedBefore(key) => {
                    self.remember(&key);
                    return Ok(Outcome::Unchanged);
                }
                CarryOutcome::Problem(why) => return Ok(problem(why)),
            }
        };
        self.remember(&carrying.key.key);
        let founded = carrying.org.is_some() && self.seen.founded.insert(carrying.key.key.org);
        Ok(Outcome::Carried { founded, hashed: legacy.text.pointer.is_hashed(), revoked: legacy.revoked })
    }

    fn remember(&mut self, key: &ApiKey) {
        self.seen.migrations.extend(MigrationId::of(key).filter(|_| key.is_legacy()));
    }

    /// Notifies owners today who have not been notified yet. `migration-deadline` does the rest.
    async fn announce(&self) -> Result<u32, Fault> {
        let mut told = 0;
        for id in self.seen.migrations.iter().filter(|_| !self.dry) {
            told += u32::from(announce(&self.table, id, clock::now()).await?);
        }
        Ok(told)
    }
}

/// The report of a run: a line for each problem, and one with the counts. It cannot contain a key's text.
#[derive(Debug, Default, Serialize)]
struct Report {
    dry_run: bool,
    rows: u32,
    carried_over: u32,
    unchanged: u32,
    problems: u32,
    organisations_founded: u32,
    of_hashes: u32,
    revoked: u32,
    owners_told: u32,
    #[serde(skip)]
    lines: Vec<String>,
}

impl Report {
    fn note(&mut self, outcome: Outcome) {
        self.rows += 1;
        match outcome {
            Outcome::Carried { founded, hashed, revoked } => {
                self.carried_over += 1;
                self.organisations_founded += u32::from(founded);
                self.of_hashes += u32::from(hashed);
                self.revoked += u32::from(revoked);
            }
            Outcome::Unchanged => self.unchanged += 1,
            Outcome::Problem(Unfit { id, problem }) => {
                self.problems += 1;
                self.lines.push(json!({ "id": id, "problem": problem }).to_string());
            }
        }
    }

    fn render(&self) -> String {
        let counts = json!(self).to_string();
        let lines = self.lines.iter().map(String::as_str).chain([counts.as_str()]);
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_line_a_problem_and_the_counts() {
        let mut report = Report::default();
        report.note(Outcome::Carried { founded: true, hashed: false, revoked: true });
        report.note(Outcome::Problem(Unfit { id: "7".to_owned(), problem: "name must be one line" }));
        report.note(Outcome::Unchanged);
        let want = "{\"id\":\"7\",\"problem\":\"name must be one line\"}\n\
                    {\"dry_run\":false,\"rows\":3,\"carried_over\":1,\"unchanged\":1,\"problems\":1,\
                    \"organisations_founded\":1,\"of_hashes\":0,\"revoked\":1,\"owners_told\":0}";
        assert_eq!(report.render(), want);
    }
}
