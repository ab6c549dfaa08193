//! Plays drills: `drill [--seeds N] [--first N] [--seed N] [--plant NAME]`.

use std::collections::BTreeMap;
use std::io::{Error, Result, Write as _, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use consigne_testkit::drill::plants::Plant;
use consigne_testkit::drill::tally::{Fault, Tally};
use consigne_testkit::drill::{Report, play};

/// Drills of a run without a number.
const SEEDS: u64 = 1_000;
/// How often the progress is shown.
const SHOWN_EVERY: Duration = Duration::from_secs(2);
/// Last lines of a drill that are shown when it fails.
const LAST_LINES: usize = 40;

/// What to play.
struct Ask {
    first: u64,
    seeds: u64,
    /// Whether one seed is played, with all its lines.
    one: bool,
    plant: Option<String>,
}

impl Ask {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut ask = Self { first: 1, seeds: SEEDS, one: false, plant: None };
        let mut given: BTreeMap<String, String> = BTreeMap::new();
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            given.insert(name, arguments.next().unwrap_or_default());
        }
        // The Makefile passes on what was not given as an empty text.
        for (name, value) in given.into_iter().filter(|(_, value)| !value.is_empty()) {
            match name.as_str() {
                "--seeds" => ask.seeds = number(&name, &value)?,
                "--first" => ask.first = number(&name, &value)?,
                "--seed" => (ask.first, ask.seeds, ask.one) = (number(&name, &value)?, 1, true),
                "--plant" if Plant::named(&value).is_some() => ask.plant = Some(value),
                "--plant" => return Err(refused(&format!("PLANT is one of {}", Plant::names().join(", ")))),
                _ => return Err(refused(&format!("unknown option {name}"))),
            }
        }
        Ok(ask)
    }
}

fn number(name: &str, value: &str) -> Result<u64> {
    let name = name.trim_start_matches('-').to_uppercase();
    value.parse().map_err(|_| refused(&format!("{name} must be a whole number, and is {value}")))
}

fn refused(why: &str) -> Error {
    Error::other(why.to_owned())
}

fn main() -> ExitCode {
    let outcome = Ask::parse(std::env::args().skip(1)).and_then(|ask| run(&ask));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            drop(writeln!(stdout(), "{error}"));
            ExitCode::from(2)
        }
    }
}

fn run(ask: &Ask) -> Result<ExitCode> {
    if ask.one {
        let report = play(ask.first, ask.plant.as_deref());
        for line in &report.transcript {
            writeln!(stdout(), "{line}")?;
        }
        writeln!(stdout())?;
        totals(&report.tally)?;
        return finish(ask, Some(&report), &report.tally, 1);
    }
    let began = Instant::now();
    let (next, played, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let worker = || {
        let mut tally = Tally::default();
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= ask.seeds {
                break;
            }
            let report = play(ask.first + seed, ask.plant.as_deref());
            tally.add(&report.tally);
            played.fetch_add(1, Ordering::Relaxed);
            if report.broken.is_some() {
                stop.store(true, Ordering::Relaxed);
                return (tally, Some(report));
            }
        }
        (tally, None)
    };
    let mut tally = Tally::default();
    // The smallest seed, so that two runs name the same one.
    let mut failed: Option<Report> = None;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let mut shown = Instant::now();
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
            if shown.elapsed() >= SHOWN_EVERY {
                shown = Instant::now();
                let done = played.load(Ordering::Relaxed);
                let seconds = began.elapsed().as_secs();
                drop(writeln!(stdout(), "{done} of {} drills, {seconds} s", ask.seeds));
            }
        }
        for (own, report) in workers.into_iter().filter_map(|worker| worker.join().ok()) {
            tally.add(&own);
            if let Some(report) = report
                && failed.as_ref().is_none_or(|known| known.seed > report.seed)
            {
                failed = Some(report);
            }
        }
    });
    let played = played.into_inner();
    totals(&tally)?;
    writeln!(stdout(), "{played} drills in {:.1} s", began.elapsed().as_secs_f64())?;
    finish(ask, failed.as_ref(), &tally, played)
}

/// Writes how often each step was taken and each fault happened.
fn totals(tally: &Tally) -> Result<()> {
    let mut out = stdout();
    writeln!(out, "Steps:")?;
    for (step, count) in &tally.steps {
        writeln!(out, "  {count:>9}  {step}")?;
    }
    writeln!(out, "Faults:")?;
    for fault in Fault::ALL {
        writeln!(out, "  {:>9}  {}", tally.faults.get(&fault).copied().unwrap_or_default(), fault.name())?;
    }
    writeln!(out, "{} invocations with {} effects", tally.invocations, tally.effects)?;
    writeln!(
        out,
        "{} mails were sent again because their sender could not know, each counted in MailsPerhapsTwice",
        tally.mails_perhaps_twice
    )
}

fn finish(ask: &Ask, report: Option<&Report>, tally: &Tally, played: u64) -> Result<ExitCode> {
    let mut out = stdout();
    let broken = report.and_then(|report| report.broken.as_ref().map(|broken| (report, broken)));
    let Some((report, broken)) = broken else {
        let faults: u64 = tally.faults.values().sum();
        writeln!(out, "{played} drills with {faults} faults: nothing lost, doubled or served that was revoked.")?;
        if ask.plant.is_some() {
            writeln!(out, "The planted fault was not found. Play more seeds: make drill PLANT=... SEEDS=200")?;
            return Ok(ExitCode::FAILURE);
        }
        writeln!(out, "Next: other seeds with make drill FIRST=100000, one in plain words with make drill SEED=17")?;
        return Ok(ExitCode::SUCCESS);
    };
    if !ask.one {
        writeln!(out, "\nThe last steps of seed {}:", report.seed)?;
        for line in &report.transcript[report.transcript.len().saturating_sub(LAST_LINES)..] {
            writeln!(out, "{line}")?;
        }
    }
    let plant = ask.plant.as_ref().map_or(String::new(), |plant| format!(" PLANT={plant}"));
    writeln!(out, "\nSeed {} broke a rule: {broken}", report.seed)?;
    writeln!(out, "Next: read all its steps with make drill SEED={}{plant}", report.seed)?;
    Ok(ExitCode::FAILURE)
}
