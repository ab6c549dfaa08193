//! WebP: a RIFF file of the form WEBP. Source: RFC 9649, section 2; RFC 6386, section 9.1.

use super::bytes::{array, le16, le32, part, tail};
use super::{Dimensions, Measured, Recognised, Sample, exif, text};

/// The largest width and height: 16,383 for VP8 and 16,384 for VP8L. VP8X has room for more, but one picture fills it.
const MAX: u32 = 16_384;
/// VP8X's flag for an EXIF chunk.
const HAS_EXIF: u8 = 0x08;

/// Recognises a WebP by its form and its first chunk.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    if array(sample.bytes, 0)? != *b"RIFF" || array(sample.bytes, 8)? != *b"WEBP" {
        return None;
    }
    let chunks = tail(sample.bytes, 12);
    let (name, body) = (array::<4>(chunks, 0)?, tail(chunks, 8));
    let dimensions = match &name {
        b"VP8 " => lossy(body),
        b"VP8L" => lossless(body),
        b"VP8X" => extended(chunks, body, sample.is_whole()),
        _ => return None,
    };
    let measured = Measured::picture(dimensions);
    (!text::is_printable(tail(chunks, 4))).then_some(Recognised { types: &["image/webp"], measured })
}

/// Measures a VP8 key frame: three bytes of tag, a start code, then 14 bits each. The upper two bits are a scale that
/// nobody applies.
fn lossy(frame: &[u8]) -> Option<Dimensions> {
    let is_key_frame = array(frame, 3)? == [0x9d, 0x01, 0x2a] && frame[0] & 1 == 0;
    let (width, height) = (le16(frame, 6)? & 0x3fff, le16(frame, 8)? & 0x3fff);
    if is_key_frame { Dimensions::new(width.into(), height.into(), MAX) } else { None }
}

/// Measures a VP8L picture: a signature byte, then 14 bits each, less one.
fn lossless(picture: &[u8]) -> Option<Dimensions> {
    let (signature, bits) = (picture.first()?, le32(picture, 1)?);
    let (width, height) = ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1);
    if *signature == 0x2f { Dimensions::new(width, height, MAX) } else { None }
}

/// Measures an extended file: flags, three reserved bytes, then 24 bits each, less one, of the canvas.
///
/// EXIF comes after the picture. If the file announces it and the sample ends before it, the orientation is unknown.
/// Then there are no dimensions, unless the canvas is a square.
fn extended(chunks: &[u8], body: &[u8], is_whole: bool) -> Option<Dimensions> {
    let flags = *body.first()?;
    let side = |at| array(body, at).map(|[low, middle, high]| u32::from_le_bytes([low, middle, high, 0]) + 1);
    let canvas = Dimensions::new(side(4)?, side(7)?, MAX)?;
    if flags & HAS_EXIF == 0 || canvas.width == canvas.height {
        return Some(canvas);
    }
    let mut rest = chunks;
    while let (Some(name), Some(length)) = (array::<4>(rest, 0), le32(rest, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if name == *b"EXIF" {
            let data = part(rest, 8, length);
            let is_complete = data.len() == length || is_whole;
            return if exif::is_sideways(data) { Some(canvas.turned_if(true)) } else { is_complete.then_some(canvas) };
        }
        // A chunk of odd length is padded by one byte.
        rest = tail(rest, length.saturating_add(length % 2).saturating_add(8));
    }
    is_whole.then_some(canvas)
}
