//! The primary picture of a HEIF file: HEIC or AVIF. Source: ISO/IEC 23008-12, sections 6.5 and 9.3.

use super::Dimensions;
use super::bmff::{Boxes, MediaBox};
use super::bytes::{array, be16, be32, tail};

/// The largest width and height. An AV1 frame has at most 65,536 pixels a side, and no level of HEVC reaches as far.
const MAX: u32 = 65_536;

/// Measures the primary picture from the body of a `meta` box: its `ispe`, then `clap` and `irot` in the order in which
/// they are applied. `imir` changes no side. EXIF does not count here, as in browsers.
pub(super) fn measure(meta: &[u8]) -> Option<Dimensions> {
    // Version and flags come first.
    let boxes = Boxes(tail(meta, 4));
    let (primary, properties) = (primary_item(boxes)?, Boxes(boxes.first(*b"iprp")?));
    let known: Vec<MediaBox<'_>> = Boxes(properties.first(*b"ipco")?).into_iter().collect();
    let mut associations = properties.into_iter().filter(|found| found.name == *b"ipma");
    let applied = associations.find_map(|found| applied_properties(found.body, primary))?;
    // Numbers begin at one. Zero stands for none.
    let applied = || applied.iter().filter_map(|number| known.get(usize::from(*number).checked_sub(1)?));

    let stored = applied().find(|property| property.name == *b"ispe")?.body;
    let mut dimensions = Dimensions::new(be32(stored, 4)?, be32(stored, 8)?, MAX)?;
    for property in applied() {
        match &property.name {
            b"clap" => dimensions = cropped(dimensions, property.body),
            b"irot" => dimensions = dimensions.turned_if(property.body.first().is_some_and(|turns| turns & 1 == 1)),
            _ => {}
        }
    }
    Some(dimensions)
}

/// Returns whether the primary item is coded as AV1, from the body of a `meta` box.
pub(super) fn is_av1(meta: &[u8]) -> bool {
    let boxes = Boxes(tail(meta, 4));
    let primary = primary_item(boxes);
    let coding = || {
        let items = boxes.first(*b"iinf")?;
        // Version and flags, then a count of 16 bits, or of 32 from version 1 on.
        let entries = Boxes(tail(items, if items.first()? == &0 { 6 } else { 8 }));
        entries.into_iter().filter(|entry| entry.name == *b"infe").find_map(|entry| {
            // Version 2 has an id of 16 bits, version 3 one of 32; a protection index and the type follow.
            let (id, at) = match entry.body.first()? {
                2 => (be16(entry.body, 4)?.into(), 8),
                3 => (be32(entry.body, 4)?, 10),
                _ => return None,
            };
            if Some(id) == primary { array::<4>(entry.body, at) } else { None }
        })
    };
    coding() == Some(*b"av01")
}

fn primary_item(boxes: Boxes<'_>) -> Option<u32> {
    let body = boxes.first(*b"pitm")?;
    if body.first()? == &0 { be16(body, 4).map(u32::from) } else { be32(body, 4) }
}

/// Returns the numbers of an item's properties, in the order in which they are applied.
fn applied_properties(ipma: &[u8], item: u32) -> Option<Vec<u16>> {
    let (version, flags) = (ipma.first()?, ipma.get(3)?);
    let entries = be32(ipma, 4)?;
    let mut rest = tail(ipma, 8);
    for _ in 0..entries {
        let (id, id_length) = if *version == 0 { (be16(rest, 0)?.into(), 2) } else { (be32(rest, 0)?, 4) };
        let count = usize::from(*rest.get(id_length)?);
        rest = tail(rest, id_length + 1);
        // The uppermost bit says whether a reader must know the property.
        let width = if flags & 1 == 1 { 2 } else { 1 };
        if id == item {
            let number = |at: usize| match width {
                2 => be16(rest, at * 2).map(|number| number & 0x7fff),
                _ => rest.get(at).map(|number| u16::from(*number & 0x7f)),
            };
            return (0..count).map(number).collect();
        }
        rest = tail(rest, count * width);
    }
    None
}

/// Applies a clean aperture: width and height as fractions. One that is empty, or larger than the picture, is ignored.
fn cropped(picture: Dimensions, clap: &[u8]) -> Dimensions {
    let side = |at| {
        let (numerator, denominator) = (u64::from(be32(clap, at)?), u64::from(be32(clap, at + 4)?));
        u32::try_from((numerator + denominator / 2).checked_div(denominator)?).ok()
    };
    let aperture = || {
        let (width, height) = (side(0)?, side(8)?);
        let fits = width <= picture.width && height <= picture.height;
        if fits { Dimensions::new(width, height, MAX) } else { None }
    };
    aperture().unwrap_or(picture)
}
