//! Small files of several types, made on the spot.

/// Makes the start of a PNG of these dimensions, filled up to a size with bytes that follow from the size.
///
/// Header and IHDR are real; what follows is filler, which nobody here decodes.
pub fn png(width: u32, height: u32, size: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend_from_slice(&width.to_be_bytes());
    bytes.extend_from_slice(&height.to_be_bytes());
    bytes.extend_from_slice(&[8, 6, 0, 0, 0]);
    filled(bytes, size)
}

/// Makes the start of a GIF.
pub fn gif(size: usize) -> Vec<u8> {
    filled(b"GIF89a\x0a\0\x14\0\x80\0\0".to_vec(), size)
}

/// Makes the start of a PDF.
pub fn pdf(size: usize) -> Vec<u8> {
    filled(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec(), size)
}

/// Makes the start of an MPEG-4 video.
pub fn mp4(size: usize) -> Vec<u8> {
    filled(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec(), size)
}

/// Makes a text in Markdown.
pub fn markdown(size: usize) -> Vec<u8> {
    "# Un phare\n\nIl pleut sur la mer. ".bytes().cycle().take(size).collect()
}

/// Makes an HTML page with a script in it.
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
