"""Further entries of the corpus: documents, texts, tables, sounds, and files of types that cannot be uploaded."""

from entries import ENTRIES, SOUND, make, mutate, write

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
