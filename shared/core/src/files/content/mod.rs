//! Decides what the bytes of an upload are: whether they are of the declared type, and how large the picture is.
//!
//! Containers are parsed as far as their headers go, so a text that only begins like an image is not one. The parsers
//! walk forward through a sample of the file, without recursion and without allocating by a length that the file
//! states, so their time is that of the sample. What comes after the sample is not seen: see [`SAMPLE_BYTES`].

mod audio;
mod bmff;
mod bytes;
mod clean;
mod ebml;
mod epub;
mod exif;
mod gif;
mod heif;
mod heif_clean;
mod jpeg;
mod json;
mod known;
mod movie;
mod pdf;
mod png;
mod svg;
mod text;
mod webp;
mod zip;

#[cfg(test)]
mod corpus_tests;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::MediaType;
use super::media::Shape;
use text::Encoding;

pub use clean::clean_copy;
pub use exif::exif_orientation;
pub use heif_clean::{Unclean, clean_heif};

/// Bytes of an upload that are read to inspect it, from its start.
///
/// This is one range request, and enough to find the dimensions of a JPEG after its colour profile and preview. In large
/// files, the index of many films, the EXIF data of a WebP and most of a text come later. The index is looked for: see
/// [`index_behind`]. Such a WebP gets no dimensions, and a text is known to be UTF-8 only up to here.
pub const SAMPLE_BYTES: u64 = 256 * 1024;

/// Largest side in pixels that is believed when it is only reported.
const REPORTED_MAX: u32 = 65_535;

/// Width and height of an image or a video, in pixels, as a browser shows it: turned upright, cropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Dimensions {
    pub width: u32,
    pub height: u32,
}

impl Dimensions {
    /// Returns dimensions from 1 to `max`, or `None` if a side is outside.
    fn new(width: u32, height: u32, max: u32) -> Option<Self> {
        let range = 1..=max;
        (range.contains(&width) && range.contains(&height)).then_some(Self { width, height })
    }

    /// Returns dimensions that somebody reports, if both sides are given and from 1 to `REPORTED_MAX`.
    pub fn reported(width: Option<u32>, height: Option<u32>) -> Option<Self> {
        Self::new(width?, height?, REPORTED_MAX)
    }

    /// Exchanges the sides if the picture is shown turned by a quarter.
    fn turned_if(self, sideways: bool) -> Self {
        if sideways { Self { width: self.height, height: self.width } } else { self }
    }
}

/// What the start of a file tells of its size and length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Dimensions of an image or a video.
    pub dimensions: Option<Dimensions>,
    /// How long a video or a sound plays.
    pub duration: Option<Duration>,
}

impl Measured {
    /// Returns what is measured of a picture.
    fn picture(dimensions: Option<Dimensions>) -> Self {
        Self { dimensions, duration: None }
    }
}

/// Returns how long `units` take, of which `per_second` are a second: a whole number of milliseconds. Returns `None` if
/// that is nothing, or more than a year, which no upload lasts.
fn playing_time(units: u64, per_second: u64) -> Option<Duration> {
    let millis = u128::from(units) * 1_000 / u128::from((per_second > 0).then_some(per_second)?);
    let year = Duration::from_hours(24 * 366);
    u64::try_from(millis).ok().map(Duration::from_millis).filter(|time| !time.is_zero() && *time <= year)
}

/// The start of a file.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The first bytes, at most [`SAMPLE_BYTES`].
    pub bytes: &'a [u8],
    /// Size of the whole file in bytes.
    pub size: u64,
}

impl Sample<'_> {
    /// Returns whether the sample is the whole file.
    fn is_whole(self) -> bool {
        self.bytes.len() as u64 >= self.size
    }
}

/// Bytes of a film that are read behind its sample: enough for an index whose first track is the picture.
pub const INDEX_BYTES: u64 = 256 * 1024;

/// Returns where the index of a film or a sound begins, if it comes after the sample, as in what phones record.
pub fn index_behind(sample: Sample<'_>, declared: &MediaType) -> Option<u64> {
    let has_boxes = matches!(declared.name, "video/mp4" | "video/quicktime" | "audio/mp4");
    if has_boxes { bmff::behind(sample) } else { None }
}

/// Measures a film or a sound by the bytes from [`index_behind`] on.
pub fn measure_index(bytes: &[u8], declared: &MediaType) -> Measured {
    let found = bmff::measure_behind(bytes);
    if declared.name == "audio/mp4" { Measured { dimensions: None, ..found } } else { found }
}

/// What the first bytes of an upload show.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// The bytes are of the declared type. Has what could be measured.
    Genuine(Measured),
    /// The bytes are of another type, named as precisely as possible.
    Impostor(&'static str),
}

/// What is said of bytes that are no text and of no known format.
const UNKNOWN: &str = "unknown bytes";
/// What is said of bytes that begin like the declared type and do not go on like it.
const DAMAGED: &str = "damaged data of this type";
/// What is said of a text in UTF-16.
const UTF_16: &str = "text in UTF-16, not UTF-8";
/// What is said of a text with one byte a character.
const EIGHT_BIT: &str = "text in an 8-bit encoding, not UTF-8";

/// Bytes of a container: the types that they may be declared as, the most fitting first, and what they measure.
struct Recognised {
    types: &'static [&'static str],
    measured: Measured,
}

/// Recognises every container that may be uploaded. At most one parser answers.
fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    let parsers = [png::recognise, jpeg::recognise, gif::recognise, webp::recognise, bmff::recognise, ebml::recognise];
    let others = [pdf::recognise, epub::recognise, zip::recognise, audio::mp3, audio::wav];
    parsers.into_iter().chain(others).find_map(|parser| parser(sample))
}

/// Compares the first bytes of an upload with its declared type.
pub fn inspect(sample: Sample<'_>, declared: &MediaType) -> Finding {
    match (declared.shape, recognise(sample)) {
        (Shape::Container, Some(found)) if found.types.contains(&declared.name) => Finding::Genuine(found.measured),
        (_, Some(found)) => Finding::Impostor(found.types[0]),
        (Shape::Container, None) => match known::anything(sample) {
            // It begins like one.
            name if name == declared.name => Finding::Impostor(DAMAGED),
            name => Finding::Impostor(name),
        },
        (Shape::Text | Shape::Svg | Shape::Json, None) => match foreign_to_text(sample, declared.shape) {
            Some(found) => Finding::Impostor(found),
            None => Finding::Genuine(Measured::default()),
        },
    }
}

/// Returns what bytes are if they are not plain text, or not an SVG or JSON. Returns `None` if they are what was declared.
///
/// A text may begin with the magic number of another format: a poem with `BM`, minutes with `MZ`. So magic numbers count
/// only in bytes that are not text.
fn foreign_to_text(sample: Sample<'_>, shape: Shape) -> Option<&'static str> {
    if let Some(name) = known::written_in_text(sample.bytes) {
        return Some(name);
    }
    match (text::encoding(sample), shape) {
        (Encoding::Binary, _) => Some(known::binary(sample.bytes)),
        (_, Shape::Svg) => svg::check(sample).err(),
        (Encoding::Utf8, Shape::Json) => json::check(sample).err(),
        (Encoding::Utf8, _) => None,
        (Encoding::Utf16, _) => Some(UTF_16),
        (Encoding::EightBit, _) => Some(EIGHT_BIT),
    }
}
