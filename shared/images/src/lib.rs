//! Decodes pictures that strangers have uploaded, and makes smaller ones of them: upright, without EXIF, XMP, text or GPS.
//!
//! Only `derive-image` depends on this crate, so that no other function contains the decoders. They are written in safe
//! Rust. Pixels, frames and scans are bounded by what the header says, before anything is decoded; memory and time follow
//! from that. A panic of a decoder counts as a damaged picture.

mod decode;
mod encode;
mod picture;
mod watermark;

use std::panic::{AssertUnwindSafe, catch_unwind};

use consigne_core::files::{DISPLAY_ABOVE, MediaType, Rendition};

use picture::Picture;
pub use watermark::{WATERMARK_BYTES_MAX, Watermark};

/// Most frames of an animation, of which only the first is shown.
const FRAMES_MAX: u32 = 2_000;

/// Why nothing is made of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has more pixels, frames or scans than are decoded.
    TooLarge,
    /// It cannot be decoded to its end.
    Damaged,
}

/// A picture that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Which one it is.
    pub rendition: Rendition,
    /// Its media type: a JPEG, or a WebP where the picture is transparent.
    pub media: &'static MediaType,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Makes every rendition of a picture: both thumbnails and, of a file above [`DISPLAY_ABOVE`], a copy for display if it is
/// smaller than the file. The watermark is laid on each of them. The same bytes always give the same renditions.
///
/// # Errors
/// Why nothing can be made of it.
pub fn render(bytes: &[u8], media: &MediaType, watermark: Option<&Watermark>) -> Result<Vec<Rendered>, Refusal> {
    guarded(|| {
        let decoded = decode::decode(bytes, media)?;
        let (orientation, profile) = (decoded.orientation, decoded.profile);
        let mut picture = decoded.picture;
        let mut rendered = Vec::new();
        let mut is_upright = false;
        for rendition in [Rendition::Display, Rendition::Large, Rendition::Small] {
            if rendition == Rendition::Display && bytes.len() as u64 <= DISPLAY_ABOVE {
                continue;
            }
            // Each is made of the one before, so the whole picture is walked through, and kept, only once.
            picture = picture.within(rendition.side());
            if !is_upright {
                picture = picture.without_full_alpha().turned(orientation);
                is_upright = true;
            }
            let marked = watermark.map(|watermark| watermark.laid_on(&picture));
            let (media, file) = encode::encode(marked.as_ref().unwrap_or(&picture), profile.as_deref())?;
            if rendition != Rendition::Display || file.len() < bytes.len() {
                rendered.push(Rendered { rendition, media, bytes: file });
            }
        }
        rendered.reverse();
        Ok(rendered)
    })
}

/// Runs a decoder. Its panic is an error of the file.
fn guarded<T>(decoding: impl FnOnce() -> Result<T, Refusal>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(decoding)).unwrap_or(Err(Refusal::Damaged))
}
