//! `consigne org delete`: deletes an organisation that nobody can delete any more, or that its owners asked to have deleted.

use clap::Args;
use consigne_core::credits::WalletId;
use consigne_core::deletions::{DeletionAsk, DeletionOutcome};
use consigne_core::ports::{DeleteOrg, FindHolds, GetOrg};
use consigne_runtime::clock;
use serde_json::json;

use crate::operator::{Operator, no_such_org, org, reason, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Id of the organisation: `org_` and 26 characters.
    org: String,
    /// The organisation's slug, so that nobody deletes another one by mistake. `consigne org show ORG` shows it.
    #[arg(long)]
    confirm: String,
    /// Reason for the audit log: 1 to 200 characters.
    #[arg(long)]
    reason: String,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let (org, reason) = (org(&options.org)?, reason(&options.reason)?);
    let operator = Operator::to_change(which, &["TABLE_NAME"], &format!("Delete {org} and what it has"))?;
    let (table, origin) = (operator.table()?, operator.origin()?.clone());
    work(async {
        let known = table.get_org(org).await.map_err(|fault| table_failed(&fault))?;
        let known = known.ok_or_else(|| no_such_org(org))?;
        if options.confirm != known.slug {
            return Err(format!("Nothing was changed: the slug of {org} ({}) is {}.", known.name, known.slug));
        }
        let ask = DeletionAsk { org, name: known.name, origin, reason: Some(reason), now: clock::now() };
        match table.delete_org(&ask).await.map_err(|fault| table_failed(&fault))? {
            DeletionOutcome::Deleted(deletion) => {
                let text = format!(
                    "Deleted {org} ({}). {} credits are lost, and its keys are refused from now on.\n`account-close` ends \
                     memberships, endpoints and invitations within minutes. Receipts and the audit log stay.",
                    deletion.name, deletion.credits_lost
                );
                let document = json!({ "id": org, "name": deletion.name, "credits_lost": deletion.credits_lost });
                Ok(Report::done(text, document))
            }
            DeletionOutcome::HoldsOpen => {
                let holds = table.find_holds(&WalletId::Organisation(org)).await.unwrap_or_default();
                let first = holds.first().map(|hold| format!(", such as {}", hold.id)).unwrap_or_default();
                Err(format!(
                    "Nothing was changed: {org} has open holds{first}. Run the command again when they have ended."
                ))
            }
            DeletionOutcome::NotFound => Err(no_such_org(org)),
        }
    })
}
