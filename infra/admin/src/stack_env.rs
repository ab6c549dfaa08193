//! Which stack a command acts on, and the names of its parts.
//!
//! Without `--stack` it is the laptop's stack, according to the file that `make up` writes, whatever credentials and
//! region the shell has. So nobody changes a real AWS account by mistake. With `--stack` it is a stack on AWS,
//! according to its outputs, with the shell's credentials. A command's first line on standard error says on which stack
//! it acts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use consigne_core::text;
use consigne_runtime::Start;
use consigne_runtime::settings::EnvVars;

use crate::{complain, outputs};

/// Where `make up` writes the stack's names, below the checkout.
const FILE: &str = "target/local/stack.env";
/// Longest name of an operator, in characters.
const OPERATOR_MAX: usize = 64;
/// Variables of the shell with which AWS is called.
const CREDENTIALS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// The stack to act on.
#[derive(Args, Debug)]
pub(crate) struct Which {
    /// Name of a stack on AWS. Without it, the laptop's stack.
    #[arg(long, global = true, value_name = "NAME", help_heading = "Stack")]
    stack: Option<String>,
    /// Region of that stack. Without it, `AWS_REGION`.
    #[arg(long, global = true, value_name = "REGION", requires = "stack", help_heading = "Stack")]
    region: Option<String>,
    /// File with the names of another stack on the laptop.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "stack", help_heading = "Stack")]
    env_file: Option<PathBuf>,
}

/// The names of a stack's parts.
#[derive(Debug)]
pub(crate) struct StackEnv {
    names: HashMap<String, String>,
    /// Where the names come from, for the error about a missing one.
    source: String,
}

impl StackEnv {
    /// Finds the stack, and prints which one it is.
    pub(crate) fn of(which: &Which) -> Result<Self, String> {
        let shell = EnvVars::process();
        let (found, line) = match &which.stack {
            Some(stack) => on_aws(stack, which.region.as_deref(), &shell)?,
            None => on_laptop(which.env_file.as_deref())?,
        };
        complain(&line);
        Ok(found)
    }

    /// Finds the laptop's stack without printing anything, for commands whose output is for other programs.
    pub(crate) fn of_laptop(which: &Which) -> Result<Self, String> {
        if which.stack.is_some() {
            return Err("Only the laptop's stack accepts tokens made here; leave --stack out.".to_owned());
        }
        on_laptop(which.env_file.as_deref()).map(|(found, _)| found)
    }

    /// Returns one name, or an error that says where it is missing.
    pub(crate) fn get(&self, name: &str) -> Result<String, String> {
        self.names.get(name).cloned().ok_or_else(|| format!("{} does not name {name}.", self.source))
    }

    /// Returns these names, and what AWS clients need, as an environment.
    pub(crate) fn environment(&self, names: &[&str]) -> Result<EnvVars, String> {
        let needed = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].iter().chain(names);
        let pairs = needed.map(|name| Ok(((*name).to_owned(), self.get(name)?)));
        let mut pairs = pairs.collect::<Result<Vec<_>, String>>()?;
        for optional in ["AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"] {
            pairs.extend(self.names.get(optional).map(|value| (optional.to_owned(), value.clone())));
        }
        Ok(EnvVars::fixed(pairs))
    }
}

/// Returns the login name of the person at this machine, for the audit log.
pub(crate) fn operator() -> String {
    let shell = EnvVars::process();
    let name = shell.variable("USER").or_else(|| shell.variable("LOGNAME"));
    let name = name.and_then(|name| text::label("USER", &name, OPERATOR_MAX).ok());
    name.unwrap_or_else(|| "operator".to_owned())
}

/// Finds the stack that a file describes.
fn on_laptop(file: Option<&Path>) -> Result<(StackEnv, String), String> {
    let path = file.map(Path::to_owned).or_else(nearest_file);
    let path = path.ok_or_else(|| {
        format!(
            "There is no {FILE} in this folder or above it. `make up` starts the laptop's stack and writes it; for a stack on \
             AWS give --stack and --region."
        )
    })?;
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let names: HashMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), unquoted(value))).collect();
    let known = |name: &str| names.get(name).map_or("?", String::as_str);
    let line = format!("Acting on the laptop's stack {} at {}.", known("STACK_NAME"), known("AWS_ENDPOINT_URL"));
    Ok((StackEnv { names, source: path.display().to_string() }, line))
}

/// Returns a value of the file without the quotes that a shell needs, for example around a path with a space.
fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace("'\"'\"'", "'"))
}

fn nearest_file() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file())
}

/// Finds a stack on AWS.
fn on_aws(stack: &str, region: Option<&str>, shell: &EnvVars) -> Result<(StackEnv, String), String> {
    let region = region.map(str::to_owned).or_else(|| shell.variable("AWS_REGION"));
    let region = region.or_else(|| shell.variable("AWS_DEFAULT_REGION"));
    let region = region.ok_or("Name the region of the stack, such as --region eu-west-3.")?;
    let mut names = credentials(shell)?;
    names.insert("AWS_REGION".to_owned(), region.clone());
    names.extend(shell.variable("AWS_ENDPOINT_URL").map(|url| ("AWS_ENDPOINT_URL".to_owned(), url)));
    let caller = Start::new(EnvVars::fixed(names.clone())).aws().config.clone();
    names.extend(outputs::of_stack(&caller, stack)?);
    names.insert("STACK_NAME".to_owned(), stack.to_owned());
    let account = names.get("PEPPER_SECRET_ARN").and_then(|arn| arn.split(':').nth(4)).unwrap_or("unknown");
    let elsewhere = names.get("AWS_ENDPOINT_URL").map(|url| format!(", at {url}")).unwrap_or_default();
    let line = format!("Acting on the stack {stack} in {region}, account {account}{elsewhere}.");
    Ok((StackEnv { names, source: format!("The stack {stack}") }, line))
}

/// Returns the shell's credentials, or those that the AWS CLI finds.
fn credentials(shell: &EnvVars) -> Result<HashMap<String, String>, String> {
    let held = |name: &str| shell.variable(name).map(|value| (name.to_owned(), value));
    if held(CREDENTIALS[0]).is_some() {
        return Ok(CREDENTIALS.iter().filter_map(|name| held(name)).collect());
    }
    let exported = Command::new("aws").args(["configure", "export-credentials", "--format", "env-no-export"]).output();
    let exported = exported.ok().filter(|output| output.status.success());
    let exported = exported.ok_or(
        "There are no AWS credentials in this shell. Sign in, for example with `aws sso login`; then this command finds them \
         through the AWS CLI, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    )?;
    let text = String::from_utf8_lossy(&exported.stdout);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let named = pairs.filter(|(name, _)| CREDENTIALS.contains(name));
    Ok(named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_a_shell_reads_them() {
        for (written, read) in [
            ("http://localhost:4580", "http://localhost:4580"),
            ("", ""),
            ("'/home/ann/my code/issuer.pem'", "/home/ann/my code/issuer.pem"),
            (r#"'/home/ann/ann'"'"'s code'"#, "/home/ann/ann's code"),
        ] {
            assert_eq!(unquoted(written), read);
        }
    }
}
