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

# Documents
make("cairo.pdf", "application/pdf", None, "rsvg-convert -f pdf plain.svg -o {out}")
make(
    "ghostscript.pdf",
    "application/pdf",
    None,
    "gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOutputFile={out} -c showpage",
)
make("linearised.pdf", "application/x-pdf", None, "qpdf --deterministic-id --linearize cairo.pdf {out}")
make("encrypted.pdf", "", None, "qpdf --encrypt user owner 256 -- cairo.pdf {out}")
mutate(
    "printer-job.pdf",
    "application/pdf",
    None,
    "cairo.pdf",
    "behind the lines of a printer's job",
    lambda data: b"\x1b%-12345X@PJL JOB\r\n@PJL ENTER LANGUAGE=PDF\r\n" + data,
)
make("zip.epub", "application/epub+zip", None, "epub {out}")
make("python.epub", "", None, "epub-unordered {out}")

# Texts
TEXT = "# Un phare\n\nIl pleut sur la mer. L'été, « non ».\n"
write("utf-8.md", "text/markdown", None, "UTF-8", TEXT.encode())
write("mark.txt", "text/plain", None, "UTF-8 with a byte order mark", b"\xef\xbb\xbf" + TEXT.encode())
write(
    "page.html",
    "text/html",
    None,
    "a page that mentions %PDF- and <svg>",
    f"<!DOCTYPE html>\n<p>%PDF-1.7 <svg></svg> {TEXT}".encode(),
)
write("japanese.txt", "text/plain", None, "UTF-8", "海に雨が降る。\n".encode())
NOT_UTF_8 = "text in an 8-bit encoding, not UTF-8"
make("windows-1252.txt", "text/plain", NOT_UTF_8, "iconv -f utf-8 -t windows-1252 utf-8.md > {out}")
make("utf-16.txt", "text/plain", "text in UTF-16, not UTF-8", "iconv -f utf-8 -t utf-16 utf-8.md > {out}")
make("utf-16be.html", "text/html", "text in UTF-16, not UTF-8", "iconv -f utf-8 -t utf-16be page.html > {out}")
make(
    "pages.ps",
    "text/plain",
    "application/postscript",
    "gs -q -dNOPAUSE -dBATCH -sDEVICE=ps2write -sOutputFile=- -c showpage | head -c 4000 > {out}",
)
write("rich.rtf", "text/plain", "text/rtf", "by hand", b"{\\rtf1\\ansi hello}")

# Office documents and archives
OFFICE = "application/vnd.openxmlformats-officedocument."
WORD, EXCEL = OFFICE + "wordprocessingml.document", OFFICE + "spreadsheetml.sheet"
POWERPOINT = OFFICE + "presentationml.presentation"
make("letter.docx", WORD, None, "office word {out}")
make("table.xlsx", EXCEL, None, "office excel {out}")
make("slides.pptx", "", None, "office powerpoint {out}")
make("streamed.xlsx", "application/octet-stream", None, "packed-again table.xlsx {out}")
make("macros.docx", WORD, "an Office document with macros", "packed-again letter.docx {out} word/vbaProject.bin")
make("plain.zip", "application/x-zip-compressed", None, "zip -qX {out} utf-8.md plain.svg")
make("commented.zip", "", None, "cp plain.zip {out} && echo 'Un phare' | zip -qz {out}")
make("encrypted.zip", "application/zip", None, "zip -qXP secret {out} utf-8.md")
make("empty.zip", "application/zip", None, "empty-archive {out}")
DAMAGED = "damaged data of this type"
mutate("cut.zip", "application/zip", DAMAGED, "plain.zip", "without its last 20 bytes", lambda data: data[:-20])
mutate(
    "lost-entry.zip",
    "application/zip",
    DAMAGED,
    "plain.zip",
    "a directory that names an entry where none is",
    lambda data: data[: data.index(b"PK\1\2") + 42] + b"\7" + data[data.index(b"PK\1\2") + 43 :],
)
for file, declared, expected in [
    ("python.epub", "application/zip", None),
    ("letter.docx", "application/zip", None),
    ("letter.docx", EXCEL, WORD),
    ("table.xlsx", POWERPOINT, EXCEL),
    ("slides.pptx", "text/plain", POWERPOINT),
    ("plain.zip", WORD, "application/zip"),
    ("plain.zip", "image/png", "application/zip"),
]:
    ENTRIES.append((file, declared, expected, None))

# Tables and data
write("table.csv", "application/vnd.ms-excel", None, "UTF-8", "phare;hauteur\nCordouan;68\nÎle Vierge;83\n".encode())
make("excel.csv", "text/csv", NOT_UTF_8, "iconv -f utf-8 -t windows-1252 table.csv > {out}")
write("data.json", "application/json", None, "UTF-8", '{"phare": "Île Vierge", "hauteur": 82.5}\n'.encode())
write("mark.json", "", None, "UTF-8 with a byte order mark", b"\xef\xbb\xbf [1, 2]\n")
ENTRIES.append(("utf-8.md", "application/json", "text that is not JSON", None))
ENTRIES.append(("page.html", "application/json", "text that is not JSON", None))

# Sounds
make("sound.mp3", "audio/mpeg", None, f"ffmpeg {SOUND} -c:a libmp3lame -b:a 8k {{out}}")
make("untagged.mp3", "audio/mp3", None, "ffmpeg -i sound.mp3 -c copy -id3v2_version 0 -write_xing 0 {out}")
make(
    "cover.mp3",
    "",
    None,
    "ffmpeg -i sound.mp3 -i baseline.jpg -map 0 -map 1 -c copy -bitexact -disposition:v attached_pic {out}",
)
make("sound.wav", "audio/x-wav", None, f"ffmpeg {SOUND} -ar 8000 {{out}}")
make("broadcast.wav", "audio/wav", None, f"ffmpeg {SOUND} -ar 8000 -metadata description=x -write_bext 1 {{out}}")
make("extensible.wav", "", None, f"ffmpeg {SOUND} -ar 8000 -c:a pcm_s24le {{out}}")
make("sound.aac", "audio/mpeg", "unknown bytes", f"ffmpeg {SOUND} -c:a aac -b:a 16k {{out}}")
mutate("tag-alone.mp3", "audio/mpeg", DAMAGED, "sound.mp3", "a tag alone", lambda data: data[:10] + bytes(50))
for file, declared, expected in [
    ("sound.m4a", "audio/x-m4a", None),
    ("sound-only.mp4", "audio/mp4", None),
    ("plain.mp4", "audio/mp4", "video/mp4"),
    ("sound.wav", "audio/mpeg", "audio/wav"),
    ("sound.mp3", "audio/mp4", "audio/mpeg"),
    ("utf-8.md", "audio/mpeg", "text"),
]:
    ENTRIES.append((file, declared, expected, None))

# Files of other types, under a type that can be uploaded
make("bitmap.bmp", "image/png", "image/bmp", "convert palette.png -resize 8x5! BMP3:{out}")
make("scan.tiff", "image/jpeg", "image/tiff", "convert palette.png -compress LZW {out}")
make("icon.ico", "image/png", "image/x-icon", "convert palette.png -resize 16x16! {out}")
make("layers.psd", "image/png", "image/vnd.adobe.photoshop", "convert palette.png -resize 8x5! {out}")
make(
    "wavelets.jp2", "image/jpeg", "image/jp2", "ffmpeg -i rgb.png -frames:v 1 -c:v jpeg2000 -compression_level 90 {out}"
)
make("film.avi", "video/mp4", "video/x-msvideo", "ffmpeg -i mpeg-4-part-2.mp4 -c copy -bitexact {out}")
make("film.flv", "video/mp4", "video/x-flv", "ffmpeg -i plain.mp4 -c copy -bitexact {out}")
ENTRIES.append(("sound.mp3", "video/mp4", "audio/mpeg", None))
ENTRIES.append(("sound.wav", "video/webm", "audio/wav", None))
make("sound.ogg", "video/webm", "application/ogg", f"ffmpeg {SOUND} -c:a libopus -b:a 8k {{out}}")
make("archive.zip", "application/epub+zip", "application/zip", "opendocument {out}")
make("plain.svgz", "image/svg+xml", "application/gzip", "gzip -9nc plain.svg > {out}")
make(
    "archive.tar",
    "text/plain",
    "application/x-tar",
    "tar --owner 0 --group 0 --mtime 1970-01-01 --sort name -b 2 -cf {out} utf-8.md",
)
for file, declared, found in [
    ("rgb.png", "image/jpeg", "image/png"),
    ("plain.heic", "image/avif", "image/heic"),
    ("plain.avif", "image/heic", "image/avif"),
    ("begins-with-moov.mov", "video/mp4", "video/quicktime"),
    ("plain.mp4", "image/heic", "video/mp4"),
    ("lossy.webp", "video/webm", "image/webp"),
    ("cairo.pdf", "text/plain", "application/pdf"),
    ("page.html", "application/pdf", "text/html"),
    ("page.html", "image/svg+xml", "text whose root element is not svg"),
    ("plain.svg", "image/png", "image/svg+xml"),
    ("utf-8.md", "video/mp4", "text"),
]:
    ENTRIES.append((file, declared, found, None))
