//! File names: as a person wrote them, and in a form that is safe in an object key.

use unicode_normalization::UnicodeNormalization;

use crate::{Code, Fault, text};

/// The longest display name, in UTF-8 bytes: the limit of common file systems.
const NAME_MAX: usize = 255;
/// The longest name in a key without its extension, in bytes.
const STEM_MAX: usize = 80;

/// A file name that is safe to display: NFC, one line, no path, no characters that reorder or hide the text around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Parses a name as a caller wrote it.
    ///
    /// # Errors
    /// `INVALID_FILENAME` if it is empty, `.` or `..`, is longer than 255 bytes, or contains `/`, `\`, a control
    /// character, or an invisible character that can disguise the name (bidirectional overrides, zero-width characters,
    /// line separators).
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let name: String = text.nfc().collect();
        if name.trim().is_empty() {
            return Err(invalid("filename must not be empty"));
        }
        if name == "." || name == ".." {
            return Err(invalid("filename must not be a directory (. or ..)"));
        }
        if name.len() > NAME_MAX {
            return Err(invalid("filename must be at most 255 bytes").detail("limit", NAME_MAX));
        }
        if name.contains(['/', '\\']) {
            return Err(invalid("filename must not contain a path; send the last part only"));
        }
        if name.contains(text::is_unfit) {
            return Err(invalid("filename must not contain control or invisible characters"));
        }
        Ok(Self(name))
    }

    /// Restores a stored name without checking it again.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the name as displayed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the text after the last dot, if there is text before and after it.
    pub fn extension(&self) -> Option<&str> {
        let (stem, extension) = self.0.rsplit_once('.')?;
        (!stem.is_empty() && !extension.is_empty()).then_some(extension)
    }

    /// Converts the name to the alphabet of object keys, `a-z 0-9 . _ -`, with the given extension.
    ///
    /// Accents are dropped (`été` becomes `ete`) and characters without an ASCII counterpart become hyphens. If nothing
    /// is left, the name is `file`.
    pub(super) fn slug(&self, extension: &str) -> String {
        let stem = match self.extension() {
            Some(known) => &self.0[..self.0.len() - known.len() - 1],
            None => &self.0,
        };
        let slug = text::slug(stem, STEM_MAX);
        let stem = slug.trim_matches(|c| c == '-' || c == '.');
        let stem = if stem.is_empty() { "file" } else { stem };
        format!("{stem}.{extension}")
    }
}

fn invalid(message: &'static str) -> Fault {
    Fault::new(Code::InvalidFilename, message).detail("field", "filename")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slug(name: &str) -> String {
        FileName::parse(name).map(|name| name.slug("png")).unwrap_or_default()
    }

    #[test]
    fn a_slug_keeps_letters_digits_and_dots() {
        assert_eq!(slug("photo été.png"), "photo-ete.png");
        assert_eq!(slug("file..name.png"), "file..name.png");
        assert_eq!(slug("%2e%2e%2f.png"), "2e-2e-2f.png");
        assert_eq!(slug("写真.png"), "file.png");
        assert_eq!(slug("Ｗｉｄｅ Ⅷ.png"), "wide-viii.png");
        assert_eq!(slug(".png"), "png.png");
        assert_eq!(slug("a#b?c&d%.png"), "a-b-c-d.png");
        assert_eq!(slug("no extension"), "no-extension.png");
    }

    #[test]
    fn a_display_name_is_normalised_and_otherwise_kept() {
        let name = FileName::parse("e\u{301}te\u{301} 👩\u{200D}🚀.png").map(|name| name.0);
        assert_eq!(name.ok().as_deref(), Some("été 👩\u{200D}🚀.png"));
    }

    #[test]
    fn names_that_deceive_are_refused() {
        let long = format!("{}.png", "x".repeat(252));
        for bad in [
            "",
            "   ",
            ".",
            "..",
            "a/b.png",
            "..\\b.png",
            "a\0.png",
            "a\r\nb.png",
            "gnp.\u{202E}exe",
            "\u{FEFF}a.png",
            "a\u{85}b.png",
            long.as_str(),
        ] {
            assert_eq!(FileName::parse(bad).err().map(|fault| fault.code), Some(Code::InvalidFilename), "{bad:?}");
        }
        assert!(FileName::parse(&long[1..]).is_ok());
    }

    proptest! {
        #[test]
        fn a_slug_of_any_name_is_safe(name in "\\PC{1,120}") {
            if let Ok(name) = FileName::parse(&name) {
                let slug = name.slug("png");
                prop_assert!(slug.len() <= STEM_MAX + 4);
                prop_assert!(slug.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-')));
                prop_assert!(!slug.starts_with(['.', '-']));
            }
        }
    }
}
