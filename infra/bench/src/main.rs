//! `make bench`: measures what the project promises about itself, in one run, and prints one table.
//!
//! Ratios to a hello-world of the same profile and counts of calls mean the same on every machine; milliseconds do not.

mod calls;
mod jobs;
mod keys;
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

use clap::Parser;
use consigne_testkit::{payload, template};

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
    build()?;
    let names = functions();
    let mut table = Table::default();
    sizes::measure(&names, &mut table)?;
    starts::measure(&names, if options.quick { 15 } else { 50 }, &mut table).await?;
    let stack = stack::up().await?;
    calls::measure(&stack, if options.quick { 5 } else { 20 }, &mut table).await?;
    keys::measure(&stack, if options.quick { 5 } else { 20 }, &mut table).await?;
    jobs::measure(&stack, if options.quick { 5 } else { 20 }, 200, &mut table).await?;
    uploads::measure(&stack, if options.quick { 200 } else { 1_000 }, &mut table).await?;
    let (orgs, calls) = if options.quick { (20, 2_000) } else { (200, 100_000) };
    night::measure(&stack, orgs, calls, &mut table).await?;
    stack.down();
    table.print();
    table.settle(options.accept)
}

/// Builds every function and the hello-world with the profile that is deployed.
fn build() -> Result<(), Problem> {
    say("Building with the profile that is deployed (the first time takes some minutes)...");
    let status = Command::new("cargo")
        .args(["build", "--release", "--workspace", "--bins", "--quiet"])
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
