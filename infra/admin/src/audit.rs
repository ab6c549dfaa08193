//! `consigne audit`: shows the audit log of an organisation, of a person, or of the installation.

use std::cmp::Reverse;
use std::time::Duration;

use clap::{Args, value_parser};
use consigne_core::audit::{Actor, AuditEntry};
use consigne_core::periods::Day;
use consigne_core::ports::{AuditSearch, ListOrgs, PageAsk, SearchAudit};
use consigne_core::{Fault, OrgId, Timestamp, UserId};
use consigne_runtime::clock;
use consigne_storage::Table;
use serde_json::{Value, json};

use crate::grid::Grid;
use crate::operator::{Operator, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

/// A person's organisations read with one query.
const ORGS: u32 = 100;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne audit org_01JD0000000000000000000000 --since 7d
  consigne audit user_ann --limit 20 --json
  consigne audit org_01JD0000000000000000000000 --action key. --since 2026-11-01
  consigne audit

Without an id it shows what was done to the installation, such as new peppers. With a person it shows what they did in the organisations they are a member of now, which costs a query for each. An
organisation's log also has what they did there before they left.")]
pub(crate) struct Options {
    /// Id of an organisation or of a person. Without it, the installation's own log.
    #[arg(value_name = "ORG or USER")]
    whose: Option<String>,
    /// Only entries from then on: a time, a day such as 2026-11-21 (UTC), or a span back such as 30m, 12h or 7d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only actions that start with this, such as `key.` or `org.suspended`.
    #[arg(long, default_value = "", hide_default_value = true)]
    action: String,
    /// Most entries to show, 1 to 1,000.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=1000))]
    limit: u32,
}

/// Whose audit log is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    Installation,
    Org(OrgId),
    Person(UserId),
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let whose = whose(options.whose.as_deref())?;
    let since = options.since.as_deref().map(|text| since(text, clock::now())).transpose()?;
    let search = AuditSearch { since, action: options.action.clone(), actor: None };
    let table = Operator::of_stack(which, &["TABLE_NAME"])?.table()?;
    work(async {
        let found = find(&table, &whose, search, options.limit).await.map_err(|fault| table_failed(&fault))?;
        Ok(report(&found.0, found.1, options))
    })
}

/// Finds the newest entries, and whether there are more.
async fn find(
    table: &Table,
    whose: &Whose,
    mut search: AuditSearch,
    limit: u32,
) -> Result<(Vec<AuditEntry>, bool), Fault> {
    match whose {
        Whose::Installation => newest(table, None, &search, limit).await,
        Whose::Org(org) => newest(table, Some(*org), &search, limit).await,
        Whose::Person(user) => {
            search.actor = Some(Actor::User(user.clone()));
            let (mut entries, mut more) = (Vec::new(), false);
            let mut page = PageAsk { limit: ORGS, after: None };
            loop {
                let orgs = table.list_orgs(user, &page).await?;
                for (org, _) in orgs.items {
                    let found = newest(table, Some(org.id), &search, limit).await?;
                    entries.extend(found.0);
                    more |= found.1;
                }
                page.after = orgs.next;
                if page.after.is_none() {
                    break;
                }
            }
            entries.sort_by_key(|entry: &AuditEntry| Reverse(entry.id));
            more |= entries.len() > limit as usize;
            entries.truncate(limit as usize);
            Ok((entries, more))
        }
    }
}

/// Reads the newest entries of a log that a search finds, and whether there are more.
pub(crate) async fn newest<T: SearchAudit>(
    table: &T,
    org: Option<OrgId>,
    search: &AuditSearch,
    limit: u32,
) -> Result<(Vec<AuditEntry>, bool), Fault> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let left = limit - u32::try_from(found.len()).unwrap_or(limit);
        let listed = table.search_audit(org, search, &PageAsk { limit: left, after }).await?;
        found.extend(listed.items);
        // A page may be short, or empty, although others follow.
        if listed.next.is_none() || found.len() >= limit as usize {
            return Ok((found, listed.next.is_some()));
        }
        after = listed.next;
    }
}

fn whose(text: Option<&str>) -> Result<Whose, String> {
    let Some(text) = text else { return Ok(Whose::Installation) };
    let found = OrgId::parse(text).map(Whose::Org).or_else(|| UserId::parse(text).map(Whose::Person));
    found.ok_or_else(|| {
        format!(
            "{text} is neither the id of an organisation (`org_` and 26 characters) nor of a person (`user_` and letters or \
             digits). `consigne org list` and `consigne org show` show ids."
        )
    })
}

/// Parses `--since`.
pub(crate) fn since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let span = || {
        let unit = text.chars().last()?;
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        let minutes = match unit {
            'm' => 1,
            'h' => 60,
            'd' => 24 * 60,
            _ => return None,
        };
        Some(now.minus(Duration::from_secs(count.checked_mul(minutes * 60)?)))
    };
    let found = Timestamp::parse(text).or_else(|| Day::parse(text).map(Day::starts)).or_else(span);
    found.ok_or_else(|| {
        format!("--since {text} must be a time such as 2026-11-21T10:00:00Z, a day such as 2026-11-21, or a span such as 7d.")
    })
}

fn report(entries: &[AuditEntry], more: bool, options: &Options) -> Report {
    let json = json!({ "entries": entries.iter().map(document).collect::<Vec<_>>(), "more": more });
    if entries.is_empty() {
        let whose = options.whose.as_deref().map_or_else(|| "the installation".to_owned(), str::to_owned);
        let since = options.since.as_deref().map_or_else(String::new, |since| format!(" since {since}"));
        let kind = if options.action.is_empty() { String::new() } else { format!(" of {}", options.action) };
        return Report::new(format!("The audit log of {whose} has no entries{kind}{since}."), json);
    }
    let mut grid = Grid::new(&["time", "action", "subject", "actor", "address", "details"]);
    for entry in entries {
        let origin = &entry.origin;
        let address = origin.ip.clone().unwrap_or_default();
        let (action, actor) = (entry.action.name().to_owned(), origin.actor.to_string());
        grid.row([entry.at.to_string(), action, entry.subject.clone(), actor, address, details(&entry.details)]);
    }
    let more = if more { "\nThere are more: a larger --limit, or --since, shows others." } else { "" };
    Report::new(format!("{}{more}", grid.render()), json)
}

/// Writes an entry's details on one line: `name=value` for each.
fn details(details: &Value) -> String {
    let Some(details) = details.as_object() else { return details.to_string() };
    let word = |(name, value): (&String, &Value)| {
        format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    details.iter().filter(|(_, value)| !value.is_null()).map(word).collect::<Vec<_>>().join(" ")
}

/// Returns an entry for programs, as the API shows it.
fn document(entry: &AuditEntry) -> Value {
    json!({
        "id": entry.id,
        "org_id": entry.org,
        "action": entry.action.name(),
        "subject": entry.subject,
        "actor": entry.origin.actor,
        "ip": entry.origin.ip,
        "user_agent": entry.origin.user_agent,
        "timestamp": entry.at,
        "details": entry.details,
    })
}

#[cfg(test)]
mod tests {
    use consigne_core::audit::{AuditAction, Origin};

    use super::*;

    #[test]
    fn since_is_a_time_a_day_or_a_span_back() {
        let now = Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
        for (text, want) in [
            ("2026-11-20T10:00:00+01:00", "2026-11-20T09:00:00Z"),
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("90m", "2026-11-21T10:30:00Z"),
            ("12h", "2026-11-21T00:00:00Z"),
            ("7d", "2026-11-14T12:00:00Z"),
        ] {
            assert_eq!(since(text, now).map(|at| at.to_string()).as_deref(), Ok(want), "{text}");
        }
        for bad in ["", "d", "7", "7w", "-1d", "yesterday", "7é", "99999999999999999999d"] {
            assert!(since(bad, now).unwrap_err().contains("must be a time"), "{bad}");
        }
    }

    #[test]
    fn a_log_is_an_organisations_a_persons_or_the_installations() {
        assert_eq!(whose(None), Ok(Whose::Installation));
        assert!(matches!(whose(Some("org_01JD0000000000000000000000")), Ok(Whose::Org(_))));
        assert!(matches!(whose(Some("user_ann")), Ok(Whose::Person(_))));
        assert!(whose(Some("Acme")).unwrap_err().starts_with("Acme is neither"));
    }

    #[test]
    fn entries_are_shown_with_their_details() {
        let now = Timestamp::from_secs(1_795_257_000);
        let origin = Origin { actor: Actor::Operator("Zoë".to_owned()), ip: None, user_agent: None, plan: None };
        let told = json!({ "reason": "未払い", "amount": 7, "expires_at": null });
        let entry = AuditEntry::new(OrgId::mint(now), AuditAction::CreditsGranted, "lot_1", &origin, now, told);
        let options = Options { whose: None, since: None, action: String::new(), limit: 1 };
        let report_of = |entries: &[AuditEntry], more| report(entries, more, &options);
        let text = report_of(std::slice::from_ref(&entry), true).render(false);
        assert!(text.contains("  operator:Zoë  -        reason=未払い amount=7\nThere are more"), "{text}");
        let json: Value = serde_json::from_str(&report_of(&[entry], false).render(true)).unwrap();
        assert_eq!((&json["more"], &json["entries"][0]["details"]["amount"]), (&json!(false), &json!(7)));
        let named = Options { whose: Some("user_ann".to_owned()), since: Some("7d".to_owned()), ..options };
        let empty = report(&[], false, &named).render(false);
        assert_eq!(empty, "The audit log of user_ann has no entries since 7d.");
    }
}
