//! `consigne credits`: grants credits to an organisation.

use clap::{Args, Subcommand, ValueEnum, value_parser};
use consigne_core::audit::AuditAction;
use consigne_core::credits::{CreditGrant, CreditGrantOutcome, LotKind, topped_up};
use consigne_core::ports::GrantCredits;
use consigne_core::{LotId, Timestamp};
use consigne_runtime::clock;
use serde_json::{Value, json};

use crate::operator::{Operator, no_such_org, org, reason, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

/// Most credits of one grant.
const AMOUNT_MAX: u64 = 1_000_000_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Grant credits to an organisation, once.
    #[command(after_help = "\
Examples:
  consigne credits grant org_01JD0000000000000000000000 1000 --reason \"goodwill\" --expires 2027-01-01T00:00:00Z
  consigne credits grant org_01JD0000000000000000000000 1000 --reason invoice --kind paid")]
    Grant(Grant),
}

#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// Id of the organisation: `org_` and 26 characters.
    org: String,
    /// Number of credits, 1 to 1,000,000,000.
    #[arg(value_parser = value_parser!(u64).range(1..=AMOUNT_MAX))]
    amount: u64,
    /// Reason for the audit log: 1 to 200 characters.
    #[arg(long)]
    reason: String,
    /// When the credits expire, such as 2027-01-01T00:00:00Z. Without it they never do.
    #[arg(long)]
    expires: Option<String>,
    /// Whether they are a gift, which is spent first, or were paid for.
    #[arg(long, value_enum, default_value_t = Kind::Promo)]
    kind: Kind,
    /// Id of the grant, as an earlier run printed it. The same id is granted only once.
    #[arg(long)]
    id: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Promo,
    Paid,
}

impl From<Kind> for LotKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Promo => Self::Promo,
            Kind::Paid => Self::Paid,
        }
    }
}

pub(crate) fn run(which: &Which, command: &Command) -> Outcome {
    let Command::Grant(ask) = command;
    let (org, reason, now) = (org(&ask.org)?, reason(&ask.reason)?, clock::now());
    let (id, expires_at) = (id(ask.id.as_deref(), now)?, expiry(ask.expires.as_deref(), now)?);
    let change = format!("Grant {} credits to {org}", ask.amount);
    let operator = Operator::to_change(which, &["TABLE_NAME"], &change)?;
    let table = operator.table()?;

    let (kind, amount) = (LotKind::from(ask.kind), ask.amount);
    let until = expires_at.map(|end| end.to_string());
    let details = json!({ "amount": amount, "kind": kind.name(), "expires_at": until, "reason": reason });
    let audit = operator.entry(Some(org), AuditAction::CreditsGranted, id.to_string(), details)?;
    let event = topped_up(org, id, kind, amount, now);
    let grant = CreditGrant { id, org, kind, amount, expires_at, now, audit, event };
    // Printed before it is used, so that an operator who is cut off can repeat the same grant.
    crate::complain(&format!("Granting as {id}..."));
    work(async {
        // The failure may have come after the write, and only the same id makes a second try safe.
        let unsure = |problem: String| {
            format!(
                "{problem}\nThe credits may have been granted all the same. Run it again with `--id {id}`, which grants them only once."
            )
        };
        let end = until
            .as_ref()
            .map_or_else(|| "They do not expire.".to_owned(), |end| format!("Unspent ones expire at {end}."));
        match table.grant_credits(&grant).await.map_err(|fault| unsure(table_failed(&fault)))? {
            CreditGrantOutcome::Granted => {
                let text = format!(
                    "Granted {amount} {} credits to {org} as {id}. {end}\n`consigne wallet {org}` shows them now.",
                    kind.name()
                );
                let facts =
                    json!({ "id": id, "org_id": org, "kind": kind.name(), "amount": amount, "expires_at": until });
                Ok(Report::done(text, with_changed(facts, true)))
            }
            CreditGrantOutcome::GrantedBefore => {
                let text =
                    format!("{id} was granted to {org} before; nothing was changed. To grant more, leave out --id.");
                Ok(Report::done(text, with_changed(json!({ "id": id, "org_id": org }), false)))
            }
            CreditGrantOutcome::NoSuchOrganisation => Err(no_such_org(org)),
        }
    })
}

/// Adds to a report's facts whether the command changed anything.
fn with_changed(mut facts: Value, changed: bool) -> Value {
    facts["changed"] = Value::Bool(changed);
    facts
}

fn id(text: Option<&str>, now: Timestamp) -> Result<LotId, String> {
    let Some(text) = text else { return Ok(LotId::mint(now)) };
    LotId::parse(text).ok_or_else(|| {
        format!("--id {text} is not the id of a grant: `lot_` and 26 characters, as an earlier run printed it. Leave it out for a new grant.")
    })
}

fn expiry(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, String> {
    let Some(text) = text else { return Ok(None) };
    let end = Timestamp::parse(text)
        .ok_or_else(|| format!("--expires {text} is not an RFC 3339 time such as 2027-01-01T00:00:00Z."))?;
    if end <= now {
        return Err(format!("--expires {text} has passed; it must be in the future."));
    }
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_lies_ahead() {
        let now = Timestamp::from_secs(1_795_257_000);
        assert_eq!(expiry(None, now), Ok(None));
        let end = expiry(Some("2027-01-01T01:00:00+01:00"), now).unwrap();
        assert_eq!(end.map(|end| end.to_string()).as_deref(), Some("2027-01-01T00:00:00Z"));
        assert!(expiry(Some("2026-11-21T10:30:00Z"), now).unwrap_err().contains("has passed"));
        assert!(expiry(Some("tomorrow"), now).unwrap_err().contains("RFC 3339"));
    }

    #[test]
    fn a_grant_keeps_the_id_it_is_given() {
        let now = Timestamp::from_secs(1);
        let first = id(None, now).unwrap();
        assert_eq!(id(Some(&first.to_string()), now), Ok(first));
        assert!(id(Some("42"), now).unwrap_err().contains("`lot_`"));
    }
}
