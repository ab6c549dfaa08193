//! JSON: a text that begins like a value. Source: RFC 8259, sections 2 and 3.
//!
//! The rest is not parsed, because most of a large file comes after the sample.

use super::Sample;

/// What is said of a text that is no JSON.
const NOT_JSON: &str = "text that is not JSON";

/// Checks that a text begins like a value of JSON.
///
/// # Errors
/// What the text is, if it is not JSON.
pub(super) fn check(sample: Sample<'_>) -> Result<(), &'static str> {
    let text = sample.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(sample.bytes).trim_ascii_start();
    let is_value = matches!(text, [b'{' | b'[' | b'"' | b'-' | b'0'..=b'9', ..])
        || ["true", "false", "null"].iter().any(|word| text.starts_with(word.as_bytes()));
    if is_value { Ok(()) } else { Err(NOT_JSON) }
}
