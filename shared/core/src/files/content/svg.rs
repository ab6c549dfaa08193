//! SVG, recognised by the root element of an XML document. Sources: SVG 2, section 5.1; XML 1.0, sections 2.8 and 4.3.3.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::text::{self, Encoding};
use super::{EIGHT_BIT, Sample, UNKNOWN};

const NAMESPACE: &str = "http://www.w3.org/2000/svg";

/// Returns what the bytes are if they are not an SVG.
///
/// XML may be in UTF-16, and in any other encoding that its declaration names.
pub(super) fn check(sample: Sample<'_>) -> Result<(), &'static str> {
    let text = match text::encoding(sample) {
        Encoding::Utf8 => String::from_utf8_lossy(sample.bytes),
        Encoding::Utf16 => Cow::Owned(text::utf16(sample.bytes).ok_or(UNKNOWN)?),
        Encoding::EightBit => {
            // What is read here is ASCII in each of these encodings, so that any of them will do.
            let text = sample.bytes.iter().copied().map(char::from).collect::<String>();
            if !names_encoding(&text) {
                return Err(EIGHT_BIT);
            }
            Cow::Owned(text)
        }
        Encoding::Binary => return Err(UNKNOWN),
    };
    if root_is_svg(&text) { Ok(()) } else { Err("text whose root element is not svg") }
}

/// Reads declaration, comments and document type up to the root element, and returns whether that is `svg`.
///
/// Entities are never expanded, and nothing is read twice, so the time is that of the text.
fn root_is_svg(text: &str) -> bool {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{FEFF}'));
    loop {
        match reader.read_event() {
            Ok(Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_)) => {}
            Ok(Event::Text(text)) if text.trim_ascii().is_empty() => {}
            Ok(Event::Start(root) | Event::Empty(root)) => return is_svg(&root),
            _ => return false,
        }
    }
}

/// Returns whether an element is `svg` in its namespace. An editor that writes the namespace as an entity, or not at
/// all, is believed.
fn is_svg(root: &BytesStart<'_>) -> bool {
    let name = root.name();
    let prefix = name.prefix();
    let declaration = match &prefix {
        Some(prefix) => format!("xmlns:{}", prefix.as_ref()),
        None => "xmlns".to_owned(),
    };
    let mut attributes = root.attributes();
    let namespace = attributes.with_checks(false).flatten().find(|attribute| attribute.key.as_ref() == declaration);
    let is_namespace = match namespace {
        Some(declared) => declared.value == NAMESPACE || declared.value.starts_with('&'),
        None => prefix.is_none(),
    };
    name.local_name().as_ref() == "svg" && is_namespace
}

/// Returns whether the XML declaration names an encoding other than UTF-8.
fn names_encoding(text: &str) -> bool {
    match Reader::from_str(text).read_event() {
        Ok(Event::Decl(declaration)) => {
            let encoding = declaration.encoding().and_then(Result::ok);
            encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("utf-8"))
        }
        _ => false,
    }
}
