//! The parts of templates: other people's texts made harmless, and values formatted in two languages.

use std::fmt;

use consigne_core::mail::Topic;
use consigne_core::profiles::Language;
use consigne_core::text::fitness;
use consigne_core::{Application, OrgId, Timestamp};

/// Characters shown of a name that somebody else has chosen.
const NAME_MAX: usize = 80;
/// Characters shown of a sentence that somebody else has written.
const SENTENCE_MAX: usize = 300;
/// Names in one list. The page behind the button shows all.
const NAMES_LISTED: usize = 20;
/// Longest subject, in characters. Mailboxes show fewer.
const SUBJECT_MAX: usize = 150;
/// Longest name in a subject, in characters and in words. Longer ones read as sentences.
const SUBJECT_NAME_MAX: (usize, usize) = (40, 4);
/// Words that make a sentence of a name.
const SENTENCE_WORDS: [&str; 16] = [
    "you", "your", "click", "please", "is", "are", "was", "has", "have", "will", "must", "vous", "votre", "vos",
    "cliquez", "veuillez",
];
/// Digits in a row, possibly separated, that make a telephone number.
const PHONE_DIGITS: usize = 7;

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

    /// Returns the text if it may stand in a subject: not if it reads as a sentence or contains an address, because then
    /// anybody could write a subject of ours by choosing a name.
    fn as_subject_name(&self) -> Option<&str> {
        let name = self.0.as_str();
        let words: Vec<&str> = name.split_whitespace().collect();
        let short = name.chars().count() <= SUBJECT_NAME_MAX.0 && words.len() <= SUBJECT_NAME_MAX.1;
        let speaks = words.iter().any(|word| SENTENCE_WORDS.contains(&word.to_lowercase().as_str()));
        let digits = name.chars().filter(char::is_ascii_digit).count() >= PHONE_DIGITS;
        (short && !speaks && !digits && !is_punctuated(name) && !words.into_iter().any(is_address)).then_some(name)
    }

    /// Returns a subject that begins with the name, such as `Acme: new API key`. Without the name if it may not stand there.
    pub fn subject_before(&self, language: Language, rest: &str) -> String {
        match (self.as_subject_name(), language) {
            (Some(name), Language::English) => format!("{name}: {rest}"),
            (Some(name), Language::French) => format!("{name} : {rest}"),
            (None, _) => {
                let mut rest = rest.chars();
                rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
            }
        }
    }

    /// Returns a subject that ends with the name, such as `Your image is ready: dawn`. Without the name if it may not
    /// stand there.
    pub fn subject_after(&self, language: Language, rest: &str) -> String {
        match (self.as_subject_name(), language) {
            (Some(name), Language::English) => format!("{rest}: {name}"),
            (Some(name), Language::French) => format!("{rest} : {name}"),
            (None, _) => rest.to_owned(),
        }
    }

    /// Returns the name in quotation marks, after a space, for a subject. Empty if it may not stand there.
    pub fn quoted_in_subject(&self, language: Language) -> String {
        self.as_subject_name().map_or_else(String::new, |_| format!(" {}", self.quoted(language)))
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

/// Returns whether a name has punctuation as between or after sentences. The `?` of an encoded-word is none.
fn is_punctuated(name: &str) -> bool {
    let mut next = name.chars().skip(1).chain([' ']);
    let ends = |c: char, next: Option<char>| match c {
        '!' | '¡' | '¿' | '。' | '！' | '？' => true,
        '?' | ':' | ';' => next.is_some_and(char::is_whitespace),
        _ => false,
    };
    // A full stop may end an abbreviation, such as `Inc.`, at the end of a name.
    name.contains(". ") || name.chars().any(|c| ends(c, next.next()))
}

/// Returns whether a word is or contains an e-mail address, a URL or a domain.
fn is_address(word: &str) -> bool {
    let domain = word.split('.').zip(word.split('.').skip(1)).any(|(before, after)| {
        let top = after.chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
        before.ends_with(char::is_alphanumeric) && top.chars().count() >= 2 && top.chars().all(char::is_alphabetic)
    });
    domain || word.contains(['@', '＠', '/', '\\'])
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

    /// Returns the organisation from which only some of these mails go to one person in an hour; `None` for mails that
    /// are all sent. Such a template also has a [`Self::no_more`].
    fn gathered(&self) -> Option<OrgId> {
        None
    }

    /// Returns what the last gathered mail of an hour says about those that do not follow.
    fn no_more(&self, _language: Language) -> Option<&'static str> {
        None
    }

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

/// Formats a number with its noun in the singular or plural. French uses the singular for zero too.
pub fn counted(language: Language, number: u64, [one, many]: [&str; 2]) -> String {
    let singular = match language {
        Language::English => number == 1,
        Language::French => number <= 1,
    };
    format!("{} {}", count(language, number), if singular { one } else { many })
}

/// Lists names in quotation marks, out of `total`.
pub fn listed(language: Language, names: &[Quoted], total: u64) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_LISTED).map(|name| name.quoted(language)).collect();
    let (list, more) = (shown.join(", "), total.saturating_sub(shown.len() as u64));
    match language {
        _ if more == 0 => list,
        Language::English => format!("{list} and {} more", count(language, more)),
        Language::French => format!("{list} et {} de plus", count(language, more)),
    }
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
    fn only_plain_names_stand_in_subjects() {
        for name in ["Acme", "Acme Inc.", "Smith, Jones & Co.", "Société d’Été", "日本語", "v1.2", "=?utf-8?q?Acme?="]
        {
            let name = Quoted::name(name);
            assert_eq!(name.subject_before(English, "new API key"), format!("{name}: new API key"));
            assert_eq!(name.subject_after(French, "Clé"), format!("Clé : {name}"));
            assert_eq!(name.as_subject_name(), Some(name.to_string().as_str()));
        }
        for name in [
            "Pay now!",
            "You won",
            "Your account is locked",
            "Votre compte",
            "Confirm the payment of your order today",
            "Alert: account closed",
            "Really?",
            "Locked. Sign in",
            "evil.example",
            "see evil.example/login",
            "https://evil.example",
            "eve@evil.example",
            "call +33 1 23 45 67 89",
            "あなた。",
            &"x".repeat(41),
        ] {
            let name = Quoted::name(name);
            assert_eq!(name.subject_before(French, "état"), "État", "{name}");
            assert_eq!(name.subject_after(English, "Done"), "Done", "{name}");
            assert_eq!(name.as_subject_name(), None, "{name}");
            assert_eq!(name.quoted_in_subject(English), "", "{name}");
        }
    }

    #[test]
    fn nouns_agree_with_their_number_and_long_lists_are_cut() {
        let key = ["key", "keys"];
        assert_eq!([0, 1, 2, 1000].map(|n| counted(English, n, key)), ["0 keys", "1 key", "2 keys", "1,000 keys"]);
        assert_eq!([0, 1, 2].map(|n| counted(French, n, ["clé", "clés"])), ["0 clé", "1 clé", "2 clés"]);
        let names: Vec<Quoted> = (1..=25).map(|n| Quoted::name(&format!("k{n}"))).collect();
        assert_eq!(listed(English, &names[..2], 2), "“k1”, “k2”");
        assert!(listed(English, &names, 130).ends_with("“k20” and 110 more"));
        assert!(listed(French, &names, 25).ends_with("«\u{a0}k20\u{a0}» et 5 de plus"));
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
