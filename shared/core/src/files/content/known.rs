//! Names of formats that are not accepted, so that a rejection says what was found.

use super::bytes::tail;
use super::text::{self, Encoding};
use super::{EIGHT_BIT, Sample, UNKNOWN, UTF_16, svg};

/// Formats that have bytes of their own at a place, by place, bytes and name.
const MAGIC_NUMBERS: &[(usize, &[u8], &str)] = &[
    (0, b"MZ", "application/vnd.microsoft.portable-executable"),
    (0, b"\x7fELF", "application/x-elf"),
    (0, b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),
    (0, b"\0asm", "application/wasm"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II\xbc\x01", "image/vnd.ms-photo"),
    (0, b"\0\0\x01\0", "image/x-icon"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\0\0\0\x0cJXL ", "image/jxl"),
    (0, b"\0\0\0\x0cjP  ", "image/jp2"),
    (0, b"\xff\x4f\xff\x51", "image/jp2"),
    (8, b"AVI ", "video/x-msvideo"),
    (8, b"WAVE", "audio/wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"\xff\xfb", "audio/mpeg"),
    (0, b"OggS", "application/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\0\0\x01\xba", "video/mpeg"),
    (0, b"\0\0\x01\xb3", "video/mpeg"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"OTTO", "font/otf"),
];

/// Formats that can consist of text alone, by their first bytes.
const WRITTEN_IN_TEXT: &[(&[u8], &str)] = &[(b"{\\rtf", "text/rtf"), (b"%!PS-", "application/postscript")];

/// Names binary data as precisely as possible.
pub(super) fn binary(bytes: &[u8]) -> &'static str {
    let found = MAGIC_NUMBERS.iter().find(|(at, magic, _)| tail(bytes, *at).starts_with(magic));
    found.map_or(UNKNOWN, |(_, _, name)| name)
}

/// Returns the name of a format that is written in text, if the bytes begin like one.
pub(super) fn written_in_text(bytes: &[u8]) -> Option<&'static str> {
    WRITTEN_IN_TEXT.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, name)| *name)
}

/// Names bytes of no accepted container.
pub(super) fn anything(sample: Sample<'_>) -> &'static str {
    match text::encoding(sample) {
        Encoding::Utf8 if is_html(sample.bytes) => "text/html",
        Encoding::Utf8 if svg::check(sample).is_ok() => "image/svg+xml",
        Encoding::Utf8 => written_in_text(sample.bytes).unwrap_or("text"),
        Encoding::Utf16 => UTF_16,
        Encoding::EightBit => EIGHT_BIT,
        Encoding::Binary => binary(sample.bytes),
    }
}

fn is_html(bytes: &[u8]) -> bool {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let begins = |word: &[u8]| start.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    begins(b"<!doctype html") || begins(b"<html")
}
