//! `make bench`: measures what the project promises about itself, in one run, and prints one table.
//!
//! Ratios to a hello-world of the same profile and counts of calls mean the same on every machine; milliseconds do not.

mod builds;
mod calls;
mod costs;
mod jobs;
mod keys;
mod lists;
mod night;
mod proxy;
mod runtime_api;
mod sizes;
mod stack;
mod starts;
mod stub;
mod table;
mod uploads;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};
use consigne_testkit::{payload, template};

use crate::stack::BenchStack;
use crate::table::Table;

/// Measures starts, sizes, calls, key checks, jobs, uploads and a night's statistics.
#[derive(Debug, Parser)]
struct Options {
    /// Fewer repetitions, in about two minutes.
    #[arg(long)]
    quick: bool,
    /// Write the results as the table to compare with from now on.
    #[arg(long)]
    accept: bool,
    /// Measure one part only; the committed figures of the others stay.
    #[arg(long)]
    only: Option<Part>,
    /// Use the everyday build instead of the one that is deployed: calls are the same, times and rates are not.
    #[arg(long, requires = "only")]
    dev: bool,
}

/// A part that can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Sizes of bootstraps.
    Sizes,
    /// Starts beside a hello-world.
    Starts,
    /// Calls a request.
    Calls,
    /// Key checks.
    Keys,
    /// Jobs and events.
    Jobs,
    /// Uploads in bulk.
    Uploads,
    /// The first and the nine-hundredth page of a long list.
    Lists,
    /// A night's statistics.
    Night,
    /// What a million of each request cost.
    Costs,
    /// Building from nothing; only when it is asked for, since it takes so long.
    Builds,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_none_or(|only| only == part)
    }

    /// Gives how often what is counted is done.
    fn rounds(&self) -> u32 {
        if self.quick { 5 } else { 20 }
    }

    /// Gives where the functions' binaries lie, below the checkout.
    fn binaries(&self) -> &'static str {
        if self.dev { "target/debug" } else { "target/release" }
    }
}

/// Why the bench cannot go on.
type Problem = String;

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(&options)),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            say("\nA bar is not met, or a figure is worse than the committed one beyond noise; see above.");
            ExitCode::FAILURE
        }
        Err(problem) => {
            say(&format!("\nThe bench stops here: {problem}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<bool, Problem> {
    let (names, mut table) = (functions(), Table::default());
    if options.only == Some(Part::Builds) {
        builds::measure(&names, &mut table)?;
        table.print();
        return table.settle(options.accept, false);
    }
    build(options)?;
    if options.wants(Part::Sizes) {
        sizes::measure(&names, &mut table)?;
    }
    if options.wants(Part::Starts) {
        starts::measure(&names, if options.quick { 15 } else { 50 }, &mut table).await?;
    }
    if !matches!(options.only, Some(Part::Sizes | Part::Starts)) {
        let stack = stack::up(options.binaries()).await?;
        deployed(&stack, options, &mut table).await?;
        stack.down();
    }
    if options.dev {
        table.mark_everyday();
    }
    table.print();
    table.settle(options.accept, options.only.is_none())
}

async fn deployed(stack: &BenchStack, options: &Options, table: &mut Table) -> Result<(), Problem> {
    if options.wants(Part::Calls) {
        calls::measure(stack, options.rounds(), table).await?;
    }
    if options.wants(Part::Keys) {
        keys::measure(stack, options.rounds(), table).await?;
    }
    if options.wants(Part::Jobs) {
        jobs::measure(stack, options.rounds(), 200, table).await?;
    }
    if options.wants(Part::Uploads) {
        uploads::measure(stack, if options.quick { 200 } else { 1_000 }, table).await?;
    }
    if options.wants(Part::Lists) {
        lists::measure(stack, if options.quick { 10_000 } else { 100_000 }, table).await?;
    }
    if options.wants(Part::Costs) {
        costs::measure(stack, options.rounds(), table).await?;
    }
    if options.wants(Part::Night) {
        let (orgs, calls) = if options.quick { (20, 2_000) } else { (200, 100_000) };
        night::measure(stack, orgs, calls, table).await?;
    }
    Ok(())
}

/// Builds every function and the hello-world.
fn build(options: &Options) -> Result<(), Problem> {
    let profile = if options.dev { "dev" } else { "release" };
    say(&format!("Building with the profile {profile} (the first time takes some minutes)..."));
    let status = Command::new("cargo")
        .args(["build", "--profile", profile, "--workspace", "--bins", "--quiet"])
        .current_dir(payload::root())
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    if status.success() { Ok(()) } else { Err("the build failed".to_owned()) }
}

/// Gives the names of the functions, in the template's order.
fn functions() -> Vec<String> {
    let template = template::template();
    template::functions(&template).iter().map(|(_, properties)| template::name_of(properties).to_owned()).collect()
}

/// Gives the path of a built bootstrap.
fn bootstrap(name: &str) -> PathBuf {
    payload::root().join("target/release").join(name)
}

// A bench prints; this is the place.
#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}
