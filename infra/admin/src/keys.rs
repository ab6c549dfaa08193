//! `consigne keys`: lists the API keys of an organisation.

use std::collections::BTreeMap;

use clap::{Args, value_parser};
use consigne_core::keys::{ApiKey, KeyView};
use consigne_core::periods::{Day, Month};
use consigne_core::ports::{GetOrg, ListKeys, PageAsk, ReadCalls};
use consigne_core::stats::DaySpan;
use consigne_core::{Fault, KeyId, OrgId, Timestamp};
use consigne_runtime::clock;
use consigne_storage::Table;
use serde_json::{Value, json};

use crate::grid::Grid;
use crate::operator::{Operator, no_such_org, org, table_failed, work};
use crate::report::{Outcome, Report, document};
use crate::stack_env::Which;

/// Receipts read with one query.
const CALLS: u32 = 1_000;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne keys org_01JD0000000000000000000000
  consigne keys org_01JD0000000000000000000000 --credits --json

A key is shown by the first and the last characters of its text. The text itself is stored nowhere. With --credits, every receipt
of the month is read: about one read unit for ten calls.")]
pub(crate) struct Options {
    /// Id of the organisation: `org_` and 26 characters.
    org: String,
    /// Most keys to list, newest first, 1 to 1,000.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Add the credits that each key has spent this month (UTC).
    #[arg(long)]
    credits: bool,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let org = org(&options.org)?;
    let (table, now) = (Operator::of_stack(which, &["TABLE_NAME"])?.table()?, clock::now());
    work(async {
        let known = table.get_org(org).await.map_err(|fault| table_failed(&fault))?;
        if known.is_none() {
            return Err(no_such_org(org));
        }
        let listed = table.list_keys(org, &PageAsk { limit: options.limit, after: None }).await;
        let listed = listed.map_err(|fault| table_failed(&fault))?;
        let spent = if options.credits { Some(spent(&table, org, now).await) } else { None };
        let spent = spent.transpose().map_err(|fault| table_failed(&fault))?;
        report(org, &listed.items, listed.total.filter(|_| listed.next.is_some()), spent.as_ref(), now)
    })
}

/// Adds up the credits of this month's receipts by key.
async fn spent(table: &Table, org: OrgId, now: Timestamp) -> Result<BTreeMap<KeyId, u64>, Fault> {
    let to = Day::of(now);
    let from = Day::parse(&format!("{}-01", Month::of(now))).unwrap_or(to);
    let (mut spent, mut page) = (BTreeMap::new(), PageAsk { limit: CALLS, after: None });
    loop {
        let calls = table.read_calls(org, DaySpan { from, to }, &page).await?;
        for call in calls.items {
            *spent.entry(call.key).or_default() += call.credits;
        }
        page.after = calls.next;
        if page.after.is_none() {
            return Ok(spent);
        }
    }
}

fn report(
    org: OrgId,
    keys: &[ApiKey],
    more_of: Option<u64>,
    spent: Option<&BTreeMap<KeyId, u64>>,
    now: Timestamp,
) -> Outcome {
    let mut head = vec!["id", "name", "text", "environment", "status", ">calls today", ">this month", "last used at"];
    head.extend(spent.map(|_| ">credits this month"));
    let (mut grid, mut documents) = (Grid::new(&head), Vec::new());
    for key in keys {
        let view = KeyView::of(key, now);
        let credits = spent.map(|spent| spent.get(&key.id).copied().unwrap_or(0));
        let mut json = document(&view)?;
        json["created_by"] = json!(key.created_by);
        if let Some(credits) = credits {
            json["credits_this_month"] = json!(credits);
        }
        documents.push(json);
        let mut row = vec![
            view.id,
            view.name,
            format!("{}...{}", view.prefix, view.hint),
            view.environment.name().to_owned(),
            view.status.to_owned(),
            of_quota(view.daily_used, view.daily_quota),
            of_quota(view.monthly_used, view.monthly_quota),
            view.last_used_at.unwrap_or_else(|| "never".to_owned()),
        ];
        row.extend(credits.map(|credits| credits.to_string()));
        grid.row(row);
    }
    let json = json!({ "org_id": org, "keys": Value::Array(documents), "more": more_of.is_some() });
    if grid.is_empty() {
        return Ok(Report::new(format!("{org} has no keys."), json));
    }
    let more = more_of
        .map_or_else(String::new, |all| format!("\nThese are {} of {all} keys; --limit shows more.", keys.len()));
    Ok(Report::new(format!("{}{more}", grid.render()), json))
}

/// Writes a count, and the quota if there is one: `3 of 10`.
fn of_quota(used: u64, quota: Option<u64>) -> String {
    quota.map_or_else(|| used.to_string(), |quota| format!("{used} of {quota}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use consigne_core::UserId;
    use consigne_core::keys::{KeyMode, KeyStatus};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_257_000);

    fn key(name: &str) -> ApiKey {
        let mut key = ApiKey {
            org: OrgId::mint(NOW),
            id: KeyId::mint(NOW),
            name: name.to_owned(),
            environment: KeyMode::Production,
            scopes: BTreeSet::from(["pdf:read".to_owned()]),
            minute_quota: None,
            daily_quota: Some(10),
            monthly_quota: None,
            expires_at: None,
            status: KeyStatus::Suspended,
            generation: 1,
            previous_until: None,
            prefix: "sk_live".to_owned(),
            hint: "x7Qa".to_owned(),
            spender: None,
            created_by: UserId::parse("user_ann").unwrap(),
            created_at: NOW,
            migrated_at: None,
            revoked: None,
            last_used: None,
            used: BTreeMap::new(),
            minute: None,
            revision: 1,
        };
        key.count_call(None, NOW);
        key
    }

    #[test]
    fn a_key_is_shown_by_the_ends_of_its_text_with_its_use() {
        let key = key("本番 API é");
        let spent = BTreeMap::from([(key.id, 42)]);
        let report = |spent, more| report(key.org, std::slice::from_ref(&key), more, spent, NOW).unwrap();
        let text = report(Some(&spent), Some(7)).render(false);
        let line: Vec<&str> = text.lines().nth(1).unwrap().split("  ").filter(|cell| !cell.is_empty()).collect();
        let cells: Vec<&str> = line.iter().map(|cell| cell.trim()).skip(1).collect();
        let last_used = "2026-11-21T10:30:00Z";
        let want = ["本番 API é", "sk_live...x7Qa", "production", "suspended", "1 of 10", "1", last_used, "42"];
        assert_eq!(cells, want, "{text}");
        assert!(text.ends_with("These are 1 of 7 keys; --limit shows more."), "{text}");
        let json: Value = serde_json::from_str(&report(Some(&spent), None).render(true)).unwrap();
        let first = &json["keys"][0];
        assert_eq!((&first["credits_this_month"], &first["created_by"]), (&json!(42), &json!("user_ann")));
        assert_eq!((&first["status"], &json["more"]), (&json!("suspended"), &json!(false)));
        assert!(!report(None, None).render(false).contains("credits"));
    }

    #[test]
    fn an_organisation_without_keys_says_so() {
        let org = OrgId::mint(NOW);
        assert_eq!(report(org, &[], None, None, NOW).unwrap().render(false), format!("{org} has no keys."));
    }
}
