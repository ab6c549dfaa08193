//! `consigne org`: lists and shows organisations, suspends, resumes and deletes them, sets their response to anomalies, and
//! adds those to the index that were created before there was one.

mod deletion;
mod list;
mod show;
mod suspension;

use clap::{Args, Subcommand};
use consigne_core::anomalies::OnAnomaly;
use consigne_core::audit::AuditAction;
use consigne_core::ports::{EnrolOrgs, GetOrg, SetOnAnomaly, SuspendOrg};
use serde_json::json;

use crate::operator::{Operator, no_such_org, org, reason, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List all organisations, newest first, with their state and why they are suspended.
    List(list::Options),
    /// Show an organisation: its state, members, storage, wallet, keys, endpoints and last activity.
    Show(show::Options),
    /// Suspend an organisation: all its keys stop at once.
    #[command(after_help = "\
Examples:
  consigne org suspend org_01JD0000000000000000000000 --reason \"paid late\"
  consigne --stack consigne --region eu-west-3 org suspend org_01JD0000000000000000000000 --reason fraud --yes")]
    Suspend(Target),
    /// Resume a suspended organisation: its keys work again.
    #[command(after_help = "\
Examples:
  consigne org resume org_01JD0000000000000000000000 --reason paid
  consigne org resume org_01JD0000000000000000000000 --reason paid --as ann")]
    Resume(Target),
    /// Delete an organisation, for example one whose last owner's account was closed. There is no way back.
    #[command(after_help = "\
Examples:
  consigne org delete org_01JD0000000000000000000000 --confirm acme --reason \"its last owner is gone\"
  consigne --stack consigne --region eu-west-3 org delete org_01JD0000000000000000000000 --confirm acme --reason asked --yes

Its keys stop at once and its credits are lost. Memberships, endpoints and invitations end within minutes, and members get
a mail. Receipts and the audit log stay.")]
    Delete(deletion::Options),
    /// Write organisations that were created before the index of organisations existed into that index.
    ///
    /// This changes the table. `org list` and the nightly functions find only organisations in the index. It reads the
    /// whole table once: half a read unit for every 4 KB.
    #[command(after_help = "\
Examples:
  consigne org enrol
  consigne --stack consigne --region eu-west-3 org enrol --yes")]
    Enrol,
    #[command(after_help = "\
Examples:
  consigne org policy org_01JD0000000000000000000000 suspend
  consigne org policy org_01JD0000000000000000000000 alert")]
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

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    let (suspend, target, action) = match command {
        Command::List(options) => return list::run(which, options),
        Command::Show(options) => return show::run(which, options),
        Command::Suspend(target) => (true, target, AuditAction::OrgSuspended),
        Command::Resume(target) => (false, target, AuditAction::OrgResumed),
        Command::Delete(options) => return deletion::run(which, options),
        Command::Enrol => return enrol(which),
        Command::Policy(policy) => return choose(which, policy),
    };
    let (org, reason) = (org(&target.org)?, reason(&target.reason)?);
    let (verb, state) = if suspend { ("Suspend", "suspended") } else { ("Resume", "active") };
    let operator = Operator::to_change(which, &["TABLE_NAME"], &format!("{verb} {org}"))?;
    let table = operator.table()?;
    let audit = operator.entry(Some(org), action, org.to_string(), json!({ "reason": reason }))?;
    work(async {
        // A repetition changes nothing, so after a lost answer the same command can be run again.
        let again = |problem: String| format!("{problem}\nRun the command again; a repetition is harmless.");
        let before = table.get_org(org).await.map_err(|fault| again(table_failed(&fault)))?;
        let before = before.ok_or_else(|| no_such_org(org))?;
        if !table.suspend_org(org, suspend, &audit).await.map_err(|fault| again(table_failed(&fault)))? {
            return Err(no_such_org(org));
        }
        let changed = before.suspended != suspend;
        let text = match (changed, suspend) {
            (false, _) => format!("{org} ({}) was {state} already; nothing was changed.", before.name),
            (true, true) => format!(
                "Suspended {org} ({}): from now on every check of its keys answers SUSPENDED, and nothing can be spent.\n\
                 `consigne org resume {org} --reason ...` lets them work again.",
                before.name
            ),
            (true, false) => {
                format!("Resumed {org} ({}): its keys work again, with the credits and quotas they had.", before.name)
            }
        };
        Ok(Report::done(text, json!({ "id": org, "name": before.name, "state": state, "changed": changed })))
    })
}

/// Scans the whole table, page by page, so it is meant to be run once. After a failure it can start again.
fn enrol(which: &Which) -> Outcome {
    let table = Operator::to_change(which, &["TABLE_NAME"], "Add organisations to the index")?.table()?;
    work(async {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = table.enrol_orgs(after.as_deref()).await;
            let (listed, next) = page.map_err(|fault| {
                let done =
                    format!("{count} organisations were added to the index; run the command again for the others.");
                format!("{}\n{done}", table_failed(&fault))
            })?;
            count += listed;
            after = next;
            if after.is_none() {
                let text = format!(
                    "Added {count} organisations to the index. `consigne org list` shows them, and from the next night on \
                     their days are counted and their keys looked after."
                );
                return Ok(Report::done(text, json!({ "added": count })));
            }
        }
    })
}

fn choose(which: &Which, chosen: &Policy) -> Outcome {
    let org = org(&chosen.org)?;
    let policy = OnAnomaly::from_name(&chosen.policy).ok_or("The policy must be alert or suspend.")?;
    let change = format!("Set the policy of {org} to {}", policy.name());
    let operator = Operator::to_change(which, &["TABLE_NAME"], &change)?;
    let table = operator.table()?;
    let details = json!({ "on_anomaly": policy.name() });
    let audit = operator.entry(Some(org), AuditAction::OrgPolicyChanged, org.to_string(), details)?;
    work(async {
        if !table.set_on_anomaly(org, policy, &audit).await.map_err(|fault| table_failed(&fault))? {
            return Err(no_such_org(org));
        }
        let text = match policy {
            OnAnomaly::Alert => {
                format!("{org}: its owners are notified of unusual use of its keys, and nothing is stopped.")
            }
            OnAnomaly::Suspend => format!(
                "{org}: a key that is used in an unusual way is suspended, the organisation when many keys are made.\n\
                 `consigne key resume {org} KEY --reason ...` and `consigne org resume {org} --reason ...` undo it."
            ),
        };
        Ok(Report::done(text, json!({ "id": org, "on_anomaly": policy.name() })))
    })
}
