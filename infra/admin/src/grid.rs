//! Tables and lists of facts for people. Columns stay aligned whatever characters a name has.

use std::io::IsTerminal as _;

use consigne_runtime::settings::EnvVars;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Space between two columns.
const GAP: &str = "  ";
const BOLD: &str = "\u{1b}[1m";
const PLAIN: &str = "\u{1b}[0m";

/// A table. A column whose head begins with `>` is aligned to the right.
#[derive(Debug)]
pub(crate) struct Grid {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// Creates an empty table.
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, with a cell for each column. An empty cell is shown as `-`.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| visible(&cell)).collect());
    }

    /// Returns whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the table. Its head is bold on a terminal.
    pub(crate) fn render(&self) -> String {
        self.write(colours())
    }

    fn write(&self, bold: bool) -> String {
        let names: Vec<String> = self.head.iter().map(|name| name.trim_start_matches('>').to_owned()).collect();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).chain(names.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..names.len()).map(width).collect();
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).zip(&self.head).map(|((cell, width), head)| {
                let space = " ".repeat(width.saturating_sub(cell.width()));
                if head.starts_with('>') { format!("{space}{cell}") } else { format!("{cell}{space}") }
            });
            cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
        };
        let head = line(&names);
        let head = if bold { format!("{BOLD}{head}{PLAIN}") } else { head };
        std::iter::once(head).chain(self.rows.iter().map(|row| line(row))).collect::<Vec<_>>().join("\n")
    }
}

/// Writes facts under each other: names to the left, values aligned.
pub(crate) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let facts: Vec<(&str, String)> = facts.into_iter().map(|(name, value)| (name, visible(&value))).collect();
    let width = facts.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name}{}{GAP}{value}", " ".repeat(width - name.width()));
    facts.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Returns a text without characters that move the cursor or change the terminal; `-` for an empty one.
pub(crate) fn visible(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.width().is_none() { ' ' } else { c }).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// Returns whether standard output is a terminal whose user wants colours.
fn colours() -> bool {
    let shell = EnvVars::process();
    let wanted = shell.variable("NO_COLOR").is_none() && shell.variable("TERM").as_deref() != Some("dumb");
    wanted && !cfg!(test) && std::io::stdout().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(row: &[&str]) -> Vec<String> {
        row.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_are_aligned_with_long_and_wide_values() {
        let mut grid = Grid::new(&["name", ">credits", "state"]);
        for row in [["Société d'Été", "5", "active"], ["株式会社日本", "1000", ""], ["e\u{301}a\u{1b}[2J", "-7", "x"]]
        {
            grid.row(cells(&row));
        }
        let want = "name           credits  state\n\
                    Société d'Été        5  active\n\
                    株式会社日本      1000  -\n\
                    e\u{301}a [2J              -7  x";
        assert_eq!(grid.write(false), want);
        assert!(grid.write(true).starts_with("\u{1b}[1mname           credits  state\u{1b}[0m\n"));
    }

    #[test]
    fn facts_are_aligned_by_their_names() {
        let text = facts([("name", "日本".to_owned()), ("created at", "2026-11-21T10:00:00Z".to_owned())]);
        assert_eq!(text, "name        日本\ncreated at  2026-11-21T10:00:00Z");
    }
}
