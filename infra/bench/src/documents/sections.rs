//! The marked sections, by name.

use super::{Figures, starts, thousands};
use crate::pictures::{self, Picture};
use crate::{costs, instructions, lists, micro, peers, throttle, warm};

/// Writes a section. `folder` is where its document is, below the checkout. Returns `None` for an unknown name.
pub(super) fn section(name: &str, figures: &Figures<'_>, folder: &str) -> Option<String> {
    match name {
        "beside" => Some(shown(&pictures::PEERS, figures, folder)),
        "slowest" => starts::slowest(figures),
        "examples" => Some(examples(figures)),
        "costs" => Some(costs_of_a_million(figures)),
        "starts" => Some(starts::table(figures)),
        "warm" => Some(warm_requests(figures)),
        "instructions" => Some(counted(figures)),
        "list" => Some(list(figures, folder)),
        "peers" => Some(beside_peers(figures, folder)),
        "small" => Some(at_a_small_share(figures)),
        _ => None,
    }
}

/// Shows a picture in a document, or nothing if the table does not have its figures.
fn shown(picture: &Picture, figures: &Figures<'_>, folder: &str) -> String {
    let up = folder.split('/').filter(|part| !part.is_empty()).map(|_| "../").collect::<String>();
    let image = format!("![{}]({up}{})", picture.alt, picture.path);
    picture.drawn(figures.0).map(|_| image).unwrap_or_default()
}

/// Writes the costs of examples: requests of a month, each at its price of a million.
fn examples(figures: &Figures<'_>) -> String {
    let of = |name: &str| figures.get(costs::GROUP, name).unwrap_or(f64::NAN);
    let [grant, upload, ticket, list] = [
        of("a grant"),
        of("an upload behind its grant, to its event on the bus"),
        of("a ticket to read"),
        of("a page of 100 files"),
    ];
    let [check, outcome, call] =
        [of("a key check that charges"), of("how a call went"), of("a call through the gateway")];
    let files = (20_000.0 * (grant + upload) + 100_000.0 * ticket + 20_000.0 * list) / 1e6;
    [
        "| example | requests, at US dollars a million | a month |".to_owned(),
        "|---|---|---|".to_owned(),
        format!(
            "| files: 1,000 people, each 20 uploads, 100 tickets, 20 lists | 20,000 uploads at {grant:.2} + {upload:.2}, 100,000 \
             tickets at {ticket:.2}, 20,000 lists at {list:.2} | {files:.2} |"
        ),
        format!("| an API: a million charged key checks, each with its outcome | 1,000,000 at {check:.2} + {outcome:.2} | {:.2} |", check + outcome),
        format!("| a gateway: ten million calls | 10,000,000 at {call:.2} | {:.2} |", 10.0 * call),
    ]
    .join("\n")
}

fn costs_of_a_million(figures: &Figures<'_>) -> String {
    let rows = figures.of(costs::GROUP).map(|row| format!("| {} | {} | {:.2} |", row.name, row.note, row.value));
    ["| request | billed as | |".to_owned(), "|---|---|---|".to_owned()]
        .into_iter()
        .chain(rows)
        .collect::<Vec<_>>()
        .join("\n")
}

fn warm_requests(figures: &Figures<'_>) -> String {
    let cells =
        |cell: &dyn Fn(&str) -> String| warm::FUNCTIONS.iter().map(|name| cell(name)).collect::<Vec<_>>().join(" | ");
    let hello = figures.row(warm::LATENCY, "hello").and_then(|row| row.note.split_once(',')).map_or("-", |note| note.0);
    let memory = |name: &str| {
        let [first, more] =
            ["after 1 request", "growth since"].map(|what| figures.get(warm::MEMORY, &format!("{name}, {what}")));
        first.zip(more).map_or("-".to_owned(), |(first, more)| format!("{first:.1} + {more:.1}"))
    };
    let rates = |name: &str| {
        let row = figures.row(warm::PROCESSOR, name);
        let rate = row.and_then(|row| row.note.split(' ').nth(2)?.parse().ok());
        rate.map_or("-".to_owned(), thousands)
    };
    [
        format!("| a warm request | {} |", warm::FUNCTIONS.join(" | ")),
        format!("|---|{}", "---|".repeat(warm::FUNCTIONS.len())),
        format!(
            "| from event to answer, in hello-worlds ({hello}) | {} |",
            cells(&|name| figures.short(warm::LATENCY, name))
        ),
        format!("| requests a second of a core; hello-world does {} | {} |", rates("hello"), cells(&rates)),
        format!("| memory after 1 request, and more after 10,000, in MB | {} |", cells(&memory)),
    ]
    .join("\n")
}

/// Returns the sentences about the instructions of a warm request and of its parts.
fn counted(figures: &Figures<'_>) -> String {
    let millions = |group: &str, name: &str| {
        figures.get(group, name).map_or("-".to_owned(), |thousand| format!("{:.2}", thousand / 1_000.0))
    };
    let of_requests = |name| millions(instructions::GROUP, name);
    let (count, time) = (|name| millions(micro::COUNTS, name), |name| figures.short(micro::TIMES, name));
    format!(
        "A warm request is {} million instructions for `presign`, {} for `usage` and {} for `key-verify`, of which hello-world has {} \
         (`make bench ONLY=instructions`). Of these the session token is {} ({} µs) and the ticket's signature {} ({} µs, on a \
         processor with instructions for hashes, which callgrind's has not); a key's checksum and MAC are {} (`make bench ONLY=micro`).",
        of_requests("presign"),
        of_requests("usage"),
        of_requests("key-verify"),
        of_requests("hello"),
        count(micro::TOKEN),
        time(micro::TOKEN),
        count(micro::TICKET),
        time(micro::TICKET),
        count(micro::KEY),
    )
}

fn list(figures: &Figures<'_>, folder: &str) -> String {
    let row = |name| figures.row(lists::NEAR_ITS_END, name);
    let told = row("p50").zip(row("p95")).map(|(middle, slow)| {
        let (note, middle, slow) = (&middle.note, middle.value, slow.value);
        format!("At the median, {note}: {middle:.2} times as long. At 95 % it is {slow:.2} times as long (bar 1.2).")
    });
    [told.unwrap_or_default(), shown(&pictures::LISTS, figures, folder)].join("\n\n")
}

const LANGUAGES: [&str; 3] = ["Rust", "Node.js", "Python"];

/// Returns the figures of both functions, such as `2.5 / 2.7`.
fn both(cell: impl Fn(&str) -> String) -> String {
    peers::FUNCTIONS.map(cell).join(" / ")
}

fn beside_peers(figures: &Figures<'_>, folder: &str) -> String {
    let mut lines = vec![
        shown(&pictures::PEERS, figures, folder),
        String::new(),
        format!("| `presign` / `key-verify` | {} |", LANGUAGES.join(" | ")),
        "|---|---|---|---|".to_owned(),
    ];
    for (what, unit) in [
        (peers::START, ", ms"),
        ("warm request, median", ", ms"),
        ("requests a second of a core", ""),
        (peers::MEMORY, ", MB"),
        ("memory after the last", " of 1,000 more, MB"),
        ("package, unpacked", ", MB"),
    ] {
        let cell =
            |language: &str| both(|function| figures.short(&peers::group(function), &format!("{what}, {language}")));
        lines.push(format!("| {what}{unit} | {} |", LANGUAGES.map(cell).join(" | ")));
    }
    lines.join("\n")
}

fn at_a_small_share(figures: &Figures<'_>) -> String {
    let value = |name: String| figures.short(throttle::GROUP, &name);
    let mut lines = vec![
        format!("| `presign` / `key-verify` | {} |", throttle::WHAT.join(" | ")),
        "|---|---|---|---|".to_owned(),
        format!("| hello-world | {} |", throttle::WHAT.map(|what| value(format!("hello: {what}"))).join(" | ")),
    ];
    for language in LANGUAGES {
        let named =
            |function: &str| if language == "Rust" { function.to_owned() } else { format!("{function}, {language}") };
        let cells = throttle::WHAT.map(|what| both(|function| value(format!("{}: {what}", named(function)))));
        lines.push(format!("| {language} | {} |", cells.join(" | ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Row;

    #[test]
    fn an_example_is_the_sum_of_its_requests() {
        let row = |name: &str, value| Row::new(costs::GROUP, name, value, "dollars");
        let rows = [
            row("a key check that charges", 6.3),
            row("how a call went", 3.11),
            row("a call through the gateway", 11.36),
        ];
        let written = examples(&Figures(&rows));
        for row in ["| 1,000,000 at 6.30 + 3.11 | 9.41 |", "| 10,000,000 at 11.36 | 113.60 |"] {
            assert!(written.contains(row), "{written}");
        }
    }

    #[test]
    fn a_picture_is_shown_from_the_folder_of_its_document() {
        let row =
            |language: &str| Row::new(&peers::group("presign"), &format!("{}, {language}", peers::START), 1.0, "ms");
        let rows = [row("Rust"), row("Python")];
        let image = shown(&pictures::PEERS, &Figures(&rows), "docs/internals");
        assert!(image.ends_with("](../../docs/pictures/bench-peers.svg)"), "{image}");
        assert_eq!(shown(&pictures::LISTS, &Figures(&rows), ""), "");
    }
}
