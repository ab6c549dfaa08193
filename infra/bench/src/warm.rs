//! Warm requests, one after the other, compared with a hello-world: their time, their number per second of a core, and
//! memory. AWS is the stub, whose processor time is not counted.

use std::time::Duration;

use crate::process::{Running, Subject};
use crate::scene::Scene;
use crate::table::{Row, Table, quantile};
use crate::{Problem, say};

/// Group of the times.
pub(crate) const LATENCY: &str = "Warm request, from event to answer, against hello-world";
/// Group of the times on a processor.
pub(crate) const PROCESSOR: &str = "Warm request, time on a processor, against hello-world";
/// Group of the memory.
pub(crate) const MEMORY: &str = "Resident memory";
/// The functions that are measured: one without AWS, readers, a signer, a charge, a write.
pub(crate) const FUNCTIONS: [&str; 6] = ["fallback", "presign", "usage", "metadata", "key-verify", "upload-grant"];
/// Requests of one function before the next function has its turn. By turns all see the same state of the machine.
const TURN: u32 = 100;
/// Most growth of a function from its first to its last request, in megabytes. Buffers and caches fill first, and after
/// that memory must not grow. A leak of one kilobyte per request would be ten megabytes after 10,000 requests.
const GROWTH: f64 = 2.0;
/// How many times its committed value a time may be. A slower machine does not slow all code down alike: where a hello-world took
/// a fifth longer, presign took half as long again. What a change costs is found by the instructions, which are held to a
/// twentieth.
const SLOWER: f64 = 1.5;

/// The measurements of one function.
pub(crate) struct Seen {
    /// Name of the function.
    pub(crate) name: String,
    /// Times from event to answer, in microseconds.
    pub(crate) times: Vec<f64>,
    /// Processor time per request, in microseconds.
    pub(crate) processor: f64,
    /// Megabytes after its first request.
    pub(crate) first: f64,
    /// Megabytes after its last request.
    pub(crate) last: f64,
}

/// Measures `count` requests of each function.
pub(crate) async fn measure(scene: &Scene, count: u32, table: &mut Table) -> Result<(), Problem> {
    let functions = FUNCTIONS.iter().map(|name| scene.function(name));
    let subjects: Vec<Subject> = std::iter::once(Ok(scene.hello())).chain(functions).collect::<Result<_, _>>()?;
    say(&format!("Asking {} functions {count} times each...", subjects.len()));
    let mut seen = ask(&subjects, count).await?;
    let (hello, processor) = (quantile(&mut seen[0].times, 0.5), seen[0].processor);
    for seen in &mut seen {
        let (median, slow) = (quantile(&mut seen.times, 0.5), quantile(&mut seen.times, 0.95));
        let note = format!("{median:.0} µs, 95 % {slow:.0} µs");
        let row = Row::new(LATENCY, &seen.name, median / hello, "x hello").of_this_build().up_to(SLOWER);
        table.push(row.with_note(note));
    }
    for seen in &seen {
        let note = format!("{:.0} µs, {:.0} requests a second and core", seen.processor, 1e6 / seen.processor);
        let row = Row::new(PROCESSOR, &seen.name, seen.processor / processor, "x hello").of_this_build().up_to(SLOWER);
        table.push(row.with_note(note));
    }
    for seen in &seen {
        let name = format!("{}, after 1 request", seen.name);
        table.push(Row::new(MEMORY, &name, seen.first, "MB").of_this_build());
        // Without the count, so that a quick run and a full one can be compared.
        let (name, growth) = (format!("{}, growth since", seen.name), (seen.last - seen.first).max(0.0));
        let note = format!("{:.1} MB after {count} requests", seen.last);
        let row = Row::new(MEMORY, &name, growth, "MB").at_most(GROWTH).of_this_machine();
        table.push(row.with_note(note));
    }
    Ok(())
}

/// Sends each function `count` requests after the first, in turns.
pub(crate) async fn ask(subjects: &[Subject], count: u32) -> Result<Vec<Seen>, Problem> {
    let mut all = Vec::new();
    for subject in subjects {
        let (running, _) = Running::start(subject).await?;
        let first = running.resident()?;
        let name = subject.name.clone();
        all.push((running, Seen { name, times: Vec::new(), processor: 0.0, first, last: first }));
    }
    // Work that starts after the first answer does not belong to a request.
    tokio::time::sleep(Duration::from_millis(100)).await;
    for _ in 0..count.div_ceil(TURN) {
        for (running, seen) in &mut all {
            let before = running.cpu()?;
            for _ in 0..TURN.min(count) {
                seen.times.push(running.ask().await?.as_secs_f64() * 1e6);
            }
            seen.processor += (running.cpu()?.saturating_sub(before)).as_secs_f64() * 1e6;
        }
    }
    let mut done = Vec::new();
    for (running, mut seen) in all {
        seen.last = running.resident()?;
        // A few thousand requests are exact as a float.
        #[allow(clippy::cast_precision_loss)]
        let asked = seen.times.len() as f64;
        seen.processor /= asked;
        running.stop().await?;
        done.push(seen);
    }
    Ok(done)
}
