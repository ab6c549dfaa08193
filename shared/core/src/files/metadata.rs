//! What the owner of a file notes about it, such as its title, and the changes of it.

use std::collections::BTreeMap;

use super::{File, FileName};
use crate::{Fault, text};

/// Most bytes of a file's metadata, names and values together.
pub const METADATA_MAX: usize = 2_048;
/// Longest name in a file's metadata, in characters.
pub const METADATA_NAME_MAX: usize = 64;
/// Most names in a file's metadata.
pub const METADATA_NAMES_MAX: usize = 32;
/// Longest title that a generated file gets, in characters.
const TITLE_MAX: usize = 200;
/// Names that answers use for facts of their own, beside the owner's metadata.
const RESERVED: [&str; 10] = [
    "derivative",
    "dimensions",
    "duration_seconds",
    "file_id",
    "height",
    "job_id",
    "kind",
    "status",
    "thumbnails",
    "width",
];
/// The field of requests that has the metadata.
const FIELD: &str = "metadata";

/// Texts that the owner of a file keeps with it, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Parses the texts of a request.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming `metadata`, or the entry: if there are more than 32 names or 2,048 bytes, if a name is not
    /// 1 to 64 letters, digits, `.`, `_` and `-` or is one that answers use themselves, or if a text has a control character.
    pub fn parse(texts: BTreeMap<String, String>) -> Result<Self, Fault> {
        for (name, text) in &texts {
            check_entry(name, text)?;
        }
        if texts.len() > METADATA_NAMES_MAX {
            let message = format!("{FIELD} must have at most {METADATA_NAMES_MAX} names");
            return Err(Fault::field(FIELD, message).detail("limit", METADATA_NAMES_MAX));
        }
        let size: usize = texts.iter().map(|(name, text)| name.len() + text.len()).sum();
        if size > METADATA_MAX {
            let message = format!("{FIELD} must be at most {METADATA_MAX} bytes, names and values together");
            return Err(Fault::field(FIELD, message).detail("limit", METADATA_MAX));
        }
        Ok(Self(texts))
    }

    /// Restores stored metadata without checking it again.
    pub fn stored(texts: BTreeMap<String, String>) -> Self {
        Self(texts)
    }

    /// Returns the metadata of a generated file: its title.
    pub fn titled(title: &str) -> Self {
        Self(BTreeMap::from([("title".to_owned(), text::cut(title, TITLE_MAX))]))
    }

    /// Returns the texts by name.
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Checks one text and its name.
fn check_entry(name: &str, text: &str) -> Result<(), Fault> {
    let of_alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > METADATA_NAME_MAX || !name.bytes().all(of_alphabet) {
        let message =
            format!("names in {FIELD} must be 1 to {METADATA_NAME_MAX} letters, digits, dots, underscores and hyphens");
        return Err(Fault::field(FIELD, message).detail("limit", METADATA_NAME_MAX));
    }
    let field = format!("{FIELD}.{name}");
    if RESERVED.contains(&name) {
        return Err(Fault::field(&field, format!("{field} is set by the service; use another name")));
    }
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Fault::field(&field, format!("{field} must not contain control characters")));
    }
    Ok(())
}

/// A change of what an owner says about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePatch {
    /// The new name, if it changes.
    pub name: Option<FileName>,
    /// New texts by name. `None` removes the text. Those that are not named stay.
    pub metadata: BTreeMap<String, Option<String>>,
}

impl File {
    /// Returns the record after a change. It is the same, with the same revision, if the change says what the record says
    /// already.
    ///
    /// The key of the object stays, and so does the place in lists.
    ///
    /// # Errors
    /// `UNSUPPORTED_FILE_TYPE` if the extension of the name is not one of the file's type; those of [`Metadata::parse`] for
    /// the metadata that would result.
    pub fn patched(&self, patch: &FilePatch) -> Result<Self, Fault> {
        let name = patch.name.as_ref().unwrap_or(&self.name);
        if *name != self.name {
            name.check_extension(self.media)?;
        }
        let mut texts = self.metadata.0.clone();
        for (name, text) in &patch.metadata {
            match text {
                Some(text) => drop(texts.insert(name.clone(), text.clone())),
                None => drop(texts.remove(name)),
            }
        }
        let metadata = Metadata::parse(texts)?;
        if *name == self.name && metadata == self.metadata {
            return Ok(self.clone());
        }
        Ok(Self { name: name.clone(), metadata, revision: self.revision + 1, ..self.clone() })
    }

    /// Returns the metadata as answers show it: the owner's texts, and the job that made the file.
    pub fn shown_metadata(&self) -> BTreeMap<String, String> {
        let job = self.job.iter().map(|job| ("job_id".to_owned(), job.to_string()));
        self.metadata.0.clone().into_iter().chain(job).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(entries: &[(&str, &str)]) -> Result<Metadata, Fault> {
        Metadata::parse(entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn names_and_values_count_together_to_the_byte() {
        let fits = "é".repeat(1_021);
        assert!(parse(&[("title", &fits), ("x", "")]).is_ok());
        let fault = parse(&[("title", &fits), ("xy", "")]).unwrap_err();
        assert_eq!((&fault.details["field"], &fault.details["limit"]), (&json!("metadata"), &json!(2048)));
    }

    #[test]
    fn names_are_bounded_and_not_those_of_answers() {
        let long = "x".repeat(65);
        for (name, field) in [
            ("", "metadata"),
            (long.as_str(), "metadata"),
            ("a b", "metadata"),
            ("été", "metadata"),
            ("status", "metadata.status"),
            ("job_id", "metadata.job_id"),
        ] {
            assert_eq!(parse(&[(name, "x")]).unwrap_err().details["field"], field, "{name:?}");
        }
        assert_eq!(parse(&[("title", "a\0")]).unwrap_err().details["field"], "metadata.title");
        assert!(parse(&[("title", "two\nlines"), ("Dublin.Core_1-x", "")]).is_ok());
        let many: Vec<String> = (0..33).map(|n| n.to_string()).collect();
        let entries: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
        assert!(parse(&entries[1..]).is_ok());
        assert_eq!(parse(&entries).unwrap_err().details["limit"], 32);
    }

    #[test]
    fn a_title_that_a_generator_gave_fits() {
        let title = Metadata::titled(&"写".repeat(2_000));
        assert!(Metadata::parse(title.texts().clone()).is_ok());
    }
}
