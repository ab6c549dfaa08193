//! `consigne`: the operator's command line.

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

/// Looks after a Consigne stack: the laptop's, or with --stack one on AWS.
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
    /// Check that the stack is set up and answers, and say what to do about what is not.
    Doctor,
    /// Give credits to an organisation.
    #[command(subcommand)]
    Credits(credits::Command),
    /// Let a key work again that was stopped.
    #[command(subcommand)]
    Key(key::Command),
    /// Carry API keys over from an older installation.
    MigrateKeys(migrate::Options),
    /// Show how far owners are with the keys that were carried over.
    #[command(subcommand)]
    Migration(migration::Command),
    /// See what mails say.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Stop an organisation's keys, let them work again, or choose when they stop by themselves.
    #[command(subcommand)]
    Org(org::Command),
    /// Look after the peppers: the secrets under which API keys are kept.
    #[command(subcommand)]
    Pepper(pepper::Command),
    /// Bring what lies on a dead-letter queue back to the queue it came from; without a name, list what lies where.
    Redrive(redrive::Options),
    /// Look after the tokens by which servers that check keys prove who they are.
    #[command(subcommand)]
    ServiceToken(service_token::Command),
    /// See what all users store.
    #[command(subcommand)]
    Stats(stats::Command),
    /// Look after the secrets by which senders sign the webhooks that come in.
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

// A command line prints; these are the two places.
#[allow(clippy::print_stdout)]
fn say(text: &str) {
    println!("{text}");
}

#[allow(clippy::print_stderr)]
fn complain(text: &str) {
    eprintln!("{text}");
}
