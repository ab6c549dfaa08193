"""Makes the files of this folder with the tools that people use, and writes manifest.json.

Only needed to change the corpus; the tests read what is committed. Needs ffmpeg, ImageMagick, exiftool, webp, libavif,
libheif, gifsicle, mkvtoolnix, poppler, librsvg, qpdf, Ghostscript and zip, and of PyPI pillow-heif, python-docx, openpyxl
and python-pptx (Debian 12 and PyPI).
"""

import io
import json
import pathlib
import shutil
import subprocess
import tempfile
import zipfile

import docx
import openpyxl
import pillow_heif
import pptx
from PIL import Image

import documents
import hostile

HERE = pathlib.Path(__file__).parent
FILES = HERE / "files"
CONTAINER = (
    '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


OF_ZIPFILE = ("epub", "epub-unordered", "opendocument", "packed-again", "empty-archive")
LIBRARIES = {"word": "python-docx", "excel": "openpyxl", "powerpoint": "python-pptx"}


def archive(out, files):
    with zipfile.ZipFile(out, "w") as target:
        for name, text, method in files:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            target.writestr(info, text)


class Pipe(io.RawIOBase):
    """A target that cannot go back, such as a network connection: lengths come after the data."""

    def __init__(self):
        self.written = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.written += data
        return len(data)


def office(kind, out):
    """Writes an Office document with the library of its kind."""
    if kind == "word":
        document = docx.Document()
        document.add_paragraph("Un phare")
    elif kind == "excel":
        document = openpyxl.Workbook()
        document.active.append(["phare", 41])
    else:
        document = pptx.Presentation()
        document.slides.add_slide(document.slide_layouts[6])
    document.save(out)


def packed_again(source, out, *more):
    """Packs the entries of an archive without going back, and then `more`."""
    pipe = Pipe()
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as target:
        for info in given.infolist():
            target.writestr(info.filename, given.read(info))
        for name in more:
            target.writestr(name, b"")
    out.write_bytes(pipe.written)


def heic(source, out, orientation):
    image = Image.open(source).convert("RGB")
    exif = image.getexif()
    exif[0x0112] = int(orientation)
    pillow_heif.from_pillow(image).save(out, quality=20, exif=exif.tobytes(), format="HEIF")


def run(command, folder):
    """Runs a command in a folder. The first word of some names a function of this script."""
    stored, deflated = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    mimetype = ("mimetype", "application/epub+zip", stored)
    container = ("META-INF/container.xml", CONTAINER, deflated)
    name, *words = command.split()
    if name == "pillow-heif":
        heic(folder / words[0], folder / words[1], words[2])
    elif name == "epub":
        archive(folder / words[0], [mimetype, container])
    elif name == "epub-unordered":
        archive(folder / words[0], [("a.opf", "<package/>", deflated), container, mimetype])
    elif name == "opendocument":
        kind = ("mimetype", "application/vnd.oasis.opendocument.text", stored)
        archive(folder / words[0], [kind, ("content.xml", "<a/>", deflated)])
    elif name == "office":
        office(words[0], folder / words[1])
    elif name == "packed-again":
        packed_again(folder / words[0], folder / words[1], *words[2:])
    elif name == "empty-archive":
        archive(folder / words[0], [])
    else:
        shell = command.replace("ffmpeg ", "ffmpeg -nostdin -v error -y ")
        subprocess.run(shell, shell=True, check=True, cwd=folder, stdout=subprocess.DEVNULL)


def make(folder, file, declared, expected, how):
    """Makes a file, unless it was made before, and returns its entry in the manifest."""
    entry = {"file": file, "declared": declared}
    if isinstance(how, tuple):
        source, sentence, change = how
        (folder / file).write_bytes(change((folder / source).read_bytes() if source else b""))
        entry |= {"tool": "by hand", "made": f"{source}: {sentence}" if source else sentence}
    elif how:
        command = how.format(out=file)
        run(command, folder)
        tool = command.split()[0]
        tool = "Python zipfile" if tool in OF_ZIPFILE else LIBRARIES.get(command.split()[1]) or tool
        entry |= {"tool": tool, "made": command}
    if isinstance(expected, str):
        return entry | {"verdict": "rejected", "found": expected}
    if expected is None:
        return entry | {"verdict": "ready"}
    return entry | {"verdict": "ready", "width": expected[0], "height": expected[1]}


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        manifest = [make(folder, *entry) for entry in documents.ENTRIES + hostile.ENTRIES]
        shutil.rmtree(FILES, ignore_errors=True)
        FILES.mkdir()
        for file in {entry["file"] for entry in manifest}:
            shutil.copy(folder / file, FILES / file)
    lines = ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in manifest)
    (HERE / "manifest.json").write_text(f"[\n{lines}\n]\n")


main()
