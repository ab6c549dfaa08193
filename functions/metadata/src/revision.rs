//! The revision of a record as the `ETag` of an answer, and the condition `If-Match` on it.
//!
//! Source: RFC 9110, sections 8.8.3 and 13.1.1.

use consigne_core::files::File;
use consigne_core::{Code, Fault};

/// Returns the entity tag of a file's record.
pub(crate) fn tag(file: &File) -> String {
    format!("\"{}\"", file.revision)
}

/// The records to which a change may be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Whatever the record says.
    Any,
    /// Only one of these revisions.
    Revisions(Vec<u64>),
}

impl Expected {
    /// Parses the header `If-Match`: `*`, or one or more entity tags.
    ///
    /// # Errors
    /// `INVALID_REQUEST` naming the header if it has something else.
    pub(crate) fn parse(header: Option<&str>) -> Result<Self, Fault> {
        let Some(header) = header.map(str::trim).filter(|header| *header != "*") else { return Ok(Self::Any) };
        let tags = header.split(',').map(|tag| {
            let tag = tag.trim();
            // A proxy that compresses answers makes their tags weak. A revision names the record all the same.
            let quoted = tag.strip_prefix("W/").unwrap_or(tag);
            quoted.strip_prefix('"')?.strip_suffix('"')
        });
        let tags: Option<Vec<&str>> = tags.collect();
        let tags = tags.ok_or_else(|| Fault::field("If-Match", "If-Match must be * or entity tags, such as \"3\""))?;
        // A tag that is no revision is well formed and matches nothing.
        Ok(Self::Revisions(tags.into_iter().filter_map(|tag| tag.parse().ok()).collect()))
    }

    /// Checks that a change may be made to a record.
    ///
    /// # Errors
    /// `PRECONDITION_FAILED` if the record has another revision.
    pub(crate) fn check(&self, file: &File) -> Result<(), Fault> {
        match self {
            Self::Revisions(revisions) if !revisions.contains(&file.revision) => Err(Fault::new(
                Code::PreconditionFailed,
                "file has changed since it was read; read it again for its ETag",
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_revisions_or_any() {
        let parse = |header| Expected::parse(header).ok();
        assert_eq!(parse(None), Some(Expected::Any));
        assert_eq!(parse(Some(" * ")), Some(Expected::Any));
        assert_eq!(parse(Some("\"3\", W/\"4\"")), Some(Expected::Revisions(vec![3, 4])));
        assert_eq!(parse(Some("\"9a0364b9e99bb480dd25e1f0284c8555\"")), Some(Expected::Revisions(Vec::new())));
        for bad in ["", "3", "\"3", "3\"", "\"3\" \"4\" x"] {
            let fault = Expected::parse(Some(bad)).unwrap_err();
            assert_eq!(fault.details["field"], "If-Match", "{bad}");
        }
    }
}
