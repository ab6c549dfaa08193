//! The command line: its commands, its options, and which function runs which command.

use clap::{Parser, Subcommand};

use crate::report::Outcome;
use crate::stack_env::Which;
use crate::{
    audit, cdn_key, completions, credits, doctor, key, keys, logs, mail, migrate, migrate_files, migration, order, org,
    pepper, reconcile, redrive, restore, service_token, stats, token, user, wallet, webhook_secret,
};

/// Manages a Consigne stack: the laptop's, or with --stack one on AWS.
#[derive(Debug, Parser)]
#[command(
    name = "consigne",
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  consigne doctor
  consigne org list --state suspended
  consigne --stack consigne --region eu-west-3 wallet org_01JD0000000000000000000000 --json

Exit codes: 0 if it was done; 1 if it failed, if `doctor` or `reconcile` found a problem, or if `restore check` found a step that is
not done; 2 if the arguments are wrong; 3 if `migrate-keys` or `migrate-files` left rows or files out.
Answers go to standard output, everything else to standard error."
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    which: Which,
    /// Print one JSON document instead of text.
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the audit log of an organisation, of a person, or of the installation.
    Audit(audit::Options),
    /// Manage the keys that sign URLs of the CDN.
    #[command(subcommand)]
    CdnKey(cdn_key::Command),
    /// Print a script with which a shell completes commands and options.
    Completions(completions::Options),
    /// Grant credits to an organisation.
    #[command(subcommand)]
    Credits(credits::Command),
    /// Check every connection and setting of the stack, and say how to mend what is wrong.
    Doctor(doctor::Options),
    /// Resume a suspended key.
    #[command(subcommand)]
    Key(key::Command),
    /// List the API keys of an organisation, without their secrets.
    Keys(keys::Options),
    /// Show what the functions log, by request, person or organisation, and follow it.
    Logs(logs::Options),
    /// Preview mails with sample values.
    #[command(subcommand)]
    Mail(mail::Command),
    /// Migrate API keys from an older installation.
    MigrateKeys(migrate::Options),
    /// Migrate folders of files from an older installation.
    MigrateFiles(migrate_files::Options),
    /// Show how far the owners of migrated keys have come.
    #[command(subcommand)]
    Migration(migration::Command),
    /// Erase an order.
    #[command(subcommand)]
    Order(order::Command),
    /// List, show, suspend and resume organisations, or choose whether anomalies suspend their keys.
    #[command(subcommand)]
    Org(org::Command),
    /// Manage the peppers: the secrets under which API keys are stored.
    #[command(subcommand)]
    Pepper(pepper::Command),
    /// Compare the table with the bucket, and say what is left over or missing.
    Reconcile(reconcile::Options),
    /// Send the messages of a dead-letter queue back to their queue. Without a name, list the dead-letter queues.
    Redrive(redrive::Options),
    /// Let a new stack adopt a restored table, a bucket and the secrets of a lost stack.
    #[command(subcommand)]
    Restore(restore::Command),
    /// Manage the tokens with which servers that check keys authenticate.
    #[command(subcommand)]
    ServiceToken(service_token::Command),
    /// Show the storage of all users.
    #[command(subcommand)]
    Stats(stats::Command),
    /// Print a session token of the laptop's issuer.
    Token(token::Options),
    /// Export the data of a person, erase their account, or let them in again.
    #[command(subcommand)]
    User(user::Command),
    /// Show the credits of an organisation, or the test credits of a person.
    Wallet(wallet::Options),
    /// Manage the secrets with which senders sign incoming webhooks.
    #[command(subcommand)]
    WebhookSecret(webhook_secret::Command),
}

impl Arguments {
    /// Returns whether JSON is printed.
    pub(crate) fn wants_json(&self) -> bool {
        self.json
    }

    /// Runs the command.
    pub(crate) fn run(&self) -> Outcome {
        let which = &self.which;
        match &self.command {
            Command::Audit(options) => audit::run(which, options),
            Command::CdnKey(command) => cdn_key::run(which, command),
            Command::Completions(options) => completions::run(options),
            Command::Credits(command) => credits::run(which, command),
            Command::Doctor(options) => doctor::run(which, options, self.json),
            Command::Key(command) => key::run(which, command),
            Command::Keys(options) => keys::run(which, options),
            Command::Logs(options) => logs::run(which, options, self.json),
            Command::Mail(command) => mail::run(command),
            Command::MigrateKeys(options) => migrate::run(which, options),
            Command::MigrateFiles(options) => migrate_files::run(which, options),
            Command::Migration(command) => migration::run(which, command),
            Command::Order(command) => order::run(which, command),
            Command::Org(command) => org::run(which, command),
            Command::Pepper(command) => pepper::run(which, command),
            Command::Reconcile(options) => reconcile::run(which, options),
            Command::Redrive(options) => redrive::run(which, options),
            Command::Restore(command) => restore::run(which, command),
            Command::ServiceToken(command) => service_token::run(which, command),
            Command::Stats(command) => stats::run(which, command),
            Command::Token(options) => token::run(which, options),
            Command::User(command) => user::run(which, command),
            Command::Wallet(options) => wallet::run(which, options),
            Command::WebhookSecret(command) => webhook_secret::run(which, command),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// Visits every command that has no commands below it.
    fn leaves(command: &clap::Command, path: &str, visit: &mut impl FnMut(&str, &clap::Command)) {
        let path = format!("{path} {}", command.get_name());
        if command.get_subcommands().next().is_none() {
            visit(path.trim(), command);
        }
        command.get_subcommands().for_each(|below| leaves(below, &path, visit));
    }

    #[test]
    fn the_arguments_are_consistent_and_every_command_says_what_it_does() {
        Arguments::command().debug_assert();
        leaves(&Arguments::command(), "", &mut |path, command| {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.len() > 10, "{path} has no description");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{path}: {} has no description", argument.get_id());
            }
        });
    }

    #[test]
    fn every_example_in_a_help_is_a_command_that_is_understood() {
        let mut examples = Vec::new();
        let mut collect = |path: &str, command: &clap::Command| {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let own = after.lines().map(str::trim).filter(|line| line.starts_with("consigne ") && !line.contains('>'));
            let own: Vec<String> = own.map(str::to_owned).collect();
            let main = ["org", "wallet", "audit", "keys", "redrive", "doctor"];
            let is_main = path.split(' ').nth(1).is_some_and(|word| main.contains(&word));
            assert!(!is_main || own.len() >= 2, "{path} has {} examples", own.len());
            examples.extend(own);
        };
        leaves(&Arguments::command(), "", &mut collect);
        for example in examples {
            // Quoted arguments are reasons, which may have spaces.
            let mut quoted = false;
            let words = example.split('"').map(|part| {
                quoted = !quoted;
                if quoted { part.to_owned() } else { "reason".to_owned() }
            });
            let words: String = words.collect();
            let parsed = Arguments::try_parse_from(words.split_whitespace());
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        }
    }
}
