//! WebP, lossy and lossless; of an animation the first frame.

use std::io::Cursor;

use consigne_core::files::exif_orientation;
use image_webp::WebPDecoder;

use super::{Decoded, bounded, damaged};
use crate::{FRAMES_MAX, Picture, Refusal};

/// Most bytes of metadata that are read.
const METADATA_MAX: usize = 1 << 20;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    decoder.set_memory_limit(METADATA_MAX);
    let (width, height) = decoder.dimensions();
    let (width, height) = bounded(width.into(), height.into())?;
    if decoder.num_frames() > FRAMES_MAX {
        return Err(Refusal::TooLarge);
    }
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or(Refusal::TooLarge)?];
    decoder.read_image(&mut pixels).map_err(damaged)?;
    // Metadata that cannot be read is as good as none.
    let exif = decoder.exif_metadata().unwrap_or_default();
    Ok(Decoded {
        picture: Picture { width, height, has_alpha: decoder.has_alpha(), pixels },
        orientation: exif.map_or(1, |exif| exif_orientation(&exif)),
        profile: decoder.icc_profile().unwrap_or_default(),
    })
}
