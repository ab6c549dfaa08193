//! The operators' command line: the help of every command.

use std::path::Path;
use std::process::Command;

/// Returns a section for each command that does something.
pub fn part(consigne: &Path) -> String {
    let shared = help(consigne, &[]);
    let mut sections = vec![format!("## Options of every command\n\n{}", fenced(&shared))];
    describe(consigne, &[], &shared, &mut sections);
    sections.join("\n")
}

/// Adds the sections of the commands below one. `shared` is the help of `consigne` itself.
fn describe(consigne: &Path, above: &[&str], shared: &str, sections: &mut Vec<String>) {
    let help_above = help(consigne, above);
    for name in subcommands(&help_above) {
        let words = [above, &[name]].concat();
        let help = help(consigne, &words);
        if subcommands(&help).next().is_some() {
            describe(consigne, &words, shared, sections);
        } else {
            sections.push(format!("## {}\n\n{}", words.join(" "), fenced(&own(&help, shared))));
        }
    }
}

/// Returns a command's help without the paragraphs that the help of `consigne` itself has too.
fn own(help: &str, shared: &str) -> String {
    let shared: Vec<&str> = shared.trim_end().split("\n\n").collect();
    help.trim_end().split("\n\n").filter(|paragraph| !shared.contains(paragraph)).collect::<Vec<_>>().join("\n\n")
}

/// Runs `consigne help` for a command.
fn help(consigne: &Path, words: &[&str]) -> String {
    let output = Command::new(consigne).arg("help").args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; `cargo build` makes it", consigne.display()));
    assert!(output.status.success(), "consigne help {words:?} failed");
    String::from_utf8(output.stdout).expect("the help is UTF-8")
}

/// Returns the names below "Commands:" in a help text.
fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A long description goes on in lines that are indented further.
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty() && *name != "help")
}

fn fenced(help: &str) -> String {
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    format!("```text\n{}\n```\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_commands_share_is_shown_once() {
        let shared = "Manages.\n\nStack:\n  --stack\n";
        assert_eq!(own("Adds.\n\nOptions:\n  -h\n\nStack:\n  --stack\n", shared), "Adds.\n\nOptions:\n  -h");
    }

    #[test]
    fn commands_are_read_from_the_help() {
        let lines = [
            "Does things.",
            "",
            "Commands:",
            "  add   Adds one",
            "          that is long",
            "  help  Print this",
            "",
            "Options:",
            "  -h",
        ];
        let help = &lines.join("\n");
        assert_eq!(subcommands(help).collect::<Vec<_>>(), ["add"]);
        assert_eq!(subcommands("Options:\n  -h\n").count(), 0);
    }
}
