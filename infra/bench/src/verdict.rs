//! Whether a run is good enough: the bar of every figure, and the committed figures that none may be worse than.
//!
//! Every missed one becomes a sentence that names the figure, the limit and the group of the table.

use crate::table::{Row, figure};

/// By how much a figure may be worse than its committed value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Allowed {
    /// As a factor.
    Factor(f64),
    /// As a difference, beyond the spread of both figures.
    More(f64),
}

impl Allowed {
    /// What a count may differ by, because processors differ.
    pub(crate) const COUNT: Self = Self::Factor(1.05);

    /// Returns the largest figure that is no worse than the committed one. `spread` is that of both together.
    fn most(self, before: f64, spread: f64) -> f64 {
        match self {
            Self::Factor(factor) => before * factor,
            Self::More(more) => before + more + spread,
        }
    }
}

impl Default for Allowed {
    /// The noise of a ratio of times on a shared machine.
    fn default() -> Self {
        Self::Factor(1.25)
    }
}

/// Returns whether a figure is within its limits.
pub(crate) fn meets_its_bar(row: &Row) -> bool {
    row.most.is_none_or(|most| row.value <= most) && row.least.is_none_or(|least| row.value >= least)
}

/// Returns the committed figure and the largest that is allowed, if the row is worse than that.
fn lost(row: &Row, committed: &[Row]) -> Option<(f64, f64)> {
    // More is better where there is a smallest allowed value, which is limit enough.
    let comparable = row.portable && row.least.is_none();
    let before = committed.iter().find(|before| (&before.group, &before.name) == (&row.group, &row.name));
    let before = before.filter(|_| comparable)?;
    let spread = row.spread.unwrap_or_default().hypot(before.spread.unwrap_or_default());
    let most = row.allowed.most(before.value, spread);
    (row.value > most + f64::EPSILON).then_some((before.value, most))
}

/// Returns whether a figure is within its limits and no worse than the committed one.
pub(crate) fn is_well(row: &Row, committed: &[Row]) -> bool {
    meets_its_bar(row) && lost(row, committed).is_none()
}

/// Returns a sentence for every figure beyond its limits.
pub(crate) fn unmet(rows: &[Row]) -> Vec<String> {
    let missed = rows.iter().filter(|row| !meets_its_bar(row));
    let sentence = |row: &Row| {
        let bar = match (row.most, row.least) {
            (Some(most), _) => format!("at most {}", figure(most)),
            (_, least) => format!("at least {}", figure(least.unwrap_or_default())),
        };
        format!("{}: {}; the bar is {bar} ({}).", row.name, shown(row), row.group)
    };
    missed.map(sentence).collect()
}

/// Returns a sentence for every figure that is worse than the committed one beyond noise.
pub(crate) fn worse(rows: &[Row], committed: &[Row]) -> Vec<String> {
    let sentence = |row: &Row| {
        let (before, most) = lost(row, committed)?;
        let (before, most) = (figure(before), figure(most));
        Some(format!("{}: {}; it was {before}, and {most} is allowed ({}).", row.name, shown(row), row.group))
    };
    rows.iter().filter_map(sentence).collect()
}

fn shown(row: &Row) -> String {
    format!("{} {}", figure(row.value), row.unit).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(name: &str, value: f64) -> Row {
        Row::new("Start", name, value, "x hello").at_most(2.0).within(0.05, 0.03)
    }

    #[test]
    fn a_start_may_be_a_twentieth_of_a_hello_world_slower_beyond_the_spread_of_both_runs() {
        let committed = [start("usage", 1.5).within(0.05, 0.04)];
        assert!(is_well(&start("usage", 1.59), &committed), "0.03 and 0.04 together are 0.05");
        let slower = [start("usage", 1.61)];
        assert!(!is_well(&slower[0], &committed));
        let want = ["usage: 1.61 x hello; it was 1.50, and 1.60 is allowed (Start)."];
        assert_eq!(worse(&slower, &committed), want);
        assert_eq!(unmet(&slower), [] as [&str; 0]);
    }

    #[test]
    fn a_function_without_a_committed_figure_has_only_the_bar() {
        let committed = [start("usage", 1.5)];
        assert!(is_well(&start("org-update", 2.0), &committed));
        let slow = [start("org-update", 2.01)];
        assert_eq!(unmet(&slow), ["org-update: 2.01 x hello; the bar is at most 2 (Start)."]);
        assert_eq!(worse(&slow, &committed), [] as [&str; 0]);
    }

    #[test]
    fn ratios_are_held_to_a_quarter_and_counts_to_a_twentieth() {
        let row = |value| Row::new("Warm", "usage", value, "x hello");
        let before = [row(8.0)];
        assert!(is_well(&row(10.0), &before) && !is_well(&row(10.1), &before));
        assert!(is_well(&row(8.4).exact(), &before) && !is_well(&row(8.5).exact(), &before));
        assert!(is_well(&row(10.1).of_this_machine(), &before), "times differ between machines");
    }

    #[test]
    fn where_more_is_better_the_bar_alone_counts() {
        let row = |value| Row::new("Uploads", "ready", value, "%").at_least(99.5);
        assert!(is_well(&row(99.6), &[row(100.0)]));
        assert_eq!(unmet(&[row(99.0)]), ["ready: 99 %; the bar is at least 99.50 (Uploads)."]);
    }
}
