//! A night's statistics: the receipts of many organisations, from the tick to the last one's figures, beside a direct count.

use std::time::{Duration, Instant};

use consigne_core::periods::Day;
use consigne_runtime::clock;
use consigne_testkit::busy_day::BusyDay;
use serde_json::json;

use crate::stack::BenchStack;
use crate::table::{Row, Table};
use crate::{Problem, say};

/// Group of these rows.
const GROUP: &str = "A night's statistics, from the tick to the last organisation's figures";
/// Longest wait for them.
const PATIENCE: Duration = Duration::from_mins(10);

/// Measures `calls` of `orgs` organisations.
// Counts of calls are small.
#[allow(clippy::cast_precision_loss)]
pub(crate) async fn measure(bench: &BenchStack, orgs: usize, calls: usize, table: &mut Table) -> Result<(), Problem> {
    say(&format!("Charging {calls} calls of {orgs} organisations, which takes its time..."));
    let (desk, now) = (bench.stack.table(), clock::now());
    let day = BusyDay::make(&desk, Day::of(now).minus(1), orgs, calls).await;
    let began = Instant::now();
    let done = bench.stack.invoke("stats-aggregate", &json!({ "time": now.to_string() })).await;
    if done.status != 200 {
        return Err(format!("stats-aggregate answered {}: {}", done.status, done.json()));
    }
    let mut missing = day.missing(&desk).await;
    while missing > 0 && began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
        missing = day.missing(&desk).await;
    }
    let took = began.elapsed().as_secs_f64();
    let note = format!("{} calls of {orgs} organisations in {took:.1} s", day.calls());
    table.push(Row::new(GROUP, "organisations whose figures differ", missing as f64, "").at_most(0.0));
    let rate = day.calls() as f64 / took;
    table.push(Row::new(GROUP, "receipts counted", rate, "per second").with_note(note).of_this_machine());
    Ok(())
}
