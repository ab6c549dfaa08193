//! A copy of a HEIF file without what it says about the camera and the place: the same pixels, with EXIF and XMP blanked.
//!
//! Sources: ISO/IEC 23008-12, section A.2.1 (EXIF and XMP as items); ISO/IEC 14496-12, sections 8.11.3 (`iloc`), 8.11.6
//! (`iinf`) and 8.11.11 (`idat`); Adobe, "XMP Specification Part 3", section 1.1.5 (`uuid`).

use std::ops::Range;

use super::bytes::{array, be16, be32, be64};

/// Why there is no clean copy: the container could not be followed to every item with metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclean;

/// Most extents of one item. Metadata has one; more than this is an attack.
const EXTENTS_MAX: usize = 64;

/// Blanks EXIF, XMP and boxes of makers in a HEIC or AVIF. Every byte keeps its place, so the pixels are untouched.
/// Returns the number of items and boxes that were blanked.
///
/// # Errors
/// [`Unclean`] if the file is no HEIF, or an item with metadata cannot be found. The bytes may then be partly blanked.
pub fn clean_heif(bytes: &mut [u8]) -> Result<usize, Unclean> {
    let plan = plan(bytes).ok_or(Unclean)?;
    for part in &plan {
        bytes.get_mut(part.clone()).ok_or(Unclean)?.fill(0);
    }
    Ok(plan.len())
}

/// Returns every part of the file to be blanked.
fn plan(bytes: &[u8]) -> Option<Vec<Range<usize>>> {
    let top = boxes(bytes, 0..bytes.len())?;
    if top.first()?.name != *b"ftyp" {
        return None;
    }
    let mut parts = Vec::new();
    for found in &top {
        match &found.name {
            // Makers' own boxes, and XMP.
            b"uuid" => parts.push(found.body.clone()),
            b"meta" => parts.extend(items(bytes, found.body.clone())?),
            // The film in a sequence, or behind a photo that moves.
            b"moov" => parts.extend(of_film(bytes, found.body.clone(), 0)?),
            _ => {}
        }
    }
    Some(parts)
}

/// A box: its type, and where its body is.
struct Place {
    name: [u8; 4],
    body: Range<usize>,
}

/// Returns the boxes in a part of the file. `None` if one is larger than its parent or smaller than its own header: what
/// comes after it could not be found.
fn boxes(bytes: &[u8], within: Range<usize>) -> Option<Vec<Place>> {
    let mut found = Vec::new();
    let mut at = within.start;
    while at < within.end {
        let (size, name) = (be32(bytes, at)?, array(bytes, at.checked_add(4)?)?);
        let (header, size) = match size {
            // To the end of the file.
            0 => (8, within.end - at),
            1 => (16, usize::try_from(be64(bytes, at.checked_add(8)?)?).ok()?),
            _ => (8, usize::try_from(size).ok()?),
        };
        let end = at.checked_add(size).filter(|end| *end <= within.end)?;
        found.push(Place { name, body: at.checked_add(header).filter(|start| *start <= end)?..end });
        at = end;
    }
    Some(found)
}

/// Returns what a film says beside its tracks: user data and metadata, at every level.
fn of_film(bytes: &[u8], within: Range<usize>, depth: usize) -> Option<Vec<Range<usize>>> {
    let mut parts = Vec::new();
    for found in boxes(bytes, within)? {
        match &found.name {
            b"udta" | b"meta" | b"uuid" => parts.push(found.body),
            // A track is one level down, and its media another.
            b"trak" | b"mdia" if depth < 3 => parts.extend(of_film(bytes, found.body, depth + 1)?),
            _ => {}
        }
    }
    Some(parts)
}

/// Returns where the items with metadata are, from the body of the `meta` box.
fn items(bytes: &[u8], meta: Range<usize>) -> Option<Vec<Range<usize>>> {
    // Version and flags come first.
    let inside = boxes(bytes, meta.start.checked_add(4)?..meta.end)?;
    let first = |name: [u8; 4]| inside.iter().find(|found| found.name == name).map(|found| found.body.clone());
    let mut parts: Vec<_> =
        inside.iter().filter(|found| found.name == *b"uuid").map(|found| found.body.clone()).collect();
    let Some(infos) = first(*b"iinf") else { return Some(parts) };
    let wanted = with_metadata(bytes, infos)?;
    if wanted.is_empty() {
        return Some(parts);
    }
    let idat = first(*b"idat");
    let mut located = Locations::read(bytes, first(*b"iloc")?)?;
    for id in wanted {
        let extents = located.remove(id)?;
        for Extent { in_idat, offset, length } in extents {
            let base = if in_idat { idat.clone()? } else { 0..bytes.len() };
            let start = base.start.checked_add(usize::try_from(offset).ok()?)?;
            // No length: to the end of the source.
            let end = if length == 0 { base.end } else { start.checked_add(usize::try_from(length).ok()?)? };
            parts.push((start <= end && end <= base.end).then_some(start..end)?);
        }
    }
    Some(parts)
}

/// Returns the ids of the items that are EXIF, or XMP or another text.
fn with_metadata(bytes: &[u8], iinf: Range<usize>) -> Option<Vec<u32>> {
    // Version and flags, then a count of 16 bits, or of 32 from version 1 on.
    let skipped = if *bytes.get(iinf.start)? == 0 { 6 } else { 8 };
    let mut ids = Vec::new();
    for entry in boxes(bytes, iinf.start.checked_add(skipped)?..iinf.end)? {
        let at = entry.body.start;
        // Version 2 has an id of 16 bits, version 3 one of 32; a protection index and the type follow.
        let (id, kind) = match *bytes.get(at)? {
            2 => (be16(bytes, at + 4)?.into(), array(bytes, at + 8)?),
            3 => (be32(bytes, at + 4)?, array(bytes, at + 10)?),
            _ => return None,
        };
        if entry.name == *b"infe" && matches!(&kind, b"Exif" | b"mime" | b"uri ") {
            ids.push(id);
        }
    }
    Some(ids)
}

/// Where a piece of an item is.
struct Extent {
    /// In the `idat` box; otherwise in the file.
    in_idat: bool,
    offset: u64,
    length: u64,
}

/// Where the items are, by id.
struct Locations(Vec<(u32, Vec<Extent>)>);

impl Locations {
    /// Reads the body of an `iloc` box.
    fn read(bytes: &[u8], iloc: Range<usize>) -> Option<Self> {
        let mut reader = Reader { bytes: bytes.get(iloc)?, at: 0 };
        let version = reader.number(1)?;
        reader.number(3)?;
        let sizes = reader.number(2)?;
        let size = |shift: u32| usize::try_from((sizes >> shift) & 0xf).ok();
        let (offsets, lengths, bases) = (size(12)?, size(8)?, size(4)?);
        let indices = if version == 0 { 0 } else { size(0)? };
        let id_size = if version < 2 { 2 } else { 4 };
        let count = reader.number(id_size)?;
        let mut items = Vec::new();
        for _ in 0..count {
            let id = u32::try_from(reader.number(id_size)?).ok()?;
            let method = if version == 0 { 0 } else { reader.number(2)? & 0xf };
            let source = reader.number(2)?;
            let base = reader.number(bases)?;
            let pieces = usize::try_from(reader.number(2)?).ok()?;
            let mut extents = Vec::new();
            for _ in 0..pieces {
                reader.number(indices)?;
                let (offset, length) = (reader.number(offsets)?, reader.number(lengths)?);
                // Another file, or a place inside another item, is not followed: the item then counts as not found.
                if source == 0 && method < 2 && extents.len() < EXTENTS_MAX {
                    extents.push(Extent { in_idat: method == 1, offset: base.checked_add(offset)?, length });
                }
            }
            if extents.len() == pieces && pieces > 0 {
                items.push((id, extents));
            }
        }
        Some(Self(items))
    }

    /// Returns where an item is.
    fn remove(&mut self, id: u32) -> Option<Vec<Extent>> {
        let at = self.0.iter().position(|(known, _)| *known == id)?;
        Some(self.0.swap_remove(at).1)
    }
}

/// Reads numbers one after another.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// Reads a number of up to eight bytes, most significant byte first. One of no bytes is 0.
    fn number(&mut self, size: usize) -> Option<u64> {
        let end = self.at.checked_add(size).filter(|_| size <= 8)?;
        let digits = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A box with a body.
    fn boxed(name: [u8; 4], body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len() + 8).unwrap();
        [&size.to_be_bytes()[..], &name, body].concat()
    }

    fn info(id: u16, kind: [u8; 4]) -> Vec<u8> {
        boxed(*b"infe", &[&[2, 0, 0, 0][..], &id.to_be_bytes(), &[0, 0], &kind, &[0]].concat())
    }

    /// A HEIC of one picture (item 1), EXIF in the file (item 2) and XMP in `idat` (item 3).
    fn heic() -> Vec<u8> {
        let ftyp = boxed(*b"ftyp", b"heic\0\0\0\0mif1heic");
        let infos = [info(1, *b"hvc1"), info(2, *b"Exif"), info(3, *b"mime")].concat();
        let iinf = boxed(*b"iinf", &[&[0, 0, 0, 0, 0, 3][..], &infos].concat());
        let idat = boxed(*b"idat", b"<x:xmpmeta>48.8584 N");
        let meta = |exif: u32| {
            let item = |id: u16, method: u16, offset: u32, length: u32| {
                let ends = [offset.to_be_bytes(), length.to_be_bytes()].concat();
                [&id.to_be_bytes()[..], &method.to_be_bytes(), &[0, 0], &[0, 1], &ends].concat()
            };
            let list = [item(1, 0, exif + 20, 6), item(2, 0, exif, 20), item(3, 1, 0, 20)].concat();
            let iloc = boxed(*b"iloc", &[&[1, 0, 0, 0, 0x44, 0x00, 0, 3][..], &list].concat());
            boxed(*b"meta", &[&[0; 4][..], &iinf, &iloc, &idat].concat())
        };
        let exif = u32::try_from(ftyp.len() + meta(0).len() + 8).unwrap();
        let mdat = boxed(*b"mdat", b"\0\0\0\0MM\0*GPS 2.2945 EPIXELS");
        [ftyp, meta(exif), mdat, boxed(*b"uuid", b"maker's secret")].concat()
    }

    fn has(bytes: &[u8], part: &[u8]) -> bool {
        bytes.windows(part.len()).any(|window| window == part)
    }

    #[test]
    fn exif_and_xmp_are_blanked_and_pixels_stay_in_place() {
        let whole = heic();
        let mut clean = whole.clone();
        assert_eq!(clean_heif(&mut clean), Ok(3));
        assert_eq!(clean.len(), whole.len());
        for secret in [&b"GPS"[..], b"2.2945", b"48.8584", b"xmpmeta", b"maker"] {
            assert!(has(&whole, secret) && !has(&clean, secret), "{}", secret.escape_ascii());
        }
        let changed = whole.iter().zip(&clean).filter(|(before, after)| before != after).count();
        assert!(has(&clean, b"PIXELS") && changed <= 20 + 20 + 14, "{changed} bytes changed");
    }

    #[test]
    fn only_the_metadata_of_a_file_of_an_encoder_changes() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/files/");
        for (name, parts) in [("plain.heic", 0), ("plain.avif", 0), ("libheif.avif", 0), ("turned.HEIC", 1)] {
            let whole = std::fs::read(format!("{folder}{name}")).unwrap();
            let mut clean = whole.clone();
            assert_eq!(clean_heif(&mut clean), Ok(parts), "{name}");
            assert_eq!(clean == whole, parts == 0, "{name}");
            assert!(parts == 0 || has(&whole, b"MM\0*") && !has(&clean, b"MM\0*"), "{name}");
            // A second time there is nothing left to change.
            let once = clean.clone();
            assert_eq!((clean_heif(&mut clean), clean), (Ok(parts), once), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_not_called_clean() {
        let whole = heic();
        let at = |part: &[u8]| whole.windows(part.len()).position(|window| window == part).unwrap();
        let mut no_place = whole.clone();
        no_place[at(b"iloc")] = b'x';
        assert_eq!(clean_heif(&mut no_place), Err(Unclean));
        let mut far = whole.clone();
        // The first byte of the EXIF item's offset.
        let offset = at(b"iloc") + 4 + 8 + 16 + 8;
        far[offset] = 0x7f;
        assert_eq!(clean_heif(&mut far), Err(Unclean));
        assert_eq!(clean_heif(&mut whole[..at(b"mdat") + 10].to_vec()), Err(Unclean));
        assert_eq!(clean_heif(&mut b"\xff\xd8\xff".to_vec()), Err(Unclean));
        assert_eq!(clean_heif(&mut Vec::new()), Err(Unclean));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_change_the_length(
            at in any::<proptest::sample::Index>(), with in any::<[u8; 4]>(), cut in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = heic();
            let start = at.index(bytes.len() - 4);
            bytes[start..start + 4].copy_from_slice(&with);
            let length = cut.index(bytes.len());
            bytes.truncate(length);
            let _ = clean_heif(&mut bytes);
            prop_assert_eq!(bytes.len(), length);
        }
    }
}
