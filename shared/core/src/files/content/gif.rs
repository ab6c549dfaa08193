//! GIF, versions 87a and 89a. Source: specification of version 89a, sections 17 and 18.

use super::bytes::{be16, le16};
use super::{Dimensions, Measured, Recognised, Sample, text};

/// The largest width and height, which have 16 bits.
const MAX: u32 = u16::MAX as u32;

/// Recognises a GIF by its version and a logical screen that is not text. Browsers show the logical screen.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    let screen = [b"GIF87a", b"GIF89a"].into_iter().find_map(|version| sample.bytes.strip_prefix(version))?;
    // Width and height, flags, background and aspect ratio.
    be16(screen, 5)?;
    if text::is_printable(screen) {
        return None;
    }
    let (width, height) = le16(screen, 0).zip(le16(screen, 2))?;
    let dimensions = Dimensions::new(width.into(), height.into(), MAX);
    Some(Recognised { types: &["image/gif"], measured: Measured::picture(dimensions) })
}
