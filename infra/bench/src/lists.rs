//! A long list: a page far behind must come as fast as the first one.

use std::time::Instant;

use consigne_testkit::pictures;
use consigne_testkit::stack::{Person, Stack};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::stack::BenchStack;
use crate::table::{Row, Table, quantile};
use crate::{Problem, say};

/// Files of a page.
const PAGE: usize = 100;
/// Files written by one request to the table, and requests under way at once.
const BATCH: usize = 25;
const AT_ONCE: usize = 8;
/// Times each of the two pages is asked for.
const ROUNDS: usize = 40;

/// Measures the first and the last but some hundred page of a list of `count` files.
pub(crate) async fn measure(bench: &BenchStack, count: usize, table: &mut Table) -> Result<(), Problem> {
    say(&format!("Listing {count} files, which are written first..."));
    let ann = bench.stack.newcomer("enterprise");
    fill(bench.stack, &ann, count).await?;
    let last = count / PAGE * 9 / 10;
    let cursor = behind(&ann, (last - 1) * PAGE).await?;
    let (first_page, last_page) = (path(PAGE, None), path(PAGE, Some(&cursor)));
    let (mut first, mut far) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (path, times) in [(&first_page, &mut first), (&last_page, &mut far)] {
            let began = Instant::now();
            let page = ann.call("GET", path).await.json();
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
            if page["files"].as_array().map(Vec::len) != Some(PAGE) {
                return Err(format!("a page holds {page}"));
            }
        }
    }
    // Without the count, so that a quick run and a full one are compared with each other.
    let group = "A list by pages of 100: nine tenths into it, against its first page";
    for (share, name, bar) in [(0.5, "p50", None), (0.95, "p95", Some(1.2))] {
        let (first, far) = (quantile(&mut first, share), quantile(&mut far, share));
        let note = format!("page {last} of {count} files in {far:.1} ms, the first in {first:.1} ms");
        let row = Row::new(group, name, far / first, "x the first").with_note(note);
        table.push(if let Some(bar) = bar { row.at_most(bar) } else { row });
    }
    Ok(())
}

/// Gives a person so many files that are ready: one by an upload, the others written beside it, as like it as may be.
pub(crate) async fn fill(stack: &Stack, ann: &Person<'_>, count: usize) -> Result<(), Problem> {
    let key = ann.upload("one.png", "image/png", pictures::png(64, 64, 2_000)).await;
    ann.wait_for(&key, "ready").await;
    let name = key.rsplit('/').next().unwrap_or_default();
    let id = name.get(..26).ok_or("a key names no file")?;
    let ask = json!({
        "TableName": stack.name("TABLE_NAME"),
        "Key": { "pk": { "S": format!("USER#{}", ann.id) }, "sk": { "S": format!("FILE#{id}") } },
    });
    let item = stack.ask_table("GetItem", &ask).await["Item"].to_string();
    // The last five characters of an id are random; so is what stands in their place.
    let copy = |n: usize| format!("{}{}", &id[..21], digits(n));
    let items: Vec<String> = (1..count).map(|n| item.replace(id, &copy(n))).collect();
    for some in items.chunks(BATCH * AT_ONCE) {
        join_all(some.chunks(BATCH).map(|batch| write(stack, batch))).await;
    }
    Ok(())
}

async fn write(stack: &Stack, batch: &[String]) {
    let put = |item: &String| {
        let item: Value = serde_json::from_str(item).unwrap_or_default();
        json!({ "PutRequest": { "Item": item } })
    };
    let puts: Vec<Value> = batch.iter().map(put).collect();
    stack.ask_table("BatchWriteItem", &json!({ "RequestItems": { stack.name("TABLE_NAME"): puts } })).await;
}

/// Writes a number as the end of an id.
fn digits(mut n: usize) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut digits = [b'0'; 5];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[n % 32];
        n /= 32;
    }
    String::from_utf8_lossy(&digits).into_owned()
}

fn path(limit: usize, cursor: Option<&str>) -> String {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    format!("/api/files/list?limit={limit}{cursor}")
}

/// Gives the cursor behind so many files, in as few pages as can be.
async fn behind(ann: &Person<'_>, mut files: usize) -> Result<String, Problem> {
    let mut cursor: Option<String> = None;
    while files > 0 {
        let limit = files.min(1_000);
        let page = ann.call("GET", &path(limit, cursor.as_deref())).await.json();
        let next = page["nextCursor"].as_str().ok_or_else(|| format!("the list ends early: {}", page["error"]))?;
        cursor = Some(next.to_owned());
        files -= limit;
    }
    cursor.ok_or_else(|| "the list is too short to have a page behind the first".to_owned())
}
