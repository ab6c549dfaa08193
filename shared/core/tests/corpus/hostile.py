"""Small files that mislead a parser: cut off, nested, with lengths that are not there, and of two kinds at once."""

import struct
import zlib

from documents import ENTRIES as TOOLS
from entries import UPRIGHT, box, segment

ENTRIES = []


def write(file, declared, expected, sentence, content):
    ENTRIES.append((file, declared, expected, (None, sentence, lambda _: content)))


def mutate(file, declared, expected, source, sentence, change):
    assert any(entry[0] == source for entry in TOOLS)
    ENTRIES.append((file, declared, expected, (source, sentence, change)))


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, *chunks):
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def webp(width, height, flags=0):
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<IBBBB", 10, flags, 0, 0, 0) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(entries, first=8):
    return b"MM\0*" + struct.pack(">IH", first, entries) + bytes(12)


def resized(width, height):
    """Changes the dimensions of the last `ispe`, which is that of the picture."""

    def change(data):
        at = data.rindex(b"ispe") + 8
        return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]

    return change


# Sizes that no format allows, and the largest ones
write("largest.png", "image/png", (2**31 - 1, 1), "the largest width", png(2**31 - 1, 1))
write("too-large.png", "image/png", None, "a width beyond the format", png(2**31, 1))
write("zero.png", "image/png", None, "no height", png(64, 0))
write("largest.webp", "image/webp", (16384, 1), "the largest width", webp(16384, 1))
write("too-large.webp", "image/webp", None, "a canvas of 24 bits a side", webp(2**24, 2**24))
write("exif-missing.webp", "image/webp", UPRIGHT, "EXIF announced and absent", webp(64, 40, 8))
mutate("too-large.heic", "image/heic", None, "plain.heic", "32 bits a side", resized(2**32 - 1, 2**32 - 1))
mutate("too-large.avif", "image/avif", None, "plain.avif", "32 bits a side", resized(2**32 - 1, 40))
mutate(
    "clap-too-large.avif",
    "image/avif",
    UPRIGHT,
    "cropped.avif",
    "a clean aperture larger than the picture",
    lambda data: data.replace(struct.pack(">II", 32, 1), struct.pack(">II", 65, 1), 1),
)
mutate(
    "clap-by-zero.avif",
    "image/avif",
    UPRIGHT,
    "cropped.avif",
    "a clean aperture with a denominator of zero",
    lambda data: data.replace(struct.pack(">II", 32, 1), struct.pack(">II", 32, 0), 1),
)
mutate(
    "no-height.jpg",
    "image/jpeg",
    None,
    "baseline.jpg",
    "a height of zero, as before a DNL segment",
    lambda data: data.replace(struct.pack(">BHH", 8, 40, 64), struct.pack(">BHH", 8, 0, 64)),
)
write("no-screen.gif", "image/gif", None, "a logical screen of zero", b"GIF89a\0\0\0\0\0\0\0\x3b")

# Cut off
mutate("cut.jpg", "image/jpeg", None, "baseline.jpg", "cut off before the frame header", lambda data: data[:100])
mutate("cut.png", "image/png", UPRIGHT, "rgb.png", "cut off behind IHDR", lambda data: data[:40])
mutate("cut-signature.png", "image/png", "unknown bytes", "rgb.png", "cut off in the signature", lambda data: data[:7])
mutate(
    "cut.heic", "image/heic", None, "plain.heic", "cut off in its properties", lambda data: data[: data.index(b"ispe")]
)
mutate(
    "cut.m4v",
    "video/mp4",
    None,
    "index-first.m4v",
    "cut off in the track header",
    lambda data: data[: data.index(b"tkhd") + 40],
)
mutate(
    "cut.webm",
    "video/webm",
    None,
    "vp8.webm",
    "cut off before the tracks",
    lambda data: data[: data.index(b"\x16\x54\xae\x6b")],
)
mutate("brand.mp4", "video/mp4", None, "plain.mp4", "its brands alone", lambda data: data[:32])

# Stated lengths that are not there
write(
    "box-of-seven.mp4",
    "video/mp4",
    None,
    "a box smaller than its header behind the brands",
    box(b"ftyp", b"isom\0\0\2\0isom") + b"\0\0\0\7moov" + bytes(40),
)
write(
    "box-of-64-bits.mp4",
    "video/mp4",
    None,
    "a box of 2^64 - 1 bytes",
    box(b"ftyp", b"isom\0\0\2\0isom") + b"\0\0\0\1mdat" + b"\xff" * 8,
)
write(
    "box-to-the-end.mov",
    "video/quicktime",
    None,
    "`mdat` of length zero, to the end of the file",
    b"\0\0\0\0mdat" + bytes(40),
)
write(
    "many-properties.heic",
    "image/heic",
    None,
    "four billion associations and no property",
    box(b"ftyp", b"heic\0\0\0\0mif1")
    + box(
        b"meta",
        bytes(4)
        + box(b"pitm", bytes(5) + b"\1")
        + box(b"iprp", box(b"ipco", b"") + box(b"ipma", bytes(4) + b"\xff" * 4)),
    ),
)
write(
    "long-chunk.png", "image/png", UPRIGHT, "a chunk of 4 GiB behind IHDR", png(64, 40)[:33] + b"\xff\xff\xff\xfftEXt"
)
write(
    "element-of-64-bits.webm",
    "video/webm",
    None,
    "a segment of 2^56 - 2 bytes",
    bytes.fromhex("1a45dfa3 87 4282 84")
    + b"webm"
    + bytes.fromhex("18538067 01fffffffffffffe 1654ae6b 01fffffffffffffe ae 88"),
)
write(
    "exif-loop.jpg",
    "image/jpeg",
    UPRIGHT,
    "a directory that names itself",
    b"\xff\xd8"
    + segment(0xE1, b"Exif\0\0" + tiff(65535, 4))
    + segment(0xC0, struct.pack(">BHHB", 8, 40, 64, 1) + bytes(3)),
)

# Nested
write(
    "nested.mp4",
    "video/mp4",
    None,
    "film in film in film",
    box(b"ftyp", b"isom\0\0\2\0isom")
    + b"".join(struct.pack(">I", 8 * (300 - depth)) + b"moov" for depth in range(300)),
)
write(
    "nested.webm",
    "video/webm",
    None,
    "segments of unknown size in each other",
    bytes.fromhex("1a45dfa3 87 4282 84") + b"webm" + bytes.fromhex("18538067 ff") * 300,
)
LAUGHS = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 20))
write(
    "entities.svg",
    "image/svg+xml",
    None,
    "entities that would grow to 10^19 characters",
    f'<!DOCTYPE svg [<!ENTITY a0 "ha">{LAUGHS}]><svg xmlns="http://www.w3.org/2000/svg">&a19;</svg>'.encode(),
)
write(
    "external-entity.svg",
    "image/svg+xml",
    None,
    "an entity that names a file, which nobody reads",
    b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>',
)
write(
    "unclosed-comment.svg",
    "image/svg+xml",
    "text whose root element is not svg",
    "a comment that does not end",
    b"<!-- " + b"<svg>" * 300,
)

# Two kinds at once
mutate(
    "gif-and-zip.gif",
    "image/gif",
    UPRIGHT,
    "version-89a.gif",
    "with an archive behind",
    lambda data: data + b"PK\3\4" + bytes(40),
)
mutate(
    "pdf-and-page.pdf",
    "application/pdf",
    None,
    "cairo.pdf",
    "a page behind the header",
    lambda data: data[:9] + b"<html><script>alert(1)</script>\n" + data[9:],
)
mutate(
    "page-and-pdf.html",
    "application/pdf",
    "unknown bytes",
    "cairo.pdf",
    "a page before the header",
    lambda data: b"<!DOCTYPE html><script>alert(1)</script>\n" + data,
)
write(
    "page-in-image.png",
    "text/html",
    "image/png",
    "a page in a text chunk",
    png(64, 40, chunk(b"tEXt", b"a\0<html><script>alert(1)</script>")),
)
write(
    "rar-and-svg.svg",
    "image/svg+xml",
    "text whose root element is not svg",
    "text before the root",
    b"Rar! <svg xmlns='http://www.w3.org/2000/svg'/>",
)
write(
    "program.png",
    "image/png",
    "application/vnd.microsoft.portable-executable",
    "a program",
    b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0" + bytes(48),
)
