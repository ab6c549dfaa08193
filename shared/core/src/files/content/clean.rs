//! Copies of pictures without what they say about camera, place and time: the same pixels, not decoded.
//!
//! What a browser needs to show the picture stays: colour profile, transparency, animation, and the orientation, in EXIF data
//! that has nothing else.
//!
//! Sources: ITU-T T.81, annex B, and EXIF 2.32, section 4.5.4 (JPEG); PNG specification, third edition, sections 5.3 and 11;
//! RFC 9649, section 2.7 (WebP).

use super::bytes::{array, be16, be32, le32, part, tail};
use super::{MediaType, Unclean, clean_heif, exif_orientation};

/// Chunks of a PNG that stay beside the critical ones, whose names begin with a capital.
const PNG_KEPT: [&[u8; 4]; 15] = [
    b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"bKGD", b"hIST", b"tRNS", b"pHYs",
    b"acTL", b"fcTL", b"fdAT",
];
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Chunks of a WebP that stay.
const WEBP_KEPT: [&[u8; 4]; 7] = [b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];
/// VP8X's flags for EXIF and XMP chunks.
const WEBP_EXIF: u8 = 0x08;
const WEBP_XMP: u8 = 0x04;
/// The name that JPEG puts before EXIF data.
const EXIF: &[u8] = b"Exif\0\0";

/// Returns a copy of a picture without metadata.
///
/// # Errors
/// [`Unclean`] if its type has no clean copy, or the file could not be followed to its end.
pub fn clean_copy(mut bytes: Vec<u8>, media: &MediaType) -> Result<Vec<u8>, Unclean> {
    match media.name {
        "image/heic" | "image/avif" => clean_heif(&mut bytes).map(|_| bytes),
        "image/jpeg" => jpeg(&bytes).ok_or(Unclean),
        "image/png" => png(&bytes).ok_or(Unclean),
        "image/webp" => webp(&bytes).ok_or(Unclean),
        _ => Err(Unclean),
    }
}

/// Returns EXIF data with an orientation and nothing else.
fn exif_of(orientation: u8) -> Vec<u8> {
    // Big-endian TIFF, whose directory has one entry: tag 0x0112, a 16-bit number.
    let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}

/// Copies the segments that a decoder needs. What follows the end of the image is dropped: previews and films of phones.
fn jpeg(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut clean = bytes.strip_prefix(b"\xff\xd8").map(|_| b"\xff\xd8".to_vec())?;
    let (mut rest, mut orientation) = (&bytes[2..], None);
    loop {
        // Decoders skip fill bytes before a marker and stray bytes between segments.
        let from = rest.iter().position(|byte| *byte == 0xff)?;
        let at = from + rest[from..].iter().position(|byte| *byte != 0xff)?;
        let (marker, segment) = (rest[at], &rest[at + 1..]);
        match marker {
            0xd9 => {
                clean.extend(b"\xff\xd9");
                return Some(clean);
            }
            0x00 | 0x01 | 0xd0..=0xd8 => {
                rest = segment;
                continue;
            }
            _ => {}
        }
        let length = usize::from(be16(segment, 0)?).max(2);
        let body = segment.get(2..length)?;
        if marker == 0xe1 && orientation.is_none() && body.starts_with(EXIF) {
            let found = exif_orientation(body);
            orientation = Some(found);
            if found != 1 {
                let exif = [EXIF, &exif_of(found)].concat();
                put_segment(&mut clean, 0xe1, &exif)?;
            }
        }
        let kept = match marker {
            0xe0 => body.starts_with(b"JFIF\0"),
            0xe2 => body.starts_with(b"ICC_PROFILE\0"),
            0xee => body.starts_with(b"Adobe"),
            // Other application data, and comments.
            0xe1..=0xef | 0xfe => false,
            _ => true,
        };
        if kept {
            put_segment(&mut clean, marker, body)?;
        }
        rest = tail(segment, length);
        if marker == 0xda {
            let end = scan_length(rest)?;
            clean.extend(&rest[..end]);
            rest = &rest[end..];
        }
    }
}

fn put_segment(clean: &mut Vec<u8>, marker: u8, body: &[u8]) -> Option<()> {
    clean.extend([0xff, marker]);
    clean.extend(u16::try_from(body.len() + 2).ok()?.to_be_bytes());
    clean.extend(body);
    Some(())
}

/// Returns the length of a scan: up to a marker that is neither stuffing nor a restart.
fn scan_length(bytes: &[u8]) -> Option<usize> {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7 | 0xff);
    bytes.windows(2).position(is_end)
}

/// Copies the chunks that are known to hold no text.
fn png(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes.strip_prefix(PNG_SIGNATURE)?;
    let mut clean = PNG_SIGNATURE.to_vec();
    loop {
        let (length, name) = (usize::try_from(be32(rest, 0)?).ok()?, array::<4>(rest, 4)?);
        let chunk = rest.get(..length.checked_add(12)?)?;
        if name == *b"eXIf" && exif_orientation(part(chunk, 8, length)) != 1 {
            put_chunk(&mut clean, *b"eXIf", &exif_of(exif_orientation(part(chunk, 8, length))))?;
        } else if name[0].is_ascii_uppercase() || PNG_KEPT.contains(&&name) {
            clean.extend(chunk);
        }
        if name == *b"IEND" {
            return Some(clean);
        }
        rest = &rest[chunk.len()..];
    }
}

fn put_chunk(clean: &mut Vec<u8>, name: [u8; 4], body: &[u8]) -> Option<()> {
    let named = [&name, body].concat();
    clean.extend(u32::try_from(body.len()).ok()?.to_be_bytes());
    let checksum = crc32(&named).to_be_bytes();
    clean.extend(named);
    clean.extend(checksum);
    Some(())
}

/// Returns the checksum of a chunk. Source: PNG specification, third edition, section 5.5.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// Copies the chunks of the picture.
fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    if array(bytes, 0)? != *b"RIFF" || array(bytes, 8)? != *b"WEBP" {
        return None;
    }
    let (mut rest, mut chunks, mut exif) = (&bytes[12..], Vec::new(), None);
    while rest.len() >= 8 {
        let (name, length) = (array::<4>(rest, 0)?, usize::try_from(le32(rest, 4)?).ok()?);
        let body = rest.get(8..length.checked_add(8)?)?;
        if WEBP_KEPT.contains(&&name) {
            let at = chunks.len() + 8;
            put_riff(&mut chunks, name, body)?;
            if name == *b"VP8X" {
                *chunks.get_mut(at)? &= !(WEBP_EXIF | WEBP_XMP);
            }
        } else if name == *b"EXIF" && exif.is_none() {
            exif = Some(exif_orientation(body)).filter(|found| *found != 1);
        }
        rest = tail(rest, length + length % 2 + 8);
    }
    if let Some(orientation) = exif
        && chunks.starts_with(b"VP8X")
    {
        *chunks.get_mut(8)? |= WEBP_EXIF;
        put_riff(&mut chunks, *b"EXIF", &exif_of(orientation))?;
    }
    let size = u32::try_from(chunks.len() + 4).ok()?;
    (!chunks.is_empty()).then(|| [b"RIFF".as_slice(), &size.to_le_bytes(), b"WEBP", &chunks].concat())
}

fn put_riff(chunks: &mut Vec<u8>, name: [u8; 4], body: &[u8]) -> Option<()> {
    chunks.extend(name);
    chunks.extend(u32::try_from(body.len()).ok()?.to_le_bytes());
    chunks.extend(body);
    chunks.extend(std::iter::repeat_n(0, body.len() % 2));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::{Finding, Sample, inspect};

    fn corpus(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/corpus/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn media(name: &str) -> &'static MediaType {
        MediaType::from_name(name).unwrap()
    }

    fn measured(bytes: &[u8], media: &'static MediaType) -> Option<super::super::Dimensions> {
        match inspect(Sample { bytes, size: bytes.len() as u64 }, media) {
            Finding::Genuine(measured) => measured.dimensions,
            Finding::Impostor(found) => panic!("the copy is {found}"),
        }
    }

    fn contains(bytes: &[u8], text: &[u8]) -> bool {
        bytes.windows(text.len()).any(|window| window == text)
    }

    #[test]
    fn every_picture_of_the_corpus_keeps_type_and_dimensions_and_loses_its_metadata() {
        for (name, of) in [
            ("orientation-1.jpg", "image/jpeg"),
            ("orientation-6.jpg", "image/jpeg"),
            ("orientation-6-little-endian.jpg", "image/jpeg"),
            ("progressive.jpg", "image/jpeg"),
            ("restarts.jpg", "image/jpeg"),
            ("stray-bytes.jpg", "image/jpeg"),
            ("xmp.jpg", "image/jpeg"),
            ("motion.jpg", "image/jpeg"),
            ("preview.jpg", "image/jpeg"),
            ("orientation-3.png", "image/png"),
            ("orientation-6.png", "image/png"),
            ("palette.png", "image/png"),
            ("rgb.png", "image/png"),
            ("orientation-1.webp", "image/webp"),
            ("orientation-6.webp", "image/webp"),
            ("lossy.webp", "image/webp"),
            ("lossless.webp", "image/webp"),
            ("transparent.webp", "image/webp"),
        ] {
            let (bytes, media) = (corpus(name), media(of));
            let clean = clean_copy(bytes.clone(), media).unwrap_or_else(|_| panic!("{name}"));
            assert_eq!(measured(&clean, media), measured(&bytes, media), "{name}");
            for text in [b"http://ns.adobe".as_slice(), b"tEXt", b"iTXt", b"XMP ", b"ftyp", b"GPS"] {
                assert!(!contains(&clean, text), "{name} has {}", String::from_utf8_lossy(text));
            }
            assert_eq!(clean_copy(clean.clone(), media), Ok(clean), "{name}: a clean copy is clean");
        }
    }

    #[test]
    fn gps_of_a_jpeg_goes_and_its_scan_stays_to_the_byte() {
        let exif = [EXIF, &exif_of(1), b"GPSLatitude 48.8584"].concat();
        let mut bytes = b"\xff\xd8".to_vec();
        put_segment(&mut bytes, 0xe1, &exif).unwrap();
        put_segment(&mut bytes, 0xfe, b"taken at home").unwrap();
        put_segment(&mut bytes, 0xdb, b"table").unwrap();
        put_segment(&mut bytes, 0xda, b"scan").unwrap();
        bytes.extend(b"\x01\xff\x00\x02\xff\xd0\x03\xff\xd9trailing");
        let clean = clean_copy(bytes, media("image/jpeg")).unwrap();
        assert_eq!(clean, b"\xff\xd8\xff\xdb\0\x07table\xff\xda\0\x06scan\x01\xff\x00\x02\xff\xd0\x03\xff\xd9");
    }

    #[test]
    fn an_orientation_is_all_that_stays_of_exif() {
        for turned in 1..=8 {
            assert_eq!(exif_orientation(&exif_of(turned)), turned);
        }
        let mut png = PNG_SIGNATURE.to_vec();
        put_chunk(&mut png, *b"eXIf", &[exif_of(6).as_slice(), b"GPS"].concat()).unwrap();
        put_chunk(&mut png, *b"tEXt", b"Author\0Ann").unwrap();
        put_chunk(&mut png, *b"IEND", b"").unwrap();
        assert!(png.ends_with(b"IEND\xae\x42\x60\x82"), "the checksum of every PNG's last chunk");
        let mut wanted = PNG_SIGNATURE.to_vec();
        put_chunk(&mut wanted, *b"eXIf", &exif_of(6)).unwrap();
        put_chunk(&mut wanted, *b"IEND", b"").unwrap();
        assert_eq!(clean_copy(png, media("image/png")), Ok(wanted));
    }

    #[test]
    fn a_damaged_picture_has_no_clean_copy() {
        for (name, of) in [("rgb.png", "image/png"), ("orientation-1.jpg", "image/jpeg"), ("lossy.webp", "image/webp")]
        {
            let bytes = corpus(name);
            for cut in [0, 1, 10, bytes.len() / 2, bytes.len() - 3] {
                assert_eq!(clean_copy(bytes[..cut].to_vec(), media(of)), Err(Unclean), "{name} of {cut} bytes");
            }
        }
        assert_eq!(clean_copy(corpus("version-89a.gif"), media("image/gif")), Err(Unclean));
    }
}
