//! JPEG, baseline and progressive. CMYK is converted without a profile.

use consigne_core::files::exif_orientation;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Decoded, bounded, damaged};
use crate::{Picture, Refusal};

/// Most scans of a progressive file. Common encoders write ten. Each is a walk over the whole picture.
const SCANS_MAX: usize = 32;
/// The largest side, which has 16 bits.
const SIDE_MAX: usize = u16::MAX as usize;

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    let options = DecoderOptions::default()
        .set_max_width(SIDE_MAX)
        .set_max_height(SIDE_MAX)
        .jpeg_set_max_scans(SCANS_MAX)
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        // Stray bytes between segments are common. What ends too early is found below.
        .set_strict_mode(false);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let (width, height) = decoder.dimensions().ok_or(Refusal::Damaged)?;
    let (width, height) = bounded(width as u64, height as u64)?;
    // The decoder fills up what is missing with grey.
    let Layout { is_complete: true, exif } = layout(bytes) else { return Err(Refusal::Damaged) };
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or(Refusal::TooLarge)?];
    decoder.decode_into(&mut pixels).map_err(damaged)?;
    Ok(Decoded {
        picture: Picture { width, height, has_alpha: false, pixels },
        orientation: exif.map_or(1, exif_orientation),
        profile: decoder.icc_profile(),
    })
}

/// What the markers of a file tell.
struct Layout<'a> {
    /// It has pixels and, behind them, the marker of its end.
    is_complete: bool,
    /// The first EXIF data before the pixels, which is what browsers follow.
    exif: Option<&'a [u8]>,
}

/// Walks from marker to marker. Source: ITU-T T.81, annex B.1.1.
fn layout(bytes: &[u8]) -> Layout<'_> {
    let (mut at, mut has_pixels) = (2, false);
    let mut layout = Layout { is_complete: false, exif: None };
    while let Some(next) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)) {
        at += next + 1;
        match bytes.get(at) {
            // End of image.
            Some(0xd9) => {
                layout.is_complete = has_pixels;
                break;
            }
            // Stuffing, restarts, the start of an image, fill bytes: no segment follows.
            Some(0x00 | 0x01 | 0xd0..=0xd8 | 0xff) => {}
            Some(marker) => {
                has_pixels |= *marker == 0xda;
                // The length counts its own two bytes. Behind a scan's header come its pixels.
                let Some([high, low]) = bytes.get(at + 1..at + 3) else { break };
                let end = at + usize::from(u16::from_be_bytes([*high, *low])).max(2) + 1;
                let body = bytes.get(at + 3..end).unwrap_or_default();
                if *marker == 0xe1 && !has_pixels && layout.exif.is_none() && body.starts_with(b"Exif\0\0") {
                    layout.exif = Some(body);
                }
                at = end;
            }
            None => break,
        }
    }
    layout
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_complete_only_with_its_end() {
        let header = b"\xff\xd8\xff\xe1\0\x06\xff\xd9ab";
        let scan = b"\xff\xda\0\x04ab\x12\xff\x00\x34\xff\xd0\x56";
        assert!(layout(&[&header[..], scan, b"\xff\xd9"].concat()).is_complete);
        assert!(layout(&[&header[..], scan, scan, b"\xff\xff\xd9and more"].concat()).is_complete);
        for cut in
            [&header[..], &[&header[..], b"\xff\xd9"].concat(), &[&header[..], scan].concat(), b"\xff\xd8\xff", b""]
        {
            assert!(!layout(cut).is_complete, "{}", cut.escape_ascii());
        }
    }
}
