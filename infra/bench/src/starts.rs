//! Starts: from exec to the first answer through the Runtime API, each in turns with a hello-world that is given the same
//! settings and the same event.

use crate::process::{Running, Subject};
use crate::scene::Scene;
use crate::table::{Row, Table, quantile};
use crate::{Problem, say, sizes};

const GROUP: &str = "Start: exec to first answer, against hello-world";
/// Calls of the hello-worlds that stand beside: no function that makes so many can be faster.
const FLOORS: [u32; 3] = [1, 2, 4];

/// Slowest start by the number of clients of AWS, as a multiple of the hello-world's.
fn most(clients: usize) -> f64 {
    match clients {
        0 => 1.15,
        1 => 1.5,
        _ => 1.8,
    }
}

/// Measures every function `rounds` times.
///
/// One function after the other, each in turns with the hello-world: what ran before weighs on a start of a millisecond
/// (caches, the processor's pace). So both have run a moment ago, and neither is always the one who comes first.
pub(crate) async fn measure(scene: &Scene, names: &[String], rounds: u32, table: &mut Table) -> Result<(), Problem> {
    say(&format!("Starting every function {rounds} times..."));
    let floors = FLOORS.iter().map(|calls| Ok(scene.floor(*calls)));
    let subjects = floors.chain(names.iter().map(|name| scene.function(name))).collect::<Result<Vec<_>, Problem>>()?;
    let mut pairs: Vec<(Subject, Vec<f64>, Vec<f64>)> = Vec::new();
    for subject in subjects {
        let (hello, mut times, mut hellos) = (scene.hello_in_place_of(&subject), Vec::new(), Vec::new());
        // The first start reads the program from the disk.
        start(&subject).await?;
        for round in 0..rounds {
            if round % 2 == 0 {
                hellos.push(start(&hello).await?);
                times.push(start(&subject).await?);
            } else {
                times.push(start(&subject).await?);
                hellos.push(start(&hello).await?);
            }
        }
        pairs.push((subject, times, hellos));
    }
    let mut every: Vec<f64> = pairs.iter().flat_map(|(_, _, hellos)| hellos.iter().copied()).collect();
    table.push(Row::new(GROUP, "hello-world, median", quantile(&mut every, 0.5), "ms").of_this_machine());
    for (place, (subject, times, hellos)) in pairs.iter_mut().enumerate() {
        let (median, hello) = (quantile(times, 0.5), quantile(hellos, 0.5));
        let row =
            |name: &str, note: String| Row::new(GROUP, name, median / hello, "x hello").of_this_build().with_note(note);
        let Some(calls) = FLOORS.get(place) else {
            let clients = sizes::clients(&subject.name)?;
            let s = if clients == 1 { "" } else { "s" };
            let row = row(&subject.name, format!("{median:.1} ms, {clients} client{s}"));
            table.push(row.at_most(most(clients)));
            continue;
        };
        let s = if *calls == 1 { "" } else { "s" };
        table.push(row(&format!("hello-world and {calls} bare call{s}"), format!("{median:.1} ms, the floor")));
    }
    Ok(())
}

/// Starts a bootstrap, gives it one event and takes the time to its answer, in milliseconds.
pub(crate) async fn start(subject: &Subject) -> Result<f64, Problem> {
    let (running, answered) = Running::start(subject).await?;
    running.stop().await?;
    Ok(answered.as_secs_f64() * 1_000.0)
}
