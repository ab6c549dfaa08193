//! `consigne pepper`: replaces the peppers under which API keys are stored, while the keys are in use.
//!
//! Two places must agree: the secret, which contains the peppers, and the register in the table, which can close a
//! pepper for new keys. Every command may be killed between its writes and run again. At all times, a pepper under
//! which a key could still be written is in the secret, and everything that was done is in the audit log. At worst the
//! log contains something that was not done.

mod kept;

use std::time::Duration;

use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use consigne_core::Timestamp;
use consigne_core::audit::{AuditAction, AuditEntry};
use consigne_core::keys::{ApiKey, KeyView, Pointer};
use consigne_core::ports::KeepPeppers;
use consigne_runtime::clock;
use consigne_runtime::settings::PEPPER_SECRET_ARN;
use consigne_storage::Table;
use serde_json::{Value, json};

use crate::grid::Grid;
use crate::input::given;
use crate::operator::{Operator, table_failed, work};
use crate::report::{Outcome, Report, document};
use crate::secret::{Held, StoredSecret, Unreplaced, random};
use crate::stack_env::Which;
use kept::{Bar, Kept};

/// How long a write may take to appear in the index that is counted. Usually it is there within a tenth of a second.
const INDEX_LAG: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the live peppers by version, and which can be retired. Never shows a pepper.
    #[command(after_help = "\
Examples:
  consigne pepper status
  consigne pepper status --json")]
    Status,
    /// Create a new pepper, which is not current yet.
    Add,
    /// Read the pepper under which an older installation hashed its keys from standard input. It becomes version 0.
    Legacy,
    /// Make a live pepper the current one, under which new keys are stored.
    Promote {
        /// Version, as `status` shows it.
        version: u32,
    },
    /// List the live keys that still need a pepper, with the organisations that they belong to.
    #[command(after_help = "\
Examples:
  consigne pepper keys --version 1
  consigne pepper keys --version 0 --json

A key moves to the current pepper when it is next used. One that nobody uses must be rotated or revoked.")]
    Keys {
        /// Version of the pepper, as `status` shows it.
        #[arg(long)]
        version: u32,
    },
    /// Remove a pepper that no live key needs.
    Retire {
        /// Version, as `status` shows it.
        version: u32,
    },
}

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    let names = ["TABLE_NAME", PEPPER_SECRET_ARN.name];
    let operator = match command {
        Command::Status | Command::Keys { .. } => Operator::of_stack(which, &names)?,
        Command::Add => Operator::to_change(which, &names, "Add a pepper")?,
        Command::Legacy => Operator::to_change(which, &names, "Add the pepper of an older installation")?,
        Command::Promote { version } => {
            Operator::to_change(which, &names, &format!("Make pepper {version} the current one"))?
        }
        Command::Retire { version } => {
            Operator::to_change(which, &names, &format!("Retire pepper {version} for good"))?
        }
    };
    let (table, secret) = (operator.table()?, operator.secret(&PEPPER_SECRET_ARN)?);
    let store = PepperStore { operator, table, secret };
    work(async {
        let held = store.secret.read().await?;
        let kept = Kept::parse(&held.text)?;
        let (done, facts) = match command {
            Command::Status => return store.status(&kept).await,
            Command::Keys { version } => return store.keys(&kept, *version).await,
            Command::Add => {
                let (version, text) = store.add(&held, kept).await?;
                (text, json!({ "version": version, "current": false }))
            }
            Command::Legacy => (store.take_legacy(&held, kept).await?, json!({ "version": Pointer::HASHED })),
            Command::Promote { version } => {
                (store.promote(&held, kept, *version).await?, json!({ "version": version, "current": true }))
            }
            Command::Retire { version } => {
                (store.retire(&held, kept, *version).await?, json!({ "version": version, "live": false }))
            }
        };
        Ok(Report::done(done, facts))
    })
}

/// What the commands work with.
struct PepperStore {
    operator: Operator,
    table: Table,
    secret: StoredSecret,
}

impl PepperStore {
    async fn status(&self, kept: &Kept) -> Outcome {
        let mut grid = Grid::new(&["version", "current", ">live keys need", "can be retired"]);
        let mut peppers = Vec::new();
        for version in kept.versions() {
            let needs = self.count(version).await?;
            let is_current = version == kept.current();
            let (retirable, verdict) = match (kept.bar(version), needs) {
                (Some(Bar::Current), _) => (false, "no: it is current".to_owned()),
                (Some(Bar::Newest), _) => (false, "no: it is the newest".to_owned()),
                (Some(Bar::NotLive(problem)), _) => (false, problem),
                (None, 0) => (true, format!("yes: consigne pepper retire {version}")),
                (None, _) => (false, "not yet".to_owned()),
            };
            let current = if is_current { "yes" } else { "no" };
            grid.row([version.to_string(), current.to_owned(), needs.to_string(), verdict]);
            peppers.push(json!({
                "version": version, "current": is_current, "live_keys": needs, "can_be_retired": retirable,
            }));
        }
        let text = format!(
            "{}\nA key needs a pepper if it cannot be found under a newer one. At its next use it moves to the current one.",
            grid.render()
        );
        Ok(Report::new(text, json!({ "peppers": peppers })))
    }

    /// Lists the keys that need a pepper, by organisation.
    async fn keys(&self, kept: &Kept, version: u32) -> Outcome {
        if !kept.holds(version) {
            let live: Vec<String> = kept.versions().map(|version| version.to_string()).collect();
            return Err(format!("Pepper {version} is not live; live are {}.", live.join(", ")));
        }
        let mut needing = self.needing(version).await?;
        needing.sort_by_key(|key| (key.org, key.id));
        keys_report(version, &needing, clock::now())
    }

    /// Adds a pepper, in the register first. If the command is killed in between, the register has a pepper that does
    /// not exist, and the next `add` creates one with that number. In the other order there would be a secret that no
    /// audit entry explains.
    async fn add(&self, held: &Held, mut kept: Kept) -> Result<(u32, String), String> {
        let version = kept.add(random(&STANDARD)?)?;
        let text = kept.render()?;
        self.record(version, false, AuditAction::PepperAdded, json!({})).await?;
        self.secret.replace(held, text).await?;
        let text = format!(
            "Added pepper {version}; pepper {} is still current.\nNext: wait five minutes, until every environment knows \
             it, then run `consigne pepper promote {version}`.\nIf it is promoted sooner, an environment reads it when it \
             cannot find a key, but only once a minute. Until then it refuses such a key.",
            kept.current()
        );
        Ok((version, text))
    }

    /// Adds the pepper of an older installation, in the register first, as `add` does.
    async fn take_legacy(&self, held: &Held, mut kept: Kept) -> Result<String, String> {
        kept.take_legacy(given()?.trim_end_matches(['\r', '\n']).to_owned())?;
        let text = kept.render()?;
        self.record(Pointer::HASHED, false, AuditAction::PepperAdded, json!({ "legacy": true })).await?;
        self.secret.replace(held, text).await?;
        Ok("Added as pepper 0. Within five minutes, keys that were migrated as hashes are found; each moves to the current \
            pepper at its first use. `consigne pepper retire 0` removes pepper 0 once no key needs it."
            .to_owned())
    }

    /// Promotes a pepper, in the register first. An interrupted retirement may have left the pepper closed, and a
    /// closed current pepper would stop all issuing. If the command is killed in between, the pepper is open and not
    /// current, as it was after `add`.
    async fn promote(&self, held: &Held, mut kept: Kept, version: u32) -> Result<String, String> {
        let before = kept.current();
        let changes = kept.promote(version)?;
        let text = kept.render()?;
        self.record(version, false, AuditAction::PepperPromoted, json!({ "before": before })).await?;
        if !changes {
            return Ok(format!("Pepper {version} was current already; new keys are stored under it."));
        }
        self.secret.replace(held, text).await?;
        Ok(format!(
            "Pepper {version} is current; pepper {before} stays live.\nWithin five minutes every environment stores new \
             keys under it, and moves old ones to it when they are next used. `consigne pepper status` says when pepper \
             {before} can be retired."
        ))
    }

    /// Retires a pepper: closes it, counts its keys, and removes it, in this order. Each step is in the audit log under
    /// its own name: a pepper that was closed, found needed and opened again was never retired.
    ///
    /// If it were counted before it is closed, a key could be written under it after the count and be lost. The
    /// transactions that write pointers require an open pepper, so once it is closed the count can only fall. If the
    /// command is killed after that, the pepper is closed and still in the secret: its keys are found, new ones are
    /// written under the current one, and another run finishes. The removal is the last write, because it alone cannot
    /// be undone.
    async fn retire(&self, held: &Held, mut kept: Kept, version: u32) -> Result<String, String> {
        kept.retire(version)?;
        let text = kept.render()?;
        self.record(version, true, AuditAction::PepperClosed, json!({})).await?;
        // Keys that were written just before must be in the index before it is counted.
        tokio::time::sleep(INDEX_LAG).await;
        let needs = match self.count(version).await {
            Ok(needs) => needs,
            Err(problem) => return self.reopen(version, json!({ "reason": "not counted" }), problem).await,
        };
        if needs > 0 {
            let keys = if needs == 1 { "1 live key needs it" } else { &format!("{needs} live keys need it") };
            let problem = format!(
                "Pepper {version} was not retired: {keys}.\nA key moves to pepper {} when it is next used, from five \
                 minutes after the promotion at the latest. A key that nobody uses must be rotated or revoked. Then run this \
                 again; `consigne \
                 pepper keys --version {version}` lists them.",
                kept.current()
            );
            return self.reopen(version, json!({ "reason": "needed", "live_keys": needs }), problem).await;
        }
        self.record(version, true, AuditAction::PepperRetired, json!({})).await?;
        match self.secret.replace(held, text).await {
            Ok(()) => Ok(format!(
                "Retired pepper {version}: no live key needs it, and it was removed from the secret.\nSecrets Manager keeps it \
                 under AWSPREVIOUS until the secret is next changed. Running environments forget it within five minutes."
            )),
            Err(Unreplaced::Conflict) => self.moved(version).await,
            // The pepper may be gone from the secret. If it were opened, it could get keys that nobody would find, so
            // it stays closed.
            Err(Unreplaced::Failed(problem)) => Err(format!(
                "{problem}\nPepper {version} stays closed for new keys, which is harmless. Run this again to finish; \
                 `consigne pepper promote {version}` opens it again."
            )),
        }
    }

    /// Handles a secret that somebody else has changed meanwhile. If they left the pepper in it, opens the pepper
    /// again.
    async fn moved(&self, version: u32) -> Result<String, String> {
        if Kept::parse(&self.secret.read().await?.text)?.holds(version) {
            return self.reopen(version, json!({ "reason": "moved" }), Unreplaced::Conflict.into()).await;
        }
        Ok(format!("Somebody else retired pepper {version} at the same moment."))
    }

    /// Opens a pepper again that stays. Returns the reason it stays, as an error.
    async fn reopen(&self, version: u32, details: Value, problem: String) -> Result<String, String> {
        let opened = self.record(version, false, AuditAction::PepperReopened, details).await;
        Err(match opened {
            Ok(()) => problem,
            Err(also) => format!(
                "{problem}\nIt stays closed for new keys, which is harmless, because it could not be opened again: {also}"
            ),
        })
    }

    async fn count(&self, version: u32) -> Result<usize, String> {
        Ok(self.needing(version).await?.len())
    }

    async fn needing(&self, version: u32) -> Result<Vec<ApiKey>, String> {
        self.table.list_pepper_needs(version, clock::now()).await.map_err(|fault| table_failed(&fault))
    }

    async fn record(&self, version: u32, closed: bool, action: AuditAction, details: Value) -> Result<(), String> {
        let entry: AuditEntry = self.operator.entry(None, action, format!("pepper:{version}"), details)?;
        self.table.record_pepper(version, closed, &entry).await.map_err(|fault| table_failed(&fault))
    }
}

/// Writes the keys that need a pepper, without their texts.
fn keys_report(version: u32, needing: &[ApiKey], now: Timestamp) -> Outcome {
    let mut grid = Grid::new(&["organisation", "id", "name", "text", "status", "last used at"]);
    let mut documents = Vec::new();
    for key in needing {
        let view = KeyView::of(key, now);
        let mut json = document(&view)?;
        json["org_id"] = json!(key.org);
        documents.push(json);
        grid.row([
            key.org.to_string(),
            view.id,
            view.name,
            format!("{}...{}", view.prefix, view.hint),
            view.status.to_owned(),
            view.last_used_at.unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    let json = json!({ "version": version, "keys": documents });
    if grid.is_empty() {
        return Ok(Report::new(format!("No live key needs pepper {version}."), json));
    }
    Ok(Report::new(grid.render(), json))
}
