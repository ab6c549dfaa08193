//! `consigne`: the operators' command line.

mod actor;
mod audit;
mod cli;
mod completions;
mod credits;
mod doctor;
mod grid;
mod input;
mod key;
mod keys;
mod mail;
mod migrate;
mod migration;
mod operator;
mod org;
mod outputs;
mod pepper;
mod redrive;
mod report;
mod secret;
mod service_token;
mod stack_env;
mod stats;
mod token;
mod wallet;
mod webhook_secret;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.run() {
        Ok(report) => {
            say(&report.render(arguments.wants_json()));
            ExitCode::from(report.exit())
        }
        Err(problem) => {
            complain(&problem);
            ExitCode::FAILURE
        }
    }
}

// A command line prints. These are the two places.
#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr)]
fn complain(text: &str) {
    eprintln!("{text}");
}
