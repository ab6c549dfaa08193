//! File names: as a person wrote them, and in a form that is safe in an object key.

use unicode_normalization::UnicodeNormalization;

use super::MediaType;
use super::extensions::is_foreign;
use crate::{Code, Fault, text};

/// The longest display name, in characters: the limit of common file systems.
pub const FILE_NAME_MAX: usize = 255;
/// The longest name in a key without its extension, in bytes.
const STEM_MAX: usize = 80;

/// A file name that is safe to display: NFC, one line, no path, no characters that reorder or hide the text around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(String);

impl FileName {
    /// Parses a name as a caller wrote it. Space around it is trimmed, and left-to-right and right-to-left marks are
    /// dropped.
    ///
    /// # Errors
    /// `INVALID_FILENAME` if it is empty, `.` or `..`, is longer than 255 characters, or contains `/`, `\`, a control
    /// character, or an invisible character that can disguise the name (bidirectional overrides, zero-width characters,
    /// line separators).
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let name: String = text::without_marks(text).nfc().collect();
        let name = name.trim();
        if name.is_empty() {
            return Err(invalid("filename must not be empty"));
        }
        if name == "." || name == ".." {
            return Err(invalid("filename must not be a directory (. or ..)"));
        }
        if name.chars().count() > FILE_NAME_MAX {
            return Err(invalid("filename must be at most 255 characters").detail("limit", FILE_NAME_MAX));
        }
        if name.contains(['/', '\\']) {
            return Err(invalid("filename must not contain a path; send the last part only"));
        }
        if text::has_unfit(name) {
            return Err(invalid("filename must not contain control or invisible characters"));
        }
        Ok(Self(name.to_owned()))
    }

    /// Restores a stored name without checking it again.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// Returns the name as displayed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the extension: the text after the last dot, if it names a format, supported or not.
    ///
    /// Dots and spaces at the end do not count, because Windows removes them.
    pub fn extension(&self) -> Option<&str> {
        self.split().1
    }

    /// Returns the name without its extension.
    pub fn stem(&self) -> &str {
        self.split().0
    }

    /// Checks that the name may belong to a file of a type: its extension, if it has one, must agree.
    ///
    /// # Errors
    /// `UNSUPPORTED_FILE_TYPE` naming `filename`, with the extensions that agree.
    pub fn check_extension(&self, media: &MediaType) -> Result<(), Fault> {
        match self.extension() {
            Some(extension) if !media.takes_extension(extension) => Err(Fault::new(
                Code::UnsupportedFileType,
                format!("filename ends in .{extension}, which is no extension of {}", media.name),
            )
            .detail("field", "filename")
            .detail("extensions", media.extensions)),
            _ => Ok(()),
        }
    }

    /// Returns the name in the alphabet of object keys, with an extension of the type.
    pub fn safe(&self, media: &MediaType) -> String {
        match self.extension() {
            Some(given) if media.takes_extension(given) => self.slug(&given.to_ascii_lowercase()),
            _ => self.slug(media.extensions[0]),
        }
    }

    /// Splits the name into its stem and its extension.
    fn split(&self) -> (&str, Option<&str>) {
        match self.0.trim_end_matches(['.', ' ']).rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() && names_a_format(extension) => (stem, Some(extension)),
            _ => (&self.0, None),
        }
    }

    /// Converts the name to the alphabet of object keys, `a-z 0-9 . _ -`, with the given extension.
    ///
    /// Accents are dropped (`été` becomes `ete`) and characters without an ASCII counterpart become hyphens. If nothing
    /// is left, the name is `file`.
    fn slug(&self, extension: &str) -> String {
        let slug = text::slug(self.split().0, STEM_MAX);
        let stem = slug.trim_matches(|c| c == '-' || c == '.');
        let stem = if stem.is_empty() { "file" } else { stem };
        format!("{stem}.{extension}")
    }
}

/// Returns whether an extension belongs to a format that is known here, whether or not it can be uploaded.
fn names_a_format(extension: &str) -> bool {
    MediaType::from_extension(extension).is_some() || is_foreign(extension)
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
    fn a_name_is_trimmed_and_loses_its_direction_marks() {
        let parse = |name: &str| FileName::parse(name).map(|name| name.0).ok();
        assert_eq!(parse("photo.png ").as_deref(), Some("photo.png"));
        assert_eq!(parse("\u{3000}photo.png\r\n").as_deref(), Some("photo.png"));
        assert_eq!(parse("\u{200F}תמונה\u{200E}.png").as_deref(), Some("תמונה.png"));
        assert_eq!(parse("\u{200E} . \u{200F}"), None);
    }

    #[test]
    fn the_length_of_a_name_is_counted_in_characters() {
        assert!(FileName::parse(&"写".repeat(90)).is_ok());
        assert!(FileName::parse(&format!("{}.png", "写".repeat(251))).is_ok());
        assert!(FileName::parse(&"写".repeat(256)).is_err());
    }

    #[test]
    fn flags_of_parts_of_a_country_are_taken() {
        let england = "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}";
        assert_eq!(FileName::parse(england).map(|name| name.0).ok().as_deref(), Some(england));
        // A hidden message, and a flag that does not end.
        for bad in ["a\u{E0068}\u{E0069}\u{E007F}.png", "🏴\u{E0067}\u{E0062}.png", "\u{E007F}"] {
            assert!(FileName::parse(bad).is_err(), "{}", bad.escape_unicode());
        }
    }

    #[test]
    fn an_extension_names_a_format() {
        let extension = |name: &str| FileName::parse(name).unwrap().extension().map(str::to_owned);
        assert_eq!(extension("photo.final.PNG").as_deref(), Some("PNG"));
        assert_eq!(extension("setup.exe").as_deref(), Some("exe"));
        assert_eq!(extension("setup.exe. .").as_deref(), Some("exe"));
        for name in ["photo.final", "v1.2 release notes", "Meeting 10.30", ".png", "photo.", "photo"] {
            assert_eq!(extension(name), None, "{name}");
        }
        assert_eq!(slug("v1.2 release notes"), "v1.2-release-notes.png");
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
