//! `consigne org list`: lists all organisations.

use clap::{Args, ValueEnum, value_parser};
use consigne_core::OrgId;
use consigne_core::orgs::Organisation;
use consigne_core::ports::{ListAllOrgs, PageAsk};
use serde_json::{Value, json};

use super::suspension::{Suspension, state};
use crate::grid::Grid;
use crate::operator::{Operator, org, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consigne org list --limit 20
  consigne org list --state suspended --json
  consigne org list --after org_01JD0000000000000000000000

What it costs: four queries, and one more for each suspended organisation. With --state it may read every organisation: about
60 read units for 1,000. Organisations from before the index of organisations existed are missing until `consigne org enrol`.")]
pub(crate) struct Options {
    /// Most organisations to list, 1 to 1,000.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue after this organisation, the last one listed before.
    #[arg(long, value_name = "ORG")]
    after: Option<String>,
    /// Only organisations in this state.
    #[arg(long, value_enum)]
    state: Option<State>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum State {
    Active,
    Suspended,
}

pub(crate) fn run(which: &Which, options: &Options) -> Outcome {
    let after = options.after.as_deref().map(org).transpose()?;
    let table = Operator::of_stack(which, &["TABLE_NAME"])?.table()?;
    let suspended = options.state.map(|state| state == State::Suspended);
    let page = PageAsk { limit: options.limit, after: after.map(|org| org.to_string()) };
    work(async {
        let listed = table.list_all_orgs(suspended, &page).await.map_err(|fault| table_failed(&fault))?;
        let mut orgs = Vec::new();
        for org in listed.items {
            let suspension = if org.suspended { Suspension::of(&table, org.id).await } else { Ok(None) };
            orgs.push((org, suspension.map_err(|fault| table_failed(&fault))?));
        }
        Ok(report(&orgs, listed.next.as_deref(), after, options.state))
    })
}

fn report(
    orgs: &[(Organisation, Option<Suspension>)],
    next: Option<&str>,
    after: Option<OrgId>,
    wanted: Option<State>,
) -> Report {
    let documents: Vec<Value> = orgs.iter().map(|(org, suspension)| document(org, suspension.as_ref())).collect();
    let json = json!({ "organisations": documents, "next": next });
    if orgs.is_empty() {
        let kind = wanted.map_or("", |wanted| if wanted == State::Active { "active " } else { "suspended " });
        let place = after.map_or_else(|| "in this stack".to_owned(), |after| format!("older than {after}"));
        return Report::new(format!("There are no {kind}organisations {place}."), json);
    }
    let mut grid = Grid::new(&["id", "name", "created at", "state", "since", "by", "reason"]);
    for (org, suspension) in orgs {
        let (since, by, reason) =
            suspension.clone().map_or_else(Default::default, |known| (known.since, known.by, known.reason));
        let state = state(org.suspended).to_owned();
        grid.row([org.id.to_string(), org.name.clone(), org.created_at.to_string(), state, since, by, reason]);
    }
    let more = next.map_or_else(String::new, |next| format!("\nThere are more: --after {next} shows the next ones."));
    Report::new(format!("{}{more}", grid.render()), json)
}

/// Returns an organisation for programs.
pub(crate) fn document(org: &Organisation, suspension: Option<&Suspension>) -> Value {
    json!({
        "id": org.id,
        "name": org.name,
        "slug": org.slug,
        "created_at": org.created_at,
        "state": state(org.suspended),
        "suspension": suspension.map(Suspension::document),
        "on_anomaly": org.on_anomaly.name(),
    })
}

#[cfg(test)]
mod tests {
    use consigne_core::Timestamp;

    use super::*;

    fn found(name: &str) -> Organisation {
        Organisation::create(name, Timestamp::from_secs(1_795_257_000)).unwrap()
    }

    #[test]
    fn suspended_ones_say_since_when_and_why() {
        let suspended = Organisation { suspended: true, ..found("株式会社 日本") };
        let suspension =
            Suspension { since: "2026-11-22T09:00:00Z".into(), reason: "fraud".into(), by: "operator:ann".into() };
        let orgs = [(suspended.clone(), Some(suspension)), (found("Société d'Été"), None)];
        let report = report(&orgs, Some("org_x"), None, None);
        let text = report.render(false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("suspended  2026-11-22T09:00:00Z  operator:ann  fraud"), "{text}");
        assert!(lines[2].ends_with("active     -                     -             -"), "{text}");
        assert_eq!(lines[3], "There are more: --after org_x shows the next ones.");
        let json: Value = serde_json::from_str(&report.render(true)).unwrap();
        assert_eq!((&json["next"], &json["organisations"][1]["suspension"]), (&json!("org_x"), &Value::Null));
        let first = &json["organisations"][0];
        assert_eq!(
            first["suspension"],
            json!({ "since": "2026-11-22T09:00:00Z", "reason": "fraud", "by": "operator:ann" })
        );
        assert_eq!((first["name"].as_str(), first["state"].as_str()), (Some("株式会社 日本"), Some("suspended")));
    }

    #[test]
    fn an_empty_list_says_what_there_is_none_of() {
        let text = |after, wanted| report(&[], None, after, wanted).render(false);
        assert_eq!(text(None, None), "There are no organisations in this stack.");
        assert_eq!(text(None, Some(State::Suspended)), "There are no suspended organisations in this stack.");
        let org = found("A").id;
        assert_eq!(text(Some(org), None), format!("There are no organisations older than {org}."));
        assert_eq!(report(&[], None, None, None).render(true), "{\n  \"organisations\": [],\n  \"next\": null\n}");
    }
}
