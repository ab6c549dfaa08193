"""The entries of the corpus: file, declared type, what is expected, and the command or the change that makes it.

Expected is a width and a height, `None` for a file that is kept without dimensions, or what a rejection names. It is
what the person who made the file knows of it, never what the code answered.
"""

import struct

UPRIGHT, SIDEWAYS = (64, 40), (40, 64)
ENTRIES = []

FILM = "-f lavfi -i testsrc=size=64x40:rate=5 -t 0.4 -pix_fmt yuv420p -bitexact"
SOUND = "-f lavfi -i sine=frequency=440 -t 0.2 -bitexact"
X264 = "-c:v libx264 -preset veryslow -crf 40 -x264-params no-info=1"


def make(file, declared, expected, command):
    """Adds an entry. `{out}` in the command is the file; other files are named as in this folder."""
    ENTRIES.append((file, declared, expected, command))


def mutate(file, declared, expected, source, sentence, change):
    """Adds an entry that is an earlier file with some bytes changed, as the sentence says."""
    ENTRIES.append((file, declared, expected, (source, sentence, change)))


def write(file, declared, expected, sentence, content):
    """Adds an entry whose bytes stand here."""
    ENTRIES.append((file, declared, expected, (None, sentence, lambda _: content)))


def replace(old, new):
    assert len(old) == len(new), (old, new)

    def change(data):
        assert old in data, old
        return data.replace(old, new)

    return change


def box(name, body):
    return struct.pack(">I", 8 + len(body)) + name + body


def segment(marker, body):
    return b"\xff" + bytes([marker]) + struct.pack(">H", 2 + len(body)) + body


def segments(data):
    at = 2
    while data[at + 1] != 0xDA:
        length = 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
        yield data[at + 1], data[at : at + length]
        at += length
    yield 0xDA, data[at:]


def behind_frame(data):
    parts = list(segments(data))
    exif = [body for marker, body in parts if marker == 0xE1]
    others = [body + (exif[0] if 0xC0 <= marker <= 0xC2 else b"") for marker, body in parts if marker != 0xE1]
    return data[:2] + b"".join(others)


# JPEG
make("baseline.jpg", "image/jpeg", UPRIGHT, "convert -seed 1 -size 64x40 plasma:red-blue -quality 60 -strip {out}")
make("progressive.jpg", "image/jpeg", UPRIGHT, "convert baseline.jpg -interlace JPEG {out}")
make("grey.jpe", "image/jpg", UPRIGHT, "convert baseline.jpg -colorspace Gray {out}")
make("cmyk.jpeg", "image/jpeg", UPRIGHT, "convert baseline.jpg -colorspace CMYK {out}")
make("restarts.jpg", "image/jpeg", UPRIGHT, "jpegtran -restart 1 -outfile {out} baseline.jpg")
make("optimised.jfif", "image/pjpeg", UPRIGHT, "jpegtran -optimize -copy none -outfile {out} baseline.jpg")
make("motion.jpg", "image/jpeg", UPRIGHT, f"ffmpeg {FILM} -frames:v 1 -c:v mjpeg -pix_fmt yuvj420p {{out}}")
make("comment.jpg", "image/jpeg", UPRIGHT, "exiftool '-Comment=<html><body>%PDF-1.4' -o {out} baseline.jpg")
for value, size in [
    (1, UPRIGHT),
    (2, UPRIGHT),
    (3, UPRIGHT),
    (5, SIDEWAYS),
    (6, SIDEWAYS),
    (7, SIDEWAYS),
    (8, SIDEWAYS),
]:
    make(f"orientation-{value}.jpg", "image/jpeg", size, f"exiftool -n -Orientation={value} -o {{out}} baseline.jpg")
make(
    "orientation-6-little-endian.jpg",
    "image/jpeg",
    SIDEWAYS,
    "exiftool -n -ExifByteOrder=II -Orientation=6 -o {out} baseline.jpg",
)
make(
    "preview.jpg",
    "image/jpeg",
    SIDEWAYS,
    "exiftool -n -Orientation=8 '-ThumbnailImage<=optimised.jfif' -o {out} baseline.jpg",
)
make("xmp.jpg", "image/jpeg", UPRIGHT, "exiftool -n -XMP-tiff:Orientation=6 -o {out} baseline.jpg")
mutate(
    "fill-bytes.jpg",
    "image/jpeg",
    UPRIGHT,
    "baseline.jpg",
    "three fill bytes before the second marker",
    lambda data: data[:2] + b"\xff\xff\xff" + data[2:],
)
mutate(
    "stray-bytes.jpg",
    "image/jpeg",
    UPRIGHT,
    "baseline.jpg",
    "two stray bytes between the first segments",
    lambda data: data[:20] + b"\x00\x17" + data[20:],
)
mutate(
    "exif-behind-frame.jpg",
    "image/jpeg",
    SIDEWAYS,
    "orientation-6.jpg",
    "EXIF moved behind the frame header",
    behind_frame,
)
mutate(
    "first-exif-wins.jpg",
    "image/jpeg",
    UPRIGHT,
    "orientation-6.jpg",
    "another EXIF, upright, before the first",
    lambda data: (
        data[:2] + segment(0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x01\0\0\0\0\0\0") + data[2:]
    ),
)


# PNG
make("rgb.png", "image/png", UPRIGHT, "convert baseline.jpg -resize 64x40! -strip {out}")
make("palette.png", "image/png", UPRIGHT, "convert baseline.jpg -colors 8 png8:{out}")
make("grey-16.png", "image/x-png", UPRIGHT, "convert baseline.jpg -colorspace Gray -depth 16 {out}")
make("interlaced.png", "image/png", UPRIGHT, "convert palette.png -interlace PNG {out}")
make("animated.apng", "image/apng", UPRIGHT, f"ffmpeg {FILM} -pix_fmt rgb24 -f apng {{out}}")
make("orientation-6.png", "image/png", SIDEWAYS, "exiftool -n -Orientation=6 -o {out} palette.png")
make("orientation-3.png", "image/png", UPRIGHT, "exiftool -n -Orientation=3 -o {out} palette.png")

# GIF
make("version-89a.gif", "image/gif", UPRIGHT, "convert palette.png {out}")
make("version-87a.gif", "image/gif", UPRIGHT, "convert palette.png gif87:{out}")
make("animated.gif", "image/gif", UPRIGHT, f"ffmpeg {FILM} -pix_fmt pal8 {{out}}")
make("optimised.gif", "image/gif", UPRIGHT, "gifsicle -O3 -o {out} animated.gif")

# WebP
make("lossy.webp", "image/webp", UPRIGHT, "cwebp -quiet -q 30 rgb.png -o {out}")
make("lossless.webp", "image/webp", UPRIGHT, "cwebp -quiet -lossless palette.png -o {out}")
make("transparent.webp", "image/webp", UPRIGHT, "convert palette.png -alpha set -channel A -evaluate set 50% {out}")
make("orientation-6.webp", "image/webp", SIDEWAYS, "cwebp -quiet -metadata exif orientation-6.jpg -o {out}")
make("orientation-1.webp", "image/webp", UPRIGHT, "cwebp -quiet -metadata exif orientation-1.jpg -o {out}")
make("animated.webp", "image/webp", UPRIGHT, "gif2webp -quiet animated.gif -o {out}")
make("lossless-8.webp", "image/webp", SIDEWAYS, "cwebp -quiet -lossless -metadata exif orientation-8.jpg -o {out}")

# AVIF
make("plain.avif", "image/avif", UPRIGHT, "avifenc -s 10 --min 40 --max 50 rgb.png {out}")
make("turned.avif", "image/avif", SIDEWAYS, "avifenc -s 10 --min 40 --max 50 --irot 1 rgb.png {out}")
make("upside-down.avif", "image/avif", UPRIGHT, "avifenc -s 10 --min 40 --max 50 --irot 2 rgb.png {out}")
make("mirrored.avif", "image/avif", UPRIGHT, "avifenc -s 10 --min 40 --max 50 --imir 0 rgb.png {out}")
make("cropped.avif", "image/avif", (32, 20), "avifenc -s 10 --min 40 --max 50 --clap 32,1,20,1,0,1,0,1 rgb.png {out}")
make(
    "cropped-and-turned.avif",
    "image/avif",
    (20, 32),
    "avifenc -s 10 --min 40 --max 50 --clap 32,1,20,1,0,1,0,1 --irot 3 rgb.png {out}",
)
make("libheif.avif", "image/avif", UPRIGHT, "heif-enc -A -q 30 rgb.png -o {out}")
make("sequence.avif", "image/avif", UPRIGHT, f"ffmpeg {FILM} -c:v libaom-av1 -cpu-used 8 -crf 60 {{out}}")

# HEIC
make("plain.heic", "image/heic", UPRIGHT, "heif-enc -q 20 rgb.png -o {out}")
make("plain.heif", "image/heif", UPRIGHT, "heif-enc -q 20 rgb.png -o {out}")
make(
    "odd-size.heic", "image/heic", (33, 21), "convert rgb.png -resize 33x21! odd.png && heif-enc -q 20 odd.png -o {out}"
)
# pillow-heif stores the picture turned, and an `irot` that turns it back.
make("turned.HEIC", "image/heif", UPRIGHT, "pillow-heif rgb.png {out} 6")
mutate(
    "half-turned.heic",
    "image/heic",
    SIDEWAYS,
    "turned.HEIC",
    "turned by 180 degrees instead of 270",
    replace(b"irot\3", b"irot\2"),
)
make("upside-down.hif", "", UPRIGHT, "pillow-heif rgb.png {out} 3")
for brand in ["heim", "heix", "hevx", "hevc", "heis", "msf1"]:
    mutate(
        f"brand-{brand}.heic",
        "image/heic",
        UPRIGHT,
        "plain.heic",
        f"major brand {brand}",
        lambda data, brand=brand: data[:8] + brand.encode() + data[12:],
    )
mutate(
    "unknown-brand.heic",
    "image/heic",
    UPRIGHT,
    "plain.heic",
    "an unknown major brand before the compatible ones",
    lambda data: data[:8] + b"zzzz" + data[12:],
)

# MP4 and its relatives
make("plain.mp4", "video/mp4", UPRIGHT, f"ffmpeg {FILM} {X264} {{out}}")
make("index-first.m4v", "video/x-m4v", UPRIGHT, "ffmpeg -i plain.mp4 -c copy -bitexact -movflags +faststart {out}")
make("turned.mp4", "video/mp4", SIDEWAYS, "ffmpeg -i plain.mp4 -c copy -bitexact -metadata:s:v rotate=90 {out}")
make("upside-down.mp4", "video/mp4", UPRIGHT, "ffmpeg -i plain.mp4 -c copy -bitexact -metadata:s:v rotate=180 {out}")
make("wide-pixels.mp4", "video/mp4", (128, 40), f"ffmpeg {FILM} -vf setsar=2 {X264} {{out}}")
make(
    "fragments.mp4",
    "video/mp4",
    UPRIGHT,
    "ffmpeg -i plain.mp4 -c copy -bitexact -movflags frag_keyframe+empty_moov {out}",
)
make("cmaf.mp4", "video/mp4", UPRIGHT, "ffmpeg -i plain.mp4 -c copy -bitexact -movflags cmaf {out}")
make("itunes.m4v", "", UPRIGHT, "ffmpeg -i plain.mp4 -c copy -bitexact -f ipod {out}")
make(
    "playstation.mp4",
    "video/mp4",
    UPRIGHT,
    f"ffmpeg -i plain.mp4 {SOUND} -c:v copy -c:a aac -b:a 16k -ar 48000 -f psp {{out}}",
)
make("phone.3gp", "video/3gpp", UPRIGHT, "ffmpeg -i plain.mp4 -c copy -bitexact -f 3gp {out}")
make("phone.3g2", "video/3gpp2", UPRIGHT, "ffmpeg -i plain.mp4 -c copy -bitexact -f 3g2 {out}")
make("av1.mp4", "video/mp4", UPRIGHT, "ffmpeg -i sequence.avif -c copy -bitexact {out}")
make(
    "hevc.mp4",
    "video/mp4",
    UPRIGHT,
    f"ffmpeg {FILM} -c:v libx265 -x265-params info=0:log-level=0 -crf 40 -tag:v hvc1 {{out}}",
)
make("mpeg-4-part-2.mp4", "application/octet-stream", UPRIGHT, f"ffmpeg {FILM} -c:v mpeg4 -qscale:v 20 {{out}}")
make("sound-only.mp4", "video/mp4", None, f"ffmpeg {SOUND} -c:a aac -b:a 16k {{out}}")
for brand in ["cmfc", "3g2a", "XAVC", "av01", "iso8", "dash", "MSNV", "F4V "]:
    make(
        f"brand-{brand.strip()}.mp4",
        "video/mp4",
        UPRIGHT,
        f"ffmpeg -i plain.mp4 -c copy -bitexact -brand '{brand}' {{out}}",
    )
make("sound.m4a", "video/mp4", "audio/mp4", f"ffmpeg {SOUND} -c:a aac -b:a 16k -f ipod {{out}}")

# QuickTime
make("plain.mov", "video/quicktime", UPRIGHT, "ffmpeg -i plain.mp4 -c copy -bitexact {out}")
make("turned.mov", "video/quicktime", SIDEWAYS, "ffmpeg -i plain.mp4 -c copy -bitexact -metadata:s:v rotate=270 {out}")
make("index-first.qt", "", UPRIGHT, "ffmpeg -i plain.mp4 -c copy -bitexact -movflags +faststart -f mov {out}")
PREVIEW = box(b"pnot", bytes(12))
for name, atom in [
    ("pnot", PREVIEW),
    ("skip", box(b"skip", bytes(12))),
    ("free", box(b"free", bytes(12))),
    ("wide", box(b"wide", b"") + box(b"free", bytes(4))),
]:
    mutate(
        f"begins-with-{name}.mov",
        "video/quicktime",
        UPRIGHT,
        "plain.mov",
        f"`{name}` in the place of `ftyp`",
        lambda data, atom=atom: atom + data[len(atom) :],
    )
mutate(
    "begins-with-mdat.mov",
    "video/quicktime",
    UPRIGHT,
    "plain.mov",
    "without `ftyp` and `wide`, as before 2001",
    lambda data: data[data.index(b"mdat") - 4 :],
)
mutate("begins-with-moov.mov", "video/quicktime", UPRIGHT, "index-first.qt", "without `ftyp`", lambda data: data[20:])
# With the brand of QuickTime alone, as an application that names its films `.mp4` writes it.
ENTRIES.append(("plain.mov", "video/mp4", UPRIGHT, None))

# WebM and Matroska
make("vp8.webm", "video/webm", UPRIGHT, f"ffmpeg {FILM} -c:v libvpx -crf 50 -b:v 10k {{out}}")
make("vp9.webm", "video/webm", UPRIGHT, f"ffmpeg {FILM} -c:v libvpx-vp9 -crf 60 -b:v 0 {{out}}")
make("live.webm", "video/webm", UPRIGHT, "ffmpeg -i vp8.webm -c copy -bitexact -live 1 -f webm - > {out}")
make("wide-pixels.webm", "video/webm", (128, 40), f"ffmpeg {FILM} -vf setsar=2 -c:v libvpx -crf 50 -b:v 10k {{out}}")
make("mkvmerge.webm", "video/webm", UPRIGHT, "mkvmerge -q --deterministic 1 --webm -o {out} vp9.webm")
make("matroska.mkv", "video/webm", "video/x-matroska", "ffmpeg -i plain.mp4 -c copy -bitexact {out}")

# SVG
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="40"><circle r="9"/></svg>\n'
write("plain.svg", "image/svg+xml", None, "by hand", SVG.encode())
make("cairo.svg", "image/svg+xml", None, "rsvg-convert -f svg plain.svg -o {out}")
make(
    "poppler.svg", "image/svg+xml", None, "rsvg-convert -f pdf plain.svg -o page.pdf && pdftocairo -svg page.pdf {out}"
)
write(
    "long-comment.svg",
    "image/svg+xml",
    None,
    "a comment of 5 KB before the root",
    ('<?xml version="1.0"?>\n<!--' + " licence" * 640 + "-->\n" + SVG).encode(),
)
write(
    "doctype.svg",
    "",
    None,
    "as an illustrator writes it: entities for namespaces",
    b'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" '
    b'"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd" [\n<!ENTITY ns_svg "http://www.w3.org/2000/svg">\n]>\n'
    b'<svg version="1.1" xmlns="&ns_svg;" viewBox="0 0 64 40"><rect width="9" height="9"/></svg>\n',
)
write(
    "utf-16.svg",
    "image/svg+xml",
    None,
    "UTF-16 with a byte order mark",
    ('<?xml version="1.0" encoding="UTF-16"?>' + SVG).encode("utf-16"),
)
write(
    "latin-1.svg",
    "image/svg+xml",
    None,
    "ISO-8859-1, as declared",
    ('<?xml version="1.0" encoding="ISO-8859-1"?>' + SVG.replace("<circle", "<title>été</title><circle")).encode(
        "latin-1"
    ),
)
write("mark.svg", "image/svg+xml", None, "UTF-8 with a byte order mark", b"\xef\xbb\xbf" + SVG.encode())
