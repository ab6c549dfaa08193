//! The time of a page of 100 files by the number of files in the list: a flat line.

use super::svg::{Anchor, Svg};
use crate::documents::{short, thousands};
use crate::lists::BY_FILES;
use crate::table::Row;

pub(super) const ALT: &str = "Time of a page of 100 files in lists of 1,000 to 100,000 files: the line is flat, at the start and far into the list";
const SIZE: (u32, u32) = (860, 330);
/// The plot: left, right, top, bottom.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 610.0;
const TOP: f64 = 84.0;
const BOTTOM: f64 = 270.0;
/// Pages: as the rows name them, as the picture names them, class.
const PAGES: [(&str, &str, &str); 2] =
    [("first page", "the first page", "ours"), ("nine tenths into it", "nine tenths into the list", "other")];

/// Draws the picture. Returns `None` if the table has no times by the number of files.
pub(super) fn drawn(rows: &[Row]) -> Option<String> {
    let of_page = |which: &str| -> Vec<(f64, f64)> {
        let rows = rows.iter().filter(|row| row.group == BY_FILES);
        let figure = |row: &Row| {
            let (count, page) = row.name.split_once(" files, ")?;
            (page == which).then_some((count.parse().ok()?, row.value))
        };
        rows.filter_map(figure).collect()
    };
    let series = PAGES.map(|(which, ..)| of_page(which));
    let (fewest, most) = (series[0].first()?.0, series[0].last()?.0);
    if fewest >= most || series.iter().any(Vec::is_empty) {
        return None;
    }
    let slowest = series.iter().flatten().map(|(_, time)| *time).fold(0.0, f64::max);
    let top = ceiling(slowest);
    // Each tenfold takes the same width.
    let x = |count: f64| LEFT + (RIGHT - LEFT) * (count / fewest).ln() / (most / fewest).ln();
    let y = |time: f64| BOTTOM - (BOTTOM - TOP) * time / top;

    let told = PAGES.iter().zip(&series).map(|((_, name, _), points)| {
        let times = points.iter().map(|(count, time)| format!("{} files {} ms", thousands(*count), short(*time)));
        format!("{name}: {}.", times.collect::<Vec<_>>().join(", "))
    });
    let described = format!("Time of a page of 100 files. {}", told.collect::<Vec<_>>().join(" "));
    let mut svg =
        Svg::new(SIZE.0, SIZE.1, "A page of a list takes as long in a long list as in a short one", &described);
    svg.text(20.0, 62.0, "soft", Anchor::Start, "Milliseconds for a page of 100 files, median");
    for part in 0..=4 {
        let time = top * f64::from(part) / 4.0;
        svg.rule((LEFT, y(time)), (RIGHT, y(time)));
        svg.text(LEFT - 10.0, y(time) + 4.0, "soft", Anchor::End, &short(time));
    }
    for (count, _) in &series[0] {
        svg.text(x(*count), BOTTOM + 22.0, "soft", Anchor::Middle, &thousands(*count));
    }
    svg.text(f64::midpoint(LEFT, RIGHT), BOTTOM + 46.0, "soft", Anchor::Middle, "files in the list");
    for (place, ((_, name, class), points)) in PAGES.iter().zip(&series).enumerate() {
        let points: Vec<_> = points.iter().map(|(count, time)| (x(*count), y(*time))).collect();
        svg.curve(&points, class, place > 0);
        // The lines lie on each other, so their names stand below each other, with a sample of each.
        let line = if place == 0 { TOP + 8.0 } else { TOP + 34.0 };
        svg.curve(&[(RIGHT + 24.0, line - 4.0), (RIGHT + 54.0, line - 4.0)], class, place > 0);
        svg.text(RIGHT + 64.0, line, "text", Anchor::Start, name);
    }
    Some(svg.finish())
}

/// Returns a round number at least a fifth above a value.
fn ceiling(value: f64) -> f64 {
    let wanted = value * 1.2;
    let ten = 10_f64.powf(wanted.log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0].into_iter().map(|step| step * ten).find(|round| *round >= wanted).unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_times_give_a_flat_line_from_edge_to_edge() {
        let row = |count: u32, which: &str| Row::new(BY_FILES, &format!("{count} files, {which}"), 2.0, "ms");
        let rows: Vec<Row> = PAGES.iter().flat_map(|(which, ..)| [row(1_000, which), row(100_000, which)]).collect();
        let drawn = drawn(&rows).unwrap();
        // 2 of 4 ms is in the middle.
        assert!(drawn.contains("points=\"70,177 610,177\""), "{drawn}");
        assert!(drawn.contains("the first page: 1,000 files 2.0 ms, 100,000 files 2.0 ms."), "{drawn}");
    }

    #[test]
    fn the_axis_ends_at_a_round_number_above_all_times() {
        assert_eq!([2.4, 3.0, 7.0, 0.3].map(|time| ceiling(time).to_string()), ["4", "4", "10", "0.4"]);
    }

    #[test]
    fn an_older_table_has_no_picture() {
        assert_eq!(drawn(&[Row::new("A list", "p50", 1.0, "")]), None);
    }
}
