//! EPUB: a ZIP archive of a publication. Sources: EPUB 3.3, section 4.3 (OCF ZIP container); PKWARE APPNOTE 6.3.10,
//! section 4.3.7.

use super::bytes::{array, le16, le32, part, tail};
use super::{Measured, Recognised, Sample};

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const MEDIA_TYPE: &[u8] = b"application/epub+zip";

/// Recognises an EPUB by its entry `mimetype`, which should come first, or by its `META-INF/container.xml`.
///
/// Both are looked for among the entries of the sample, up to one whose length comes after its data.
pub(super) fn recognise(sample: Sample<'_>) -> Option<Recognised> {
    let mut rest = sample.bytes;
    while array(rest, 0)? == LOCAL_HEADER {
        let (name_length, extra_length) = (usize::from(le16(rest, 26)?), usize::from(le16(rest, 28)?));
        let length = usize::try_from(le32(rest, 18)?).ok()?;
        let (name, data) = (part(rest, 30, name_length), tail(rest, 30 + name_length + extra_length));
        let is_epub = match name {
            // Stored without compression.
            b"mimetype" if le16(rest, 8)? == 0 => data.starts_with(MEDIA_TYPE),
            b"META-INF/container.xml" => true,
            _ => false,
        };
        if is_epub {
            return Some(Recognised {
                types: &["application/epub+zip", "application/zip"],
                measured: Measured::default(),
            });
        }
        // Bit 3: the length comes after the data, and is zero here.
        let is_streamed = le16(rest, 6)? & 8 != 0;
        if is_streamed && length == 0 {
            return None;
        }
        rest = tail(data, length);
    }
    None
}
