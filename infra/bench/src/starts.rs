//! Starts: from exec to the first answer through the Runtime API. Each function alternates with a hello-world that has
//! the same settings and the same event.

use consigne_testkit::functions::function;

use crate::process::{Running, Subject};
use crate::scene::Scene;
use crate::table::{Row, Table, counted, quantile};
use crate::{Problem, say};

const GROUP: &str = "Start: exec to first answer, against hello-world";
/// Numbers of bare calls of the hello-worlds for comparison. No function with as many calls can be faster.
const FLOORS: [usize; 3] = [1, 2, 4];

/// Slowest start by the number of AWS clients, as a multiple of the hello-world's.
fn most(clients: usize) -> f64 {
    match clients {
        0 => 1.15,
        1 => 1.5,
        _ => 1.8,
    }
}

/// Functions whose answers need S3's own about the parts of an upload, which the stub does not have. `parts.py` measures
/// them together.
const IN_PARTS: [&str; 3] = ["upload-abort", "upload-complete", "upload-parts"];

/// Measures every function `rounds` times.
///
/// The functions are measured one after the other, and each alternates with the hello-world. What ran before influences a
/// start of a millisecond (caches, the processor's frequency). By turns both have just run, and neither is always first.
pub(crate) async fn measure(scene: &Scene, names: &[String], rounds: u32, table: &mut Table) -> Result<(), Problem> {
    say(&format!("Starting every function {rounds} times..."));
    let mut every = Vec::new();
    let mut rows = Vec::new();
    for calls in FLOORS {
        let (times, mut hellos) = in_turns(scene, &scene.floor(calls), rounds).await?;
        let name = format!("hello-world and {}", counted(calls, "bare call"));
        rows.push(row(&name, times, &mut hellos, "the floor"));
        every.append(&mut hellos);
    }
    for name in names.iter().filter(|name| !IN_PARTS.contains(&name.as_str())) {
        let (times, mut hellos) = in_turns(scene, &scene.function(name)?, rounds).await?;
        let clients = function(name).clients();
        rows.push(row(name, times, &mut hellos, &counted(clients, "client")).at_most(most(clients)));
        every.append(&mut hellos);
    }
    table.push(Row::new(GROUP, "hello-world, median", quantile(&mut every, 0.5), "ms").of_this_machine());
    for row in rows {
        table.push(row);
    }
    Ok(())
}

fn row(name: &str, mut times: Vec<f64>, hellos: &mut [f64], note: &str) -> Row {
    let (median, hello) = (quantile(&mut times, 0.5), quantile(hellos, 0.5));
    Row::new(GROUP, name, median / hello, "x hello").of_this_build().with_note(format!("{median:.1} ms, {note}"))
}

/// Starts a bootstrap and its hello-world `rounds` times each. Returns the times of both, in milliseconds.
async fn in_turns(scene: &Scene, subject: &Subject, rounds: u32) -> Result<(Vec<f64>, Vec<f64>), Problem> {
    let (hello, mut times, mut hellos) = (scene.hello_in_place_of(subject), Vec::new(), Vec::new());
    // The first start reads the program from the disk.
    start(subject).await?;
    for round in 0..rounds {
        if round % 2 == 0 {
            hellos.push(start(&hello).await?);
            times.push(start(subject).await?);
        } else {
            times.push(start(subject).await?);
            hellos.push(start(&hello).await?);
        }
    }
    Ok((times, hellos))
}

/// Starts a bootstrap with one event. Returns the time to its answer, in milliseconds.
pub(crate) async fn start(subject: &Subject) -> Result<f64, Problem> {
    let (running, answered) = Running::start(subject).await?;
    running.stop().await?;
    Ok(answered.as_secs_f64() * 1_000.0)
}
