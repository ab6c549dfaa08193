//! ISO base media files: boxes, and the brands of HEIC, AVIF, MP4 and QuickTime.
//!
//! Sources: ISO/IEC 14496-12, sections 4.2 and 4.3; ISO/IEC 23008-12 (HEIF); QuickTime File Format Specification, "Movie
//! Atoms"; the brands that <https://mp4ra.org> lists.

use super::bytes::{array, be32, be64, part, tail};
use super::{Dimensions, Measured, Recognised, Sample, heif, movie, text};

/// A box: its type, and as much of its body as the sample contains.
#[derive(Clone, Copy)]
pub(super) struct MediaBox<'a> {
    pub(super) name: [u8; 4],
    pub(super) body: &'a [u8],
}

/// A sequence of boxes.
#[derive(Clone, Copy)]
pub(super) struct Boxes<'a>(pub(super) &'a [u8]);

impl<'a> Boxes<'a> {
    /// Returns the body of the first box of a type.
    pub(super) fn first(self, name: [u8; 4]) -> Option<&'a [u8]> {
        self.into_iter().find(|found| found.name == name).map(|found| found.body)
    }
}

impl<'a> IntoIterator for Boxes<'a> {
    type Item = MediaBox<'a>;
    type IntoIter = BoxWalk<'a>;

    fn into_iter(self) -> BoxWalk<'a> {
        BoxWalk(self.0)
    }
}

/// A walk over boxes. It ends at a box that is smaller than its own header.
pub(super) struct BoxWalk<'a>(&'a [u8]);

impl<'a> Iterator for BoxWalk<'a> {
    type Item = MediaBox<'a>;

    fn next(&mut self) -> Option<MediaBox<'a>> {
        let (size, name) = (be32(self.0, 0)?, array(self.0, 4)?);
        let (header, size) = match size {
            // To the end of the file.
            0 => (8, usize::MAX),
            1 => (16, usize::try_from(be64(self.0, 8)?).unwrap_or(usize::MAX)),
            _ => (8, usize::try_from(size).unwrap_or(usize::MAX)),
        };
        let found = MediaBox { name, body: part(self.0, header, size.checked_sub(header)?) };
        self.0 = tail(self.0, size);
        Some(found)
    }
}

/// Recognises a file by its brands, or an older QuickTime file by its atoms.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    if text::is_printable(sample.bytes) {
        return None;
    }
    let boxes = Boxes(sample.bytes);
    let first = boxes.into_iter().find(|found| !movie::is_filler(found.name))?;
    let types = match &first.name {
        b"ftyp" => types(first.body, boxes)?,
        // QuickTime before 2001 had no brands.
        b"moov" | b"mdat" => QUICKTIME,
        _ => return None,
    };
    let moov = || boxes.first(*b"moov").unwrap_or_default();
    let types = match types {
        MP4 | MP4_OR_QUICKTIME if movie::is_sound_only(moov()) => MP4_OR_AUDIO,
        types => types,
    };
    let dimensions = match types {
        HEIC | AVIF => measure_image(boxes),
        AUDIO => None,
        _ => boxes.first(*b"moov").and_then(|moov| movie::measure(moov, *b"vide")),
    };
    let duration = match types {
        HEIC | AVIF => None,
        _ => movie::duration(moov()),
    };
    Some(Recognised { types, measured: Measured { dimensions, duration } })
}

/// Returns where the boxes go on behind a sample, if the film's index is not among those that begin in it.
pub(super) fn behind(sample: Sample<'_>) -> Option<u64> {
    let (mut rest, mut at) = (sample.bytes, 0_u64);
    loop {
        let (size, name) = (be32(rest, 0)?, array::<4>(rest, 4)?);
        let size = if size == 1 { be64(rest, 8)? } else { size.into() };
        // A size of 0 is to the end of the file.
        if &name == b"moov" || size < 8 {
            return None;
        }
        at = at.checked_add(size)?;
        if at >= sample.bytes.len() as u64 {
            return (at < sample.size).then_some(at);
        }
        rest = tail(sample.bytes, usize::try_from(at).ok()?);
    }
}

/// Measures a film or a sound by the boxes behind its sample.
pub(super) fn measure_behind(bytes: &[u8]) -> Measured {
    let moov = Boxes(bytes).first(*b"moov").unwrap_or_default();
    Measured { dimensions: movie::measure(moov, *b"vide"), duration: movie::duration(moov) }
}

/// Measures the primary picture. A sequence without one is measured by its track.
fn measure_image(boxes: Boxes<'_>) -> Option<Dimensions> {
    let picture = boxes.first(*b"meta").and_then(heif::measure);
    picture.or_else(|| movie::measure(boxes.first(*b"moov")?, *b"pict"))
}

type Types = &'static [&'static str];
const HEIC: Types = &["image/heic"];
const AVIF: Types = &["image/avif"];
const MP4: Types = &["video/mp4"];
const QUICKTIME: Types = &["video/quicktime"];
const MP4_OR_QUICKTIME: Types = &["video/mp4", "video/quicktime"];
/// A film with the brand of QuickTime alone. Some programs name it `.mp4`; its boxes are those of MP4, and what plays MP4
/// plays it.
const QUICKTIME_OR_MP4: Types = &["video/quicktime", "video/mp4"];
/// A sound in a file whose brands are those of films.
const MP4_OR_AUDIO: Types = &["video/mp4", "audio/mp4"];
const AUDIO: Types = &["audio/mp4"];
const CANON_RAW: Types = &["image/x-canon-cr3"];

/// What a brand promises.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Brand {
    /// A picture whose codec another brand or the primary item names.
    Picture,
    Is(Types),
    Unknown,
}

/// Returns the types that a file with these brands may be declared as, or `None` if no brand is known.
///
/// The major brand decides between picture, video and audio. Compatible brands count where it does not say more.
fn types(ftyp: &[u8], boxes: Boxes<'_>) -> Option<Types> {
    let major = brand(array(ftyp, 0)?);
    // A minor version stands between the major brand and the compatible ones.
    let (others, _) = tail(ftyp, 8).as_chunks::<4>();
    let others = || others.iter().map(|name| brand(*name));
    let leading = if major == Brand::Unknown { others().find(|brand| *brand != Brand::Unknown)? } else { major };
    match leading {
        Brand::Unknown => None,
        Brand::Picture => {
            let codec = others().find(|brand| matches!(brand, Brand::Is(HEIC | AVIF)));
            let coded_as_av1 = || boxes.first(*b"meta").is_some_and(heif::is_av1);
            match codec {
                Some(Brand::Is(types)) => Some(types),
                _ => Some(if coded_as_av1() { AVIF } else { HEIC }),
            }
        }
        Brand::Is(MP4 | QUICKTIME) => {
            let any = |types| std::iter::once(major).chain(others()).any(|brand| brand == Brand::Is(types));
            Some(match (any(MP4), any(QUICKTIME)) {
                (true, true) => MP4_OR_QUICKTIME,
                (true, false) => MP4,
                _ => QUICKTIME_OR_MP4,
            })
        }
        Brand::Is(types) => Some(types),
    }
}

fn brand(name: [u8; 4]) -> Brand {
    match &name {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => Brand::Is(HEIC),
        b"avif" | b"avis" | b"avio" => Brand::Is(AVIF),
        b"mif1" | b"mif2" | b"msf1" | b"miaf" => Brand::Picture,
        b"crx " => Brand::Is(CANON_RAW),
        b"M4A " | b"M4B " | b"M4P " | b"F4A " | b"F4B " => Brand::Is(AUDIO),
        b"qt  " => Brand::Is(QUICKTIME),
        b"avc1" | b"hvc1" | b"hev1" | b"av01" | b"dash" | b"msdh" | b"msix" | b"piff" | b"isml" | b"mmp4" | b"MSNV"
        | b"XAVC" | b"F4V " | b"f4v " | b"dby1" | b"M4V " | b"M4VH" | b"M4VP" | b"SDV " | b"caqv" | b"NIKO" => {
            Brand::Is(MP4)
        }
        // Every edition of the base format, MPEG-4 version, 3GPP release, CMAF profile and Nero profile.
        [b'i', b's', b'o', _]
        | [b'm', b'p', b'4' | b'7', _]
        | [b'c', b'm', b'f', _]
        | [b'3', b'g', _, _]
        | [b'N', b'D', _, _] => Brand::Is(MP4),
        _ => Brand::Unknown,
    }
}
