//! `consigne key`: resumes a suspended API key.

use clap::{Args, Subcommand};
use consigne_core::keys::{ChangeContext, KeyStatus};
use consigne_core::{Code, Fault, KeyId, OrgId};
use consigne_runtime::clock;
use consigne_usecases::keys::{Changed, change};
use serde_json::json;

use crate::operator::{Operator, org, reason, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Resume a key that was suspended because of unusual use.
    #[command(after_help = "\
Examples:
  consigne key resume org_01JD0000000000000000000000 key_01JD0000000000000000000000 --reason \"goodwill\"
  consigne key resume org_01JD0000000000000000000000 key_01JD0000000000000000000000 --reason asked --as ann")]
    Resume(Target),
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Id of the organisation: `org_` and 26 characters.
    org: String,
    /// Id of the key: `key_` and 26 characters.
    key: String,
    /// Reason for the audit log: 1 to 200 characters.
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(which: &Which, Command::Resume(target): &Command) -> Outcome {
    let (org, reason) = (org(&target.org)?, reason(&target.reason)?);
    let key = KeyId::parse(&target.key)
        .ok_or_else(|| format!("{} is not a key's id: `key_` and 26 characters.", target.key))?;
    let operator = Operator::to_change(which, &["TABLE_NAME"], &format!("Resume the key {key} of {org}"))?;
    let table = operator.table()?;
    let by = ChangeContext { origin: operator.origin()?, now: clock::now() };
    work(async {
        // A key that is not suspended does not change, so after a lost answer the same command can be run again.
        let changed = change(&table, org, key, |key| key.resume(&reason, &by)).await;
        let after = changed.and_then(Changed::key).map_err(|fault| failed(org, key, &fault))?;
        let text = match after.status {
            KeyStatus::Active => format!("{key} works, with the quotas and scopes it had."),
            status => format!("{key} is {} and stays so; only a suspended key can be resumed.", status.name()),
        };
        Ok(Report::done(text, json!({ "id": key, "org_id": org, "status": after.status.name() })))
    })
}

fn failed(org: OrgId, key: KeyId, fault: &Fault) -> String {
    if fault.code == Code::NotFound {
        return format!(
            "{org} has no key {key} in this stack; nothing was changed. `consigne keys {org}` lists its keys."
        );
    }
    format!("{}\nRun the command again; a repetition is harmless.", table_failed(fault))
}
