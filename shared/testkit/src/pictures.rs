//! Generates small files of several types, not only pictures. Sizes are in bytes.

/// Returns a file that starts as a PNG of these dimensions in pixels, filled up to `size` bytes.
///
/// Header and IHDR are real. The rest is filler that depends on the size, and is never decoded.
pub fn png(width: u32, height: u32, size: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&[8, 6, 0, 0, 0]);
    filled(bytes, size)
}

/// A photo of 64 x 40 pixels, without metadata.
const PHOTO: &[u8] = include_bytes!("../../core/tests/corpus/files/baseline.jpg");

/// Returns a whole photo as a phone stores it: 64 x 40 pixels that are shown turned by a quarter (orientation 6), with the
/// place where it was taken.
pub fn photo_with_place() -> Vec<u8> {
    let tiff = tiff_with_place();
    let length = u16::try_from(2 + 6 + tiff.len()).expect("it is short");
    [&PHOTO[..2], b"\xff\xe1", &length.to_be_bytes(), b"Exif\0\0", &tiff, &PHOTO[2..]].concat()
}

/// Returns the EXIF of a photo that is turned and says where it was taken, as TIFF.
fn tiff_with_place() -> Vec<u8> {
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4]| {
        [&tag.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes(), &value].concat()
    };
    let directory = |entries: &[Vec<u8>]| {
        let count = u16::try_from(entries.len()).expect("there are few");
        [&count.to_le_bytes()[..], &entries.concat(), &[0; 4]].concat()
    };
    // The orientation, and where the directory of the place is: behind this one, which has 30 bytes.
    let first = directory(&[entry(0x0112, 3, 1, [6, 0, 0, 0]), entry(0x8825, 4, 1, 38_u32.to_le_bytes())]);
    // North, and where the latitude is: behind this directory.
    let place = directory(&[entry(1, 2, 2, *b"N\0\0\0"), entry(2, 5, 3, 68_u32.to_le_bytes())]);
    let latitude: Vec<u8> = [48_u32, 1, 51, 1, 30, 1].into_iter().flat_map(u32::to_le_bytes).collect();
    [b"II*\0\x08\0\0\0".to_vec(), first, place, latitude, PLACE.to_vec()].concat()
}

/// What tests look for in the metadata of [`photo_with_place`] and [`heic_with_place`].
pub const PLACE: &[u8] = b"GPS 48.8583 N, 2.2945 E";

/// Returns a whole MP4 of 64 x 40 pixels and 0.4 seconds, with its index at the end.
pub fn film() -> Vec<u8> {
    include_bytes!("../../core/tests/corpus/files/plain.mp4").to_vec()
}

/// Returns a whole HEIC of 64 x 40 pixels with EXIF.
pub fn heic() -> Vec<u8> {
    include_bytes!("../../core/tests/corpus/files/turned.HEIC").to_vec()
}

/// Returns the same HEIC with the place where it was taken in its EXIF.
pub fn heic_with_place() -> Vec<u8> {
    // Where the file says how long its EXIF is (the last extent of `iloc`) and how long `mdat` is, and where both begin. The
    // EXIF is the last of the file: the length of a prefix, the prefix, and TIFF.
    const EXIF_LENGTH: usize = 121;
    const MDAT: usize = 484;
    const EXIF: usize = 583;
    let mut file = heic();
    file.truncate(EXIF);
    file.extend([&b"\0\0\0\x06Exif\0\0"[..], &tiff_with_place()].concat());
    for (at, from) in [(EXIF_LENGTH, EXIF), (MDAT, MDAT)] {
        let length = u32::try_from(file.len() - from).expect("it is short");
        file[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
    file
}

/// Returns a file that starts as a GIF.
pub fn gif(size: usize) -> Vec<u8> {
    filled(b"GIF89a\x0a\0\x14\0\x80\0\0".to_vec(), size)
}

/// Returns a file that starts as a PDF.
pub fn pdf(size: usize) -> Vec<u8> {
    filled(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec(), size)
}

/// Returns a file that starts as an MPEG-4 video.
pub fn mp4(size: usize) -> Vec<u8> {
    filled(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec(), size)
}

/// Returns a text in Markdown.
pub fn markdown(size: usize) -> Vec<u8> {
    "# Un phare\n\nIl pleut sur la mer. ".bytes().cycle().take(size).collect()
}

/// Returns an HTML page with a script.
pub fn html(size: usize) -> Vec<u8> {
    let mut bytes = b"<!DOCTYPE html><html><script>alert(1)</script>".to_vec();
    bytes.resize(size.max(bytes.len()), b' ');
    bytes
}

fn filled(mut bytes: Vec<u8>, size: usize) -> Vec<u8> {
    assert!(size >= bytes.len(), "a file of {size} bytes cannot hold its own header of {}", bytes.len());
    let seed = size.wrapping_mul(2_654_435_761);
    while bytes.len() < size {
        let at = bytes.len();
        bytes.push((seed.wrapping_add(at.wrapping_mul(31)) % 251).to_le_bytes()[0]);
    }
    bytes
}
