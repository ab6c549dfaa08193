//! Pixels, and what is done with them.

/// A picture with eight bits a channel, row by row from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Three bytes a pixel, or four with an alpha that is not multiplied in.
    pub(crate) has_alpha: bool,
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    /// Returns the number of bytes in a pixel.
    pub(crate) fn channels(&self) -> usize {
        if self.has_alpha { 4 } else { 3 }
    }

    /// Makes the picture fit into a square of `side` pixels. A smaller one stays as it is.
    pub(crate) fn within(self, side: u32) -> Self {
        let side = side as usize;
        let longest = self.width.max(self.height);
        if longest <= side {
            return self;
        }
        // Rounded to the nearest pixel, at least one.
        let scaled = |length: usize| ((length * side + longest / 2) / longest).max(1);
        let (width, height) = (scaled(self.width), scaled(self.height));
        if self.has_alpha { self.shrunk::<4>(width, height) } else { self.shrunk::<3>(width, height) }
    }

    /// Shrinks the picture. A new pixel is the average of the area that it covers, so no detail is skipped. Colours of
    /// transparent pixels do not count.
    // Channels and sums of their shares of an area stay far below what an `f32` represents exactly.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn shrunk<const CHANNELS: usize>(&self, width: usize, height: usize) -> Self {
        let columns = shares(self.width, width);
        let mut pixels = Vec::with_capacity(width * height * CHANNELS);
        let mut sums = vec![[0_f32; CHANNELS]; width];
        let mut row_sums = vec![[0_f32; CHANNELS]; width];
        let (scale, mut next) = (height as f64 / self.height as f64, 1);
        for (y, row) in self.pixels.chunks_exact(self.width * CHANNELS).enumerate() {
            row_sums.fill([0.0; CHANNELS]);
            let (row, _) = row.as_chunks::<CHANNELS>();
            for (pixel, (column, share, beyond)) in row.iter().zip(&columns) {
                let value = weighted(pixel);
                add(&mut row_sums[*column], &value, *share);
                if *beyond > 0.0 {
                    add(&mut row_sums[*column + 1], &value, *beyond);
                }
            }
            // The part of this row that belongs to the current new row, and the part of the next one.
            let end = (y + 1) as f64 * scale;
            let beyond = (end - next as f64).max(0.0).min(scale) as f32;
            let share = scale as f32 - beyond;
            for (sum, row) in sums.iter_mut().zip(&row_sums) {
                add(sum, row, share);
            }
            let is_last = y + 1 == self.height;
            if (end >= next as f64 - 1e-9 || is_last) && next <= height {
                for sum in &sums {
                    pixels.extend(unweighted(sum).map(|value| (value + 0.5) as u8));
                }
                next += 1;
                for (sum, row) in sums.iter_mut().zip(&row_sums) {
                    *sum = [0.0; CHANNELS];
                    add(sum, row, beyond);
                }
            }
        }
        Self { width, height, has_alpha: self.has_alpha, pixels }
    }

    /// Drops the alpha of a picture that is opaque everywhere.
    pub(crate) fn without_full_alpha(self) -> Self {
        if !self.has_alpha || self.pixels.as_chunks::<4>().0.iter().any(|[.., alpha]| *alpha != u8::MAX) {
            return self;
        }
        let pixels = self.pixels.as_chunks::<4>().0.iter().flat_map(|[red, green, blue, _]| [*red, *green, *blue]);
        Self { pixels: pixels.collect(), has_alpha: false, ..self }
    }

    /// Turns and mirrors the picture as an EXIF orientation from 1 to 8 says. Source: EXIF 2.32, section 4.6.4.
    pub(crate) fn turned(self, orientation: u8) -> Self {
        if !(2..=8).contains(&orientation) {
            return self;
        }
        let (right, bottom) = (self.width - 1, self.height - 1);
        let (width, height) = if orientation >= 5 { (self.height, self.width) } else { (self.width, self.height) };
        let channels = self.channels();
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = match orientation {
                    2 => (right - x, y),
                    3 => (right - x, bottom - y),
                    4 => (x, bottom - y),
                    5 => (y, x),
                    6 => (y, bottom - x),
                    7 => (right - y, bottom - x),
                    _ => (right - y, x),
                };
                let at = (from_y * self.width + from_x) * channels;
                pixels.extend_from_slice(&self.pixels[at..at + channels]);
            }
        }
        Self { width, height, has_alpha: self.has_alpha, pixels }
    }
}

/// Returns for each old column the new one that it belongs to, its share of that, and its share of the next one. The
/// shares of a new column add up to 1.
// The widths of pictures are far below what an `f64` represents exactly.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn shares(old: usize, new: usize) -> Vec<(usize, f32, f32)> {
    let scale = new as f64 / old as f64;
    let share = |column: usize| {
        let (start, end) = (column as f64 * scale, (column + 1) as f64 * scale);
        let first = (start as usize).min(new - 1);
        let beyond = if first + 1 < new { (end - (first + 1) as f64).max(0.0) } else { 0.0 };
        (first, (scale - beyond) as f32, beyond as f32)
    };
    (0..old).map(share).collect()
}

/// Multiplies the colours of a pixel by its alpha, if it has one.
fn weighted<const CHANNELS: usize>(pixel: &[u8; CHANNELS]) -> [f32; CHANNELS] {
    let mut value = pixel.map(f32::from);
    if CHANNELS == 4 {
        let alpha = value[CHANNELS - 1] / 255.0;
        value[..CHANNELS - 1].iter_mut().for_each(|colour| *colour *= alpha);
    }
    value
}

/// Divides the colours of a pixel by its alpha, if it has one.
fn unweighted<const CHANNELS: usize>(sum: &[f32; CHANNELS]) -> [f32; CHANNELS] {
    let mut value = *sum;
    if CHANNELS == 4 && value[CHANNELS - 1] > 0.0 {
        let alpha = value[CHANNELS - 1] / 255.0;
        value[..CHANNELS - 1].iter_mut().for_each(|colour| *colour = (*colour / alpha).min(255.0));
    }
    value
}

fn add<const CHANNELS: usize>(sum: &mut [f32; CHANNELS], value: &[f32; CHANNELS], share: f32) {
    for (sum, value) in sum.iter_mut().zip(value) {
        *sum += value * share;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rgb(width: usize, height: usize, pixels: Vec<u8>) -> Picture {
        Picture { width, height, has_alpha: false, pixels }
    }

    /// A picture of 3 x 2 pixels whose red numbers them.
    fn numbered() -> Picture {
        rgb(3, 2, (1..=6).flat_map(|number| [number, 0, 0]).collect())
    }

    fn reds(picture: &Picture) -> Vec<u8> {
        picture.pixels.chunks(picture.channels()).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn every_orientation_is_turned_upright() {
        for (orientation, size, expected) in [
            (1, (3, 2), [1, 2, 3, 4, 5, 6]),
            (2, (3, 2), [3, 2, 1, 6, 5, 4]),
            (3, (3, 2), [6, 5, 4, 3, 2, 1]),
            (4, (3, 2), [4, 5, 6, 1, 2, 3]),
            (5, (2, 3), [1, 4, 2, 5, 3, 6]),
            (6, (2, 3), [4, 1, 5, 2, 6, 3]),
            (7, (2, 3), [6, 3, 5, 2, 4, 1]),
            (8, (2, 3), [3, 6, 2, 5, 1, 4]),
            (9, (3, 2), [1, 2, 3, 4, 5, 6]),
        ] {
            let turned = numbered().turned(orientation);
            assert_eq!(((turned.width, turned.height), reds(&turned)), (size, expected.to_vec()), "{orientation}");
        }
    }

    #[test]
    fn a_new_pixel_is_the_average_of_its_area() {
        let picture = rgb(4, 2, [10, 30, 100, 200, 50, 70, 100, 200].iter().flat_map(|red| [*red, 0, 0]).collect());
        let small = picture.within(2);
        assert_eq!(((small.width, small.height), reds(&small)), ((2, 1), vec![40, 150]));
        // Two thirds and one third of the pixels that a new one covers.
        let thirds = rgb(3, 1, [0, 0, 0, 90, 0, 0, 240, 0, 0].to_vec()).shrunk::<3>(2, 1);
        assert_eq!(reds(&thirds), [30, 190]);
    }

    #[test]
    fn transparent_pixels_lend_no_colour() {
        let pixels = vec![200, 0, 0, 255, 0, 255, 0, 0];
        let small = Picture { width: 2, height: 1, has_alpha: true, pixels }.within(1);
        assert_eq!(small.pixels, [200, 0, 0, 128]);
    }

    #[test]
    fn a_small_picture_is_never_enlarged_and_a_thin_one_keeps_a_pixel() {
        assert_eq!(numbered().within(256), numbered());
        let thin = rgb(1_000, 1, vec![7; 3_000]).within(100);
        assert_eq!((thin.width, thin.height), (100, 1));
        assert!(thin.pixels.iter().all(|value| *value == 7));
    }

    proptest! {
        #[test]
        fn any_size_shrinks_to_the_asked_one_and_keeps_a_plain_colour(
            width in 1_usize..90, height in 1_usize..90, side in 1_u32..60, colour in any::<[u8; 4]>(), alpha in any::<bool>(),
        ) {
            let pixel = if alpha { &colour[..] } else { &colour[..3] };
            let picture = Picture { width, height, has_alpha: alpha, pixels: pixel.repeat(width * height) };
            let longest = width.max(height);
            let small = picture.clone().within(side);
            prop_assert_eq!(small.width.max(small.height), longest.min(side as usize));
            prop_assert_eq!(small.pixels.len(), small.width * small.height * small.channels());
            let off = |at: usize| small.pixels[at].abs_diff(pixel[at % pixel.len()]);
            let visible = !alpha || colour[3] > 0;
            prop_assert!(!visible || (0..small.pixels.len()).all(|at| off(at) <= 1), "{:?} {:?}", pixel, small.pixels);
        }
    }
}
