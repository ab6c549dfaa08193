//! Texts that people write: checked, so that they are safe to display, or reduced to the alphabet of object keys.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::Fault;

/// Checks a short text: NFC, trimmed, one line, 1 to `max` characters. Direction marks are dropped.
///
/// # Errors
/// `INVALID_REQUEST` naming the field if it is empty, too long, or contains a character that is not safe to display.
pub fn label(field: &str, text: &str, max: usize) -> Result<String, Fault> {
    let text: String = without_marks(text).trim().nfc().collect();
    if text.is_empty() || text.chars().count() > max {
        return Err(Fault::field(field, format!("{field} must have 1 to {max} characters")).detail("limit", max));
    }
    if has_unfit(&text) {
        return Err(Fault::field(field, format!("{field} must not contain control or invisible characters")));
    }
    Ok(text)
}

/// Checks a longer text: NFC, trimmed, 1 to `max` characters, line breaks and tabs allowed.
///
/// # Errors
/// `INVALID_REQUEST` naming the field if it is empty, too long, or contains another control character.
pub fn prose(field: &str, text: &str, max: usize) -> Result<String, Fault> {
    let text: String = text.trim().nfc().collect();
    if text.is_empty() || text.chars().count() > max {
        return Err(Fault::field(field, format!("{field} must have 1 to {max} characters")).detail("limit", max));
    }
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Fault::field(field, format!("{field} must not contain control characters")));
    }
    Ok(text)
}

/// Cuts an untrusted text to `max` characters and removes characters that are not safe to display.
pub fn cut(text: &str, max: usize) -> String {
    let fit = |text: &str| fitness(text).filter(|(_, fit)| *fit).map(|(c, _)| c).take(max).collect::<String>();
    // The first time may have cut a flag in two, whose rest is no flag.
    fit(&fit(text)).trim().to_owned()
}

/// Writes bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Checks an identifier that a program chose: 1 to `max` visible ASCII characters.
///
/// # Errors
/// `INVALID_REQUEST` naming the field.
pub fn word(field: &str, text: &str, max: usize) -> Result<String, Fault> {
    let good = (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if good {
        return Ok(text.to_owned());
    }
    Err(Fault::field(field, format!("{field} must be 1 to {max} visible ASCII characters")).detail("limit", max))
}

/// Converts a text to the alphabet of object keys, `a-z 0-9 . _ -`, in at most `max` bytes.
///
/// Accents are dropped (`été` becomes `ete`). Characters without an ASCII counterpart become hyphens.
pub fn slug(text: &str, max: usize) -> String {
    let mut slug = String::new();
    for c in text.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'a'..='z' | '0'..='9' | '_' | '.' => slug.push(c),
            'A'..='Z' => slug.push(c.to_ascii_lowercase()),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(max);
    slug
}

/// Removes the marks that tell a renderer the direction of the text around them (left-to-right, right-to-left, Arabic
/// letter). Systems add them when a name is copied, and no name reads differently without them.
pub fn without_marks(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\u{200E}' | '\u{200F}' | '\u{061C}')).collect()
}

/// Returns whether a text contains a character that is unsafe in a name. Flags such as England's are not.
pub fn has_unfit(text: &str) -> bool {
    fitness(text).any(|(_, fit)| !fit)
}

/// Returns the characters of a text, each with whether it is safe in a name where it stands.
///
/// Tags are invisible and could hide a message. They are safe only in a flag: a black flag, three to six letters and
/// digits that name a part of a country, and an end. Source: Unicode Technical Standard 51, section 2.10.
pub fn fitness(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut tags = 0;
    text.char_indices().map(move |(at, c)| {
        if tags > 0 {
            tags -= 1;
            return (c, true);
        }
        if c == '\u{1F3F4}' {
            tags = flag_tags(&text[at + c.len_utf8()..]);
        }
        (c, !is_unfit(c))
    })
}

/// Returns the number of tags with which a flag begins and ends, or zero if they are no flag.
fn flag_tags(text: &str) -> usize {
    let is_tag = |c: &char| matches!(c, '\u{E0030}'..='\u{E0039}' | '\u{E0061}'..='\u{E007A}');
    let letters = text.chars().take(7).take_while(is_tag).count();
    let ends = text.chars().nth(letters) == Some('\u{E007F}');
    if ends && (3..=6).contains(&letters) { letters + 1 } else { 0 }
}

/// Returns whether a character is unsafe in a name, because it controls, hides or reorders the text around it.
///
/// Zero-width joiners are allowed, because emoji and several scripts need them.
pub fn is_unfit(c: char) -> bool {
    c.is_control() || is_disguise(c)
}

/// Returns whether a character hides or reorders the text around it (Unicode category Cf and similar ones).
fn is_disguise(c: char) -> bool {
    matches!(c,
        '\u{200B}' | '\u{200E}' | '\u{200F}' // zero-width space, left-to-right and right-to-left marks
        | '\u{061C}'                         // Arabic letter mark
        | '\u{2028}'..='\u{202E}'            // line and paragraph separators, embeddings, overrides
        | '\u{2060}'..='\u{206F}'            // word joiner, invisible operators, isolates
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{E0000}'..='\u{E007F}') // tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_line_of_its_length() {
        assert_eq!(label("name", "  Société Générale ", 20).ok().as_deref(), Some("Société Générale"));
        for bad in ["", "   ", "a\nb", "a\u{202E}b", "123456789012345678901"] {
            assert_eq!(label("name", bad, 20).err().map(|fault| fault.details["field"].clone()), Some("name".into()));
        }
    }

    #[test]
    fn a_label_may_have_flags_and_loses_direction_marks() {
        let scotland = "🏴\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}";
        assert_eq!(label("name", scotland, 20).ok().as_deref(), Some(scotland));
        assert_eq!(label("name", "\u{200F}שלום\u{200E} ", 20).ok().as_deref(), Some("שלום"));
        for bad in ["a\u{E0067}\u{E0062}\u{E0073}\u{E007F}", "🏴\u{E0067}\u{E0062}\u{E0073}", "a\u{200B}b"] {
            assert!(label("name", bad, 20).is_err(), "{}", bad.escape_unicode());
        }
        assert_eq!(cut(&format!("{scotland}\u{E0067}"), 20), scotland);
        assert_eq!(cut(scotland, 4), "🏴");
    }

    #[test]
    fn a_cut_text_is_safe_to_display() {
        assert_eq!(cut(" gnp.\u{202E}exe\r\n\u{0} 👩\u{200D}🚀 ", 99), "gnp.exe 👩\u{200D}🚀");
        assert_eq!((cut("été", 2), cut("\u{FEFF} ", 9)), ("ét".to_owned(), String::new()));
    }
}
