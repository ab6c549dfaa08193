//! A long list, in which a page near the end must come as fast as the first one.

use std::path::Path;

use consigne_testkit::payload;
use serde_json::Value;

use crate::costs::units;
use crate::process::{Running, Subject};
use crate::scene::Scene;
use crate::shelf::Shelf;
use crate::table::{Row, Table, quantile};
use crate::{Problem, say};

/// The function that is measured.
pub(crate) const FUNCTIONS: [&str; 1] = ["list"];
/// Group of the times by the number of files.
pub(crate) const BY_FILES: &str = "A page of 100 files, by the number of files listed";
/// Group of the ratios.
pub(crate) const NEAR_ITS_END: &str = "A list by pages of 100: nine tenths into it, against its first page";
/// Files per page.
const PAGE: usize = 100;
/// Files of a page that no `limit` cuts short.
const WHOLE: usize = 1_000;
/// Numbers of files in the lists, smallest first. The largest is also the one whose pages are compared.
const COUNTS: [usize; 5] = [1_000, 3_000, 10_000, 30_000, 100_000];
/// The same for a quick run.
const FEW: [usize; 3] = [1_000, 3_000, 10_000];

/// A running function with a list of its own, and the requests it is sent.
struct List {
    count: usize,
    running: Running,
    /// The first page, and the one after nine tenths of the list.
    pages: [String; 2],
    /// Times of both, in milliseconds.
    times: [Vec<f64>; 2],
}

/// Measures the first page and the one after nine tenths, each `rounds` times, of lists of different lengths in turns.
pub(crate) async fn measure(binaries: &Path, rounds: u32, quick: bool, table: &mut Table) -> Result<(), Problem> {
    let counts: &[usize] = if quick { &FEW } else { &COUNTS };
    say(&format!("Listing up to {} files...", counts.last().unwrap_or(&0)));
    let mut lists = Vec::new();
    for count in counts {
        let scene = Scene::set(binaries.to_owned(), Shelf::of(*count)?).await?;
        lists.push(List::open(&scene, *count).await?);
    }
    for _ in 0..rounds {
        for list in &mut lists {
            list.ask().await?;
        }
    }
    for list in &mut lists {
        for (times, which) in list.times.iter_mut().zip(["first page", "nine tenths into it"]) {
            let name = format!("{} files, {which}", list.count);
            table.push(Row::new(BY_FILES, &name, quantile(times, 0.5), "ms").of_this_machine());
        }
    }
    let mut longest = lists.pop().ok_or("there is no list")?;
    for list in lists {
        list.running.stop().await?;
    }
    longest.whole_page(rounds, table).await?;
    // Without the count, so that a quick run and a full one can be compared.
    let (count, last) = (longest.count, number_of_last(longest.count));
    let [first, far] = &mut longest.times;
    for (share, name, bar) in [(0.5, "p50", None), (0.95, "p95", Some(1.2))] {
        let (first, far) = (quantile(first, share), quantile(far, share));
        let note = format!("page {last} of {count} files in {far:.2} ms, the first in {first:.2} ms");
        let row = Row::new(NEAR_ITS_END, name, far / first, "x the first").of_this_build().with_note(note);
        table.push(if let Some(bar) = bar { row.at_most(bar) } else { row });
    }
    longest.running.stop().await
}

/// Returns the number of the page after nine tenths of a list.
fn number_of_last(count: usize) -> usize {
    count / PAGE * 9 / 10
}

impl List {
    /// Starts the function and pages to nine tenths of its list.
    async fn open(scene: &Scene, count: usize) -> Result<Self, Problem> {
        let event = |limit, cursor: Option<&str>| event(&scene.session_token(), limit, cursor);
        let (mut running, _) = Running::start(&Subject { event: event(PAGE, None), ..scene.function("list")? }).await?;
        let (mut cursor, mut files) = (None::<String>, (number_of_last(count) - 1) * PAGE);
        while files > 0 {
            let limit = files.min(WHOLE);
            let page = page(&mut running, &event(limit, cursor.as_deref()), limit).await?;
            cursor = page.1["nextCursor"].as_str().map(str::to_owned);
            files -= limit;
        }
        let pages = [event(PAGE, None), event(PAGE, cursor.as_deref())];
        // The newest file comes first. So the first file of that page shows whether a file was left out or returned
        // twice.
        let answer = page(&mut running, &pages[1], PAGE).await?.1;
        let wanted = Shelf::key_of(count - 1 - (number_of_last(count) - 1) * PAGE)?;
        if answer["files"][0]["key"] != wanted.as_str() {
            let page = number_of_last(count);
            return Err(format!("page {page} begins with {}, not {wanted}", answer["files"][0]["key"]));
        }
        Ok(Self { count, running, pages, times: [Vec::new(), Vec::new()] })
    }

    /// Requests both pages once.
    async fn ask(&mut self) -> Result<(), Problem> {
        for (event, times) in self.pages.iter().zip(&mut self.times) {
            times.push(page(&mut self.running, event, PAGE).await?.0);
        }
        Ok(())
    }

    /// Measures a page that no `limit` cuts short.
    async fn whole_page(&mut self, rounds: u32, table: &mut Table) -> Result<(), Problem> {
        let event = self.pages[0].replace(&format!("limit={PAGE}"), &format!("limit={WHOLE}"));
        let mut times = Vec::new();
        for _ in 0..rounds {
            times.push(page(&mut self.running, &event, WHOLE).await?.0);
        }
        let bytes = page(&mut self.running, &event, WHOLE).await?.1.to_string().len();
        let units = units::of_query(&Shelf::of(WHOLE)?.query(&Value::Null)["Items"]);
        let (small, whole) = (quantile(&mut self.times[0], 0.5), quantile(&mut times, 0.5));
        let note = format!("{whole:.2} ms, {bytes} bytes, {units} read units; a page of {PAGE} in {small:.2} ms");
        let row = Row::new("A list's page of 1,000 files against one of 100", "p50", whole / small, "x the smaller");
        // Ten times the files take at most ten times as long.
        table.push(row.of_this_build().with_note(note).at_most(10.0));
        Ok(())
    }
}

/// Builds the request for a page.
fn event(token: &str, limit: usize, cursor: Option<&str>) -> String {
    let mut event = payload::event("list", "plain", token);
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    event["rawQueryString"] = format!("limit={limit}{cursor}").into();
    event.to_string()
}

/// Requests a page of this many files. Returns the time it took, in milliseconds, and the page.
async fn page(running: &mut Running, event: &str, files: usize) -> Result<(f64, Value), Problem> {
    let answered = running.ask_with(event).await?;
    let took = answered.took().as_secs_f64() * 1_000.0;
    let envelope: Value = serde_json::from_str(&answered.body).unwrap_or_default();
    let page: Value = serde_json::from_str(envelope["body"].as_str().unwrap_or_default()).unwrap_or_default();
    let found = page["files"].as_array().map_or(0, Vec::len);
    if found == files { Ok((took, page)) } else { Err(format!("a page of {files} files holds {found}: {page}")) }
}
