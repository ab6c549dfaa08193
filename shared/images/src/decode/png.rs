//! PNG. Of an animation, the picture that programs show which know no animations.

use std::io::Cursor;

use consigne_core::files::exif_orientation;
use png::{ColorType, Decoder, Limits, Transformations};

use super::{Decoded, bounded, damaged};
use crate::{Picture, Refusal};

/// What the decoder may allocate beside the pixels: rows, and chunks such as profiles.
const BESIDE: Limits = Limits { bytes: 64 << 20 };

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), BESIDE);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    let header = decoder.read_header_info().map_err(damaged)?;
    let (width, height) = bounded(header.width.into(), header.height.into())?;

    let mut reader = decoder.read_info().map_err(damaged)?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(Refusal::TooLarge)?];
    let frame = reader.next_frame(&mut pixels).map_err(damaged)?;
    // The default image of an animation may have other sides than its canvas only if the file is damaged.
    if (frame.width as usize, frame.height as usize) != (width, height) {
        return Err(Refusal::Damaged);
    }
    pixels.truncate(frame.buffer_size());
    let (pixels, has_alpha) = match frame.color_type {
        ColorType::Rgb => (pixels, false),
        ColorType::Rgba => (pixels, true),
        ColorType::Grayscale => (pixels.iter().flat_map(|grey| [*grey; 3]).collect(), false),
        ColorType::GrayscaleAlpha => {
            let (pairs, _) = pixels.as_chunks::<2>();
            (pairs.iter().flat_map(|[grey, alpha]| [*grey, *grey, *grey, *alpha]).collect(), true)
        }
        ColorType::Indexed => return Err(Refusal::Damaged),
    };
    let info = reader.info();
    Ok(Decoded {
        picture: Picture { width, height, has_alpha, pixels },
        orientation: info.exif_metadata.as_deref().map_or(1, exif_orientation),
        profile: info.icc_profile.as_deref().map(<[u8]>::to_vec),
    })
}
