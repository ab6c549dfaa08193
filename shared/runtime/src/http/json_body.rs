//! Reads JSON bodies: tolerant of how other languages write JSON, and precise about what is wrong.

use std::borrow::Cow;

use consigne_core::{Code, Fault};
use serde::de::{DeserializeOwned, IgnoredAny};

/// U+FEFF in UTF-8. Some clients of Windows write it before a text. Source: RFC 8259, section 8.1, which lets a parser
/// ignore it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Every smaller integer has a floating-point form of its own: 2^53.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

/// Parses a body as a JSON object.
///
/// # Errors
/// `INVALID_REQUEST` with the position of malformed JSON, or with the name of a field that is missing, unknown or of the
/// wrong type.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let bytes = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let refusal = match parse(bytes) {
        Ok(value) => return Ok(value),
        Err(refusal) => refusal,
    };
    // Checks first whether the body is JSON at all, because serde reports some values of a wrong type as wrong syntax.
    let whole: Result<IgnoredAny, _> = serde_json::from_slice(bytes);
    whole.map_err(|error| syntax_fault(&error))?;
    let Some(error) = refusal else {
        return Err(Fault::new(Code::InvalidRequest, "body must be a JSON object"));
    };
    // Only a body that is refused otherwise is rewritten, so that numbers in free-form fields stay as they were sent.
    if let Cow::Owned(rewritten) = with_plain_integers(bytes)
        && let Ok(value) = parse(&rewritten)
    {
        return Ok(value);
    }
    Err(shape_fault(&error))
}

/// Parses an object. The error is `None` for JSON of another kind, and for text after the object.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Option<serde_path_to_error::Error<serde_json::Error>>> {
    // serde also accepts an array with the values of an object's fields.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(None);
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(Some)?;
    json.end().map(|()| value).map_err(|_| None)
}

/// Writes numbers such as `500.0` and `5e2` as plain integers. The text must be valid JSON.
fn with_plain_integers(json: &[u8]) -> Cow<'_, [u8]> {
    let (mut out, mut copied, mut at) = (Vec::new(), 0, 0);
    while let Some(byte) = json.get(at) {
        let start = at;
        match byte {
            b'"' => {
                at += 1;
                while json.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if json.get(at) == Some(&b'\\') { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let more = |byte: &u8| matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E' | b'0'..=b'9');
                at += json.iter().skip(start).take_while(|byte| more(byte)).count();
                if let Some(integer) = json.get(start..at).and_then(plain_integer) {
                    out.extend_from_slice(json.get(copied..start).unwrap_or_default());
                    out.extend_from_slice(integer.as_bytes());
                    copied = at;
                }
            }
            _ => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.extend_from_slice(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// Returns the integer that is written as a decimal fraction or with an exponent, or `None` if the number has a
/// fraction, is a plain integer already, or is too large to be exact.
fn plain_integer(number: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(number).ok()?;
    if !text.contains(['.', 'e', 'E']) {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // Adding zero turns -0 into 0, which is an integer.
    (value.fract() == 0.0 && value.abs() < EXACT_BELOW).then(|| format!("{:.0}", value + 0.0))
}

fn syntax_fault(error: &serde_json::Error) -> Fault {
    let (line, column) = (error.line(), error.column());
    Fault::new(Code::InvalidRequest, format!("body is not valid JSON at line {line}, column {column}"))
        .detail("line", line)
        .detail("column", column)
}

/// Returns the 400 that names the invalid field. For a missing or unknown field the name is only in serde's sentence,
/// in backquotes.
fn shape_fault(error: &serde_path_to_error::Error<serde_json::Error>) -> Fault {
    let sentence = error.inner().to_string();
    let sentence = &in_terms_of_json(sentence.split(" at line ").next().unwrap_or_default());
    let path = error.path().to_string();
    for problem in ["missing field", "unknown field", "duplicate field"] {
        if let Some(name) = sentence.strip_prefix(problem).and_then(|rest| rest.split('`').nth(1)) {
            let parent = path.trim_end_matches(name).trim_end_matches('.');
            let field = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
            return Fault::field(&field, format!("{problem} {field}"));
        }
    }
    if path == "." {
        return Fault::new(Code::InvalidRequest, format!("body has the wrong shape: {sentence}"));
    }
    Fault::field(&path, format!("{path}: {sentence}"))
}

/// Rewrites a sentence of serde, which names types of Rust, so that it names what JSON has.
fn in_terms_of_json(sentence: &str) -> String {
    if sentence.starts_with("data did not match any variant") {
        return "invalid type".to_owned();
    }
    let Some((found, expected)) = sentence.rsplit_once(", expected ") else { return sentence.to_owned() };
    let found = match found {
        "invalid type: map" => "invalid type: object",
        "invalid type: sequence" => "invalid type: array",
        found => found,
    };
    let found = found.replace("floating point", "number");
    let expected = match expected.split(' ').next().unwrap_or_default() {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or greater",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "struct" | "map" => "an object",
        "tuple" | "sequence" => "an array",
        "unit" => "null",
        "variant" | "enum" => "one of the known values",
        _ if expected == "a map" => "an object",
        _ if expected == "a sequence" => "an array",
        _ => expected,
    };
    format!("{found}, expected {expected}")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Body {
        size: u64,
        change: Option<i8>,
        parts: Option<Vec<u16>>,
        ratio: Option<f64>,
        name: Option<String>,
        details: Option<Value>,
    }

    fn size(json: &str) -> Option<u64> {
        read::<Body>(format!("{{\"size\":{json}}}").as_bytes()).ok().map(|body| body.size)
    }

    #[test]
    fn an_integer_may_be_written_with_a_point_or_an_exponent() {
        for (written, want) in [
            ("500", Some(500)),
            ("500.0", Some(500)),
            ("500.000", Some(500)),
            ("5e2", Some(500)),
            ("5.0E+2", Some(500)),
            ("5000e-1", Some(500)),
            ("0.0", Some(0)),
            ("-0.0", Some(0)),
            ("9007199254740991.0", Some(9_007_199_254_740_991)),
            ("18446744073709551615", Some(u64::MAX)),
            ("9007199254740992.0", None),
            ("1e300", None),
            ("500.5", None),
            ("5e-1", None),
            ("-500.0", None),
            ("\"500.0\"", None),
            ("500.", None),
            (".5", None),
            ("null", None),
        ] {
            assert_eq!(size(written), want, "{written}");
        }
    }

    #[test]
    fn integers_are_found_in_every_place_and_texts_stay_as_they_are() {
        let body = r#"{"name": "1.0 \"2.0\" \\", "parts": [1.0, 2, 3e0], "change":-3.0, "ratio": 1.5, "size":1.0}"#;
        let read: Body = read(body.as_bytes()).unwrap();
        assert_eq!(read.name.as_deref(), Some("1.0 \"2.0\" \\"));
        assert_eq!((read.parts, read.change, read.ratio, read.size), (Some(vec![1, 2, 3]), Some(-3), Some(1.5), 1));
    }

    #[test]
    fn numbers_in_free_form_fields_stay_as_they_are() {
        let read: Body = read(br#"{"size": 1, "ratio": 2.0, "details": {"score": 1.0}}"#).unwrap();
        assert_eq!((read.ratio, read.details.unwrap().to_string()), (Some(2.0), r#"{"score":1.0}"#.to_owned()));
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once_and_only_at_the_start() {
        assert_eq!(read::<Body>("\u{feff}{\"size\": 1.0}".as_bytes()).unwrap().size, 1);
        for bad in ["\u{feff}", "\u{feff}\u{feff}{\"size\": 1}", "{\u{feff}\"size\": 1}", "\u{feff}[]"] {
            assert_eq!(read::<Body>(bad.as_bytes()).unwrap_err().code, Code::InvalidRequest, "{bad:?}");
        }
        let refused = read::<Body>("\u{feff}{\"size\": 1.5}".as_bytes()).unwrap_err();
        assert_eq!(refused.details["field"], json!("size"));
    }
}
