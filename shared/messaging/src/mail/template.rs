//! The parts of templates: other people's texts made harmless, and values formatted in two languages.

use std::fmt;

use consigne_core::mail::Topic;
use consigne_core::profiles::Language;
use consigne_core::text::fitness;
use consigne_core::{Application, Timestamp};

/// Characters shown of a name that somebody else has chosen.
const NAME_MAX: usize = 80;
/// Characters shown of a sentence that somebody else has written.
const SENTENCE_MAX: usize = 300;
/// Longest subject, in characters. Mailboxes show fewer.
const SUBJECT_MAX: usize = 150;

/// A text that somebody else has written: one short line of visible characters. Templates accept other people's texts
/// only in this type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    /// Cleans a name: of a key, an organisation, a person, a job.
    pub fn name(text: &str) -> Self {
        Self(one_line(text, NAME_MAX))
    }

    /// Cleans a sentence, such as a reason.
    pub fn sentence(text: &str) -> Self {
        Self(one_line(text, SENTENCE_MAX))
    }

    /// Returns the text in the quotation marks of a language.
    pub fn quoted(&self, language: Language) -> String {
        match language {
            Language::English => format!("“{self}”"),
            Language::French => format!("«\u{a0}{self}\u{a0}»"),
        }
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Makes one line of at most `max` characters, without characters that control, hide or reorder their neighbours.
fn one_line(text: &str, max: usize) -> String {
    let visible: String = fitness(text).map(|(c, fit)| if fit { c } else { ' ' }).collect();
    let line = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "–".to_owned();
    }
    match line.char_indices().nth(max - 1) {
        Some((end, _)) if line.chars().count() > max => format!("{}…", line[..end].trim_end()),
        _ => line,
    }
}

/// The content of one mail in one language. Greeting, signature and the link to unsubscribe are added by the layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailContent {
    pub(super) subject: String,
    pub(super) paragraphs: Vec<String>,
    pub(super) button: Option<Button>,
}

/// The button of a mail, with its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Button {
    pub(super) label: &'static str,
    pub(super) url: String,
}

impl MailContent {
    /// Starts a mail with its subject.
    pub fn with_subject(subject: impl AsRef<str>) -> Self {
        Self { subject: one_line(subject.as_ref(), SUBJECT_MAX), paragraphs: Vec::new(), button: None }
    }

    /// Adds a paragraph of plain text.
    #[must_use]
    pub fn paragraph(mut self, paragraph: impl Into<String>) -> Self {
        self.paragraphs.push(paragraph.into());
        self
    }

    /// Adds a paragraph, if there is one.
    #[must_use]
    pub fn optional_paragraph(mut self, paragraph: Option<String>) -> Self {
        self.paragraphs.extend(paragraph);
        self
    }

    /// Adds the button at the end of the mail.
    #[must_use]
    pub fn button(self, label: &'static str, url: String) -> Self {
        Self { button: Some(Button { label, url }), ..self }
    }
}

/// A mail template: the values it needs, and its text.
pub trait MailTemplate: Send + Sync {
    /// Returns its name in the log and in the operators' command line.
    fn name(&self) -> &'static str;

    /// Returns the topic from which one can unsubscribe; `None` for mails that are always sent.
    fn topic(&self) -> Option<Topic>;

    /// Writes the mail's content.
    fn content(&self, language: Language, application: &Application) -> MailContent;
}

/// Formats a number with thousands separators.
pub fn count(language: Language, number: u64) -> String {
    let digits = number.to_string();
    let apart = match language {
        Language::English => ',',
        Language::French => '\u{a0}',
    };
    let mut written = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            written.push(apart);
        }
        written.push(digit);
    }
    written
}

/// Formats a number of bytes in the largest unit it fills, with one decimal. Units are powers of two.
pub fn bytes(language: Language, number: u64) -> String {
    let (units, point) = match language {
        Language::English => (["B", "KiB", "MiB", "GiB", "TiB"], '.'),
        Language::French => (["o", "Kio", "Mio", "Gio", "Tio"], ','),
    };
    let filled = (1..units.len()).rev().find(|power| number >= 1 << (10 * power)).unwrap_or(0);
    let unit = units[filled];
    if filled == 0 {
        return format!("{number}\u{a0}{unit}");
    }
    let tenths = u128::from(number) * 10 / (1 << (10 * filled));
    format!("{}{point}{}\u{a0}{unit}", tenths / 10, tenths % 10)
}

/// Formats an amount of cents in euros.
pub fn euros(language: Language, cents: u64) -> String {
    let (whole, rest) = (count(language, cents / 100), cents % 100);
    match language {
        Language::English => format!("€{whole}.{rest:02}"),
        Language::French => format!("{whole},{rest:02}\u{a0}€"),
    }
}

/// Formats a day (UTC).
pub fn day(language: Language, at: Timestamp) -> String {
    const ENGLISH: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const FRENCH: [&str; 12] = [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ];
    let printed = at.to_string();
    let parts: Vec<&str> = printed[..10].split('-').collect();
    let month = parts[1].parse::<usize>().unwrap_or(1) - 1;
    let day = parts[2].trim_start_matches('0');
    match language {
        Language::English => format!("{day} {} {}", ENGLISH[month], parts[0]),
        Language::French => {
            let day = if day == "1" { "1er" } else { day };
            format!("{day} {} {}", FRENCH[month], parts[0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{English, French};
    use super::*;

    #[test]
    fn quoted_text_becomes_one_short_visible_line() {
        let cut = format!("{}…", "é".repeat(79));
        for (wrote, shown) in [
            ("Acme", "Acme"),
            ("  Société \t d’Été ", "Société d’Été"),
            ("a\r\nBcc: eve@example.com", "a Bcc: eve@example.com"),
            ("photo\u{202E}gnp.exe", "photo gnp.exe"),
            ("a\u{2066}b\u{2069}c\u{200B}d\u{FEFF}e", "a b c d e"),
            ("<b>&amp;</b>", "<b>&amp;</b>"),
            ("👩‍🚀 日本語 العربية", "👩‍🚀 日本語 العربية"),
            ("", "–"),
            ("\u{202E}\u{0}", "–"),
            (&"é".repeat(80), &"é".repeat(80)),
            (&"é".repeat(300), &cut),
        ] {
            assert_eq!(Quoted::name(wrote).to_string(), shown, "{wrote:?}");
        }
        assert_eq!(Quoted::sentence(&"x".repeat(301)).to_string().chars().count(), 300);
    }

    #[test]
    fn numbers_and_days_are_written_as_each_language_writes_them() {
        for (number, english, french) in
            [(7, "7", "7"), (1000, "1,000", "1 000"), (1_234_567, "1,234,567", "1 234 567")]
        {
            assert_eq!(
                (count(English, number), count(French, number).replace('\u{a0}', " ")),
                (english.into(), french.into())
            );
        }
        assert_eq!((euros(English, 100_005), euros(French, 999)), ("€1,000.05".into(), "9,99\u{a0}€".into()));
        assert_eq!((bytes(English, 1_610_612_736), bytes(French, 0)), ("1.5\u{a0}GiB".into(), "0\u{a0}o".into()));
        assert_eq!(bytes(French, u64::MAX), "16777215,9\u{a0}Tio");
        let first = Timestamp::parse("2026-08-01T00:00:00Z").unwrap();
        assert_eq!((day(English, first), day(French, first)), ("1 August 2026".into(), "1er août 2026".into()));
        let last = Timestamp::parse("2026-12-31T23:59:59Z").unwrap();
        assert_eq!((day(English, last), day(French, last)), ("31 December 2026".into(), "31 décembre 2026".into()));
    }
}
