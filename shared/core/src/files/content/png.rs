//! PNG: chunks after a signature of eight bytes. Source: PNG specification, third edition, sections 5 and 11.

use super::bytes::{array, be32, part, tail};
use super::{Dimensions, Measured, Recognised, Sample, exif};

const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The largest width and height: the format's four-byte integers end here.
const MAX: u32 = i32::MAX.unsigned_abs();

/// Recognises a PNG by its signature and its first chunk, IHDR.
///
/// Browsers follow the orientation in an eXIf chunk before the first IDAT.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    let chunks = sample.bytes.strip_prefix(SIGNATURE)?;
    if array(chunks, 0)? != *b"\0\0\0\rIHDR" {
        return None;
    }
    let stored = be32(chunks, 8).zip(be32(chunks, 12)).and_then(|(width, height)| Dimensions::new(width, height, MAX));
    let dimensions = stored.map(|stored| stored.turned_if(is_sideways(chunks)));
    Some(Recognised { types: &["image/png"], measured: Measured::picture(dimensions) })
}

/// Walks the chunks before the pixels. Each has a length, a name, a body and a checksum.
fn is_sideways(mut chunks: &[u8]) -> bool {
    while let (Some(length), Some(name)) = (be32(chunks, 0), array::<4>(chunks, 4)) {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match &name {
            b"eXIf" => return exif::is_sideways(part(chunks, 8, length)),
            b"IDAT" | b"IEND" => return false,
            _ => chunks = tail(chunks, length.saturating_add(12)),
        }
    }
    false
}
