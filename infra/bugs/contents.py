"""What the bytes of a file are: texts that begin like something else, valid files of real tools, sizes of pictures."""

from pathlib import Path

from cases import Case
from world import World

CORPUS = Path(__file__).resolve().parents[2] / "shared/core/tests/corpus/files"
PNG, JPEG, GIF, WEBP = "image/png", "image/jpeg", "image/gif", "image/webp"
HEIC, SVG, MP4, MOV, WEBM = "image/heic", "image/svg+xml", "video/mp4", "video/quicktime", "video/webm"
PDF, TEXT, MARKDOWN, HTML = "application/pdf", "text/plain", "text/markdown", "text/html"
SIZE, TURNED = "ready 64x40", "ready 40x64"


def verdict(world: World, name: str, declared: str, content: bytes) -> str:
    """Uploads a file. Returns `ready 64x40`, `ready`, or `rejected` with what was found."""
    file = world.upload(name, declared, content)
    if file["status"] == "refused":
        return file["refused"]
    if file["status"] == "ready" and file.get("width"):
        return f"ready {file['width']}x{file['height']}"
    if file["status"] == "rejected":
        return "rejected, " + file.get("rejectedReason", "").partition(", ")[2]
    return file.get("status", str(file))


def written(source: str, given: str, name: str, declared: str, content: bytes, expected: str) -> Case:
    """Makes a case from bytes that stand here."""
    return Case(source, given, expected, lambda world: verdict(world, name, declared, content))


def stored(source: str, given: str, file: str, declared: str, expected: str) -> Case:
    """Makes a case from a file of the corpus. A file that is declared as something else gets a name without type."""
    name = file if expected.startswith("ready") and declared != MP4 else "upload"
    return Case(
        source,
        f"{given} ({file})",
        expected,
        lambda world: verdict(world, name, declared, (CORPUS / file).read_bytes()),
    )


VIM_SCRIPT = b'" A script for %PDF-1.4 files\n' + b"set filetype=text\n" * 20
BAD_PDF = b"%PDF-1.4\nhere is a bad pdf file\n" + b"and more text that no reader can show\n" * 8
SCRIPT_GIF = b"GIF89a=0;console.log('EXEC')\n"
SCRIPT_WEBP = b"RIFF/*xxWEBPVP8 */=0;console.log('EXEC')\n"

CASES = [
    written(
        "mimemagicrb/mimemagic#4", "a text that names %PDF- in its first kilobyte", "a.txt", TEXT, VIM_SCRIPT, "ready"
    ),
    written(
        "mimemagicrb/mimemagic#4",
        "the same text, declared as a PDF",
        "a.pdf",
        PDF,
        VIM_SCRIPT,
        "rejected, found text",
    ),
    written(
        "TheZupZup/Linthra#519",
        "a script that begins with GIF89a",
        "a.gif",
        GIF,
        SCRIPT_GIF,
        "rejected, found text",
    ),
    written(
        "TheZupZup/Linthra#519",
        "a script that begins like RIFF and WEBP",
        "a.webp",
        WEBP,
        SCRIPT_WEBP,
        "rejected, found text",
    ),
    stored("awslabs/ferret-scan#419", "a PDF declared as text", "ghostscript.pdf", TEXT, "rejected, found " + PDF),
    stored("google/magika#292", "a PDF behind a printer's command", "printer-job.pdf", PDF, "ready"),
    stored("netbox-community/netbox#22428", "a picture that is also a page", "page-in-image.png", PNG, SIZE),
    stored(
        "netbox-community/netbox#22428",
        "the same, declared as a page",
        "page-in-image.png",
        HTML,
        "rejected, found image/png",
    ),
    stored(
        "sindresorhus/file-type#67",
        "Matroska that is not WebM",
        "matroska.mkv",
        WEBM,
        "rejected, found video/x-matroska",
    ),
    stored("h2non/filetype.py#191", "WebM of another muxer", "mkvmerge.webm", WEBM, SIZE),
    stored("Exiv2/exiv2#1489", "the brand heim", "brand-heim.heic", HEIC, SIZE),
    stored("Exiv2/exiv2#1489", "the brand heis", "brand-heis.heic", HEIC, SIZE),
    stored("juspay/neurolink#1229", "the brand hevx", "brand-hevx.heic", HEIC, SIZE),
    stored(
        "google/magika#1453", "a photo of a telephone, not a video", "plain.heic", MP4, "rejected, found image/heic"
    ),
    stored("dart-archive/mime#98", "the brand MSNV", "brand-MSNV.mp4", MP4, SIZE),
    stored("mifi/lossless-cut#367", "the brand XAVC of a camera", "brand-XAVC.mp4", MP4, SIZE),
    stored("sindresorhus/file-type#206", "the brand 3g2a", "brand-3g2a.mp4", MP4, SIZE),
    stored("vstinner/hachoir#90", "a film that begins with the atom skip", "begins-with-skip.mov", MOV, SIZE),
    stored("mindeng/nom-exif#59", "a film that begins with the atom pnot", "begins-with-pnot.mov", MOV, SIZE),
    stored(
        "drewnoakes/metadata-extractor#737", "a film that begins with the atom mdat", "begins-with-mdat.mov", MOV, SIZE
    ),
    stored(
        "drewnoakes/metadata-extractor#737", "a film that begins with the atom wide", "begins-with-wide.mov", MOV, SIZE
    ),
    stored("blacksky-algorithms/rsky#185", "an .mp4 with the brand of QuickTime alone", "plain.mov", MP4, SIZE),
    stored("libvips/libvips#1289", "an SVG behind a comment of five kilobytes", "long-comment.svg", SVG, "ready"),
    stored("sindresorhus/is-svg#6", "an SVG behind a document type", "doctype.svg", SVG, "ready"),
    written(
        "unjs/image-meta#78",
        "a page whose comment names <svg>",
        "a.svg",
        SVG,
        b"<!-- <svg width='1' height='1'></svg> -->\n<html><body>none</body></html>\n",
        "rejected, found text whose root element is not svg",
    ),
    stored("LibrePDF/OpenPDF#1247", "fill bytes before a marker", "fill-bytes.jpg", JPEG, SIZE),
    stored("xiaozhuai/imageinfo#4", "stray bytes between segments", "stray-bytes.jpg", JPEG, SIZE),
    stored("image-size/image-size#407", "orientation 6 in a JPEG", "orientation-6.jpg", JPEG, TURNED),
    stored("statamic/cms#14685", "orientation 8 in a JPEG", "orientation-8.jpg", JPEG, TURNED),
    stored("LadybirdBrowser/ladybird#1821", "orientation 6 in a PNG", "orientation-6.png", PNG, TURNED),
    stored("coil-kt/coil#3405", "orientation 6 in a WebP", "orientation-6.webp", WEBP, TURNED),
    stored("zulip/zulip#31083", "orientation 5 in a JPEG", "orientation-5.jpg", JPEG, TURNED),
    stored("python-pillow/Pillow#7235", "a PNG of width zero", "zero.png", PNG, "ready"),
    stored("python-pillow/Pillow#515", "a PNG wider than its format allows", "too-large.png", PNG, "ready"),
    stored("google/magika#268", "a text in UTF-16", "utf-16.txt", TEXT, "rejected, found text in UTF-16, not UTF-8"),
    stored(
        "Stack-Cairn/LiveAgent#232",
        "a text in an older 8-bit encoding",
        "windows-1252.txt",
        TEXT,
        "rejected, found text in an 8-bit encoding, not UTF-8",
    ),
]
