//! `consigne org`: suspends and resumes organisations, sets their response to anomalies, and lists those that were
//! created before there was an index of them.

use clap::{Args, Subcommand};
use consigne_core::anomalies::OnAnomaly;
use consigne_core::audit::AuditAction;
use consigne_core::ports::{EnrolOrgs, SetOnAnomaly, SuspendOrg};
use serde_json::json;

use crate::operator::{Operator, no_such_org, org, reason, table_failed, work};
use crate::stack_env::Which;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Suspend an organisation: all its keys stop at once.
    Suspend(Target),
    /// Resume a suspended organisation: its keys work again.
    Resume(Target),
    /// Add organisations to the index of nightly work that were created before it existed.
    Enrol,
    /// Choose the response to unusual use or creation of keys.
    Policy(Policy),
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Id of the organisation: `org_` and 26 characters.
    org: String,
    /// Reason for the audit log: 1 to 200 characters.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct Policy {
    /// Id of the organisation: `org_` and 26 characters.
    org: String,
    /// `alert` notifies the owners. `suspend` also stops the key or the organisation until you resume it.
    #[arg(value_parser = ["alert", "suspend"])]
    policy: String,
}

pub(crate) fn run(which: &Which, command: &Command) -> Result<String, String> {
    let (suspend, target, action) = match command {
        Command::Suspend(target) => (true, target, AuditAction::OrgSuspended),
        Command::Resume(target) => (false, target, AuditAction::OrgResumed),
        Command::Enrol => return enrol(which),
        Command::Policy(policy) => return choose(which, policy),
    };
    let (org, reason) = (org(&target.org)?, reason(&target.reason)?);
    let operator = Operator::of_stack(which, &["TABLE_NAME"])?;
    let table = operator.table()?;
    let audit = operator.entry(Some(org), action, org.to_string(), json!({ "reason": reason }));
    work(async {
        // A repetition changes nothing, so after a lost answer the same command can be run again.
        let again = |problem: String| format!("{problem}\nRun the command again; a repetition is harmless.");
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

/// Scans the whole table, page by page, so it is meant to be run once. After a failure it can start again.
fn enrol(which: &Which) -> Result<String, String> {
    let table = Operator::of_stack(which, &["TABLE_NAME"])?.table()?;
    work(async {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = table.enrol_orgs(after.as_deref()).await;
            let (listed, next) = page.map_err(|fault| {
                format!("{}\nListed {count} organisations; run the command again for the others.", table_failed(&fault))
            })?;
            count += listed;
            after = next;
            if after.is_none() {
                return Ok(format!(
                    "Listed {count} organisations that were not. From the next night on their days are counted and their keys \
                     looked after."
                ));
            }
        }
    })
}

fn choose(which: &Which, chosen: &Policy) -> Result<String, String> {
    let org = org(&chosen.org)?;
    let policy = OnAnomaly::from_name(&chosen.policy).ok_or("The policy must be alert or suspend.")?;
    let operator = Operator::of_stack(which, &["TABLE_NAME"])?;
    let table = operator.table()?;
    let details = json!({ "on_anomaly": policy.name() });
    let audit = operator.entry(Some(org), AuditAction::OrgPolicyChanged, org.to_string(), details);
    work(async {
        if !table.set_on_anomaly(org, policy, &audit).await.map_err(|fault| table_failed(&fault))? {
            return Err(no_such_org(org));
        }
        Ok(match policy {
            OnAnomaly::Alert => {
                format!("{org}: its owners are notified of unusual use of its keys, and nothing is stopped.")
            }
            OnAnomaly::Suspend => format!(
                "{org}: a key that is used in an unusual way is suspended, the organisation when many keys are made.\n\
                 `consigne key resume {org} KEY --reason ...` and `consigne org resume {org} --reason ...` undo it."
            ),
        })
    })
}
