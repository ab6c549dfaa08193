//! The table of results: rows with their limits, written as JSON and compared with the committed ones.

use consigne_testkit::payload;
use serde::{Deserialize, Serialize};

use crate::verdict::{self, Allowed};
use crate::{Problem, builds, documents, say};

/// The committed table, below the checkout.
pub(crate) const COMMITTED: &str = "infra/bench/table.json";
/// File for the results of this run.
const RESULTS: &str = "target/bench.json";

/// One figure with its limits, a row of the table.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    /// Heading under which the row is printed.
    pub(crate) group: String,
    /// What was measured, unique in its group.
    pub(crate) name: String,
    /// The figure. Less is better, unless `least` is set.
    pub(crate) value: f64,
    /// Its unit, such as `ms`; empty for a bare number.
    pub(crate) unit: String,
    /// Largest allowed value, if there is a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) most: Option<f64>,
    /// Smallest allowed value, if there is a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) least: Option<f64>,
    /// A remark, printed behind the figure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) note: String,
    /// Whether the figure is the same on every machine, so that it can be compared with the committed one.
    pub(crate) portable: bool,
    /// How far the figure may be from the true one, if the run shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spread: Option<f64>,
    /// Whether it depends on the build profile.
    #[serde(skip)]
    of_build: bool,
    /// By how much it may be worse than its committed value.
    #[serde(skip)]
    pub(crate) allowed: Allowed,
}

impl Row {
    /// Creates a row without limits, whose figure is the same on every machine.
    pub(crate) fn new(group: &str, name: &str, value: f64, unit: &str) -> Self {
        let (group, name, unit) = (group.to_owned(), name.to_owned(), unit.to_owned());
        Self {
            group,
            name,
            value,
            unit,
            most: None,
            least: None,
            note: String::new(),
            portable: true,
            spread: None,
            of_build: false,
            allowed: Allowed::default(),
        }
    }

    /// Sets the largest allowed value.
    pub(crate) fn at_most(self, most: f64) -> Self {
        Self { most: Some(most), ..self }
    }

    /// Sets the smallest allowed value.
    pub(crate) fn at_least(self, least: f64) -> Self {
        Self { least: Some(least), ..self }
    }

    /// Adds a remark, printed behind the figure.
    pub(crate) fn with_note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Marks the figure as depending on this machine, and so also on the build.
    pub(crate) fn of_this_machine(self) -> Self {
        Self { portable: false, of_build: true, ..self }
    }

    /// Marks the figure as depending on the build, but not on the machine.
    pub(crate) fn of_this_build(self) -> Self {
        Self { of_build: true, ..self }
    }

    /// Marks the figure as a count, which other load does not change.
    pub(crate) fn exact(self) -> Self {
        Self { allowed: Allowed::COUNT, ..self }
    }

    /// Lets the figure be this many times the committed one.
    pub(crate) fn up_to(self, factor: f64) -> Self {
        Self { allowed: Allowed::Factor(factor), ..self }
    }

    /// Lets the figure be this much worse than the committed one, beyond its spread.
    pub(crate) fn within(self, more: f64, spread: f64) -> Self {
        Self { allowed: Allowed::More(more), spread: Some(spread), ..self }
    }
}

/// Reads the committed table. It is empty if there is none.
pub(crate) fn committed() -> Result<Vec<Row>, Problem> {
    let text = std::fs::read_to_string(payload::root().join(COMMITTED)).unwrap_or_else(|_| "[]".to_owned());
    serde_json::from_str(&text).map_err(|error| format!("{COMMITTED}: {error}"))
}

/// Returns a number with its noun: `1 client`, `2 clients`.
pub(crate) fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// All figures of a run.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Row>);

impl Table {
    /// Adds a row after the last one of its group.
    pub(crate) fn push(&mut self, row: Row) {
        insert(&mut self.0, row);
    }

    /// Marks figures that depend on the build as those of the development build. They are not compared, and have no
    /// limits.
    pub(crate) fn mark_everyday(&mut self) {
        for row in self.0.iter_mut().filter(|row| row.of_build) {
            (row.portable, row.most, row.least) = (false, None, None);
            row.note = format!("{}{}everyday build", row.note, if row.note.is_empty() { "" } else { ", " });
        }
    }

    /// Prints the table, group by group, and marks limits that are not met.
    pub(crate) fn print(&self) {
        let mut group = "";
        for row in &self.0 {
            if row.group != group {
                group = &row.group;
                say(&format!("\n{group}"));
            }
            let bar = match (row.most, row.least) {
                (Some(most), _) => format!("<= {most}"),
                (_, Some(least)) => format!(">= {least}"),
                _ => String::new(),
            };
            let verdict = if verdict::meets_its_bar(row) { "" } else { "  NOT MET" };
            let value = figure(row.value);
            say(&format!("  {:<52} {value:>9} {:<12} {bar:<9} {}{verdict}", row.name, row.unit, row.note));
        }
    }

    /// Writes the results, or makes them the committed ones, together with the pictures and documents that show them.
    /// Returns a sentence for every limit that is missed and every figure that is worse than the committed one. If only
    /// a part was measured, accepting keeps the committed figures of the others.
    pub(crate) fn settle(&self, accept: bool, whole: bool) -> Result<Vec<String>, Problem> {
        let write = |path: &str, rows: &[Row]| {
            let text = serde_json::to_string_pretty(rows).map_err(|error| error.to_string())?;
            std::fs::write(payload::root().join(path), text + "\n").map_err(|error| format!("{path}: {error}"))
        };
        write(RESULTS, &self.0)?;
        let before = committed()?;
        let (mut missed, worse) = (verdict::unmet(&self.0), verdict::worse(&self.0, &before));
        if accept {
            // Builds are measured by themselves, so a whole run has none.
            let kept = before.into_iter().filter(|row| !whole || row.group == builds::GROUP).collect();
            let rows = self.over(kept);
            write(COMMITTED, &rows)?;
            say(&format!("\nWrote {COMMITTED}, the table to compare with from now on."));
            documents::write(&rows)?;
            if !worse.is_empty() {
                say(&format!("Worse than before, and accepted:\n  {}", worse.join("\n  ")));
            }
            say("Next: look at `git diff`, and commit the table together with the pictures and documents.");
        } else {
            missed.extend(worse);
            say(&format!("\nThe results as JSON: {RESULTS}."));
            say("Next: `make bench ACCEPT=1` measures again, and writes the committed table, pictures and documents.");
        }
        Ok(missed)
    }

    /// Returns earlier rows with these in their places, or after the last row of their group.
    fn over(&self, mut rows: Vec<Row>) -> Vec<Row> {
        for row in &self.0 {
            if let Some(before) =
                rows.iter_mut().find(|before| (&before.group, &before.name) == (&row.group, &row.name))
            {
                *before = row.clone();
            } else {
                insert(&mut rows, row.clone());
            }
        }
        rows
    }
}

fn insert(rows: &mut Vec<Row>, row: Row) {
    let after = rows.iter().rposition(|other| other.group == row.group).map_or(rows.len(), |last| last + 1);
    rows.insert(after, row);
}

/// Formats a figure with as many decimals as are significant.
pub(crate) fn figure(value: f64) -> String {
    if value.fract() == 0.0 || value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Returns the value below which a share of the values lies. Sorts the values.
// Counts of measurements are small.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() as f64 * share).ceil() as usize;
    values.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
