//! The nightly statistics of many organisations, from the tick to the last organisation's statistics, compared with a
//! direct count.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use consigne_core::periods::Day;
use consigne_runtime::clock;
use consigne_testkit::busy_day::BusyDay;
use serde_json::json;

use crate::stack::BenchStack;
use crate::table::{Row, Table};
use crate::{Problem, calls, say};

/// Group of these rows.
const GROUP: &str = "A night's statistics, from the tick to the last organisation's figures";
/// Most calls for an organisation with one busy day of three: a query per day and one for each further page of
/// receipts, the statistics with their event, the event on the bus and out of the outbox, and its share of the
/// distribution.
const CALLS_MAX: f64 = 8.0;
/// Number of organisations from which this limit applies.
const MANY: usize = 200;
/// Longest time for the statistics of all organisations.
const MAX_WAIT: Duration = Duration::from_mins(10);

/// Measures `receipts` receipts of `orgs` organisations.
// Counts of calls are small.
#[allow(clippy::cast_precision_loss)]
pub(crate) async fn measure(
    bench: &BenchStack,
    orgs: usize,
    receipts: usize,
    table: &mut Table,
) -> Result<(), Problem> {
    say(&format!("Charging {receipts} calls of {orgs} organisations, which takes its time..."));
    let (accounts, now) = (bench.stack.table(), clock::now());
    let day = BusyDay::make(&accounts, Day::of(now).minus(1), orgs, receipts).await;
    calls::quiet(bench).await;
    bench.proxy.reset();
    let began = Instant::now();
    let done = bench.stack.invoke("stats-aggregate", &json!({ "time": now.to_string() })).await;
    if done.status != 200 {
        return Err(format!("stats-aggregate answered {}: {}", done.status, done.json()));
    }
    let mut missing = day.missing(&accounts).await;
    while missing > 0 && began.elapsed() < MAX_WAIT {
        tokio::time::sleep(Duration::from_millis(200)).await;
        missing = day.missing(&accounts).await;
    }
    let took = began.elapsed().as_secs_f64();
    let note = format!("{} receipts of {orgs} organisations in {took:.1} s", day.calls());
    table.push(Row::new(GROUP, "organisations whose figures differ", missing as f64, "").at_most(0.0));
    let rate = day.calls() as f64 / took;
    table.push(Row::new(GROUP, "receipts counted", rate, "per second").with_note(note).of_this_machine());
    calls::quiet(bench).await;
    counted(bench, orgs, table);
    Ok(())
}

/// Adds the calls to AWS of the whole night, from the first query to the last event on the bus.
#[allow(clippy::cast_precision_loss)]
fn counted(bench: &BenchStack, orgs: usize, table: &mut Table) {
    let mut operations: BTreeMap<String, u32> = BTreeMap::new();
    for ((_, operation), passed) in bench.proxy.counts() {
        *operations.entry(operation).or_default() += passed.calls;
    }
    let total: u32 = operations.values().sum();
    let note: Vec<String> = operations.iter().map(|(operation, calls)| format!("{calls} {operation}")).collect();
    let row = Row::new(GROUP, "calls an organisation", f64::from(total) / orgs as f64, "calls");
    // The fixed calls of a night are shared by its organisations, so with few of them the number means something else.
    let row = if orgs < MANY { row.of_this_machine() } else { row.at_most(CALLS_MAX) };
    table.push(row.with_note(note.join(", ")));
}
