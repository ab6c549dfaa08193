//! `consigne`: the operators' command line.

mod actor;
mod audit;
mod aws;
mod cdn_key;
mod cli;
mod completions;
mod credits;
mod doctor;
mod grid;
mod input;
mod key;
mod keys;
mod logs;
mod mail;
mod migrate;
mod migrate_files;
mod migration;
mod operator;
mod order;
mod org;
mod outputs;
mod pepper;
mod reconcile;
mod redrive;
mod report;
mod restore;
mod secret;
mod service_token;
mod stack_env;
mod stats;
mod token;
mod user;
mod user_export;
mod wallet;
mod webhook_secret;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.run() {
        Ok(report) if report.is_printed() => ExitCode::SUCCESS,
        Ok(report) => match say(&report.render(arguments.wants_json())) {
            Ok(()) => ExitCode::from(report.exit()),
            Err(error) => {
                complain(&format!("The answer could not be printed: {error}"));
                ExitCode::FAILURE
            }
        },
        Err(problem) => {
            complain(&problem);
            ExitCode::FAILURE
        }
    }
}

/// Writes an answer to standard output: the one place where that is done.
pub(crate) fn say(text: &str) -> io::Result<()> {
    report::print(text, &mut io::stdout().lock())
}

/// Writes to standard error. If nobody reads that either, there is nobody left to tell.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
