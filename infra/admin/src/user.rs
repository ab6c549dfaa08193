//! `consigne user`: exports the data of a person, erases their account, or lets them in again.

use clap::{Args, Subcommand};
use consigne_core::audit::AuditAction;
use consigne_core::files::Usage;
use consigne_core::ports::{EraseAccount, GetProfile, GetUsage, ReopenAccount, Reopened};
use consigne_core::profiles::{ClosedBecause, Closing, Profile};
use consigne_core::{Code, UserId};
use consigne_runtime::clock;
use serde_json::json;

use crate::operator::{Operator, reason, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;
use crate::user_export;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Erase an account: close it, and delete what it owns. There is no way back to the data.
    #[command(after_help = "\
Examples:
  consigne user erase user_ann --reason \"asked by letter\"
  consigne --stack consigne --region eu-west-3 user erase user_ann --reason \"asked by letter\" --yes

The account's files, jobs and memberships end within minutes, most else within a day; docs/operate/personal-data.md says
what stays longer. Delete the person at Clerk too: until then they can sign in there, and every write is refused here.")]
    Erase(Target),
    /// Export what is stored of a person, and with --to download it with their files.
    #[command(after_help = "\
Examples:
  consigne user export user_ann --reason \"asked by letter\"
  consigne user export user_ann --reason \"asked by letter\" --to ann
  consigne --stack consigne --region eu-west-3 user export user_ann --reason \"asked by letter\" --to ann --yes

Waits until the export is complete. The person gets a mail and can download it too. Stopped, and run again within an hour,
it goes on with the same export; later it asks for a new one. Files that are in the folder are not downloaded again, and
one of which a part is there is continued.")]
    Export(user_export::Options),
    /// Let a person in again whose account was closed. They have nothing of what they had.
    #[command(after_help = "\
Examples:
  consigne user reopen user_ann --reason \"closed by mistake\"")]
    Reopen(Target),
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Id of the person: `user_` and letters or digits.
    user: String,
    /// Reason for the audit log: 1 to 200 characters.
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    match command {
        Command::Erase(target) => erase(which, target),
        Command::Export(options) => user_export::run(which, options),
        Command::Reopen(target) => reopen(which, target),
    }
}

/// Parses a person's id.
pub(crate) fn person(text: &str) -> Result<UserId, String> {
    UserId::parse(text)
        .ok_or_else(|| format!("{text} is not a person's id: `user_` and letters or digits, as Clerk shows it."))
}

fn erase(which: &Which, target: &Target) -> Outcome {
    let (user, reason) = (person(&target.user)?, reason(&target.reason)?);
    let operator = Operator::to_change(which, &["TABLE_NAME"], &format!("Delete everything that {user} owns"))?;
    let table = operator.table()?;
    let audit = operator.entry(None, AuditAction::AccountClosed, user.to_string(), json!({ "reason": reason }))?;
    work(async {
        // An id with a typing error can be closed like any other, so the report says if nothing was known of it.
        let read = futures_util::try_join!(table.get_profile(&user), table.get_usage(&user));
        let (profile, usage) = read.map_err(|fault| table_failed(&fault))?;
        let unknown = profile == Profile::unknown(user.clone()) && usage == Usage::default();
        let closing = Closing::begin(user.clone(), clock::now());
        let erased = table.erase_account(&closing, &closing.event(ClosedBecause::Operator), Some(&audit)).await;
        let changed = match erased {
            Ok(()) => true,
            Err(fault) if fault.code == Code::Unauthenticated => false,
            Err(fault) => return Err(table_failed(&fault)),
        };
        let text = if changed {
            let check = if unknown {
                "\nNo address and no upload of theirs was known here: check that the id is right."
            } else {
                ""
            };
            format!(
                "Closed the account of {user}. `account-close` deletes what it owned: files, jobs and memberships within minutes, \
                 most else within a day.{check}\nDelete the person at Clerk too, if that has not been done."
            )
        } else {
            format!("The account of {user} is closed already; nothing was changed.")
        };
        Ok(Report::done(text, json!({ "user": user, "changed": changed, "known": !unknown })))
    })
}

fn reopen(which: &Which, target: &Target) -> Outcome {
    let (user, reason) = (person(&target.user)?, reason(&target.reason)?);
    let operator = Operator::to_change(which, &["TABLE_NAME"], &format!("Let {user} in again"))?;
    let table = operator.table()?;
    let audit = operator.entry(None, AuditAction::AccountReopened, user.to_string(), json!({ "reason": reason }))?;
    work(async {
        let text = match table.reopen_account(&user, &audit).await.map_err(|fault| table_failed(&fault))? {
            Reopened::Open => format!("{user} can sign in again. Nothing of what they had is left."),
            Reopened::WasOpen => format!("The account of {user} is not closed; nothing was changed."),
            Reopened::StillClosing => {
                let closed = table.get_profile(&user).await.ok().and_then(|profile| profile.closed_at);
                let since = closed.map(|at| format!(", which began at {at}")).unwrap_or_default();
                return Err(format!(
                    "What {user} owned is still being deleted{since}. That takes an hour or more; then run this again."
                ));
            }
        };
        Ok(Report::done(text, json!({ "user": user })))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_by_the_id_that_clerk_shows() {
        assert!(person("user_2ab").is_ok());
        for bad in ["ann@example.com", "user_", "org_01JD0000000000000000000000"] {
            assert!(person(bad).unwrap_err().contains("`user_` and letters or digits"), "{bad}");
        }
    }
}
