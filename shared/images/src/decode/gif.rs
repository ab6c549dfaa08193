//! The first frame of a GIF.

use std::num::NonZeroU64;

use consigne_core::files::PIXELS_MAX;
use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::{Decoded, bounded, damaged};
use crate::{FRAMES_MAX, Picture, Refusal};

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Refusal> {
    if has_frames_above(bytes, FRAMES_MAX) {
        return Err(Refusal::TooLarge);
    }
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.set_memory_limit(MemoryLimit::Bytes(NonZeroU64::new(PIXELS_MAX * 4).ok_or(Refusal::TooLarge)?));
    let mut decoder = options.read_info(bytes).map_err(damaged)?;
    let (width, height) = bounded(decoder.width().into(), decoder.height().into())?;
    let frame = decoder.read_next_frame().map_err(damaged)?.ok_or(Refusal::Damaged)?;

    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (frame_width, frame_height) = (usize::from(frame.width), usize::from(frame.height));
    if frame.buffer.len() != frame_width * frame_height * 4 {
        return Err(Refusal::Damaged);
    }
    let pixels = if (left, top, frame_width, frame_height) == (0, 0, width, height) {
        frame.buffer.to_vec()
    } else {
        // The frame covers a part of the screen. What lies beyond the screen is not shown.
        let mut screen = vec![0; width * height * 4];
        let seen = frame_width.min(width.saturating_sub(left)) * 4;
        if seen > 0 {
            let rows = screen.chunks_exact_mut(width * 4).skip(top);
            for (row, from) in rows.zip(frame.buffer.chunks_exact(frame_width * 4)) {
                row[left * 4..left * 4 + seen].copy_from_slice(&from[..seen]);
            }
        }
        screen
    };
    Ok(Decoded { picture: Picture { width, height, has_alpha: true, pixels }, orientation: 1, profile: None })
}

/// Returns whether a file has more than `most` frames. Blocks are counted without decoding them.
///
/// Source: specification of version 89a, sections 15, 18 and 20 to 25.
fn has_frames_above(bytes: &[u8], most: u32) -> bool {
    // A table of colours has 3 x 2^(n + 1) bytes, if the uppermost bit says that there is one.
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let Some(flags) = bytes.get(10) else { return false };
    let (mut at, mut frames) = (13 + table(*flags), 0);
    loop {
        match bytes.get(at) {
            // An extension: its label, then blocks.
            Some(0x21) => at += 2,
            // A frame: place and size, flags, a table, the width of codes, then blocks.
            Some(0x2c) => {
                frames += 1;
                if frames > most {
                    return true;
                }
                let Some(flags) = bytes.get(at + 9) else { return false };
                at += 11 + table(*flags);
            }
            _ => return false,
        }
        // Each block begins with its length; one of none ends them.
        loop {
            match bytes.get(at) {
                Some(0) => break,
                Some(length) => at += usize::from(*length) + 1,
                None => return false,
            }
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_without_decoding_them() {
        let head = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff";
        let frame = b"\x21\xf9\x04\0\x0a\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
        let file = |frames| [&head[..], &frame.repeat(frames), b";"].concat();
        for (frames, above) in [(0, false), (1, false), (7, false), (8, true), (10_000, true)] {
            assert_eq!(has_frames_above(&file(frames), 7), above, "{frames}");
        }
        for end in 0..file(8).len() - 1 {
            has_frames_above(&file(8)[..end], 7);
        }
    }
}
