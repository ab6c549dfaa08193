//! Inspects the first bytes of an upload: whether they are of the declared type, and the dimensions of an image.

use super::MediaType;
use super::media::Shape;

/// Number of bytes that are read of an upload to inspect it.
///
/// This is enough to find the dimensions of a JPEG after its colour profile and preview, and is one range request.
pub const HEAD_BYTES: u64 = 256 * 1024;

/// Measured width and height of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Dimensions {
    pub width: u32,
    pub height: u32,
}

/// What the first bytes of an upload show.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    /// The bytes are of the declared type. If they are an image that could be measured: its dimensions.
    Genuine(Option<Dimensions>),
    /// The bytes are of another type, named as precisely as possible.
    Impostor(&'static str),
}

/// Compares the first [`HEAD_BYTES`] of an upload with its declared type.
pub fn inspect(head: &[u8], declared: &MediaType) -> Finding {
    match declared.shape {
        Shape::Magic => match detect(head) {
            Some(found) if found == declared.name || declared.also_known_as.contains(&found) => {
                Finding::Genuine(measure(head))
            }
            Some(found) => Finding::Impostor(found),
            None if is_text(head) => Finding::Impostor("text"),
            None => Finding::Impostor("unknown bytes"),
        },
        Shape::Text | Shape::Svg => match foreign_to_text(head) {
            Some(found) => Finding::Impostor(found),
            None if declared.shape == Shape::Svg && !holds_svg(head) => {
                Finding::Impostor("text without an svg element")
            }
            None => Finding::Genuine(None),
        },
    }
}

/// Returns the media type of the bytes, by their magic number.
fn detect(head: &[u8]) -> Option<&'static str> {
    infer::get(head).map(|kind| kind.mime_type()).or_else(|| is_further_mp4(head).then_some("video/mp4"))
}

/// Returns whether the bytes begin an MPEG-4 file of a brand that the detector does not know. These are later editions
/// of the base format (`iso7`, `iso8`, ...) and the formats of phones (`3gp4`, `3gp5`, ...).
///
/// Source: ISO/IEC 14496-12; <https://mp4ra.org>.
fn is_further_mp4(head: &[u8]) -> bool {
    head.get(4..8) == Some(b"ftyp") && head.get(8..11).is_some_and(|brand| [b"iso", b"3gp"].iter().any(|b| *b == brand))
}

/// Formats that can consist of text alone, by their first bytes.
const WRITTEN_IN_TEXT: [(&[u8], &str); 3] =
    [(b"%PDF-", "application/pdf"), (b"{\\rtf", "text/rtf"), (b"%!PS-", "application/postscript")];

/// Returns the type of the bytes if they are not plain text, or `None` if they are.
///
/// Text has no magic number, and may begin with one of another format: a poem with "BM", minutes with "MZ". So the
/// detector is asked only about bytes that are not text. Text is refused only if it begins like one of
/// [`WRITTEN_IN_TEXT`].
fn foreign_to_text(head: &[u8]) -> Option<&'static str> {
    if !is_text(head) {
        return Some(detect(head).filter(|found| !found.starts_with("text/")).unwrap_or("unknown bytes"));
    }
    WRITTEN_IN_TEXT.into_iter().find(|(start, _)| head.starts_with(start)).map(|(_, name)| name)
}

/// Measures an image by its header. Returns `None` if it is not an image, or if its size is stored after the first
/// [`HEAD_BYTES`].
fn measure(head: &[u8]) -> Option<Dimensions> {
    let size = imagesize::blob_size(head).ok()?;
    let dimensions = Dimensions { width: u32::try_from(size.width).ok()?, height: u32::try_from(size.height).ok()? };
    (dimensions.width > 0 && dimensions.height > 0).then_some(dimensions)
}

/// Returns whether the bytes are UTF-8 without NUL. A character that is cut off at the end is not an error.
fn is_text(head: &[u8]) -> bool {
    let whole = match std::str::from_utf8(head) {
        Ok(_) => head,
        Err(error) if error.error_len().is_none() => &head[..error.valid_up_to()],
        Err(_) => return false,
    };
    !whole.contains(&0)
}

/// Returns whether an `<svg` element opens within the first 4 KiB, which may also have a declaration, comments and a
/// document type.
fn holds_svg(head: &[u8]) -> bool {
    head[..head.len().min(4096)].windows(4).any(|window| window.eq_ignore_ascii_case(b"<svg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A PNG header of 640 x 480 pixels.
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";
    const GIF: &[u8] = b"GIF89a\x0a\0\x14\0\x80\0\0\0\0\0";
    const PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n";
    const HTML: &[u8] = b"<!DOCTYPE html><html><script>alert(1)</script></html>";
    const SVG: &[u8] = b"<?xml version=\"1.0\"?><!-- c --><svg xmlns=\"http://www.w3.org/2000/svg\"></svg>";

    fn judge(head: &[u8], declared: &str) -> Finding {
        MediaType::from_name(declared).map_or(Finding::Impostor("unknown type"), |media| inspect(head, media))
    }

    #[test]
    fn the_declared_type_is_accepted_and_an_image_is_measured() {
        assert_eq!(judge(PNG, "image/png"), Finding::Genuine(Some(Dimensions { width: 640, height: 480 })));
        assert_eq!(judge(GIF, "image/gif"), Finding::Genuine(Some(Dimensions { width: 10, height: 20 })));
        assert_eq!(judge(PDF, "application/pdf"), Finding::Genuine(None));
        assert_eq!(judge(HTML, "text/html"), Finding::Genuine(None));
        assert_eq!(judge(SVG, "image/svg+xml"), Finding::Genuine(None));
        assert_eq!(judge("# Été\n".as_bytes(), "text/markdown"), Finding::Genuine(None));
        assert_eq!(judge(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4"), Finding::Genuine(None));
    }

    #[test]
    fn an_impostor_is_named() {
        assert_eq!(judge(GIF, "image/png"), Finding::Impostor("image/gif"));
        assert_eq!(judge(PDF, "image/png"), Finding::Impostor("application/pdf"));
        assert_eq!(judge(HTML, "image/png"), Finding::Impostor("text/html"));
        assert_eq!(judge(b"hello", "image/png"), Finding::Impostor("text"));
        assert_eq!(judge(b"\xff\xfe\x00", "image/png"), Finding::Impostor("unknown bytes"));
        assert_eq!(judge(PNG, "text/plain"), Finding::Impostor("image/png"));
        assert_eq!(judge(b"a\0b", "text/plain"), Finding::Impostor("unknown bytes"));
        assert_eq!(judge(HTML, "image/svg+xml"), Finding::Impostor("text without an svg element"));
        assert_eq!(judge(b"", "image/png"), Finding::Impostor("text"));
    }

    #[test]
    fn a_character_cut_off_by_the_range_is_accepted() {
        let text = "aé".as_bytes();
        assert_eq!(judge(&text[..2], "text/plain"), Finding::Genuine(None));
        assert_eq!(judge(b"a\xc3b", "text/plain"), Finding::Impostor("unknown bytes"));
    }
    #[test]
    fn a_text_may_begin_with_the_magic_number_of_something_else() {
        for text in [
            "BM, said the bookmaker",
            "MZ met us at the station",
            "ID3 tags, explained",
            "# On PDF\n\nEvery file begins with %PDF-1.7.",
            "GIF89a is a format",
            "#!/bin/sh\necho hello\n",
            "\u{FEFF}<!DOCTYPE html><p>",
            "-----BEGIN CERTIFICATE-----",
            "{\\rt is no command",
            "%PDF is an abbreviation",
        ] {
            for declared in ["text/markdown", "text/plain", "text/html"] {
                assert_eq!(judge(text.as_bytes(), declared), Finding::Genuine(None), "{text:?} as {declared}");
            }
        }
        for (text, found) in [
            ("%PDF-1.4\n1 0 obj\n", "application/pdf"),
            ("{\\rtf1\\ansi hello}", "text/rtf"),
            ("%!PS-Adobe-3.0\n", "application/postscript"),
        ] {
            assert_eq!(judge(text.as_bytes(), "text/plain"), Finding::Impostor(found));
            assert_eq!(judge(text.as_bytes(), "image/svg+xml"), Finding::Impostor(found));
        }
        let svg = b"BM <svg xmlns=\"http://www.w3.org/2000/svg\"></svg>";
        assert_eq!(judge(svg, "image/svg+xml"), Finding::Genuine(None));
    }

    #[test]
    fn all_common_brands_of_mpeg_4_are_recognised() {
        for brand in [b"isom", b"iso2", b"iso6", b"iso7", b"iso8", b"iso9", b"isoa", b"mp42", b"3gp4", b"3gp5", b"3gp6"]
        {
            let head = [b"\0\0\0\x18ftyp", &brand[..], b"\0\0\0\0mp42isom"].concat();
            assert_eq!(judge(&head, "video/mp4"), Finding::Genuine(None), "{}", brand.escape_ascii());
        }
        assert_eq!(judge(b"\0\0\0\x18ftypzzzz\0\0\0\0", "video/mp4"), Finding::Impostor("unknown bytes"));
        assert_eq!(judge(b"\0\0\0\x18ftypiso8\0\0\0\0", "image/png"), Finding::Impostor("video/mp4"));
        assert_eq!(judge(b"\0\0\0\x18ftyp", "video/mp4"), Finding::Impostor("unknown bytes"));
    }
}
