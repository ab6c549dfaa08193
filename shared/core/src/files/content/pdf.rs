//! PDF. Sources: ISO 32000-2, section 7.5.2; PDF 1.7 Reference, appendix H.3, note 13, which lets the header stand
//! anywhere in the first 1,024 bytes.

use super::{Measured, Recognised, Sample, text};

/// The bytes in which readers look for the header.
const SEARCHED: usize = 1024;

/// Recognises a PDF by its header, `%PDF-1.7`.
///
/// White space and a byte order mark may come before it. So may the lines of a printer's job or a mail, if an object
/// follows the header. A header in the middle of a text needs an object too, so that a page about PDF is not one.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    let bytes = sample.bytes;
    let searched = &bytes[..bytes.len().min(SEARCHED)];
    let at = searched.windows(5).position(|window| window == b"%PDF-")?;
    let (before, header) = bytes.split_at(at);
    let is_numbered =
        matches!(header.get(5..8), Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit());
    let before = before.strip_prefix(b"\xef\xbb\xbf").unwrap_or(before);
    let accepted = if before.trim_ascii().is_empty() {
        let ends_line = matches!(header.get(8), None | Some(b'\r' | b'\n'));
        is_numbered && (ends_line || !text::is_printable(header) || has_object(header))
    } else {
        let begins_line = matches!(before.last(), Some(b'\r' | b'\n'));
        let is_markup = before.trim_ascii_start().starts_with(b"<");
        is_numbered && begins_line && !is_markup && is_lines(before) && !text::is_utf8(sample) && has_object(header)
    };
    accepted.then_some(Recognised { types: &["application/pdf"], measured: Measured::default() })
}

/// Returns whether bytes are lines of ASCII. Printer's jobs begin with an escape.
fn is_lines(bytes: &[u8]) -> bool {
    bytes.is_ascii() && text::is_printable(bytes)
}

/// Returns whether an object or the end of a PDF occurs: `1 0 obj`, `%%EOF`.
fn has_object(bytes: &[u8]) -> bool {
    let is_object = |at: usize| {
        let before = bytes[..at].trim_ascii_end();
        before.len() < at && before.last().is_some_and(u8::is_ascii_digit)
    };
    bytes.windows(5).any(|window| window == b"%%EOF")
        || bytes.windows(3).enumerate().any(|(at, window)| window == b"obj" && is_object(at))
}
