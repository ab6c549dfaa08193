//! Sounds in MP3 and WAV. Sources: ISO/IEC 11172-3, section 2.4.1.3, and ISO/IEC 13818-3 (MPEG audio frames); ID3 2.4.0,
//! section 3.1 (<https://id3.org/id3v2.4.0-structure>); Microsoft, "Multimedia Programming Interface and Data
//! Specifications 1.0" (RIFF WAVE).

use std::time::Duration;

use super::bytes::{array, be32, le16, le32, part, tail};
use super::{Measured, Recognised, Sample, playing_time};

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
    let before = (sample.bytes.len() - rest.len()) as u64;
    let duration = mp3_duration(rest, sample.size.saturating_sub(before));
    is_sound.then_some(Recognised { types: &["audio/mpeg"], measured: Measured { dimensions: None, duration } })
}

/// Returns how long an MP3 plays whose frames begin the bytes and are `size` bytes long: the number of frames that its
/// first one states or, where all frames are as large as the first, their size.
///
/// The first frame of a file with a variable rate has no sound but a table. Sources: "MP3 Info Tag" revision 1 of LAME
/// (`Xing`, `Info`); Fraunhofer's encoder (`VBRI`).
fn mp3_duration(bytes: &[u8], size: u64) -> Option<Duration> {
    let Frame { length, version, per_second, is_mono } = frame(bytes)?;
    let is_first = version == FIRST;
    let samples: u64 = if is_first { 1_152 } else { 576 };
    let skipped = match (is_first, is_mono) {
        (true, false) => 32,
        (true, true) | (false, false) => 17,
        (false, true) => 9,
    };
    let stated = || match array(bytes, 4 + skipped)? {
        // Flags say what follows; the lowest bit, the number of frames.
        [b'X', b'i', b'n', b'g'] | [b'I', b'n', b'f', b'o'] if be32(bytes, 8 + skipped)? & 1 == 1 => {
            be32(bytes, 12 + skipped)
        }
        _ if array(bytes, 36)? == *b"VBRI" => be32(bytes, 50),
        _ => None,
    };
    let per_second = u64::try_from(per_second).ok()?;
    match stated() {
        Some(frames) => playing_time(u64::from(frames) * samples, per_second),
        None => playing_time(size.checked_mul(samples)?, per_second.checked_mul(u64::try_from(length).ok()?)?),
    }
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
    let Some(Frame { length, version, per_second, .. }) = frame(bytes) else { return false };
    let stream = (version, per_second);
    let next = tail(bytes, length);
    match frame(next) {
        Some(other) => (other.version, other.per_second) == stream,
        // The sample ends here, or the file does.
        None => next.len() < 4 && (!is_whole || bytes.len() >= length),
    }
}

/// The header of a frame of layer III. Version and samples a second are the same in all frames of a stream.
struct Frame {
    /// Length of the frame in bytes.
    length: usize,
    version: u8,
    per_second: usize,
    is_mono: bool,
}

/// MPEG 1, among the versions.
const FIRST: u8 = 3;

/// Reads the header of a frame.
fn frame(bytes: &[u8]) -> Option<Frame> {
    let header: [u8; 4] = array(bytes, 0)?;
    let [0xff, second, third, fourth] = header else { return None };
    let (sync, version, layer) = (second >> 5, (second >> 3) & 3, (second >> 1) & 3);
    let (rate, samples, padding) = (usize::from(third >> 4), (third >> 2) & 3, usize::from((third >> 1) & 1));
    if sync != 7 || version == 1 || layer != 1 {
        return None;
    }
    let is_first = version == FIRST;
    let bits = RATES[usize::from(!is_first)].get(rate.checked_sub(1)?)? * 1_000;
    let divided = match version {
        3 => 1,
        2 => 2,
        _ => 4,
    };
    let per_second = SAMPLES.get(usize::from(samples))? / divided;
    let factor = if is_first { 144 } else { 72 };
    let length = factor * bits / per_second + padding;
    Some(Frame { length, version, per_second, is_mono: fourth >> 6 == 3 })
}

/// Recognises a WAV: RIFF of the form WAVE with a chunk that describes its format.
pub(super) fn wav(sample: Sample<'_>) -> Option<Recognised> {
    if array(sample.bytes, 0)? != *b"RIFF" || array(sample.bytes, 8)? != *b"WAVE" {
        return None;
    }
    let mut chunks = Chunks(tail(sample.bytes, 12));
    let format = chunks.find(|chunk| chunk.name == *b"fmt ")?;
    let (kind, channels, samples) = (le16(format.body, 0)?, le16(format.body, 2)?, le32(format.body, 4)?);
    let is_sound = (16..=FORMAT_MAX).contains(&format.size) && kind > 0 && channels > 0 && samples > 0;
    // Bytes a second, and the sound's own size, which a recorder that was cut off may not have known.
    let duration = le32(format.body, 8).and_then(|rate| {
        let sound = chunks.find(|chunk| chunk.name == *b"data")?;
        let before = sample.bytes.len().saturating_sub(sound.body.len()) as u64;
        playing_time(u64::from(sound.size).min(sample.size.saturating_sub(before)), rate.into())
    });
    is_sound.then_some(Recognised { types: &["audio/wav"], measured: Measured { dimensions: None, duration } })
}

/// A chunk of a RIFF file: its name, its size, and the bytes of the sample from its body on.
struct Chunk<'a> {
    name: [u8; 4],
    size: u32,
    body: &'a [u8],
}

/// A walk over chunks. It ends with the sample.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (name, size) = (array(self.0, 0)?, le32(self.0, 4)?);
        let body = tail(self.0, 8);
        // A chunk of an odd size is followed by a byte that fills up.
        let length = usize::try_from(size).ok()?;
        self.0 = tail(body, length.checked_add(length % 2)?);
        Some(Chunk { name, size, body })
    }
}
