//! The kinds of file, and the media types that each kind may have.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FileName;

/// What a file is for. The kind decides the folder of the key and the size limit of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // The names are those of the API.
pub enum Kind {
    Image,
    Video,
    Book,
    Blog,
    Document,
    Audio,
}

impl Kind {
    /// Every kind, in the order of the API's documentation.
    pub const ALL: [Self; 6] = [Self::Image, Self::Video, Self::Book, Self::Blog, Self::Document, Self::Audio];
    /// The kinds that jobs make.
    pub const GENERATED: [Self; 4] = [Self::Image, Self::Video, Self::Book, Self::Blog];

    /// Returns the name used in requests and answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Book => "book",
            Self::Blog => "blog",
            Self::Document => "document",
            Self::Audio => "audio",
        }
    }

    /// Returns the folder for this kind under a user's prefix.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Video => "videos",
            Self::Book => "books",
            Self::Blog => "blogs",
            Self::Document => "documents",
            Self::Audio => "audio",
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
    /// By parsing the header of its container.
    Container,
    /// As UTF-8 without NUL.
    Text,
    /// As UTF-8 that begins like a value of JSON.
    Json,
    /// As XML whose root element is `svg`.
    Svg,
}

/// A supported media type.
#[derive(Debug, PartialEq, Eq)]
pub struct MediaType {
    /// The name.
    pub name: &'static str,
    /// Further names under which callers declare it: older ones, and those of close relatives.
    pub aliases: &'static [&'static str],
    /// File name extensions that agree with it, in lower case. A name without an extension gets the first.
    pub extensions: &'static [&'static str],
    /// Kinds it may be stored as. The first is the default.
    pub kinds: &'static [Kind],
    /// Whether a browser that opens it could run a script in it. Such files are only served as attachments.
    pub script_capable: bool,
    pub(super) shape: Shape,
}

const IMAGE: &[Kind] = &[Kind::Image];
const VIDEO: &[Kind] = &[Kind::Video];
const DOCUMENT: &[Kind] = &[Kind::Document];
const AUDIO: &[Kind] = &[Kind::Audio];
/// Texts of a page or more, which are articles unless the caller says otherwise.
const TEXT: &[Kind] = &[Kind::Blog, Kind::Book];

static MEDIA_TYPES: &[MediaType] = &[
    MediaType {
        name: "image/png",
        aliases: &["image/x-png", "image/apng", "image/vnd.mozilla.apng"],
        extensions: &["png", "apng"],
        kinds: IMAGE,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "image/jpeg",
        aliases: &["image/jpg", "image/pjpeg"],
        extensions: &["jpg", "jpeg", "jfif", "jpe", "jif", "pjpeg", "pjp"],
        kinds: IMAGE,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "image/gif",
        aliases: &[],
        extensions: &["gif"],
        kinds: IMAGE,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "image/webp",
        aliases: &["image/x-webp"],
        extensions: &["webp"],
        kinds: IMAGE,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "image/avif",
        aliases: &["image/avif-sequence"],
        extensions: &["avif", "avifs"],
        kinds: IMAGE,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "image/heic",
        aliases: &["image/heif", "image/heic-sequence", "image/heif-sequence"],
        extensions: &["heic", "heif", "hif", "heics", "heifs"],
        kinds: IMAGE,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "image/svg+xml",
        aliases: &["image/svg"],
        extensions: &["svg"],
        kinds: IMAGE,
        script_capable: true,
        shape: Shape::Svg,
    },
    MediaType {
        name: "video/mp4",
        aliases: &["video/x-m4v", "video/3gpp", "video/3gpp2"],
        extensions: &["mp4", "m4v", "3gp", "3g2"],
        kinds: VIDEO,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "video/webm",
        aliases: &[],
        extensions: &["webm"],
        kinds: VIDEO,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "video/quicktime",
        aliases: &[],
        extensions: &["mov", "qt"],
        kinds: VIDEO,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "application/pdf",
        aliases: &["application/x-pdf"],
        extensions: &["pdf"],
        kinds: &[Kind::Book, Kind::Blog],
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "application/epub+zip",
        aliases: &["application/epub"],
        extensions: &["epub"],
        kinds: &[Kind::Book],
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "text/markdown",
        aliases: &["text/x-markdown"],
        extensions: &["md", "markdown"],
        kinds: TEXT,
        script_capable: false,
        shape: Shape::Text,
    },
    MediaType {
        name: "text/plain",
        aliases: &[],
        extensions: &["txt", "text"],
        kinds: TEXT,
        script_capable: false,
        shape: Shape::Text,
    },
    MediaType {
        name: "text/html",
        aliases: &[],
        extensions: &["html", "htm"],
        kinds: TEXT,
        script_capable: true,
        shape: Shape::Text,
    },
    MediaType {
        name: "application/json",
        aliases: &["text/json"],
        extensions: &["json"],
        kinds: DOCUMENT,
        script_capable: false,
        shape: Shape::Json,
    },
    MediaType {
        name: "text/csv",
        // A browser on Windows names a CSV after Excel. An older workbook has another extension, which is refused.
        aliases: &["application/csv", "text/comma-separated-values", "application/vnd.ms-excel"],
        extensions: &["csv"],
        kinds: DOCUMENT,
        script_capable: false,
        shape: Shape::Text,
    },
    MediaType {
        name: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        aliases: &[],
        extensions: &["docx"],
        kinds: DOCUMENT,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        aliases: &[],
        extensions: &["xlsx"],
        kinds: DOCUMENT,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        aliases: &[],
        extensions: &["pptx"],
        kinds: DOCUMENT,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "application/zip",
        aliases: &["application/x-zip-compressed", "application/x-zip"],
        extensions: &["zip"],
        kinds: DOCUMENT,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "audio/mpeg",
        aliases: &["audio/mp3", "audio/x-mp3", "audio/mpeg3"],
        extensions: &["mp3"],
        kinds: AUDIO,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "audio/wav",
        aliases: &["audio/x-wav", "audio/wave", "audio/vnd.wave"],
        extensions: &["wav"],
        kinds: AUDIO,
        script_capable: false,
        shape: Shape::Container,
    },
    MediaType {
        name: "audio/mp4",
        aliases: &["audio/x-m4a", "audio/m4a"],
        extensions: &["m4a"],
        kinds: AUDIO,
        script_capable: false,
        shape: Shape::Container,
    },
];

/// What callers declare when they do not know the type: browsers send nothing, other programs a name for any bytes.
const UNDECIDED: &[&str] = &["", "application/octet-stream", "binary/octet-stream"];

impl MediaType {
    /// Finds a type by its name or one of its aliases. Case and parameters such as `; charset=utf-8` are ignored.
    pub fn from_name(declared: &str) -> Option<&'static Self> {
        let essence = essence(declared);
        let is_named = |name: &&str| name.eq_ignore_ascii_case(essence);
        MEDIA_TYPES.iter().find(|media| is_named(&media.name) || media.aliases.iter().any(is_named))
    }

    /// Finds the type of a file by its declared type. If that says nothing, the extension of its name decides.
    pub fn of_file(declared: &str, name: &FileName) -> Option<&'static Self> {
        if is_undecided(declared) { Self::from_extension(name.extension()?) } else { Self::from_name(declared) }
    }

    /// Finds the type to which a file name's extension belongs (without dot, any case).
    pub fn from_extension(extension: &str) -> Option<&'static Self> {
        MEDIA_TYPES.iter().find(|media| media.takes_extension(extension))
    }

    /// Returns every supported type.
    pub fn all() -> &'static [Self] {
        MEDIA_TYPES
    }

    /// Returns the names of all supported types, for error messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MEDIA_TYPES.iter().map(|media| media.name)
    }

    /// Returns the `Content-Type` of downloads.
    ///
    /// Texts were checked to be UTF-8, so it says so. Without a charset, browsers guess an older one from the language
    /// of the system. An SVG is XML, which names its encoding itself.
    pub fn served_as(&self) -> Cow<'static, str> {
        match self.shape {
            Shape::Text => format!("{}; charset=utf-8", self.name).into(),
            // A JSON text is always UTF-8. Source: RFC 8259, section 8.1.
            Shape::Container | Shape::Svg | Shape::Json => self.name.into(),
        }
    }

    /// Returns whether a file name's extension (without dot, any case) agrees with the type.
    pub fn takes_extension(&self, extension: &str) -> bool {
        self.extensions.iter().any(|known| known.eq_ignore_ascii_case(extension))
    }
}

/// Returns whether a declared type says nothing about the file.
pub(super) fn is_undecided(declared: &str) -> bool {
    UNDECIDED.iter().any(|name| name.eq_ignore_ascii_case(essence(declared)))
}

/// Returns a declared type without its parameters.
fn essence(declared: &str) -> &str {
    declared.split(';').next().unwrap_or_default().trim()
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
