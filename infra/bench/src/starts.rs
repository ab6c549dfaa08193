//! Starts: from exec to the first answer through the Runtime API. Each function alternates with a hello-world that has
//! the same settings and the same event.

use consigne_testkit::functions::function;

use crate::instructions;
use crate::process::{Running, Subject};
use crate::scene::Scene;
use crate::table::{Row, Table, counted, quantile};
use crate::verdict::is_well;
use crate::{Problem, say};

/// Group of the ratios.
pub(crate) const GROUP: &str = "Start: exec to first answer, against hello-world";
/// Name of the row with the hello-world's own time, in milliseconds.
pub(crate) const HELLO: &str = "hello-world, median";
/// Group of the counts.
const INSTRUCTIONS: &str = "Instructions of a start, exec to first answer, counted by callgrind";
/// Numbers of bare calls of the hello-worlds for comparison. No function with as many calls can be faster.
pub(crate) const FLOORS: [usize; 3] = [1, 2, 4];
/// Slowest start, as a multiple of the hello-world's.
pub(crate) const SLOWEST: f64 = 2.0;
/// By how much a start may be worse than the committed one, in hello-worlds, beyond the spread of both figures.
const WORSE: f64 = 0.05;
/// How often a function is measured that misses its bar or seems to be worse. Its figure is of all its starts together.
const SERIES: u32 = 4;
/// Parts of the starts that are compared with each other to see how far the figure may be off.
const BATCHES: usize = 10;

/// How starts are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'a> {
    /// Starts of each function in one series.
    pub(crate) rounds: u32,
    /// Whether this is the development build, which no bar is for.
    pub(crate) dev: bool,
    /// The committed table.
    pub(crate) committed: &'a [Row],
}

/// Starts of a function and of its hello-world, in turns: their times in milliseconds.
#[derive(Debug, Default)]
struct Turns {
    times: Vec<f64>,
    hellos: Vec<f64>,
}

/// Measures every function.
///
/// The functions are measured one after the other, and each alternates with the hello-world. What ran before influences a
/// start of a millisecond (caches, the processor's frequency). By turns both have just run, and neither is always first.
pub(crate) async fn measure(
    scene: &Scene,
    names: &[String],
    manner: Manner<'_>,
    table: &mut Table,
) -> Result<(), Problem> {
    let (mut every, mut rows) = (Vec::new(), Vec::new());
    for calls in FLOORS {
        let subject = scene.floor(calls);
        let mut turns = Turns::default();
        turns.take(scene, &subject, manner.rounds).await?;
        rows.push(turns.row(&floor_name(calls), "the floor"));
        every.append(&mut turns.hellos);
    }
    for name in names {
        let (subject, clients) = (scene.function(name)?, function(name).clients());
        let (mut turns, mut left) = (Turns::default(), SERIES);
        loop {
            turns.take(scene, &subject, manner.rounds).await?;
            let row = turns.row(name, &counted(clients, "client")).at_most(SLOWEST);
            let row = row.within(WORSE, turns.spread());
            left -= 1;
            if manner.dev || left == 0 || is_well(&row, manner.committed) {
                rows.push(row);
                break;
            }
            say(&format!("{name} is slower than it may be; started once more {} times.", manner.rounds));
        }
        every.append(&mut turns.hellos);
    }
    table.push(Row::new(GROUP, HELLO, quantile(&mut every, 0.5), "ms").of_this_machine());
    for row in rows {
        table.push(row);
    }
    count(scene, names, table).await
}

/// Returns the name of the row of a hello-world with this many bare calls.
pub(crate) fn floor_name(calls: usize) -> String {
    format!("hello-world and {}", counted(calls, "bare call"))
}

/// Counts the instructions of each start. Unlike a time, the count is the same on a busy machine. It does not contain
/// what the kernel does.
async fn count(scene: &Scene, names: &[String], table: &mut Table) -> Result<(), Problem> {
    if !instructions::can_count().await {
        say("Instructions of a start are left out: valgrind is not installed.");
        return Ok(());
    }
    say("Counting the instructions of every start...");
    let functions = names.iter().map(|name| scene.function(name));
    for subject in std::iter::once(Ok(scene.hello())).chain(functions) {
        let subject = subject?;
        let thousands = instructions::per_request(0, instructions::of_requests(&subject, 1).await?, 1);
        table.push(Row::new(INSTRUCTIONS, &subject.name, thousands, "thousand").of_this_build().exact());
    }
    Ok(())
}

impl Turns {
    /// Starts a bootstrap and its hello-world `rounds` times each.
    async fn take(&mut self, scene: &Scene, subject: &Subject, rounds: u32) -> Result<(), Problem> {
        let hello = scene.hello_in_place_of(subject);
        // The first start reads the program from the disk.
        start(subject).await?;
        for round in 0..rounds {
            if round % 2 == 0 {
                self.hellos.push(start(&hello).await?);
                self.times.push(start(subject).await?);
            } else {
                self.times.push(start(subject).await?);
                self.hellos.push(start(&hello).await?);
            }
        }
        Ok(())
    }

    fn row(&self, name: &str, note: &str) -> Row {
        let median = quantile(&mut self.times.clone(), 0.5);
        let ratio = ratio(&self.times, &self.hellos);
        Row::new(GROUP, name, ratio, "x hello").of_this_build().with_note(format!("{median:.1} ms, {note}"))
    }

    /// Returns how far the ratio may be off: two standard errors of the ratios of its parts, each of which is of starts
    /// that followed each other.
    // Counts of parts are small.
    #[allow(clippy::cast_precision_loss)]
    fn spread(&self) -> f64 {
        let size = self.times.len().div_ceil(BATCHES).max(1);
        let ratios: Vec<f64> =
            self.times.chunks(size).zip(self.hellos.chunks(size)).map(|(times, hellos)| ratio(times, hellos)).collect();
        let count = ratios.len() as f64;
        if count < 2.0 {
            return 0.0;
        }
        let mean = ratios.iter().sum::<f64>() / count;
        let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / (count - 1.0);
        2.0 * (variance / count).sqrt()
    }
}

/// Returns the ratio of the medians.
fn ratio(times: &[f64], hellos: &[f64]) -> f64 {
    quantile(&mut times.to_vec(), 0.5) / quantile(&mut hellos.to_vec(), 0.5)
}

/// Starts a bootstrap with one event. Returns the time to its answer, in milliseconds.
pub(crate) async fn start(subject: &Subject) -> Result<f64, Problem> {
    let (running, answered) = Running::start(subject).await?;
    running.stop().await?;
    Ok(answered.as_secs_f64() * 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts at these multiples of a hello-world of 2 ms.
    fn turns(ratios: &[f64]) -> Turns {
        Turns { times: ratios.iter().map(|ratio| ratio * 2.0).collect(), hellos: vec![2.0; ratios.len()] }
    }

    #[test]
    fn the_spread_shrinks_with_more_starts_and_is_nothing_where_all_are_alike() {
        assert!(turns(&[1.5; 50]).spread() < 1e-9);
        let (few, many) = (turns(&[1.4, 1.6].repeat(5)), turns(&[1.4, 1.6].repeat(50)));
        assert!((0.05..0.08).contains(&few.spread()), "{}", few.spread());
        assert!(many.spread() < few.spread() / 2.0, "{}", many.spread());
        assert!(turns(&[1.5]).spread() < 1e-9, "one start tells nothing");
    }

    #[test]
    fn a_figure_is_the_ratio_of_medians_and_one_slow_start_does_not_change_it() {
        let row = turns(&[1.5, 1.5, 9.0, 1.5, 1.5]).row("usage", "1 client");
        assert!((row.value - 1.5).abs() < 1e-9);
        assert_eq!(row.note, "3.0 ms, 1 client");
    }
}
