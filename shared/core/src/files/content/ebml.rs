//! EBML: WebM and Matroska. Sources: RFC 8794 (EBML); RFC 9559 (Matroska), sections 5.1.2, 5.1.4.1.28 and 6.2.

use std::time::Duration;

use super::bytes::{array, part, tail};
use super::{Dimensions, Measured, Recognised, Sample, playing_time};

/// The largest width and height: those of VP9 and AV1.
const MAX: u32 = 65_536;

/// Ids of elements.
mod id {
    pub(super) const HEADER: u32 = 0x1a45_dfa3;
    pub(super) const DOCTYPE: u32 = 0x4282;
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const INFO: u32 = 0x1549_a966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2a_d7b1;
    pub(super) const DURATION: u32 = 0x4489;
    pub(super) const CLUSTER: u32 = 0x1f43_b675;
    pub(super) const TRACKS: u32 = 0x1654_ae6b;
    pub(super) const TRACK: u32 = 0xae;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const VIDEO: u32 = 0xe0;
    pub(super) const PIXEL_WIDTH: u32 = 0xb0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xba;
    pub(super) const CROP_BOTTOM: u32 = 0x54aa;
    pub(super) const CROP_TOP: u32 = 0x54bb;
    pub(super) const CROP_LEFT: u32 = 0x54cc;
    pub(super) const CROP_RIGHT: u32 = 0x54dd;
    pub(super) const DISPLAY_WIDTH: u32 = 0x54b0;
    pub(super) const DISPLAY_HEIGHT: u32 = 0x54ba;
    pub(super) const DISPLAY_UNIT: u32 = 0x54b2;
}

/// Recognises a file by the document type in its header.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    let mut elements = Elements(sample.bytes);
    let header = elements.next().filter(|element| element.id == id::HEADER)?;
    let doctype = Elements(header.body).find(|element| element.id == id::DOCTYPE)?.body;
    let zeros = doctype.iter().position(|byte| *byte == 0).unwrap_or(doctype.len());
    let types: &[_] = match &doctype[..zeros] {
        b"webm" => &["video/webm"],
        b"matroska" => &["video/x-matroska"],
        _ => return None,
    };
    let segment = elements.find(|element| element.id == id::SEGMENT);
    let body = segment.map(|segment| segment.body).unwrap_or_default();
    Some(Recognised { types, measured: Measured { dimensions: measure(body), duration: duration(body) } })
}

/// Reads how long a file plays. A live recording does not say.
fn duration(segment: &[u8]) -> Option<Duration> {
    let mut parts = Elements(segment).take_while(|element| element.id != id::CLUSTER);
    let info = parts.find(|element| element.id == id::INFO)?.body;
    let field = |wanted| Elements(info).find(|field| field.id == wanted);
    // Nanoseconds in a unit.
    let scale = field(id::TIMESTAMP_SCALE).and_then(|field| field.number()).unwrap_or(1_000_000);
    let units = field(id::DURATION)?.body;
    let units = match units.len() {
        4 => f64::from(f32::from_be_bytes(array(units, 0)?)),
        8 => f64::from_be_bytes(array(units, 0)?),
        _ => return None,
    };
    #[allow(clippy::cast_precision_loss)] // A scale of 2^53 ns, beyond which it loses digits, is 104 days.
    let seconds = units * scale as f64 / 1e9;
    // What is not finite, negative or beyond range is no duration.
    let whole = Duration::try_from_secs_f64(seconds).ok()?;
    playing_time(u64::try_from(whole.as_micros()).ok()?, 1_000_000)
}

/// Measures the first video track. Tracks come before the first cluster, whose size may be unknown.
fn measure(segment: &[u8]) -> Option<Dimensions> {
    let mut parts = Elements(segment).take_while(|element| element.id != id::CLUSTER);
    let tracks = parts.find(|element| element.id == id::TRACKS)?;
    let mut tracks = Elements(tracks.body).filter(|element| element.id == id::TRACK);
    let is_video =
        |track: &Element<'_>| Elements(track.body).any(|field| field.id == id::TRACK_TYPE && field.body == [1]);
    let video = Elements(tracks.find(is_video)?.body).find(|field| field.id == id::VIDEO)?.body;

    let number = |wanted| Elements(video).find(|field| field.id == wanted).and_then(|field| field.number());
    let crop = |wanted| number(wanted).unwrap_or(0);
    let visible = || {
        let width = number(id::PIXEL_WIDTH)?.checked_sub(crop(id::CROP_LEFT).checked_add(crop(id::CROP_RIGHT))?)?;
        let height = number(id::PIXEL_HEIGHT)?.checked_sub(crop(id::CROP_TOP).checked_add(crop(id::CROP_BOTTOM))?)?;
        Some((width, height))
    };
    // Unit 0 is a pixel. The others are lengths and ratios, which name no size in pixels.
    let display = || match crop(id::DISPLAY_UNIT) {
        0 => number(id::DISPLAY_WIDTH).zip(number(id::DISPLAY_HEIGHT)),
        _ => None,
    };
    let (width, height) = display().or_else(visible)?;
    Dimensions::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?, MAX)
}

/// An element: its id, and as much of its body as the sample contains.
struct Element<'a> {
    id: u32,
    body: &'a [u8],
}

impl Element<'_> {
    /// Reads the body as a number of at most eight bytes.
    fn number(&self) -> Option<u64> {
        if self.body.len() > 8 {
            return None;
        }
        Some(self.body.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// A sequence of elements.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        // The number of leading zeros tells how many bytes follow. An id keeps its marker bit and has up to four bytes.
        let id_length = 1 + self.0.first()?.leading_zeros() as usize;
        let id = self.0.get(..id_length).filter(|id| id.len() <= 4)?;
        let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
        let rest = tail(self.0, id_length);
        let length = 1 + rest.first()?.leading_zeros() as usize;
        let size = rest.get(..length).filter(|size| size.len() <= 8)?;
        let size = size.iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
        // Seven bits a byte are the size. All of them set: unknown, to the end of the parent.
        let largest = (1_u64 << (7 * length)) - 1;
        let size = if size & largest == largest { usize::MAX } else { usize::try_from(size & largest).ok()? };
        let body = part(rest, length, size);
        self.0 = tail(rest, length.saturating_add(size));
        Some(Element { id, body })
    }
}
