//! Start and memory of two of our functions beside the same for Node.js and in Python, as bars.

use super::svg::{Anchor, Svg};
use crate::documents::short;
use crate::peers;
use crate::table::Row;

pub(super) const ALT: &str =
    "Time to the first answer and memory of two functions in Rust, Node.js and Python, beside a hello-world";
const WIDTH: u32 = 860;
/// Panels: heading, begin of the rows' names, unit.
const PANELS: [(&str, &str, &str); 2] =
    [("From exec to the first answer", peers::START, "ms"), ("Memory after one request", peers::MEMORY, "MB")];
/// What a function does, in few words.
const WORK: [(&str, &str); 2] =
    [("presign", "presign: verifies a token, signs a URL"), ("key-verify", "key-verify: charges an API key")];
/// Languages in the order of their bars: as the rows name them, as the picture names them, class.
const LANGUAGES: [(&str, &str, &str); 4] = [
    (peers::HELLO, "hello-world", "floor"),
    ("Rust", "Consigne", "ours"),
    ("Node.js", "Node.js", "other"),
    ("Python", "Python", "other"),
];
/// Height of a bar, and distance from one to the next.
const BAR: f64 = 16.0;
const STEP: f64 = 22.0;
/// Space between two functions.
const APART: f64 = 12.0;
/// Where the first heading of a function stands, and the panels.
const TOP: f64 = 88.0;
const LEFT: [f64; 2] = [20.0, 445.0];
/// Width of a bar's name, and of the longest bar.
const NAME: f64 = 85.0;
const LONGEST: f64 = 240.0;

/// Draws the picture. Returns `None` if the table has no figures of peers.
pub(super) fn drawn(rows: &[Row]) -> Option<String> {
    let value = |function: &str, what: &str, language: &str| {
        let (group, name) = (peers::group(function), format!("{what}, {language}"));
        rows.iter().find(|row| row.group == group && row.name == name).map(|row| row.value)
    };
    // A run without Node.js or an older table has fewer bars.
    let shown: Vec<_> =
        LANGUAGES.into_iter().filter(|(language, ..)| value("presign", peers::START, language).is_some()).collect();
    if shown.len() < 2 {
        return None;
    }
    let mut described = Vec::new();
    for (heading, what, unit) in PANELS {
        for (function, _) in WORK {
            let figures = shown.iter().filter_map(|(language, name, _)| {
                value(function, what, language).map(|value| format!("{name} {} {unit}", short(value)))
            });
            described.push(format!("{heading}, {function}: {}.", figures.collect::<Vec<_>>().join(", ")));
        }
    }
    let rows_of_a_panel = WORK.len() * (shown.len() + 1);
    // A handful of rows is exact as a float, and a picture is some hundred pixels high.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let height = (TOP + STEP * rows_of_a_panel as f64 + APART) as u32;
    let title = "The same two functions in Rust, Node.js and Python";
    let mut svg = Svg::new(WIDTH, height, title, &described.join(" "));
    for ((heading, what, unit), left) in PANELS.into_iter().zip(LEFT) {
        svg.text(left, 62.0, "soft", Anchor::Start, &format!("{heading}, {unit} (less is better)"));
        let figures = WORK.iter().flat_map(|(function, _)| {
            shown.iter().filter_map(|(language, ..)| value(function, what, language)).collect::<Vec<_>>()
        });
        let most = figures.fold(0.0, f64::max);
        let mut y = TOP;
        for (function, work) in WORK {
            svg.text(left, y, "text head", Anchor::Start, work);
            y += STEP;
            for (language, name, class) in &shown {
                if let Some(value) = value(function, what, language) {
                    let width = LONGEST * value / most;
                    svg.text(left + NAME - 8.0, y, "text", Anchor::End, name);
                    svg.bar(left + NAME, y - BAR + 4.0, width, BAR, class);
                    svg.text(left + NAME + width.max(1.0) + 6.0, y, "text", Anchor::Start, &short(value));
                }
                y += STEP;
            }
            y += APART;
        }
    }
    Some(svg.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(what: &str, language: &str, value: f64) -> Row {
        Row::new(&peers::group("presign"), &format!("{what}, {language}"), value, "")
    }

    #[test]
    fn the_longest_bar_is_as_long_as_there_is_room_and_the_others_are_to_scale() {
        let rows = [row(peers::START, "Rust", 3.0), row(peers::START, "Python", 300.0)];
        let drawn = drawn(&rows).unwrap();
        assert!(drawn.contains("class=\"other bar\" x=\"105\"") && drawn.contains("width=\"240\""), "{drawn}");
        assert!(drawn.contains("class=\"ours bar\"") && drawn.contains("width=\"2.4\""), "{drawn}");
        assert!(drawn.contains("presign: Consigne 3.0 ms, Python 300 ms."), "{drawn}");
        assert!(!drawn.contains("Node.js 0"), "{drawn}");
    }

    #[test]
    fn without_figures_there_is_no_picture() {
        assert_eq!(drawn(&[]), None);
    }
}
