//! ZIP archives, and the Office documents that are made of one.
//!
//! Sources: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local headers), 4.3.12 (central directory) and 4.3.16 (its end);
//! ECMA-376, part 2, section 10.1 (packages in ZIP).

use super::bytes::{array, le16, le32, tail};
use super::{Measured, Recognised, Sample};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
/// Length of the end of the central directory, without its comment.
const END_LENGTH: usize = 22;
/// Longest comment of an archive.
const COMMENT_MAX: usize = 0xffff;
/// A length or a place that stands elsewhere, because it has 64 bits.
const ELSEWHERE: u32 = u32::MAX;
/// Methods of compression that ZIP names. Encrypted entries have 99.
const METHODS: [u16; 9] = [0, 8, 9, 12, 14, 93, 95, 98, 99];

type Types = &'static [&'static str];
const ZIP: Types = &["application/zip"];
const WORD: Types = &["application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/zip"];
const EXCEL: Types = &["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/zip"];
const POWERPOINT: Types =
    &["application/vnd.openxmlformats-officedocument.presentationml.presentation", "application/zip"];
/// Office opens such a file only under another extension.
const WITH_MACROS: Types = &["an Office document with macros", "application/zip"];

/// Recognises an archive by its central directory, or by the headers before its entries if the sample ends before the
/// directory.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    let start: [u8; 4] = array(sample.bytes, 0)?;
    if start != LOCAL_HEADER && start != END {
        return None;
    }
    let types = if sample.is_whole() {
        of_directory(sample.bytes)?
    } else {
        let contents = of_local_headers(sample.bytes)?;
        // Some programs write the list of types last.
        contents.types(contents.has_types || contents.has_relations)
    };
    Some(Recognised { types, measured: Measured::default() })
}

/// What the names in an archive say about it.
#[derive(Default)]
struct Contents {
    has_types: bool,
    has_relations: bool,
    has_macros: bool,
    document: Option<Types>,
}

impl Contents {
    fn add(&mut self, name: &[u8]) {
        self.has_types |= name == b"[Content_Types].xml";
        self.has_relations |= name == b"_rels/.rels";
        self.has_macros |= name.ends_with(b"/vbaProject.bin");
        let folders: [(&[u8], Types); 3] = [(b"word/", WORD), (b"xl/", EXCEL), (b"ppt/", POWERPOINT)];
        let found = folders.into_iter().find(|(folder, _)| name.starts_with(folder)).map(|(_, types)| types);
        self.document = self.document.or(found);
    }

    /// Returns the types that the archive may be declared as. `is_package` says whether it is one of Office.
    fn types(&self, is_package: bool) -> Types {
        match self.document {
            Some(_) if is_package && self.has_macros => WITH_MACROS,
            Some(types) if is_package => types,
            _ => ZIP,
        }
    }
}

/// Reads the central directory of a whole archive. Returns `None` if it has none, or one that names entries which are not
/// there.
fn of_directory(bytes: &[u8]) -> Option<Types> {
    let end = end_of_directory(bytes)?;
    let (count, start) = (le16(bytes, end + 10)?, le32(bytes, end + 16)?);
    if start == ELSEWHERE || count == u16::MAX {
        let contents = of_local_headers(bytes)?;
        return Some(contents.types(contents.has_types));
    }
    let mut contents = Contents::default();
    let mut rest = bytes.get(usize::try_from(start).ok()?..end)?;
    for _ in 0..count {
        if array(rest, 0)? != ENTRY {
            return None;
        }
        let length = |at| le16(rest, at).map(usize::from);
        let (name, extra, comment) = (length(28)?, length(30)?, length(32)?);
        let place = le32(rest, 42)?;
        if place != ELSEWHERE && array(bytes, usize::try_from(place).ok()?)? != LOCAL_HEADER {
            return None;
        }
        contents.add(rest.get(46..46 + name)?);
        rest = tail(rest, 46 + name + extra + comment);
    }
    Some(contents.types(contents.has_types))
}

/// Returns the place of the end of the central directory, which a comment may follow.
fn end_of_directory(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_LENGTH)?;
    let mut places = (last.saturating_sub(COMMENT_MAX)..=last).rev();
    let is_end = |at: &usize| {
        let comment = le16(bytes, at + 20).map(usize::from);
        array(bytes, *at) == Some(END) && comment.is_some_and(|comment| at + END_LENGTH + comment <= bytes.len())
    };
    places.find(is_end)
}

/// Reads the headers before the entries, as far as the sample goes. Returns `None` if the first one is malformed.
fn of_local_headers(bytes: &[u8]) -> Option<Contents> {
    let mut contents = Contents::default();
    let (name, mut rest) = local_header(bytes)?;
    contents.add(name);
    while let Some((name, next)) = local_header(rest) {
        contents.add(name);
        rest = next;
    }
    Some(contents)
}

/// Reads one header. Returns the name of its entry, and the bytes from the next header on.
fn local_header(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    if array(bytes, 0)? != LOCAL_HEADER || !METHODS.contains(&le16(bytes, 8)?) {
        return None;
    }
    let (flags, length) = (le16(bytes, 6)?, le32(bytes, 18)?);
    let (name, extra) = (usize::from(le16(bytes, 26)?), usize::from(le16(bytes, 28)?));
    let data = tail(bytes, 30 + name + extra);
    let name = bytes.get(30..30 + name).filter(|name| !name.is_empty() && !name.contains(&0))?;
    // Bit 3: the length comes after the data. Then the next header is where its mark is.
    let is_streamed = flags & 8 != 0 && length == 0;
    let next = if is_streamed || length == ELSEWHERE {
        let at = data.windows(LOCAL_HEADER.len()).position(|window| window == LOCAL_HEADER);
        at.map_or(&data[data.len()..], |at| &data[at..])
    } else {
        tail(data, usize::try_from(length).ok()?)
    };
    Some((name, next))
}
