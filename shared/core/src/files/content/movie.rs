//! The tracks of an MP4 or QuickTime film. Sources: ISO/IEC 14496-12, sections 8.3.2, 8.4.3 and 8.5.2; QuickTime File
//! Format Specification, "Movie Atoms".

use std::time::Duration;

use super::bmff::Boxes;
use super::bytes::{array, be16, be32, be64};
use super::{Dimensions, playing_time};

/// The largest width and height, which have 16 bits before the point.
const MAX: u32 = u16::MAX as u32;

/// Returns whether a box may come before the one that tells what the file is: a QuickTime preview, or free space.
pub(super) fn is_filler(name: [u8; 4]) -> bool {
    matches!(&name, b"pnot" | b"PICT" | b"pict" | b"skip" | b"free" | b"wide" | b"uuid")
}

/// Measures the first enabled track of a kind (`vide` or `pict`), or the first one if none is enabled.
pub(super) fn measure(moov: &[u8], kind: [u8; 4]) -> Option<Dimensions> {
    let mut tracks =
        Boxes(moov).into_iter().filter(|found| found.name == *b"trak").filter_map(|found| track(found.body, kind));
    let first = tracks.next()?;
    if first.is_enabled {
        return Some(first.dimensions);
    }
    Some(tracks.find(|track| track.is_enabled).unwrap_or(first).dimensions)
}

/// Returns how long a film plays: what its header says or, if it comes in fragments, their sum.
///
/// Source: ISO/IEC 14496-12, sections 8.2.2 and 8.8.2.
pub(super) fn duration(moov: &[u8]) -> Option<Duration> {
    let boxes = Boxes(moov);
    let header = boxes.first(*b"mvhd")?;
    // Version 1 has times of 64 bits. All bits set: unknown.
    let (scale, units) = if header.first()? == &0 {
        (be32(header, 12)?, be32(header, 16).filter(|units| *units != u32::MAX).map(u64::from))
    } else {
        (be32(header, 20)?, be64(header, 24).filter(|units| *units != u64::MAX))
    };
    let fragments = || {
        let header = Boxes(boxes.first(*b"mvex")?).first(*b"mehd")?;
        if header.first()? == &0 { be32(header, 4).map(u64::from) } else { be64(header, 4) }
    };
    playing_time(units.filter(|units| *units > 0).or_else(fragments)?, scale.into())
}

/// Returns whether a film has tracks of sound and none of pictures.
pub(super) fn is_sound_only(moov: &[u8]) -> bool {
    let kinds = || {
        let tracks = Boxes(moov).into_iter().filter(|found| found.name == *b"trak");
        tracks.filter_map(|track| handler(Boxes(Boxes(track.body).first(*b"mdia")?)))
    };
    kinds().any(|kind| kind == *b"soun") && !kinds().any(|kind| kind == *b"vide")
}

/// Returns the kind of a track: `vide`, `soun`, `pict` or another.
fn handler(media: Boxes<'_>) -> Option<[u8; 4]> {
    array(media.first(*b"hdlr")?, 8)
}

struct Track {
    is_enabled: bool,
    dimensions: Dimensions,
}

/// Reads a track of a kind, if it has a size.
fn track(trak: &[u8], kind: [u8; 4]) -> Option<Track> {
    let boxes = Boxes(trak);
    let (header, media) = (boxes.first(*b"tkhd")?, Boxes(boxes.first(*b"mdia")?));
    if handler(media)? != kind {
        return None;
    }
    // Version 1 has times of 64 bits.
    let matrix = if header.first()? == &0 { 40 } else { 52 };
    // 16.16 fixed point: a pixel is 65,536.
    let side = |at| be32(header, at).map(|side| side.saturating_add(0x8000) >> 16);
    let shown = Dimensions::new(side(matrix + 36)?, side(matrix + 40)?, MAX);
    let stored = shown.or_else(|| sample_size(media))?;
    // The matrix's first rows: (a b), (c d), each followed by a third number. A quarter turn has neither a nor d.
    let is_zero = |at: usize| be32(header, matrix + at * 4) == Some(0);
    let sideways = is_zero(0) && is_zero(4) && !is_zero(1) && !is_zero(3);
    Some(Track { is_enabled: header.get(3)? & 1 == 1, dimensions: stored.turned_if(sideways) })
}

/// Returns the size of the first sample description, for a track header without one.
fn sample_size(media: Boxes<'_>) -> Option<Dimensions> {
    let table = Boxes(Boxes(media.first(*b"minf")?).first(*b"stbl")?);
    let descriptions = table.first(*b"stsd")?;
    // Version, flags and count, then the first entry, whose width comes after 32 bytes.
    let (width, height) = be16(descriptions, 40).zip(be16(descriptions, 42))?;
    Dimensions::new(width.into(), height.into(), MAX)
}
