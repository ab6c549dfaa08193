//! What documents say in figures: the pictures, and the marked sections of README.md and docs, written from the committed
//! table. A section stands between `<!-- bench: name -->` and `<!-- /bench -->`, in a line or over several.

mod sections;
mod starts;

use consigne_testkit::payload;

use crate::table::{COMMITTED, Row};
use crate::{Problem, pictures, say};

/// Documents with marked sections, below the checkout.
const DOCUMENTS: [&str; 2] = ["README.md", "docs/internals/figures.md"];
const END: &str = "<!-- /bench -->";

/// Writes the pictures and the marked sections of all documents.
///
/// # Errors
/// If a document has a section of an unknown name, or a file cannot be written.
pub(crate) fn write(rows: &[Row]) -> Result<(), Problem> {
    for (path, text) in all(rows)? {
        let path = payload::root().join(path);
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let pictures: Vec<&str> = pictures::ALL.iter().map(|picture| picture.path).collect();
    say(&format!("Wrote what shows {COMMITTED}: {}, {}.", DOCUMENTS.join(", "), pictures.join(", ")));
    Ok(())
}

/// Returns every file that shows the table, with its text as it must be.
fn all(rows: &[Row]) -> Result<Vec<(&'static str, String)>, Problem> {
    let drawn = |picture: pictures::Picture| Some((picture.path, picture.drawn(rows)?));
    let mut files: Vec<_> = pictures::ALL.into_iter().filter_map(drawn).collect();
    for path in DOCUMENTS {
        let text = std::fs::read_to_string(payload::root().join(path)).map_err(|error| format!("{path}: {error}"))?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let written = rewritten(&text, |name| sections::section(name, &Figures(rows), folder));
        files.push((path, written.map_err(|problem| format!("{path}: {problem}"))?));
    }
    Ok(files)
}

/// Replaces each marked section of a document by what `section` returns for its name. A section over several lines
/// stays one.
fn rewritten(text: &str, section: impl Fn(&str) -> Option<String>) -> Result<String, Problem> {
    const BEGIN: &str = "<!-- bench: ";
    let (mut written, mut rest) = (String::new(), text);
    while let Some((before, marked)) = rest.split_once(BEGIN) {
        let (name, marked) = marked.split_once(" -->").ok_or("a mark of a section does not end")?;
        let (old, after) = marked.split_once(END).ok_or_else(|| format!("the section {name} does not end"))?;
        let new = section(name).ok_or_else(|| format!("the bench writes no section {name}"))?;
        let (new, line) = (new.trim_end(), if old.contains('\n') { "\n" } else { "" });
        written.extend([before, BEGIN, name, " -->", line, new, line, END]);
        rest = after;
    }
    Ok(written + rest)
}

/// The figures of a table, by group and name.
pub(super) struct Figures<'a>(pub(super) &'a [Row]);

impl<'a> Figures<'a> {
    /// Returns a figure, if the table has it.
    pub(super) fn get(&self, group: &str, name: &str) -> Option<f64> {
        self.row(group, name).map(|row| row.value)
    }

    /// Returns a figure as `short` writes it, or a dash.
    pub(super) fn short(&self, group: &str, name: &str) -> String {
        self.get(group, name).map_or_else(|| "-".to_owned(), short)
    }

    /// Returns a row, if the table has it.
    pub(super) fn row(&self, group: &str, name: &str) -> Option<&'a Row> {
        self.of(group).find(|row| row.name == name)
    }

    /// Returns the rows of a group, in their order. The group's name may go on after a comma, with what differs between
    /// machines and months.
    pub(super) fn of(&self, group: &str) -> impl Iterator<Item = &'a Row> {
        self.0.iter().filter(move |row| {
            row.group.strip_prefix(group).is_some_and(|rest| rest.is_empty() || rest.starts_with(", "))
        })
    }
}

/// Writes a figure for a document: two digits that count, and thousands apart.
pub(crate) fn short(value: f64) -> String {
    match value {
        10.0.. => thousands(value),
        1.0.. => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ => format!("{value:.2}"),
    }
}

/// Writes a whole number with a comma at each thousand.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut written = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table;

    #[test]
    fn pictures_and_documents_show_the_committed_table() {
        for (path, text) in all(&table::committed().unwrap()).unwrap() {
            let now = std::fs::read_to_string(payload::root().join(path)).unwrap_or_default();
            assert!(now == text, "{path} shows other figures than {COMMITTED}: run `make bench DRAW=1`");
        }
    }

    #[test]
    fn marked_sections_are_replaced_and_the_rest_stays() {
        let text = "a\n<!-- bench: x -->old<!-- /bench --> b\n<!-- bench: y -->\nold\n<!-- /bench -->\nc\n";
        let written = rewritten(text, |name| Some(format!("new {name}\n"))).unwrap();
        let want = "a\n<!-- bench: x -->new x<!-- /bench --> b\n<!-- bench: y -->\nnew y\n<!-- /bench -->\nc\n";
        assert_eq!(written, want);
        assert_eq!(rewritten(want, |name| Some(format!("new {name}"))).unwrap(), want);
        assert!(rewritten(text, |_| None).unwrap_err().contains("no section x"));
        assert!(rewritten("<!-- bench: x -->", |_| Some(String::new())).unwrap_err().contains("does not end"));
    }

    #[test]
    fn figures_have_two_digits_that_count() {
        let written = [0.0, 0.169, 1.04, 9.94, 12.4, 999.6, 25_026.4].map(short);
        assert_eq!(written, ["0", "0.17", "1.0", "9.9", "12", "1,000", "25,026"]);
    }
}
