//! JPEG: segments, each after a marker. Source: ITU-T T.81, annex B.

use super::bytes::{be16, part, tail};
use super::{Dimensions, Measured, Recognised, Sample, exif, text};

/// The largest width and height, which have 16 bits.
const MAX: u32 = u16::MAX as u32;

/// Recognises a JPEG: a start marker, another marker, and bytes that are not text.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    let segments = sample.bytes.strip_prefix(b"\xff\xd8")?;
    let marker = segments.iter().find(|byte| **byte != 0xff)?;
    // Below 0xC0, only 0x01 is a marker, and it does not begin a file.
    if segments.first() != Some(&0xff) || !(0xc0..=0xfe).contains(marker) || text::is_printable(&segments[1..]) {
        return None;
    }
    Some(Recognised { types: &["image/jpeg"], measured: Measured::picture(measure(segments)) })
}

/// Walks the segments up to the pixels.
///
/// Browsers skip fill bytes before a marker and stray bytes between segments, and follow the first EXIF orientation,
/// before or after the frame header.
fn measure(mut rest: &[u8]) -> Option<Dimensions> {
    let (mut stored, mut sideways) = (None, None);
    while let Some((marker, segment)) = next_segment(rest) {
        let length = usize::from(be16(segment, 0).unwrap_or(0));
        match marker {
            // Start of scan, end of image: no header follows.
            0xda | 0xd9 => break,
            // Markers without a segment: stuffing, temporary, restarts, start of image.
            0x00 | 0x01 | 0xd0..=0xd8 => {
                rest = segment;
                continue;
            }
            0xe1 if sideways.is_none() => {
                let body = part(segment, 2, length.saturating_sub(2));
                sideways = body.starts_with(b"Exif\0\0").then(|| exif::is_sideways(body));
            }
            // Frame headers of every kind. C4, C8 and CC among them are tables and reserved.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) && stored.is_none() => {
                // Length, precision, height, width.
                let (height, width) = be16(segment, 3).zip(be16(segment, 5))?;
                stored = Some(Dimensions::new(width.into(), height.into(), MAX)?);
            }
            _ => {}
        }
        // The length counts its own two bytes.
        rest = tail(segment, length.max(2));
    }
    stored.map(|stored| stored.turned_if(sideways.unwrap_or(false)))
}

/// Finds the next marker. Returns it with the bytes after it.
fn next_segment(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let bytes = &bytes[bytes.iter().position(|byte| *byte == 0xff)?..];
    let at = bytes.iter().position(|byte| *byte != 0xff)?;
    Some((bytes[at], &bytes[at + 1..]))
}
