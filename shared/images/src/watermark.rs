//! A watermark, which is laid on what is derived and never on an original.

use consigne_core::files::MediaType;

use crate::{Picture, Refusal, decode, guarded};

/// Largest PNG of a watermark, in bytes.
pub const WATERMARK_BYTES_MAX: u64 = 1 << 20;
/// Most pixels of a watermark's side.
const SIDE_MAX: usize = 2_048;
/// The watermark's share of a picture's width or height, of whichever it fills first.
const SHARE: usize = 4;
/// The distance to the right and to the bottom: this share of the shorter side.
const MARGIN: usize = 40;

/// A decoded watermark.
#[derive(Clone, Debug)]
pub struct Watermark(Picture);

impl Watermark {
    /// Decodes a PNG.
    ///
    /// # Errors
    /// If it is no PNG, or larger than a watermark may be.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let png = MediaType::from_name("image/png").ok_or(Refusal::Damaged)?;
        if bytes.len() as u64 > WATERMARK_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let picture = guarded(|| decode::decode(bytes, png))?.picture;
        if picture.width.max(picture.height) > SIDE_MAX { Err(Refusal::TooLarge) } else { Ok(Self(picture)) }
    }

    /// Returns a copy of the picture with the watermark at its lower right, a quarter as large and never enlarged.
    pub(crate) fn laid_on(&self, picture: &Picture) -> Picture {
        let mut marked = picture.clone();
        let (most_wide, most_high) = (picture.width / SHARE, picture.height / SHARE);
        // The longest side with which both sides fit.
        let Self(mark) = self;
        let longest = mark.width.max(mark.height);
        let side = (most_wide * longest / mark.width).min(most_high * longest / mark.height);
        let Some(side) = u32::try_from(side).ok().filter(|side| *side > 0) else { return marked };
        let mark = mark.clone().within(side);
        let margin = picture.width.min(picture.height) / MARGIN;
        let left = picture.width.saturating_sub(mark.width + margin);
        let top = picture.height.saturating_sub(mark.height + margin);
        let (channels, mark_channels) = (picture.channels(), mark.channels());
        for (y, row) in mark.pixels.chunks_exact(mark.width * mark_channels).enumerate() {
            for (x, pixel) in row.chunks_exact(mark_channels).enumerate() {
                let at = ((top + y) * picture.width + left + x) * channels;
                blend(&mut marked.pixels[at..at + channels], pixel);
            }
        }
        marked
    }
}

/// Lays one pixel over another. Both may have an alpha.
fn blend(below: &mut [u8], above: &[u8]) {
    let share = above.get(3).map_or(255, |alpha| u32::from(*alpha));
    let under = below.get(3).map_or(255, |alpha| u32::from(*alpha)) * (255 - share);
    // In units of 1 / 255^2.
    let whole = share * 255 + under;
    if whole == 0 {
        return;
    }
    let byte = |value: u32| u8::try_from(value).unwrap_or(u8::MAX);
    for (below, above) in below.iter_mut().zip(above).take(3) {
        *below = byte((u32::from(*above) * share * 255 + u32::from(*below) * under + whole / 2) / whole);
    }
    if let Some(alpha) = below.get_mut(3) {
        *alpha = byte((whole + 127) / 255);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_laid_over_pixels() {
        for (below, above, expected) in [
            (vec![10, 20, 30], vec![200, 100, 0, 255], vec![200, 100, 0]),
            (vec![10, 20, 30], vec![200, 100, 0, 0], vec![10, 20, 30]),
            (vec![0, 0, 0], vec![255, 255, 255, 51], vec![51, 51, 51]),
            (vec![9, 9, 9, 0], vec![200, 100, 0, 128], vec![200, 100, 0, 128]),
            (vec![9, 9, 9, 0], vec![1, 1, 1, 0], vec![9, 9, 9, 0]),
            (vec![0, 0, 0], vec![7, 8, 9], vec![7, 8, 9]),
        ] {
            let mut pixel = below.clone();
            blend(&mut pixel, &above);
            assert_eq!(pixel, expected, "{above:?} on {below:?}");
        }
    }

    #[test]
    fn it_lies_at_the_lower_right_and_shrinks_with_the_picture() {
        let mark = Watermark(Picture { width: 40, height: 20, has_alpha: false, pixels: vec![255; 40 * 20 * 3] });
        for (width, height, marked) in [(400, 400, 40 * 20), (80, 80, 20 * 10), (80, 8, 4 * 2), (3, 3, 0)] {
            let picture = Picture { width, height, has_alpha: false, pixels: vec![0; width * height * 3] };
            let laid = mark.laid_on(&picture);
            let white = laid.pixels.chunks(3).filter(|pixel| *pixel == [255; 3]).count();
            assert_eq!(white, marked, "{width} x {height}");
            let left_half = laid.pixels.chunks(width * 3).flat_map(|row| &row[..width / 2 * 3]);
            assert!(left_half.copied().all(|value| value == 0), "{width} x {height}");
        }
    }
}
