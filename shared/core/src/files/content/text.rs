//! Texts: their encoding, and whether bytes could be one at all.

use super::Sample;

/// The bytes that are looked at to tell a text from binary data.
const LOOKED_AT: usize = 1024;

/// How bytes are encoded as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16,
    /// One byte a character, such as Windows-1252.
    EightBit,
    /// No text.
    Binary,
}

/// Finds out the encoding of a sample.
pub(super) fn encoding(sample: Sample<'_>) -> Encoding {
    if is_utf8(sample) {
        Encoding::Utf8
    } else if utf16(sample.bytes).is_some() {
        Encoding::Utf16
    } else if !sample.bytes.iter().any(|byte| is_control(*byte)) {
        Encoding::EightBit
    } else {
        Encoding::Binary
    }
}

/// Returns whether the bytes are UTF-8 without NUL. A character that the sample cuts off does not count as an error.
pub(super) fn is_utf8(sample: Sample<'_>) -> bool {
    let readable = match std::str::from_utf8(sample.bytes) {
        Ok(_) => sample.bytes,
        Err(error) if error.error_len().is_none() && !sample.is_whole() => &sample.bytes[..error.valid_up_to()],
        Err(_) => return false,
    };
    !readable.contains(&0)
}

/// Returns whether the first bytes are all printable, in whatever encoding of one byte a character. Images and films
/// have a control character among them.
pub(super) fn is_printable(bytes: &[u8]) -> bool {
    !bytes.iter().take(LOOKED_AT).any(|byte| is_control(*byte))
}

/// Returns whether a byte is a control character that no text has.
fn is_control(byte: u8) -> bool {
    // Escape occurs in logs and printer's jobs.
    byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r' | b'\x0c' | b'\x1b')
}

/// Decodes UTF-16, with a byte order mark, or without one if it is mostly ASCII. Returns `None` if it is not a text.
///
/// A character that is cut off at the end is left out.
pub(super) fn utf16(bytes: &[u8]) -> Option<String> {
    let (is_big_endian, units) = match bytes {
        [0xfe, 0xff, rest @ ..] => (true, rest),
        [0xff, 0xfe, rest @ ..] => (false, rest),
        _ => (has_empty_half(bytes)?, bytes),
    };
    let (units, _) = units.as_chunks::<2>();
    let units =
        units.iter().map(|unit| if is_big_endian { u16::from_be_bytes(*unit) } else { u16::from_le_bytes(*unit) });
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut decoded = char::decode_utf16(units).peekable();
    while let Some(next) = decoded.next() {
        match next {
            Ok(c) if c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b') => return None,
            Ok(c) => text.push(c),
            // Half a pair at the end was cut off.
            Err(_) if decoded.peek().is_none() => {}
            Err(_) => return None,
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Returns whether the upper byte of each 16-bit unit comes first, if it is zero in most units and the lower one never.
fn has_empty_half(bytes: &[u8]) -> Option<bool> {
    let (units, _) = bytes[..bytes.len().min(LOOKED_AT)].as_chunks::<2>();
    let zeros = |half: usize| units.iter().filter(|unit| unit[half] == 0).count();
    let most = units.len() - units.len() / 4;
    match (zeros(0), zeros(1)) {
        // Too few to tell.
        _ if units.len() < 4 => None,
        (first, 0) if first >= most => Some(true),
        (0, second) if second >= most => Some(false),
        _ => None,
    }
}
