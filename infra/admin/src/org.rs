//! `consigne org`: stops an organisation, and lets it work again.

use clap::{Args, Subcommand};
use consigne_core::audit::AuditAction;
use consigne_core::ports::SuspendOrg;
use serde_json::json;

use crate::operator::{Operator, no_such_org, org, reason, table_failed, work};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Stop all keys of an organisation, in this moment.
    Suspend(Target),
    /// Let the keys of an organisation work again.
    Resume(Target),
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Id of the organisation: `org_` and 26 characters.
    org: String,
    /// Why, for the audit trail: 1 to 200 characters.
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(command: &Command) -> Result<String, String> {
    let (suspend, target, action) = match command {
        Command::Suspend(target) => (true, target, AuditAction::OrgSuspended),
        Command::Resume(target) => (false, target, AuditAction::OrgResumed),
    };
    let (org, reason) = (org(&target.org)?, reason(&target.reason)?);
    let operator = Operator::of_stack(&["TABLE_NAME"])?;
    let table = operator.table()?;
    let audit = operator.entry(Some(org), action, org.to_string(), json!({ "reason": reason }));
    work(async {
        // Saying it twice is saying it once, so a lost answer needs no more than the same command.
        let again = |problem: String| format!("{problem}\nRun the command again; twice does no harm.");
        let found = table.suspend_org(org, suspend, &audit).await.map_err(|fault| again(table_failed(&fault)))?;
        if !found {
            return Err(no_such_org(org));
        }
        Ok(if suspend {
            format!(
                "Suspended {org}: from now on every check of its keys answers SUSPENDED, and nothing can be spent.\n\
                 `consigne org resume {org} --reason ...` lets them work again."
            )
        } else {
            format!("Resumed {org}: its keys work again, with the credits and quotas they had.")
        })
    })
}
