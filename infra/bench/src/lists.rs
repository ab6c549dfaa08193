//! A long list, in which a page near the end must come as fast as the first one.

use std::path::PathBuf;

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
/// Files per page.
const PAGE: usize = 100;
/// Files of a page that no `limit` cuts short.
const WHOLE: usize = 1_000;

/// Measures the first page of a list of `count` files and the one after nine tenths of it, each `rounds` times.
pub(crate) async fn measure(binaries: PathBuf, count: usize, rounds: u32, table: &mut Table) -> Result<(), Problem> {
    say(&format!("Listing {count} files..."));
    let scene = Scene::set(binaries, Shelf::of(count)?).await?;
    let event = |limit, cursor: Option<&str>| event(&scene.session_token(), limit, cursor);
    let (mut running, _) = Running::start(&Subject { event: event(PAGE, None), ..scene.function("list")? }).await?;
    let last = count / PAGE * 9 / 10;
    let (mut cursor, mut files) = (None::<String>, (last - 1) * PAGE);
    while files > 0 {
        let limit = files.min(1_000);
        let page = page(&mut running, &event(limit, cursor.as_deref()), limit).await?;
        cursor = page.1["nextCursor"].as_str().map(str::to_owned);
        files -= limit;
    }
    let (first_page, last_page) = (event(PAGE, None), event(PAGE, cursor.as_deref()));
    let (mut first, mut far) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (event, times) in [(&first_page, &mut first), (&last_page, &mut far)] {
            times.push(page(&mut running, event, PAGE).await?.0);
        }
    }
    let answer = page(&mut running, &last_page, PAGE).await?.1;
    let mut whole = Vec::new();
    for _ in 0..rounds {
        whole.push(page(&mut running, &event(WHOLE, None), WHOLE).await?.0);
    }
    let bytes = page(&mut running, &event(WHOLE, None), WHOLE).await?.1.to_string().len();
    running.stop().await?;
    // The newest file comes first. So the first file of that page shows whether a file was left out or returned twice.
    let wanted = Shelf::key_of(count - 1 - (last - 1) * PAGE)?;
    if answer["files"][0]["key"] != wanted.as_str() {
        return Err(format!("page {last} begins with {}, not {wanted}", answer["files"][0]["key"]));
    }
    let units = units::of_query(&Shelf::of(WHOLE)?.query(&Value::Null)["Items"]);
    let (small, whole) = (quantile(&mut first.clone(), 0.5), quantile(&mut whole, 0.5));
    let note = format!("{whole:.2} ms, {bytes} bytes, {units} read units; a page of {PAGE} in {small:.2} ms");
    let row = Row::new("A list's page of 1,000 files against one of 100", "p50", whole / small, "x the smaller");
    // Ten times the files take at most ten times as long.
    table.push(row.of_this_build().with_note(note).at_most(10.0));
    // Without the count, so that a quick run and a full one can be compared.
    let group = "A list by pages of 100: nine tenths into it, against its first page";
    for (share, name, bar) in [(0.5, "p50", None), (0.95, "p95", Some(1.2))] {
        let (first, far) = (quantile(&mut first, share), quantile(&mut far, share));
        let note = format!("page {last} of {count} files in {far:.2} ms, the first in {first:.2} ms");
        let row = Row::new(group, name, far / first, "x the first").of_this_build().with_note(note);
        table.push(if let Some(bar) = bar { row.at_most(bar) } else { row });
    }
    Ok(())
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
