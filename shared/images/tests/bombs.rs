//! Files that are made to exhaust a decoder, and large honest ones. Each has a bound of memory, and the figures are printed.
//! Peaks are those of the process, so everything runs in one test.

// A test may panic, because that is how it fails.
#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::time::{Duration, Instant};

use consigne_core::files::{DISPLAY_ABOVE, MediaType, Rendition};
use consigne_images::{Refusal, Rendered, render};

const MIB: u64 = 1 << 20;

/// Runs something. Returns what came of it, the time, and by how many bytes the process's memory rose at most.
fn measured<T>(run: impl FnOnce() -> T) -> (T, Duration, Option<u64>) {
    let before = peak(true);
    let begun = Instant::now();
    let outcome = run();
    (outcome, begun.elapsed(), peak(false).zip(before).map(|(after, before)| after.saturating_sub(before)))
}

/// Returns the resident memory: with `reset`, what it is now, from where the peak is measured anew; else the peak since.
/// Only Linux tells it. Source: proc(5), `clear_refs` and `status`.
fn peak(reset: bool) -> Option<u64> {
    if reset {
        std::fs::OpenOptions::new().write(true).open("/proc/self/clear_refs").ok()?.write_all(b"5").ok()?;
    }
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let name = if reset { "VmRSS:" } else { "VmHWM:" };
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

fn chunk(name: [u8; 4], body: &[u8]) -> Vec<u8> {
    // Checksums are not what is tested, but they are checked.
    let named = [&name[..], body].concat();
    let mut crc = u32::MAX;
    for byte in &named {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &named, &(!crc).to_be_bytes()].concat()
}

/// A PNG with eight bits of RGB and these chunks behind its header.
fn png(width: u32, height: u32, rest: &[Vec<u8>]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(*b"IHDR", &header), rest.concat()].concat()
}

/// Zeros as zlib stores them without compression.
fn stored_zeros(length: usize) -> Vec<u8> {
    let mut zlib = vec![0x78, 0x01];
    for _ in 0..length / 65_535 {
        zlib.extend([0, 0xff, 0xff, 0, 0]);
        zlib.resize(zlib.len() + 65_535, 0);
    }
    zlib
}

/// A photo: soft shapes with grain.
fn photo(width: u16, height: u16) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    let mut grain = 1_u32;
    for y in 0..u32::from(height) {
        for x in 0..u32::from(width) {
            grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = grain.to_be_bytes()[0] >> 4;
            pixels.extend([x / 16, y / 12, (x + y) / 24].map(|c| (c.to_le_bytes()[0] / 2).wrapping_add(noise)));
        }
    }
    let mut file = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).unwrap();
    file
}

fn gif(frames: usize) -> Vec<u8> {
    let head = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff";
    let frame = b"\x21\xf9\x04\0\x0a\0\0\0\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    [&head[..], &frame.repeat(frames), b";"].concat()
}

fn try_one(what: &str, kind: &str, bytes: &[u8], most: u64) -> Result<Vec<Rendered>, Refusal> {
    let media = MediaType::from_name(kind).unwrap();
    let (outcome, time, memory) = measured(|| render(bytes, media, None));
    let says = match &outcome {
        Ok(made) => made
            .iter()
            .map(|one| format!("{} {} B", one.rendition.name(), one.bytes.len()))
            .collect::<Vec<_>>()
            .join(", "),
        Err(refusal) => format!("{refusal:?}"),
    };
    let used = memory.map_or("?".to_owned(), |memory| format!("{} KiB", memory / 1024));
    let line = format!("{what} ({} B): {says}; {} ms, {used}\n", bytes.len(), time.as_millis());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    assert!(memory.is_none_or(|memory| memory <= most), "{what} took {used}");
    outcome
}

#[test]
fn memory_is_bounded_by_what_the_header_says() {
    let huge = png(50_000, 50_000, &[chunk(*b"IDAT", &stored_zeros(70_000))]);
    assert_eq!(try_one("PNG of 50,000 x 50,000", "image/png", &huge, MIB), Err(Refusal::TooLarge));

    let flat = png(100, 100, &[chunk(*b"IDAT", &stored_zeros(10 << 20)), chunk(*b"IEND", b"")]);
    drop(try_one("PNG of 100 x 100 with 10 MB of zeros", "image/png", &flat, 8 * MIB));
    let behind = [png(100, 100, &[]), vec![0; 10 << 20]].concat();
    assert_eq!(try_one("PNG header and 10 MB of zeros", "image/png", &behind, 2 * MIB), Err(Refusal::Damaged));

    let photo = photo(4_000, 3_000);
    let cut = &photo[..photo.len() / 2];
    assert_eq!(try_one("half a JPEG", "image/jpeg", cut, 2 * MIB), Err(Refusal::Damaged));

    assert_eq!(try_one("GIF of 10,000 frames", "image/gif", &gif(10_000), MIB), Err(Refusal::TooLarge));
    let small = gif(100);
    assert_eq!(try_one("GIF of 100 frames", "image/gif", &small, MIB).map(|made| made.len()), Ok(2));

    // 36 MB of pixels, and a quarter of that for the copy for display.
    let made = try_one("JPEG of 12 megapixels", "image/jpeg", &photo, 80 * MIB).unwrap();
    let names: Vec<_> = made.iter().map(|one| one.rendition).collect();
    assert!(photo.len() as u64 > DISPLAY_ABOVE);
    assert_eq!(names, [Rendition::Small, Rendition::Large, Rendition::Display]);
    assert!(made[2].bytes.len() < photo.len());
}
