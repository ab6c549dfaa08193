//! `consigne`: the operators' command line.

mod credits;
mod doctor;
mod input;
mod key;
mod mail;
mod migrate;
mod migration;
mod operator;
mod org;
mod outputs;
mod pepper;
mod redrive;
mod secret;
mod service_token;
mod stack_env;
mod stats;
mod token;
mod webhook_secret;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::stack_env::Which;

/// Manages a Consigne stack: the laptop's, or with --stack one on AWS.
#[derive(Debug, Parser)]
#[command(name = "consigne", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a session token of the laptop's issuer.
    Token(token::Options),
    /// Check that the stack is set up and answers, and say how to fix what does not.
    Doctor,
    /// Grant credits to an organisation.
    #[command(subcommand)]
    Credits(credits::Command),
    /// Resume a suspended key.
    #[command(subcommand)]
    Key(key::Command),
    /// Migrate API keys from an older installation.
    MigrateKeys(migrate::Options),
    /// Show how far the owners of migrated keys have come.
    #[command(subcommand)]
    Migration(migration::Command),
    /// Preview mails with sample values.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Suspend or resume an organisation, or choose whether anomalies suspend its keys.
    #[command(subcommand)]
    Org(org::Command),
    /// Manage the peppers: the secrets under which API keys are stored.
    #[command(subcommand)]
    Pepper(pepper::Command),
    /// Send the messages of a dead-letter queue back to their queue. Without a name, list the dead-letter queues.
    Redrive(redrive::Options),
    /// Manage the tokens with which servers that check keys authenticate.
    #[command(subcommand)]
    ServiceToken(service_token::Command),
    /// Show the storage of all users.
    #[command(subcommand)]
    Stats(stats::Command),
    /// Manage the secrets with which senders sign incoming webhooks.
    #[command(subcommand)]
    WebhookSecret(webhook_secret::Command),
}

fn main() -> ExitCode {
    let Arguments { command, which } = Arguments::parse();
    let which = &which;
    let outcome = match command {
        Command::Token(options) => token::run(which, &options),
        Command::Doctor => doctor::run(which),
        Command::Credits(command) => credits::run(which, &command),
        Command::Key(command) => key::run(which, &command),
        Command::MigrateKeys(options) => migrate::run(which, &options),
        Command::Migration(command) => migration::run(which, &command),
        Command::Mail(command) => mail::run(&command),
        Command::Org(command) => org::run(which, &command),
        Command::Pepper(command) => pepper::run(which, &command),
        Command::Redrive(options) => redrive::run(which, &options),
        Command::ServiceToken(command) => service_token::run(which, &command),
        Command::Stats(command) => stats::run(which, &command),
        Command::WebhookSecret(command) => webhook_secret::run(which, &command),
    };
    match outcome {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
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
