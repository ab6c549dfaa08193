//! What a customer submits, checked.

use serde_json::{Map, Value};

use super::PhotoKind;
use crate::files::{GrantRequest, in_words};
use crate::profiles::Language;
use crate::{Code, EmailAddress, Fault};

/// Most bytes of a photo. S3 enforces it by the form's policy.
pub const PHOTO_MAX: u64 = 10_485_760;
/// Types of photos. Each has a way to a clean copy.
pub const PHOTO_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/webp", "image/heic"];
/// Most bytes of the answers, as compact JSON. Ten submissions of them fit into the item of an order.
pub const ANSWERS_MAX: usize = 16_384;
/// Most levels of arrays and objects in the answers.
pub const ANSWERS_DEPTH_MAX: usize = 8;
/// Longest tag of a language, in characters. Source: RFC 5646, section 4.4.1, which names 35 as enough.
const LOCALE_MAX: usize = 35;

/// A photo as a request describes it.
#[derive(Clone, Copy, Debug)]
pub struct OrderPhoto<'a> {
    /// What it shows.
    pub kind: PhotoKind,
    /// Its name.
    pub filename: &'a str,
    /// Its declared type.
    pub content_type: &'a str,
    /// Its declared size in bytes.
    pub size: u64,
}

/// A checked submission.
#[derive(Clone, Debug)]
pub struct OrderRequest {
    pub(super) email: EmailAddress,
    pub(super) language: Language,
    pub(super) answers: Map<String, Value>,
    pub(super) photos: Vec<(PhotoKind, GrantRequest)>,
}

impl OrderRequest {
    /// Checks a submission. `locale` is a BCP 47 tag; unsupported languages get English.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the field: `files` unless there is one photo of each kind, `email`, `answers` if they are
    /// too large or too deep, `locale`. For a photo, with fields such as `files[0].size`: `INVALID_FILENAME`,
    /// `UNSUPPORTED_FILE_TYPE`, and `FILE_TOO_LARGE` above [`PHOTO_MAX`].
    pub fn parse(
        files: &[OrderPhoto<'_>],
        email: &str,
        answers: Map<String, Value>,
        locale: Option<&str>,
    ) -> Result<Self, Fault> {
        let mut photos = Vec::new();
        for kind in PhotoKind::ALL {
            let mut found = files.iter().enumerate().filter(|(_, file)| file.kind == kind);
            let (Some((at, file)), None) = (found.next(), found.next()) else {
                let message = "files must have one face_photo and one palm_photo";
                return Err(Fault::field("files", message));
            };
            photos.push((kind, photo(at, file)?));
        }
        if locale.is_some_and(|tag| tag.chars().count() > LOCALE_MAX) {
            return Err(Fault::field("locale", format!("locale must have at most {LOCALE_MAX} characters")));
        }
        check_answers(&answers)?;
        Ok(Self {
            email: EmailAddress::of_field("email", email)?,
            language: locale.map_or_else(Language::default, Language::for_tag),
            answers,
            photos,
        })
    }
}

/// Checks one photo of a request.
fn photo(at: usize, file: &OrderPhoto<'_>) -> Result<GrantRequest, Fault> {
    let field = |name: &str| format!("files[{at}].{name}");
    let asked = GrantRequest::parse(file.filename, file.content_type, file.size, None, None);
    let asked = asked.map_err(|fault| {
        let name = match fault.details.get("field").and_then(Value::as_str) {
            Some("size") => "size",
            Some("filename") => "filename",
            _ if fault.code == Code::InvalidFilename => "filename",
            _ => "content_type",
        };
        fault.detail("field", field(name))
    })?;
    if !PHOTO_TYPES.contains(&asked.media().name) {
        let message = format!("photos of orders are {}", PHOTO_TYPES.join(", "));
        return Err(Fault::new(Code::UnsupportedFileType, message)
            .detail("field", field("content_type"))
            .detail("supported", PHOTO_TYPES));
    }
    if file.size > PHOTO_MAX {
        let (name, size, most) = (file.kind.name(), in_words(file.size), in_words(PHOTO_MAX));
        return Err(Fault::new(Code::FileTooLarge, format!("{name} is {size}; photos of orders have at most {most}"))
            .detail("field", field("size"))
            .detail("limit", PHOTO_MAX));
    }
    Ok(asked)
}

/// Checks the size and the depth of the answers.
fn check_answers(answers: &Map<String, Value>) -> Result<(), Fault> {
    let size = serde_json::to_string(answers).map_or(usize::MAX, |text| text.len());
    if size > ANSWERS_MAX {
        return Err(Fault::field("answers", format!("answers must be at most {ANSWERS_MAX} bytes of JSON"))
            .detail("limit", ANSWERS_MAX));
    }
    if answers.values().any(|value| depth(value) + 1 > ANSWERS_DEPTH_MAX) {
        let message = format!("answers must have at most {ANSWERS_DEPTH_MAX} levels of objects and arrays");
        return Err(Fault::field("answers", message).detail("limit", ANSWERS_DEPTH_MAX));
    }
    Ok(())
}

/// Returns the number of levels of objects and arrays in a value. The parser of JSON bounds it.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// Returns a good photo of a kind.
    pub(in crate::orders) fn good(kind: PhotoKind) -> OrderPhoto<'static> {
        OrderPhoto { kind, filename: "photo.jpg", content_type: "image/jpeg", size: 9 }
    }

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(fields) => fields,
            _ => Map::new(),
        }
    }

    fn parse(face: OrderPhoto<'_>, email: &str, answers: Value) -> Result<OrderRequest, (Code, Value)> {
        let files = [good(PhotoKind::PalmPhoto), face];
        let parsed = OrderRequest::parse(&files, email, object(answers), Some("fr-CA"));
        parsed.map_err(|fault| (fault.code, fault.details["field"].clone()))
    }

    #[test]
    fn a_refusal_names_the_field() {
        let (face, email) = (good(PhotoKind::FacePhoto), "ann@example.com");
        let parsed = parse(face, "  Ann@Example.com ", json!({})).unwrap();
        assert_eq!((parsed.email.as_str(), parsed.language), (email, Language::French));
        let refused = |face, email: &str, answers| parse(face, email, answers).unwrap_err();
        let invalid = |field: &str| (Code::InvalidRequest, json!(field));
        assert_eq!(refused(face, "ann", json!({})), invalid("email"));
        assert_eq!(refused(OrderPhoto { size: 0, ..face }, email, json!({})), invalid("files[1].size"));
        assert_eq!(refused(OrderPhoto { kind: PhotoKind::PalmPhoto, ..face }, email, json!({})), invalid("files"));
        let too_large = OrderPhoto { size: PHOTO_MAX + 1, ..face };
        assert_eq!(refused(too_large, email, json!({})), (Code::FileTooLarge, json!("files[1].size")));
        assert!(parse(OrderPhoto { size: PHOTO_MAX, ..face }, email, json!({})).is_ok());
        let path = OrderPhoto { filename: "../a.jpg", ..face };
        assert_eq!(refused(path, email, json!({})), (Code::InvalidFilename, json!("files[1].filename")));
        for content_type in ["application/pdf", "image/gif", "image/svg+xml", "text/html", "nonsense"] {
            let other = OrderPhoto { filename: "photo", content_type, ..face };
            let refused = refused(other, email, json!({}));
            assert_eq!(refused, (Code::UnsupportedFileType, json!("files[1].content_type")), "{content_type}");
        }
        assert_eq!(refused(face, email, json!({ "a": "x".repeat(ANSWERS_MAX) })), invalid("answers"));
        assert!(parse(face, email, json!({ "a": "x".repeat(ANSWERS_MAX - 8) })).is_ok());
        let deep = |levels: usize| (1..levels).fold(json!({ "a": 1 }), |inner, _| json!({ "a": inner }));
        assert!(parse(face, email, deep(ANSWERS_DEPTH_MAX)).is_ok());
        assert_eq!(refused(face, email, deep(ANSWERS_DEPTH_MAX + 1)), invalid("answers"));
    }

    #[test]
    fn photos_of_phones_are_known_by_their_names() {
        let (face, email) = (good(PhotoKind::FacePhoto), "ann@example.com");
        let of = |filename, content_type| {
            parse(OrderPhoto { filename, content_type, ..face }, email, json!({})).unwrap().photos[0].1.media().name
        };
        assert_eq!(of("IMG_0001.HEIC", ""), "image/heic");
        assert_eq!(of("IMG_0001.HEIC", "image/heif"), "image/heic");
        assert_eq!(of("photo.jfif", "application/octet-stream"), "image/jpeg");
    }
}
