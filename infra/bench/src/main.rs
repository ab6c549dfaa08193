//! `make bench`: measures what the project promises about itself, in one run, and prints one table.
//!
//! Ratios to a hello-world of the same profile and counts of calls are the same on every machine. Times in milliseconds
//! are not.

mod answers;
mod builds;
mod calls;
mod costs;
mod daily_stats;
mod documents;
mod files;
mod instructions;
mod items;
mod jobs;
mod keys;
mod lists;
mod micro;
mod peers;
mod pictures;
mod process;
mod progress;
mod proxy;
mod records;
mod runtime_api;
mod scene;
mod shelf;
mod sizes;
mod stack;
mod starts;
mod stub;
mod table;
mod throttle;
mod uploads;
mod verdict;
mod warm;

use std::process::{Command, ExitCode};

use clap::{Parser, ValueEnum};
use consigne_testkit::{payload, template};

use crate::process::Subject;
use crate::progress::Progress;
use crate::scene::Scene;
use crate::shelf::Shelf;
use crate::stack::BenchStack;
use crate::starts::Manner;
use crate::table::{Table, counted};

/// Measures starts, sizes, warm requests, instructions, calls, key checks, jobs, uploads and nightly statistics, and
/// compares two functions with the same ones in other languages.
#[derive(Debug, Parser)]
// Each is a flag of the command line.
#[allow(clippy::struct_excessive_bools)]
struct Options {
    /// Repeat less, in about two minutes.
    #[arg(long)]
    quick: bool,
    /// Write the results as the new committed table.
    #[arg(long)]
    accept: bool,
    /// Measure one part only. The committed figures of the others stay.
    #[arg(long)]
    only: Option<Part>,
    /// Measure only these functions, for the sizes or the starts.
    #[arg(long = "function", value_name = "NAME", requires = "only", conflicts_with = "accept")]
    functions: Vec<String>,
    /// Use the development build instead of the deployed one. Calls are the same, times and rates are not.
    #[arg(long, requires = "only")]
    dev: bool,
    /// Measure nothing, and write the pictures and documents that show the committed table.
    #[arg(long, exclusive = true)]
    draw: bool,
}

/// A part that can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Sizes of bootstraps.
    Sizes,
    /// Starts, compared with a hello-world.
    Starts,
    /// Warm requests, compared with a hello-world, and memory.
    Warm,
    /// Instructions per request.
    Instructions,
    /// Signing a ticket, verifying a token, checking a key.
    Micro,
    /// A simulated function of 128 MB.
    Small,
    /// The same functions in other languages.
    Peers,
    /// AWS calls per request.
    Calls,
    /// Key checks.
    Keys,
    /// Jobs and events.
    Jobs,
    /// Uploads in bulk.
    Uploads,
    /// The first page of a long list, and one near its end.
    Lists,
    /// Nightly statistics.
    Night,
    /// Cost of a million of each request.
    Costs,
    /// Building from nothing. Only on request, because it takes so long.
    Builds,
}

impl Part {
    /// Returns whether it is measured on single functions, without a stack.
    fn is_of_single_functions(self) -> bool {
        matches!(self, Self::Sizes | Self::Starts) || self.functions().is_some()
    }

    /// Returns the few functions it needs, or `None` for all.
    fn functions(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Warm => Some(&warm::FUNCTIONS),
            Self::Instructions => Some(&instructions::FUNCTIONS),
            Self::Micro => Some(&[]),
            Self::Small => Some(&throttle::FUNCTIONS),
            Self::Peers => Some(&peers::FUNCTIONS),
            Self::Lists => Some(&lists::FUNCTIONS),
            _ => None,
        }
    }
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.map_or(part != Part::Builds, |only| only == part)
    }

    /// Returns the names of the functions to measure, in the template's order.
    ///
    /// # Errors
    /// If a chosen function does not exist.
    fn functions(&self) -> Result<Vec<String>, Problem> {
        let (mut all, chosen) = (functions(), &self.functions);
        if let Some(unknown) = chosen.iter().find(|name| !all.contains(name)) {
            return Err(format!("unknown function {unknown}"));
        }
        all.retain(|name| chosen.is_empty() || chosen.contains(name));
        Ok(all)
    }

    /// Returns the number of repetitions for a quick or a full run.
    fn repeat(&self, quickly: u32, thoroughly: u32) -> u32 {
        if self.quick { quickly } else { thoroughly }
    }

    /// Returns how often requests are repeated when calls are counted.
    fn rounds(&self) -> u32 {
        self.repeat(5, 20)
    }

    /// Returns where the functions' binaries are, below the checkout.
    fn binaries(&self) -> &'static str {
        if self.dev { "target/debug" } else { "target/release" }
    }
}

/// Why the bench cannot continue.
type Problem = String;

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(&options)),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(missed) if missed.is_empty() => ExitCode::SUCCESS,
        Ok(missed) => {
            say(&format!(
                "\n{} not as good as they must be:\n  {}",
                counted(missed.len(), "figure"),
                missed.join("\n  ")
            ));
            ExitCode::FAILURE
        }
        Err(problem) => {
            say(&format!("\nThe bench stops here: {problem}"));
            ExitCode::FAILURE
        }
    }
}

/// Measures what is asked for. Returns a sentence for every figure that is not good enough.
async fn run(options: &Options) -> Result<Vec<String>, Problem> {
    if options.draw {
        documents::write(&table::committed()?)?;
        return Ok(Vec::new());
    }
    let (names, mut table) = (options.functions()?, Table::default());
    let mut progress = Progress::over(Part::value_variants().iter().filter(|part| options.wants(**part)).count());
    if options.only == Some(Part::Builds) {
        builds::measure(&names, &mut table)?;
    } else {
        build(options)?;
        if options.only.is_none_or(Part::is_of_single_functions) {
            single(options, &names, &mut progress, &mut table).await?;
        }
        if !options.only.is_some_and(Part::is_of_single_functions) {
            let stack = stack::up(options.binaries()).await?;
            deployed(&stack, options, &mut progress, &mut table).await?;
            stack.down();
        }
    }
    if options.dev {
        table.mark_everyday();
    }
    table.print();
    say(&progress.end());
    table.settle(options.accept, options.only.is_none())
}

/// Measures single functions, compared with a hello-world and without a stack.
async fn single(
    options: &Options,
    names: &[String],
    progress: &mut Progress,
    table: &mut Table,
) -> Result<(), Problem> {
    let binaries = payload::root().join(options.binaries());
    let mut begins = |part| options.wants(part) && progress.begin(part);
    if begins(Part::Sizes) {
        sizes::measure(&binaries, names, table)?;
    }
    let scene = Scene::set(binaries.clone(), Shelf::default()).await?;
    if begins(Part::Starts) {
        let committed = table::committed()?;
        let manner = Manner { rounds: options.repeat(15, 50), dev: options.dev, committed: &committed };
        starts::measure(&scene, names, manner, table).await?;
    }
    if begins(Part::Warm) {
        warm::measure(&scene, options.repeat(1_000, 10_000), table).await?;
    }
    if begins(Part::Lists) {
        lists::measure(&binaries, options.repeat(40, 400), options.quick, table).await?;
    }
    if begins(Part::Instructions) {
        instructions::measure(&scene, options.repeat(20, 200), table).await?;
    }
    if begins(Part::Micro) {
        micro::measure(&scene, options.repeat(2_000, 20_000), table).await?;
    }
    if options.wants(Part::Small) || options.wants(Part::Peers) {
        let peers = peers::had(&scene).await?;
        if begins(Part::Peers) {
            peers::measure(&scene, &peers, options.repeat(5, 50), options.repeat(200, 1_000), table).await?;
        }
        if begins(Part::Small) {
            let peers: Vec<Subject> = peers.into_iter().map(|peer| peer.subject).collect();
            throttle::measure(&scene, &peers, options.repeat(5, 20), options.repeat(0, 5), table).await?;
        }
    }
    Ok(())
}

/// Measures the deployed stack.
async fn deployed(
    stack: &BenchStack,
    options: &Options,
    progress: &mut Progress,
    table: &mut Table,
) -> Result<(), Problem> {
    let mut begins = |part| options.wants(part) && progress.begin(part);
    if begins(Part::Calls) {
        calls::measure(stack, options.rounds(), table).await?;
    }
    if begins(Part::Keys) {
        keys::measure(stack, options.rounds(), table).await?;
    }
    if begins(Part::Jobs) {
        jobs::measure(stack, options.rounds(), 200, table).await?;
    }
    if begins(Part::Uploads) {
        uploads::measure(stack, if options.quick { 200 } else { 1_000 }, table).await?;
    }
    if begins(Part::Costs) {
        costs::measure(stack, options.rounds(), table).await?;
    }
    if begins(Part::Night) {
        let (orgs, calls) = if options.quick { (20, 2_000) } else { (200, 100_000) };
        daily_stats::measure(stack, orgs, calls, table).await?;
    }
    Ok(())
}

/// Builds the hello-world and every function that is needed. It always names the same packages, because cargo
/// resolves features for all named packages together. So the binaries are the same, whatever part is measured.
/// The operator's command line is left out: it turns on features that slow tokio's clock.
fn build(options: &Options) -> Result<(), Problem> {
    let profile = if options.dev { "dev" } else { "release" };
    say(&format!("Building with the profile {profile} (the first time takes some minutes)..."));
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--profile", profile, "--workspace", "--exclude", "consigne", "--quiet"])
        .current_dir(payload::root());
    let of_part = options.only.and_then(Part::functions).map(<[_]>::to_vec);
    let chosen = || options.functions.iter().map(String::as_str).collect();
    match of_part.or_else(|| (!options.functions.is_empty()).then(chosen)) {
        Some(names) => cargo.args(["hello", "floor", "micro"].iter().chain(&names).flat_map(|name| ["--bin", name])),
        None => cargo.arg("--bins"),
    };
    let status = cargo.status().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if status.success() { Ok(()) } else { Err("the build failed".to_owned()) }
}

/// Returns the names of all functions, in the template's order.
fn functions() -> Vec<String> {
    let template = template::template();
    template::functions(&template).iter().map(|(_, properties)| template::name_of(properties).to_owned()).collect()
}

// The bench prints. This is the only place.
#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}
