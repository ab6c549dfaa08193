//! The drill: whole histories of an installation on fakes, drawn from a seed, with faults at any effect. Clients repeat
//! what is not answered, queues deliver again, and in the end nothing may be lost, doubled or served that was revoked.
//!
//! Everything is in memory and time is simulated, so a seed leads to the same history whenever it is played.

mod books;
mod checks;
mod env;
mod events;
mod files;
mod jobs;
mod keys;
mod money;
mod parts;
mod people;
pub mod plants;
mod rng;
mod sim;
mod stage;
mod steps;
pub mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind};

use consigne_core::Timestamp;

use self::plants::Plant;
use self::sim::Sim;
use self::tally::Tally;

/// When every drill begins.
const BEGIN: Timestamp = Timestamp::from_secs(1_795_257_000);

/// What came of the drill of a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What happened, in plain words.
    pub transcript: Vec<String>,
    /// Numbers of what happened.
    pub tally: Tally,
    /// The rule that was broken, if one was.
    pub broken: Option<String>,
}

/// Plays the drill of a seed. `plant` names a planted fault, which it should find.
///
/// # Panics
/// If there is no planted fault of that name.
pub fn play(seed: u64, plant: Option<&str>) -> Report {
    let planted = plant.map(|name| Plant::named(name).expect("the name of a planted fault"));
    let mut sim = Sim::new(seed, planted, BEGIN);
    // A fake that refuses to go on, as one whose numbers would fall below 0, ends the drill with its reason.
    let played = catch_unwind(AssertUnwindSafe(|| {
        sim.begin();
        let steps = 60 + sim.rng.below(80);
        for _ in 0..steps {
            if sim.broken.is_some() {
                break;
            }
            sim.step();
        }
        sim.settle();
        sim.check_end();
    }));
    if played.is_err() {
        sim.breaks("the drill itself failed; its reason is above");
    }
    Report { seed, transcript: sim.transcript, tally: sim.tally, broken: sim.broken }
}
