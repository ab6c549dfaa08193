"""Makes the files for which there is no command: EPUB archives, and HEIC images with an orientation."""

import sys
import zipfile

CONTAINER = (
    '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="a.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def archive(out, entries):
    with zipfile.ZipFile(out, "w") as target:
        for name, text, method in entries:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = method
            target.writestr(info, text)


def heic(source, out, orientation):
    import pillow_heif
    from PIL import Image

    image = Image.open(source).convert("RGB")
    exif = image.getexif()
    exif[0x0112] = int(orientation)
    pillow_heif.from_pillow(image).save(out, quality=20, exif=exif.tobytes(), format="HEIF")


name, *arguments = sys.argv[1:]
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
MIMETYPE = ("mimetype", "application/epub+zip", STORED)
if name == "epub":
    archive(arguments[0], [MIMETYPE, ("META-INF/container.xml", CONTAINER, DEFLATED)])
elif name == "epub-unordered":
    archive(arguments[0], [("a.opf", "<package/>", DEFLATED), ("META-INF/container.xml", CONTAINER, DEFLATED), MIMETYPE])
elif name == "epub-not":
    archive(arguments[0], [("mimetype", "application/vnd.oasis.opendocument.text", STORED), ("content.xml", "<a/>", DEFLATED)])
else:
    heic(*arguments)
