//! Build times: all functions from nothing, compared with the largest one from nothing, with the development profile.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use consigne_testkit::payload;

use crate::table::{Row, Table};
use crate::{Problem, say};

/// Group of these rows.
pub(crate) const GROUP: &str = "Building from nothing, everyday profile";
/// Empty target directory for these builds, below the checkout.
const TARGET: &str = "target/bench-build";
/// The function with the most AWS clients, and so the largest.
const LARGEST: &str = "sweep";

/// Measures both builds. Takes as long as they do.
pub(crate) fn measure(names: &[String], table: &mut Table) -> Result<(), Problem> {
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let alone = build(&[LARGEST])?;
    let every = build(&all)?;
    table.push(Row::new(GROUP, &format!("{LARGEST} alone"), alone, "s").of_this_machine());
    table.push(Row::new(GROUP, &format!("all {} functions", all.len()), every, "s").of_this_machine());
    let row = Row::new(GROUP, "all against the largest", every / alone, "x").at_most(1.5);
    table.push(row.with_note("on two cores; what they share is compiled once"));
    Ok(())
}

/// Builds functions from nothing. Returns the seconds it took.
fn build(names: &[&str]) -> Result<f64, Problem> {
    let target = payload::root().join(TARGET);
    remove(&target)?;
    say(&format!("Building {} from nothing...", if names.len() == 1 { names[0] } else { "every function" }));
    let began = Instant::now();
    let status = Command::new("cargo")
        .args(["build", "--locked", "--quiet"])
        .args(names.iter().flat_map(|name| ["--package", name]))
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(payload::root())
        .status()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    let took = began.elapsed().as_secs_f64();
    remove(&target)?;
    if status.success() { Ok(took) } else { Err("the build failed".to_owned()) }
}

fn remove(target: &Path) -> Result<(), Problem> {
    match std::fs::remove_dir_all(target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(format!("{}: {error}", target.display())),
        _ => Ok(()),
    }
}
