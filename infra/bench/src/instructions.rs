//! Instructions per request, counted by callgrind. The count is the same on a busy machine and on an idle one.
//!
//! Two runs differ only in the number of requests, so their difference is the cost of the additional requests, without
//! the start. The processor that callgrind simulates has no instructions for hashes, so hashing takes more instructions
//! than on a real one. Compare counts with each other and not with times.
//!
//! Source: Valgrind user manual, chapter 6, "Callgrind": the number of events is printed at the end, as `Collected :
//! <Ir>`.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;

use crate::process::Subject;
use crate::runtime_api::RuntimeApi;
use crate::scene::Scene;
use crate::table::{Row, Table};
use crate::{Problem, say};

/// Group of these rows.
pub(crate) const GROUP: &str = "Instructions a warm request, counted by callgrind";
/// The functions that are measured, beside a hello-world.
pub(crate) const FUNCTIONS: [&str; 3] = ["presign", "usage", "key-verify"];
/// Requests before those that are counted. The first ones open connections and fill caches.
const BEFORE: u32 = 20;
/// Runs a program about fifty times slower, counts its instructions and writes no profile.
pub(crate) const CALLGRIND: [&str; 3] = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"];
/// Longest time for an answer under callgrind.
const REPLY_TIMEOUT: Duration = Duration::from_mins(2);

/// Returns whether callgrind is installed here.
pub(crate) async fn can_count() -> bool {
    let asked = Command::new(CALLGRIND[0]).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    asked.is_ok_and(|status| status.success())
}

/// Measures `count` requests of each function.
pub(crate) async fn measure(scene: &Scene, count: u32, table: &mut Table) -> Result<(), Problem> {
    if !can_count().await {
        say("Instructions per request are left out: valgrind is not installed.");
        return Ok(());
    }
    say(&format!("Counting the instructions of {count} requests each..."));
    let functions = FUNCTIONS.iter().map(|name| scene.function(name));
    let subjects: Vec<Subject> = std::iter::once(Ok(scene.hello())).chain(functions).collect::<Result<_, _>>()?;
    for subject in &subjects {
        let (some, more) = (of_requests(subject, BEFORE).await?, of_requests(subject, BEFORE + count).await?);
        let each = per_request(some, more, count);
        table.push(Row::new(GROUP, &subject.name, each, "thousand").of_this_build().exact());
    }
    Ok(())
}

/// Returns the instructions of each further request, in thousands.
// Instruction counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn per_request(some: u64, more: u64, further: u32) -> f64 {
    more.saturating_sub(some) as f64 / f64::from(further) / 1e3
}

/// Counts the instructions of a bootstrap from exec to its end, with this many requests.
pub(crate) async fn of_requests(subject: &Subject, requests: u32) -> Result<u64, Problem> {
    let mut api = RuntimeApi::start(REPLY_TIMEOUT).await?;
    let mut child = subject
        .under(&CALLGRIND)
        .prepare(&api)
        // Valgrind finds its tools by itself. The path is needed to find valgrind.
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| subject.blame(error))?;
    for _ in 0..requests {
        api.offer(&subject.event).await;
        let answered = api.answer().await.map_err(|problem| subject.blame(problem))?;
        subject.accept(&answered)?;
    }
    // What it does after its last answer, until it asks for the next event, is the same in both runs.
    api.ready(requests + 1).await.map_err(|problem| subject.blame(problem))?;
    end(child.id().ok_or_else(|| subject.blame("it has ended"))?).await?;
    let mut told = String::new();
    let stderr = child.stderr.as_mut().ok_or_else(|| subject.blame("its standard error is not captured"))?;
    stderr.read_to_string(&mut told).await.map_err(|error| subject.blame(error))?;
    child.wait().await.map_err(|error| subject.blame(error))?;
    collected(&told).ok_or_else(|| subject.blame(format!("callgrind printed no count: {told}")))
}

/// Sends a process the signal to end, so that callgrind prints its count.
async fn end(pid: u32) -> Result<(), Problem> {
    let killed = Command::new("kill").args(["-s", "TERM", &pid.to_string()]).status().await;
    if killed.is_ok_and(|status| status.success()) { Ok(()) } else { Err(format!("{pid} cannot be ended")) }
}

/// Finds the count in callgrind's output.
pub(crate) fn collected(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_among_what_else_is_told() {
        let told = "==7== Callgrind, a call-graph\n{\"level\":\"info\"}\n==7== \n==7== Events    : Ir\n==7== Collected : 123456\n";
        assert_eq!(collected(told), Some(123_456));
        assert_eq!(collected("==7== killed"), None);
        assert!((per_request(1_000, 5_000, 2) - 2.0).abs() < 1e-9);
    }
}
