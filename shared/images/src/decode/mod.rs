//! Decodes files. Each decoder reads the header first and refuses what is too large, before it allocates for pixels.

mod gif;
mod jpeg;
mod png;
mod webp;

use consigne_core::files::{MediaType, PIXELS_MAX};

use crate::{Picture, Refusal};

/// Largest colour profile that is kept, in bytes. That of a phone has half a kilobyte, one for print some megabytes.
const PROFILE_MAX: usize = 64 << 10;

/// A decoded file.
pub(crate) struct Decoded {
    /// The picture as stored.
    pub(crate) picture: Picture,
    /// How it must be turned: an EXIF orientation.
    pub(crate) orientation: u8,
    /// The profile of its colours, without which those of many phones would fade.
    pub(crate) profile: Option<Vec<u8>>,
}

/// Decodes a file of a type.
pub(crate) fn decode(bytes: &[u8], media: &MediaType) -> Result<Decoded, Refusal> {
    let mut decoded = match media.name {
        "image/png" => png::decode(bytes)?,
        "image/jpeg" => jpeg::decode(bytes)?,
        "image/gif" => gif::decode(bytes)?,
        "image/webp" => webp::decode(bytes)?,
        _ => return Err(Refusal::Damaged),
    };
    let Picture { width, height, .. } = decoded.picture;
    if width == 0 || height == 0 || decoded.picture.pixels.len() != width * height * decoded.picture.channels() {
        return Err(Refusal::Damaged);
    }
    // Everything is converted to RGB, so a profile of other colours would be wrong. Its header has 128 bytes, with the
    // kind of colours in the fifth group of four. Source: ICC.1:2022, section 7.2.
    let fits = |profile: &Vec<u8>| (128..=PROFILE_MAX).contains(&profile.len()) && profile[16..20] == *b"RGB ";
    decoded.profile = decoded.profile.filter(fits);
    Ok(decoded)
}

/// Returns the sides of a picture that is not too large to be decoded.
fn bounded(width: u64, height: u64) -> Result<(usize, usize), Refusal> {
    if width.checked_mul(height).is_none_or(|pixels| pixels > PIXELS_MAX) {
        return Err(Refusal::TooLarge);
    }
    usize::try_from(width).ok().zip(usize::try_from(height).ok()).ok_or(Refusal::TooLarge)
}

/// Returns the fault of a file that its decoder does not accept.
fn damaged<E>(_: E) -> Refusal {
    Refusal::Damaged
}
