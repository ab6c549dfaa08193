//! `consigne completions`: prints a script with which a shell completes commands and options.

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};
use serde_json::json;

use crate::cli::Arguments;
use crate::report::{Outcome, Report};

#[derive(Debug, Args)]
#[command(after_help = "\
Install it once, and open a new shell:
  bash  consigne completions bash > ~/.local/share/bash-completion/completions/consigne
  zsh   consigne completions zsh > \"${fpath[1]}/_consigne\"
  fish  consigne completions fish > ~/.config/fish/completions/consigne.fish")]
pub(crate) struct Options {
    /// The shell: bash, zsh or fish.
    #[arg(value_parser = ["bash", "zsh", "fish"])]
    shell: String,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let script = script(&options.shell)?;
    Ok(Report::new(script.trim_end(), json!({ "shell": options.shell, "script": script })))
}

fn script(shell: &str) -> Result<String, String> {
    let shell: Shell = shell.parse().map_err(|problem| format!("There are no completions for {shell}: {problem}."))?;
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "consigne", &mut script);
    String::from_utf8(script).map_err(|error| format!("The completions cannot be written: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn every_shell_has_a_script_that_knows_the_commands() {
        for shell in ["bash", "zsh", "fish"] {
            let script = script(shell).unwrap();
            for word in ["redrive", "webhook-secret", "org", "suspend", "--json"] {
                let word = if shell == "fish" { word.trim_start_matches('-') } else { word };
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }

    #[test]
    fn bash_can_read_its_script() {
        let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
        bash.stdin.take().unwrap().write_all(script("bash").unwrap().as_bytes()).unwrap();
        assert!(bash.wait().unwrap().success());
    }
}
