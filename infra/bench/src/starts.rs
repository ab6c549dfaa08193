//! Starts: from exec to the first answer through the Runtime API, interleaved with a hello-world.

use crate::process::{Running, Subject};
use crate::scene::Scene;
use crate::table::{Row, Table, quantile};
use crate::{Problem, say, sizes};

/// Slowest start by the number of clients of AWS, as a multiple of the hello-world's.
fn most(clients: usize) -> f64 {
    match clients {
        0 => 1.15,
        1 => 1.5,
        _ => 1.8,
    }
}

/// Measures every function `rounds` times, each round beginning with the hello-world.
pub(crate) async fn measure(scene: &Scene, names: &[String], rounds: u32, table: &mut Table) -> Result<(), Problem> {
    say(&format!("Starting every function {rounds} times..."));
    let mut hellos = Vec::new();
    let mut times: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for _ in 0..rounds {
        hellos.push(start(&scene.hello()).await?);
        for (name, times) in names.iter().zip(&mut times) {
            times.push(start(&scene.function(name)?).await?);
        }
    }
    let group = "Start: exec to first answer, against hello-world";
    let hello = quantile(&mut hellos, 0.5);
    table.push(Row::new(group, "hello-world, median", hello, "ms").of_this_machine());
    for (name, times) in names.iter().zip(&mut times) {
        let (median, clients) = (quantile(times, 0.5), sizes::clients(name)?);
        let note = format!("{median:.1} ms, {clients} client{}", if clients == 1 { "" } else { "s" });
        let row = Row::new(group, name, median / hello, "x hello").at_most(most(clients));
        table.push(row.of_this_build().with_note(note));
    }
    Ok(())
}

/// Starts a bootstrap, gives it one event and takes the time to its answer, in milliseconds.
pub(crate) async fn start(subject: &Subject) -> Result<f64, Problem> {
    let (running, answered) = Running::start(subject).await?;
    running.stop().await?;
    Ok(answered.as_secs_f64() * 1_000.0)
}
