//! `consigne stats`: shows the storage of all users by plan, as counted every night.

use clap::{Args, Subcommand};
use consigne_core::files::in_words;
use consigne_core::periods::Day;
use consigne_core::ports::ListStorage;
use consigne_core::stats::{DaySpan, StorageDay, Stored};
use consigne_runtime::clock;
use serde_json::{Value, json};

use crate::grid::Grid;
use crate::operator::{Operator, table_failed, work};
use crate::report::{Outcome, Report};
use crate::stack_env::Which;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show users, files and bytes of each plan.
    #[command(after_help = "\
Examples:
  consigne stats storage
  consigne stats storage --days 30 --json")]
    Storage(Storage),
}

#[derive(Debug, Args)]
pub(crate) struct Storage {
    /// Number of days back, at most 366.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=366))]
    days: u16,
}

const NOTHING: &str =
    "Nothing was counted on these days. The count runs every night at 03:00 UTC; see the log of `stats-storage`.";

pub(crate) fn run(which: &Which, Command::Storage(asked): &Command) -> Outcome {
    let table = Operator::of_stack(which, &["TABLE_NAME"])?.table()?;
    let today = Day::of(clock::now());
    let span = DaySpan { from: today.minus(asked.days - 1), to: today };
    work(async {
        let days = table.list_storage(span).await.map_err(|fault| table_failed(&fault))?;
        let text = if days.is_empty() { NOTHING.to_owned() } else { render(&days) };
        Ok(Report::new(text, json!({ "days": days.iter().map(document).collect::<Vec<Value>>() })))
    })
}

fn render(days: &[StorageDay]) -> String {
    let mut grid = Grid::new(&HEAD);
    for StorageDay { day, totals, .. } in days {
        let mut all = Stored::default();
        for (plan, stored) in totals.plans() {
            grid.row(line(*day, plan.name(), stored));
            all.users += stored.users;
            all.files += stored.files;
            all.bytes += stored.bytes;
            all.reserved += stored.reserved;
        }
        grid.row(line(*day, "all", all));
    }
    grid.render()
}

fn document(StorageDay { day, totals, counted_at }: &StorageDay) -> Value {
    let plans = totals.plans().map(|(plan, Stored { users, files, bytes, reserved })| {
        json!({ "plan": plan.name(), "users": users, "files": files, "bytes": bytes, "reserved_bytes": reserved })
    });
    json!({ "day": day, "counted_at": counted_at, "plans": plans.collect::<Vec<_>>() })
}

const HEAD: [&str; 6] = ["day", "plan", ">users", ">files", ">stored", ">reserved"];

fn line(day: Day, plan: &str, stored: Stored) -> [String; 6] {
    let Stored { users, files, bytes, reserved } = stored;
    let (users, files) = (users.to_string(), files.to_string());
    [day.to_string(), plan.to_owned(), users, files, in_words(bytes), in_words(reserved)]
}

#[cfg(test)]
mod tests {
    use consigne_core::stats::StorageTotals;
    use consigne_core::{Plan, Timestamp};

    use super::*;

    #[test]
    fn plans_stand_under_each_other_with_their_sum() {
        let free = Stored { users: 12, files: 34, bytes: 5 << 20, reserved: 100 };
        let pro = Stored { users: 3, files: 1_000, bytes: 3 << 29, reserved: 0 };
        let totals = StorageTotals::new([(Plan::Free, free), (Plan::Pro, pro)]);
        let day = Day::parse("2026-11-21").unwrap();
        let text = render(&[StorageDay { day, totals, counted_at: Timestamp::from_secs(0) }]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["day", "plan", "users", "files", "stored", "reserved"]);
        assert_eq!(lines[1], ["2026-11-21", "free", "12", "34", "5", "MB", "100", "bytes"]);
        assert_eq!(lines[2], ["2026-11-21", "pro", "3", "1000", "1.5", "GB", "0", "bytes"]);
        assert_eq!(lines[3], ["2026-11-21", "all", "15", "1034", "1.5", "GB", "100", "bytes"]);
        assert!(text.lines().all(|line| line.len() == text.lines().next().unwrap().len()), "columns:\n{text}");
    }
}
