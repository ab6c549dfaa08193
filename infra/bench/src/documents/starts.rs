//! Sections about starts.

use super::Figures;
use crate::starts::{FLOORS, GROUP, HELLO, SLOWEST, floor_name};
use crate::table::Row;

/// The functions that the table has, quickest first.
fn functions<'a>(figures: &Figures<'a>) -> Vec<&'a Row> {
    let mut functions: Vec<&Row> = figures.of(GROUP).filter(|row| !row.name.starts_with("hello-world")).collect();
    functions.sort_by(|one, other| one.value.total_cmp(&other.value));
    functions
}

/// Returns the README's sentence about the slowest starts.
pub(super) fn slowest(figures: &Figures<'_>) -> Option<String> {
    let functions = functions(figures);
    let slow = functions.iter().filter(|row| row.value > SLOWEST).count();
    let last = functions.last()?;
    let (name, worst, all) = (&last.name, last.value, functions.len());
    Some(match slow {
        0 => format!(
            "Each of the {all} functions in the committed table starts within {SLOWEST:.1} times a bare Lambda hello-world; the \
             slowest, `{name}`, takes {worst:.2} times."
        ),
        _ => format!(
            "{slow} of the {all} functions in the committed table start slower than the bar of {SLOWEST:.1} times a bare Lambda \
             hello-world; the slowest, `{name}`, takes {worst:.2} times."
        ),
    })
}

/// Writes a table of the starts by number of clients.
pub(super) fn table(figures: &Figures<'_>) -> String {
    let functions = functions(figures);
    let floors: Vec<String> = FLOORS
        .iter()
        .map(|calls| figures.get(GROUP, &floor_name(*calls)).map_or("-".to_owned(), |floor| format!("{floor:.2}")))
        .collect();
    let mut lines = vec![
        "| start, exec to first answer | in hello-worlds |".to_owned(),
        "|---|---|".to_owned(),
        format!(
            "| hello-world ({} ms) with 1, 2 and 4 calls to AWS by hand: the floor | {} |",
            figures.short(GROUP, HELLO),
            floors.join(", ")
        ),
    ];
    for (clients, name) in [(0, "no client"), (1, "1 client"), (2, "2 clients"), (3, "3 clients"), (4, "4 clients")] {
        let of_these: Vec<&&Row> = functions.iter().filter(|row| clients_of(row) == Some(clients)).collect();
        if let (Some(first), Some(last)) = (of_these.first(), of_these.last()) {
            let middle = of_these.get(of_these.len() / 2).map_or(first.value, |row| row.value);
            let what =
                if of_these.len() == 1 { "function".to_owned() } else { format!("{} functions", of_these.len()) };
            lines.push(format!(
                "| {name}, {what} | {:.2} ({}) to {:.2} ({}), in the middle {middle:.2} |",
                first.value, first.name, last.value, last.name
            ));
        }
    }
    let slow: Vec<String> = functions
        .iter()
        .filter(|row| row.value > SLOWEST)
        .map(|row| format!("{} {:.2}", row.name, row.value))
        .collect();
    lines.push(String::new());
    lines.push(if slow.is_empty() {
        format!("The bar is {SLOWEST:.1} for every function. All {} meet it.", functions.len())
    } else {
        format!(
            "The bar is {SLOWEST:.1} for every function. Of {} these do not meet it: {}.",
            functions.len(),
            slow.join(", ")
        )
    });
    lines.join("\n")
}

/// Returns the number of AWS services of which a function is a client, which the row's remark ends with.
fn clients_of(row: &Row) -> Option<usize> {
    row.note.rsplit_once(", ")?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Row> {
        let row = |name: &str, value, note: &str| Row::new(GROUP, name, value, "x hello").with_note(note);
        vec![
            row("hello-world, median", 1.2, ""),
            row("hello-world and 1 bare call", 1.1, "1.3 ms, the floor"),
            row("usage", 1.5, "1.8 ms, 1 client"),
            row("list", 1.7, "2.0 ms, 2 clients"),
            row("gateway", 2.06, "2.5 ms, 2 clients"),
        ]
    }

    #[test]
    fn the_slowest_is_named_and_counted_against_the_bar() {
        let rows = rows();
        let sentence = slowest(&Figures(&rows)).unwrap();
        assert!(
            sentence.starts_with("1 of the 3 functions") && sentence.contains("`gateway`, takes 2.06"),
            "{sentence}"
        );
        let sentence = slowest(&Figures(&rows[..4])).unwrap();
        assert!(
            sentence.starts_with("Each of the 2 functions") && sentence.contains("`list`, takes 1.70"),
            "{sentence}"
        );
    }

    #[test]
    fn starts_stand_by_their_number_of_clients() {
        let rows = rows();
        let table = table(&Figures(&rows));
        assert!(table.contains("| 1.10, -, - |"), "{table}");
        assert!(table.contains("| 1 client, function | 1.50 (usage) to 1.50 (usage), in the middle 1.50 |"), "{table}");
        assert!(
            table.contains("| 2 clients, 2 functions | 1.70 (list) to 2.06 (gateway), in the middle 2.06 |"),
            "{table}"
        );
        assert!(table.ends_with("Of 3 these do not meet it: gateway 2.06."), "{table}");
    }
}
