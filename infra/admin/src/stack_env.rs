//! Which stack a command acts on, and the names of its parts.
//!
//! Without `--stack` it is the laptop's stack, according to the file that `make up` writes, whatever credentials and
//! region the shell has. So nobody changes a real AWS account by mistake. With `--stack` it is a stack on AWS,
//! according to its outputs, with the shell's credentials. A command's first line on standard error says on which stack
//! it acts.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use consigne_runtime::Start;
use consigne_runtime::settings::EnvVars;

use crate::input::given;
use crate::{complain, outputs};

/// Where `make up` writes the stack's names, below the checkout.
const FILE: &str = "target/local/stack.env";
/// Variables of the shell that lead other programs to an account, and that have no effect on the laptop's stack.
const OF_SHELL: [&str; 5] =
    ["AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID"];
/// Variables of the shell with which AWS is called.
const CREDENTIALS: [&str; 4] =
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"];

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
    /// Your name for the audit log. Without it, the name of your user on this machine.
    #[arg(long = "as", global = true, value_name = "NAME", help_heading = "Changes")]
    operator: Option<String>,
    /// Change a stack on AWS without asking first, as scripts must.
    #[arg(long, global = true, help_heading = "Changes")]
    yes: bool,
}

impl Which {
    /// Returns the name given with `--as`.
    pub(crate) fn operator(&self) -> Option<&str> {
        self.operator.as_deref()
    }

    /// Returns the name given with `--stack`.
    pub(crate) fn stack(&self) -> Option<&str> {
        self.stack.as_deref()
    }

    /// Returns whether `--yes` was given.
    pub(crate) fn agreed(&self) -> bool {
        self.yes
    }
}

/// The names of a stack's parts.
#[derive(Debug)]
pub(crate) struct StackEnv {
    names: HashMap<String, String>,
    /// Where the names come from, for the error about a missing one.
    source: String,
    /// Which stack it is, for people: its name and place.
    place: String,
    /// Whether it is on the laptop.
    is_laptop: bool,
}

impl StackEnv {
    /// Finds the stack, and prints which one it is.
    pub(crate) fn of(which: &Which) -> Result<Self, String> {
        let shell = EnvVars::process();
        let found = match &which.stack {
            Some(stack) => on_aws(stack, which.region.as_deref(), &shell)?,
            None => on_laptop(which.env_file.as_deref())?,
        };
        complain(&format!("Acting on {}.", found.place));
        if let Some(unused) = found.unused(&shell) {
            complain(&unused);
        }
        Ok(found)
    }

    /// Finds the account and the region of a stack that may not exist, and prints which they are.
    pub(crate) fn account(which: &Which) -> Result<Self, String> {
        let found = match &which.stack {
            Some(_) => account_on_aws(which.region.as_deref(), &EnvVars::process())?,
            None => on_laptop(which.env_file.as_deref())?,
        };
        complain(&format!("Acting in {}.", found.place));
        Ok(found)
    }

    /// Finds the laptop's stack without printing anything, for commands whose output is for other programs.
    pub(crate) fn of_laptop(which: &Which) -> Result<Self, String> {
        if which.stack.is_some() {
            return Err("Only the laptop's stack accepts tokens made here; leave --stack out.".to_owned());
        }
        on_laptop(which.env_file.as_deref())
    }

    /// Asks the operator whether to change the stack. The laptop's stack is changed without a question.
    ///
    /// # Errors
    /// If they do not agree, or if nobody can be asked.
    pub(crate) fn confirm(&self, which: &Which, change: &str) -> Result<(), String> {
        if self.is_laptop || which.agreed() {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            return Err(format!(
                "Nothing was changed: {} is on AWS, and there is no terminal at which to ask. With --yes it is changed \
                 without a question.",
                self.place
            ));
        }
        complain(&format!("{change} on {}? Type yes to do it.", self.place));
        let answer = given()?;
        if answer.trim() == "yes" { Ok(()) } else { Err("Nothing was changed.".to_owned()) }
    }

    /// Returns a line about the variables of the shell that have no effect here, if there are any.
    fn unused(&self, shell: &EnvVars) -> Option<String> {
        let differs = |name: &&str| {
            let value = shell.variable(name);
            value.is_some() && value != self.names.get(name.replace("DEFAULT_", "").as_str()).cloned()
        };
        let names: Vec<&str> = OF_SHELL.iter().copied().filter(|name| self.is_laptop && differs(name)).collect();
        (!names.is_empty())
            .then(|| format!("{} of this shell have no effect here; --stack acts on a stack on AWS.", names.join(", ")))
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
        for optional in ["AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "REPLICA_BUCKET", "REPLICA_REGION"] {
            pairs.extend(self.names.get(optional).map(|value| (optional.to_owned(), value.clone())));
        }
        Ok(EnvVars::fixed(pairs))
    }
}

/// Finds the stack that a file describes.
///
/// # Errors
/// If there is no such file, or if it names no server, or one of AWS.
fn on_laptop(file: Option<&Path>) -> Result<StackEnv, String> {
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
    let (name, address) = (known("STACK_NAME"), known("AWS_ENDPOINT_URL"));
    // Without an address, or with one of AWS, the names of a laptop would be looked for in a real account.
    if !address.starts_with("http") || address.contains("amazonaws.com") {
        return Err(format!(
            "{} is not the file of a laptop's stack: AWS_ENDPOINT_URL is {address}. `make up` writes it again; for a stack \
             on AWS give --stack and --region.",
            path.display()
        ));
    }
    let place = format!("the laptop's stack {name} at {address}");
    Ok(StackEnv { source: path.display().to_string(), place, is_laptop: true, names })
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

/// Finds the region, and credentials for AWS.
fn account_on_aws(region: Option<&str>, shell: &EnvVars) -> Result<StackEnv, String> {
    let region = region.map(str::to_owned).or_else(|| shell.variable("AWS_REGION"));
    let region = region.or_else(|| shell.variable("AWS_DEFAULT_REGION"));
    let region = region.ok_or("Name the region of the stack, such as --region eu-west-3.")?;
    let mut names = credentials(shell)?;
    names.insert("AWS_REGION".to_owned(), region.clone());
    names.extend(shell.variable("AWS_ENDPOINT_URL").map(|url| ("AWS_ENDPOINT_URL".to_owned(), url)));
    let elsewhere = names.get("AWS_ENDPOINT_URL").map(|url| format!(", at {url}")).unwrap_or_default();
    let place = format!("the account of this shell in {region}{elsewhere}");
    Ok(StackEnv { names, source: "The account".to_owned(), place, is_laptop: false })
}

/// Finds a stack on AWS.
fn on_aws(stack: &str, region: Option<&str>, shell: &EnvVars) -> Result<StackEnv, String> {
    let mut names = account_on_aws(region, shell)?.names;
    let region = names.get("AWS_REGION").cloned().unwrap_or_default();
    let caller = Start::new(EnvVars::fixed(names.clone())).aws().config.clone();
    names.extend(outputs::of_stack(&caller, stack)?);
    names.insert("STACK_NAME".to_owned(), stack.to_owned());
    let account = names.get("PEPPER_SECRET_ARN").and_then(|arn| arn.split(':').nth(4)).unwrap_or("unknown");
    let elsewhere = names.get("AWS_ENDPOINT_URL").map(|url| format!(", at {url}")).unwrap_or_default();
    let place = format!("the stack {stack} in {region}, account {account}{elsewhere}");
    Ok(StackEnv { names, source: format!("The stack {stack}"), place, is_laptop: false })
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
