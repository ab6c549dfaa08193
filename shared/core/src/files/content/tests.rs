//! Verdicts on hand-made bytes, each with what makes it hard.

use super::*;

/// A PNG header of 640 x 480 pixels.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x06\0\0\0";
const GIF: &[u8] = b"GIF89a\x0a\0\x14\0\x80\0\0\0\0\0";
const PDF: &[u8] = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n";
const HTML: &[u8] = b"<!DOCTYPE html><html><script>alert(1)</script></html>";
const SVG: &[u8] = b"<?xml version=\"1.0\"?><!-- c --><svg xmlns=\"http://www.w3.org/2000/svg\"></svg>";

/// Inspects a whole file.
fn judge(bytes: &[u8], declared: &str) -> Finding {
    judge_start(bytes, bytes.len() as u64, declared)
}

/// Inspects the start of a file of `size` bytes.
fn judge_start(bytes: &[u8], size: u64, declared: &str) -> Finding {
    inspect(Sample { bytes, size }, MediaType::from_name(declared).unwrap())
}

fn measured(width: u32, height: u32) -> Finding {
    Finding::Genuine(Measured::picture(Some(Dimensions { width, height })))
}

#[test]
fn the_declared_type_is_accepted_and_an_image_is_measured() {
    assert_eq!(judge(PNG, "image/png"), measured(640, 480));
    assert_eq!(judge(GIF, "image/gif"), measured(10, 20));
    assert_eq!(judge(PDF, "application/pdf"), Finding::Genuine(Measured::default()));
    assert_eq!(judge(HTML, "text/html"), Finding::Genuine(Measured::default()));
    assert_eq!(judge(SVG, "image/svg+xml"), Finding::Genuine(Measured::default()));
    assert_eq!(judge("# Été\n".as_bytes(), "text/markdown"), Finding::Genuine(Measured::default()));
    assert_eq!(judge(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4"), Finding::Genuine(Measured::default()));
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
    assert_eq!(judge(HTML, "image/svg+xml"), Finding::Impostor("text whose root element is not svg"));
    assert_eq!(judge(b"", "image/png"), Finding::Impostor("text"));
}

#[test]
fn a_character_cut_off_by_the_range_is_accepted() {
    let text = "aé".as_bytes();
    assert_eq!(judge_start(&text[..2], 3, "text/plain"), Finding::Genuine(Measured::default()));
    assert_eq!(judge(&text[..2], "text/plain"), Finding::Impostor(EIGHT_BIT));
    assert_eq!(judge(b"a\xc3b", "text/plain"), Finding::Impostor(EIGHT_BIT));
}

#[test]
fn a_text_in_another_encoding_is_rejected_as_not_utf_8() {
    let utf_16 = |text: &str, mark: &[u8], write: fn(u16) -> [u8; 2]| {
        [mark.to_vec(), text.encode_utf16().flat_map(write).collect()].concat()
    };
    let text = "Il pleut sur la mer. Été.\r\n";
    for bytes in [
        utf_16(text, b"\xff\xfe", u16::to_le_bytes),
        utf_16(text, b"\xfe\xff", u16::to_be_bytes),
        utf_16(text, b"", u16::to_le_bytes),
        utf_16(text, b"", u16::to_be_bytes),
        utf_16("海に雨が降る", b"\xff\xfe", u16::to_le_bytes),
    ] {
        for declared in ["text/plain", "text/markdown", "text/html", "image/png"] {
            assert_eq!(judge(&bytes, declared), Finding::Impostor(UTF_16), "{}", bytes.escape_ascii());
        }
    }
    // Windows-1252, with its quotation marks.
    let bytes = b"\x93L'\xe9t\xe9\x94, dit-il.\r\n";
    assert_eq!(judge(bytes, "text/plain"), Finding::Impostor(EIGHT_BIT));
    assert!(UTF_16.contains("not UTF-8") && EIGHT_BIT.contains("not UTF-8"));
    // A byte order mark is no error in UTF-8.
    assert_eq!(judge("\u{FEFF}Été".as_bytes(), "text/plain"), Finding::Genuine(Measured::default()));
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
            assert_eq!(
                judge(text.as_bytes(), declared),
                Finding::Genuine(Measured::default()),
                "{text:?} as {declared}"
            );
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
}

#[test]
fn all_common_brands_of_mpeg_4_are_recognised() {
    for brand in [b"isom", b"iso2", b"iso6", b"iso7", b"iso8", b"iso9", b"isoa", b"mp42", b"3gp4", b"3gp5", b"3gp6"] {
        let head = [b"\0\0\0\x18ftyp", &brand[..], b"\0\0\0\0mp42isom"].concat();
        assert_eq!(judge(&head, "video/mp4"), Finding::Genuine(Measured::default()), "{}", brand.escape_ascii());
    }
    assert_eq!(judge(b"\0\0\0\x18ftypzzzz\0\0\0\0", "video/mp4"), Finding::Impostor("unknown bytes"));
    assert_eq!(judge(b"\0\0\0\x18ftypiso8\0\0\0\0", "image/png"), Finding::Impostor("video/mp4"));
    assert_eq!(judge(b"\0\0\0\x18ftyp", "video/mp4"), Finding::Impostor("unknown bytes"));
}

#[test]
fn a_text_that_begins_like_an_image_or_a_video_is_a_text() {
    for (text, declared) in [
        ("GIF89a is a format of 1989, and this is a sentence about it.", "image/gif"),
        ("12345678WEBPVP8 is what a WebP has inside", "image/webp"),
        ("RIFFabcdWEBPVP8L/ is what a WebP begins with", "image/webp"),
        ("RIFFabcdWEBPVP8 and so on", "image/webp"),
        ("The moov command moves a film", "video/quicktime"),
        ("The mdat atom is large", "video/quicktime"),
        ("Someftypmp42isomis text", "video/mp4"),
        ("Anyfftypheic", "image/heic"),
        ("webm", "video/webm"),
    ] {
        assert_eq!(judge(text.as_bytes(), declared), Finding::Impostor("text"), "{text}");
    }
    // Magic numbers that are not UTF-8 themselves.
    for (bytes, declared) in [
        (&b"\x89PNG is how a PNG begins"[..], "image/png"),
        (b"\x89PNG\r\n and more text", "image/png"),
        (b"\xff\xd8\xff is how a JPEG begins", "image/jpeg"),
        (b"\xff\xd8\xff\xe0 is how a JPEG begins", "image/jpeg"),
        (b"\xff\xd8\xff\xdb\xff\xd8 and so on", "image/jpeg"),
        (b"GIF87a \xe9t\xe9", "image/gif"),
    ] {
        assert_eq!(judge(bytes, declared), Finding::Impostor(EIGHT_BIT), "{}", bytes.escape_ascii());
    }
    assert_eq!(judge(b"\x89PNG\r\n\x1a\nand more text", "image/png"), Finding::Impostor(UNKNOWN));
    assert_eq!(judge(b"\x1aE\xdf\xa3 is how a WebM begins", "video/webm"), Finding::Impostor("text"));
}

#[test]
fn only_a_header_near_the_start_makes_a_pdf() {
    let rest = b"-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n\xe2\xe3";
    let pdf = |before: &[u8]| [before, b"%PDF", rest].concat();
    for before in [
        &b""[..],
        b"\r\n\r\n",
        b"\xef\xbb\xbf",
        b"\x1b%-12345X@PJL JOB\r\n@PJL ENTER LANGUAGE=PDF\r\n",
        b"Content-Type: application/pdf\r\n\r\n",
    ] {
        assert_eq!(
            judge(&pdf(before), "application/pdf"),
            Finding::Genuine(Measured::default()),
            "{}",
            before.escape_ascii()
        );
    }
    let far = [b"x".repeat(1019), b"\n".to_vec()].concat();
    for before in [&b"<!DOCTYPE html><p>\n"[..], &[0; 480], &[0x9d; 480], b"one line ", &far] {
        assert!(matches!(judge(&pdf(before), "application/pdf"), Finding::Impostor(_)), "{}", before.escape_ascii());
    }
    assert_eq!(
        judge(b"<html>Files begin with\n%PDF-1.4\n1 0 obj\n", "application/pdf"),
        Finding::Impostor("text/html")
    );
    assert_eq!(judge(b"%PDF-1.7 is the version that everybody uses.", "application/pdf"), Finding::Impostor("text"));
    assert_eq!(judge(b"%PDF-files are documents", "application/pdf"), Finding::Impostor("text"));
    assert_eq!(judge(b"%PDF-1.4\n", "application/pdf"), Finding::Genuine(Measured::default()));
}

#[test]
fn an_svg_is_known_by_its_root_element() {
    const NAMESPACE: &str = "xmlns=\"http://www.w3.org/2000/svg\"";
    let comment = format!("<!--{}-->", " a tool's licence ".repeat(300));
    for svg in [
        format!("<svg {NAMESPACE}/>"),
        format!("\u{FEFF}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{comment}\n<svg {NAMESPACE}></svg>"),
        format!(
            "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"svg11.dtd\" [ <!ENTITY a \"<svg>\"> ]><svg {NAMESPACE}>"
        ),
        "<!DOCTYPE svg [ <!ENTITY ns_svg \"http://www.w3.org/2000/svg\"> ]><svg xmlns=\"&ns_svg;\">".to_owned(),
        "<svg:svg xmlns:svg=\"http://www.w3.org/2000/svg\"/>".to_owned(),
        "<?xml-stylesheet href=\"a.css\"?><svg width='1'>".to_owned(),
    ] {
        assert_eq!(judge(svg.as_bytes(), "image/svg+xml"), Finding::Genuine(Measured::default()), "{svg}");
        for mark in [true, false] {
            let bytes: Vec<u8> = mark
                .then_some(0xfeff)
                .into_iter()
                .chain(svg.trim_start_matches('\u{FEFF}').encode_utf16())
                .flat_map(u16::to_le_bytes)
                .collect();
            assert_eq!(judge(&bytes, "image/svg+xml"), Finding::Genuine(Measured::default()), "UTF-16: {svg}");
        }
    }
    let latin_1 = b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><svg id=\"\xe9t\xe9\"/>";
    assert_eq!(judge(latin_1, "image/svg+xml"), Finding::Genuine(Measured::default()));
    assert_eq!(judge(b"<svg id=\"\xe9t\xe9\"/>", "image/svg+xml"), Finding::Impostor(EIGHT_BIT));
    for text in [
        "# How to write <svg> by hand",
        "<!DOCTYPE html><html><svg xmlns=\"http://www.w3.org/2000/svg\"/></html>",
        "BM <svg xmlns=\"http://www.w3.org/2000/svg\"></svg>",
        "<!-- <svg xmlns=\"http://www.w3.org/2000/svg\"/> -->",
        "<svg xmlns=\"http://www.w3.org/1999/xhtml\"/>",
        "<svg:svg/>",
        "<svgfont/>",
        "<svg",
        "&lt;svg>",
        "",
    ] {
        assert_eq!(
            judge(text.as_bytes(), "image/svg+xml"),
            Finding::Impostor("text whose root element is not svg"),
            "{text}"
        );
    }
    assert_eq!(judge(latin_1, "image/png"), Finding::Impostor(EIGHT_BIT));
    assert_eq!(judge(SVG, "image/png"), Finding::Impostor("image/svg+xml"));
}

#[test]
fn the_longest_sample_of_small_parts_is_walked_in_one_pass() {
    let filled = |start: &[u8], part: &[u8]| {
        let length = usize::try_from(SAMPLE_BYTES).unwrap();
        [start, &part.repeat(length.div_ceil(part.len()))].concat()[..length].to_vec()
    };
    let ftyp: &[u8] = b"\0\0\0\x14ftypheic\0\0\0\0mif1";
    let meta = [ftyp, b"\x7f\0\0\0meta\0\0\0\0\0\0\0\x0epitm\0\0\0\0\0\x01\x7f\0\0\0iprp"].concat();
    let started = std::time::Instant::now();
    for (start, part) in [
        (&b""[..], &b"\xff"[..]),
        (b"\xff\xd8", b"\xff\xe0\0\x02"),
        (b"\xff\xd8\xff\xe0\0\x02", b"\0"),
        (PNG, b"\0\0\0\0tEXt\0\0\0\0"),
        (b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x08\0\0\0\x3f\0\0\x27\0\0", b"ALPH\0\0\0\0"),
        (ftyp, b"\0\0\0\x08free"),
        (&meta, b"\0\0\0\x08ipma"),
        (&[&meta[..], b"\0\0\0\x08ipco\x7f\0\0\0ipma\0\0\0\0\xff\xff\xff\xff"].concat(), b"\0\x02\0"),
        (b"\0\0\0\x14ftypisom\0\0\0\0mp42\x7f\0\0\0moov", b"\0\0\0\x08trak"),
        (b"\x1aE\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff", b"\xec\x80"),
        (b"%PDF-1.4 ", b"                 obj"),
        (b"PK\x03\x04", b"PK\x03\x04"),
        (b"", b"<!---->"),
        (b"<!DOCTYPE svg [", b"<!ENTITY a '<'>"),
        (b"<svg ", b"a='' "),
        (b"\xff\xfe", b"<\0"),
        (b"", b"\xe2\x82\xac"),
    ] {
        let bytes = filled(start, part);
        for name in MediaType::names() {
            // The verdict does not matter here.
            let _ = judge_start(&bytes, u64::MAX, name);
        }
    }
    // Some milliseconds without load; seconds would mean that something is read again and again.
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}
