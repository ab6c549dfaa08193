//! Orientation in EXIF data, which is a TIFF file without a picture. Source: EXIF 2.32, section 4.6; TIFF 6.0, section 2.

use super::bytes::{be16, be32, le16, le32};

/// Tag of the orientation in the first directory.
const ORIENTATION: u16 = 0x0112;
/// TIFF's type of a 16-bit number.
const SHORT: u16 = 3;

/// Returns whether EXIF data asks for a quarter turn, so that a viewer exchanges width and height.
pub(super) fn is_sideways(data: &[u8]) -> bool {
    exif_orientation(data) >= 5
}

/// Returns the orientation in EXIF data, from 1 (upright) to 8.
///
/// The data may begin with the name `Exif` that JPEG puts before it. A value that is not one 16-bit number from 1 to 8
/// counts as upright, as in browsers.
pub fn exif_orientation(data: &[u8]) -> u8 {
    let value = orientation(data.strip_prefix(b"Exif\0\0").unwrap_or(data));
    value.and_then(|value| u8::try_from(value).ok()).filter(|value| (1..=8).contains(value)).unwrap_or(1)
}

fn orientation(tiff: &[u8]) -> Option<u16> {
    type Read<T> = fn(&[u8], usize) -> Option<T>;
    let (short, long): (Read<u16>, Read<u32>) = match tiff.get(..4)? {
        b"II*\0" => (le16, le32),
        b"MM\0*" => (be16, be32),
        _ => return None,
    };
    let directory = usize::try_from(long(tiff, 4)?).ok()?;
    let entries = usize::from(short(tiff, directory)?);
    for entry in 0..entries {
        let at = directory.checked_add(2 + entry * 12)?;
        // A directory that is cut off ends the search.
        if short(tiff, at)? == ORIENTATION {
            let is_one_short = short(tiff, at + 2)? == SHORT && long(tiff, at + 4)? == 1;
            return if is_one_short { short(tiff, at + 8) } else { None };
        }
    }
    None
}
