//! Sounds in MP3 and WAV. Sources: ISO/IEC 11172-3, section 2.4.1.3, and ISO/IEC 13818-3 (MPEG audio frames); ID3 2.4.0,
//! section 3.1 (<https://id3.org/id3v2.4.0-structure>); Microsoft, "Multimedia Programming Interface and Data
//! Specifications 1.0" (RIFF WAVE).

use super::bytes::{array, le16, le32, part, tail};
use super::{Recognised, Sample};

/// Length of the header of an ID3 tag, and of its footer.
const TAG_HEADER: usize = 10;
/// Longest description of a WAV's format, in bytes. The longest one in use has 40.
const FORMAT_MAX: u32 = 1_024;

/// Bits a second of a frame of layer III, in thousands, by index from 1: of MPEG 1, and of MPEG 2 and 2.5.
const RATES: [[usize; 14]; 2] = [
    [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];
/// Samples a second in MPEG 1. MPEG 2 has half of them, MPEG 2.5 a quarter.
const SAMPLES: [usize; 3] = [44_100, 48_000, 32_000];

/// Recognises an MP3 by its first two frames, which may come after ID3 tags. Where the tags are larger than the sample,
/// such as with a picture of the cover, they are enough.
pub(super) fn mp3(sample: Sample<'_>) -> Option<Recognised> {
    let mut rest = sample.bytes;
    let mut is_tagged = false;
    while let Some(length) = tag_length(rest) {
        is_tagged = true;
        rest = tail(rest, length);
    }
    if is_tagged {
        // Some programs fill the space behind a tag.
        let padding = rest.iter().take_while(|byte| **byte == 0).count();
        rest = tail(rest, padding);
    }
    let is_sound = if rest.is_empty() { is_tagged && !sample.is_whole() } else { is_frames(rest, sample.is_whole()) };
    is_sound.then_some(Recognised { types: &["audio/mpeg"], dimensions: None })
}

/// Returns the length of the ID3 tag (version 2) with which the bytes begin.
fn tag_length(bytes: &[u8]) -> Option<usize> {
    let [b'I', b'D', b'3', version @ 2..=4, 0..=0xfe, flags, size @ ..] = part(bytes, 0, TAG_HEADER) else {
        return None;
    };
    // Seven bits a byte, so that no size looks like the start of a frame.
    let size: [u8; 4] = size.try_into().ok()?;
    if size.iter().any(|byte| *byte >= 0x80) {
        return None;
    }
    let size = size.iter().fold(0_usize, |sum, byte| (sum << 7) | usize::from(*byte));
    let footer = if *version == 4 && flags & 0x10 != 0 { TAG_HEADER } else { 0 };
    Some(TAG_HEADER + size + footer)
}

/// Returns whether bytes begin with two frames of one stream, or consist of one.
fn is_frames(bytes: &[u8], is_whole: bool) -> bool {
    let Some((length, stream)) = frame(bytes) else { return false };
    let next = tail(bytes, length);
    match frame(next) {
        Some((_, other)) => other == stream,
        // The sample ends here, or the file does.
        None => next.len() < 4 && (!is_whole || bytes.len() >= length),
    }
}

/// Reads the header of a frame of layer III. Returns the frame's length in bytes, and what is the same in all frames of a
/// stream: version and samples a second.
fn frame(bytes: &[u8]) -> Option<(usize, (u8, u8))> {
    let header: [u8; 4] = array(bytes, 0)?;
    let [0xff, second, third, _] = header else { return None };
    let (sync, version, layer) = (second >> 5, (second >> 3) & 3, (second >> 1) & 3);
    let (rate, samples, padding) = (usize::from(third >> 4), (third >> 2) & 3, usize::from((third >> 1) & 1));
    if sync != 7 || version == 1 || layer != 1 {
        return None;
    }
    let is_first = version == 3;
    let bits = RATES[usize::from(!is_first)].get(rate.checked_sub(1)?)? * 1_000;
    let divided = match version {
        3 => 1,
        2 => 2,
        _ => 4,
    };
    let per_second = SAMPLES.get(usize::from(samples))? / divided;
    let factor = if is_first { 144 } else { 72 };
    let length = factor * bits / per_second + padding;
    Some((length, (version, samples)))
}

/// Recognises a WAV: RIFF of the form WAVE with a chunk that describes its format.
pub(super) fn wav(sample: Sample<'_>) -> Option<Recognised> {
    if array(sample.bytes, 0)? != *b"RIFF" || array(sample.bytes, 8)? != *b"WAVE" {
        return None;
    }
    let mut rest = tail(sample.bytes, 12);
    loop {
        let (name, size) = (array(rest, 0)?, le32(rest, 4)?);
        if name == *b"fmt " {
            let (format, channels, samples) = (le16(rest, 8)?, le16(rest, 10)?, le32(rest, 12)?);
            let is_sound = (16..=FORMAT_MAX).contains(&size) && format > 0 && channels > 0 && samples > 0;
            return is_sound.then_some(Recognised { types: &["audio/wav"], dimensions: None });
        }
        // A chunk of an odd size is followed by a byte that fills up.
        let size = usize::try_from(size).ok()?;
        rest = tail(rest, size.checked_add(8 + size % 2)?);
    }
}
