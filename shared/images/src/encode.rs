//! Writes pictures. JPEG is small and understood everywhere. The encoder for WebP there is in safe Rust is lossless, which
//! is right for transparent drawings and four times as large for photos, so only transparent pictures become WebP.

use consigne_core::files::MediaType;
use image_webp::WebPEncoder;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::{Picture, Refusal};

/// Quality of JPEGs, of 100. Above it, files grow faster than anybody sees a difference.
const QUALITY: u8 = 80;

/// Encodes a picture with its colour profile, and with nothing else. Returns its type and the file.
pub(crate) fn encode(picture: &Picture, profile: Option<&[u8]>) -> Result<(&'static MediaType, Vec<u8>), Refusal> {
    let mut file = Vec::new();
    let name = if picture.has_alpha {
        let (width, height) = (u32::try_from(picture.width), u32::try_from(picture.height));
        let mut encoder = WebPEncoder::new(&mut file);
        if let Some(profile) = profile {
            encoder.set_icc_profile(profile.to_vec());
        }
        let color = image_webp::ColorType::Rgba8;
        let (width, height) = width.ok().zip(height.ok()).ok_or(Refusal::TooLarge)?;
        encoder.encode(&picture.pixels, width, height, color).map_err(|_| Refusal::Damaged)?;
        "image/webp"
    } else {
        let (width, height) = (u16::try_from(picture.width), u16::try_from(picture.height));
        let mut encoder = Encoder::new(&mut file, QUALITY);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.set_optimized_huffman_tables(true);
        if let Some(profile) = profile {
            encoder.add_icc_profile(profile).map_err(|_| Refusal::Damaged)?;
        }
        let (width, height) = width.ok().zip(height.ok()).ok_or(Refusal::TooLarge)?;
        encoder.encode(&picture.pixels, width, height, ColorType::Rgb).map_err(|_| Refusal::Damaged)?;
        "image/jpeg"
    };
    MediaType::from_name(name).map(|media| (media, file)).ok_or(Refusal::Damaged)
}
