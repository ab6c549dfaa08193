//! The kinds of file, and the media types that each kind may have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a file is for. The kind decides the folder of the key and the size limit of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names are those of the API.
pub enum Kind {
    Image,
    Video,
    Book,
    Blog,
}

impl Kind {
    /// Every kind, in the order of the API's documentation.
    pub const ALL: [Self; 4] = [Self::Image, Self::Video, Self::Book, Self::Blog];

    /// Returns the name used in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Book => "book",
            Self::Blog => "blog",
        }
    }

    /// Returns the folder for this kind under a user's prefix.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Video => "videos",
            Self::Book => "books",
            Self::Blog => "blogs",
        }
    }

    /// Parses a name used in requests.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Parses a folder of an object key.
    pub fn from_folder(folder: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == folder)
    }
}

/// How the bytes of a type are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// By a magic number, under the type's name or one of its other names.
    Magic,
    /// As UTF-8 without NUL.
    Text,
    /// As UTF-8 without NUL, with an `<svg` element near its start.
    Svg,
}

/// A supported media type.
#[derive(Debug, PartialEq, Eq)]
pub struct MediaType {
    /// The name, as callers declare it and as downloads have it in `Content-Type`.
    pub name: &'static str,
    /// File name extensions that agree with it, in lower case. A name without an extension gets the first.
    pub extensions: &'static [&'static str],
    /// Kinds it may be stored as. The first is the default.
    pub kinds: &'static [Kind],
    /// Whether a browser that opens it could run a script in it. Such files are only served as attachments.
    pub script_capable: bool,
    pub(super) shape: Shape,
    /// Other names that the detector has for the same format.
    pub(super) also_known_as: &'static [&'static str],
}

/// Declares a binary type that cannot run scripts, the usual case.
const fn binary(
    name: &'static str,
    extensions: &'static [&'static str],
    kinds: &'static [Kind],
    also_known_as: &'static [&'static str],
) -> MediaType {
    MediaType { name, extensions, kinds, script_capable: false, shape: Shape::Magic, also_known_as }
}

/// Declares a text type.
const fn text(
    name: &'static str,
    extensions: &'static [&'static str],
    script_capable: bool,
    shape: Shape,
    kinds: &'static [Kind],
) -> MediaType {
    MediaType { name, extensions, kinds, script_capable, shape, also_known_as: &[] }
}

static MEDIA_TYPES: &[MediaType] = &[
    binary("image/png", &["png"], &[Kind::Image], &[]),
    binary("image/jpeg", &["jpg", "jpeg"], &[Kind::Image], &[]),
    binary("image/gif", &["gif"], &[Kind::Image], &[]),
    binary("image/webp", &["webp"], &[Kind::Image], &[]),
    binary("image/avif", &["avif"], &[Kind::Image], &[]),
    binary("image/heic", &["heic", "heif"], &[Kind::Image], &["image/heif"]),
    text("image/svg+xml", &["svg"], true, Shape::Svg, &[Kind::Image]),
    binary("video/mp4", &["mp4", "m4v"], &[Kind::Video], &["video/x-m4v"]),
    binary("video/webm", &["webm"], &[Kind::Video], &[]),
    binary("video/quicktime", &["mov"], &[Kind::Video], &[]),
    binary("application/pdf", &["pdf"], &[Kind::Book, Kind::Blog], &[]),
    binary("application/epub+zip", &["epub"], &[Kind::Book], &[]),
    text("text/markdown", &["md", "markdown"], false, Shape::Text, &[Kind::Blog, Kind::Book]),
    text("text/plain", &["txt"], false, Shape::Text, &[Kind::Blog, Kind::Book]),
    text("text/html", &["html", "htm"], true, Shape::Text, &[Kind::Blog, Kind::Book]),
];

impl MediaType {
    /// Finds a type by its declared name. Case and parameters such as `; charset=utf-8` are ignored.
    pub fn from_name(declared: &str) -> Option<&'static Self> {
        let essence = declared.split(';').next().unwrap_or_default().trim();
        MEDIA_TYPES.iter().find(|media| media.name.eq_ignore_ascii_case(essence))
    }

    /// Returns every supported type.
    pub fn all() -> &'static [Self] {
        MEDIA_TYPES
    }

    /// Returns the names of all supported types, for error messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MEDIA_TYPES.iter().map(|media| media.name)
    }

    /// Returns whether a file name's extension (without dot, any case) agrees with the type.
    pub fn takes_extension(&self, extension: &str) -> bool {
        self.extensions.iter().any(|known| known.eq_ignore_ascii_case(extension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_found_whatever_its_case_and_parameters() {
        let html = MediaType::from_name("Text/HTML; charset=utf-8").map(|media| media.name);
        assert_eq!(html, Some("text/html"));
        for unknown in ["", "image", "image/", "image/bmp", "application/x-msdownload"] {
            assert_eq!(MediaType::from_name(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn names_and_extensions_are_used_once() {
        let mut names: Vec<_> = MediaType::names().collect();
        let mut extensions: Vec<_> = MEDIA_TYPES.iter().flat_map(|media| media.extensions).collect();
        let counts = (names.len(), extensions.len());
        names.sort_unstable();
        names.dedup();
        extensions.sort_unstable();
        extensions.dedup();
        assert_eq!((names.len(), extensions.len()), counts);
    }

    #[test]
    fn kinds_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(Kind::from_folder(kind.folder()), Some(kind));
        }
    }
}
