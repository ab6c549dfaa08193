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
