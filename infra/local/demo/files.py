"""Files: a picture is uploaded into private storage, gets thumbnails, is downloaded and deleted."""

import struct
import zlib
from pathlib import Path
from typing import Any

from walk import ROOT, Walk, timed

PICTURE = ROOT / "target" / "local" / "demo" / "photo été.png"
THUMBNAILS = PICTURE.parent / "thumbnails"


def tell(walk: Walk, ann: str, bob: str) -> None:
    """Uploads a file, downloads it, shows that others cannot, and deletes it."""
    paint(PICTURE)
    picture = PICTURE.read_bytes()
    file = upload(walk, ann, picture)
    thumbnails(walk, ann, file["key"])
    url = read(walk, ann, file["key"], picture)
    refuse(walk, bob, file["key"], url)
    delete(walk, ann, file, url)


def upload(walk: Walk, ann: str, picture: bytes) -> dict[str, Any]:
    body = {"filename": PICTURE.name, "contentType": "image/png", "size": len(picture)}
    took, (status, grant, request) = timed(lambda: walk.api("POST", "/api/files/uploads", ann, body))
    walk.expect(status == 201, f"the grant was refused: {grant}")
    what = f"Ann asks to upload {PICTURE.name}, {len(picture) / 1000:.0f} kB"
    walk.say(what, "granted", took, walk.calls("upload-grant", request))

    took, (status, text, _) = timed(lambda: walk.send(grant["method"], grant["url"], grant["headers"], picture))
    walk.expect(status == 200, f"the bucket refused the upload: {text.decode()}")
    walk.say("Her browser sends the bytes to the bucket", "stored", took)

    def facts() -> Any:
        return walk.api("GET", f"/api/files/metadata?s3Key={grant['s3Key']}", ann)[1]

    took, file = timed(lambda: walk.wait(facts, lambda file: file["status"] == "ready", "the check of the upload"))
    calls = walk.calls("on-object-event", file["fileId"], "Object Created")
    measured = f"ready, {file['width']} x {file['height']}"
    walk.say("S3 reports it; the bytes are checked", measured, took, calls)
    return file


def thumbnails(walk: Walk, ann: str, key: str) -> None:
    def facts() -> Any:
        return walk.api("GET", f"/api/files/metadata?s3Key={key}", ann)[1]

    took, file = timed(lambda: walk.wait(facts, lambda file: file["derivative"] != "pending", "the thumbnails"))
    walk.expect(file["derivative"] == "ready", f"the picture is {file['derivative']}")
    calls = walk.calls("derive-image", file["fileId"], "file.ready")
    walk.say("Thumbnails are made of it", " and ".join(sorted(file["thumbnails"], key=int)) + " pixels", took, calls)

    body = {"s3Keys": list(file["thumbnails"].values())}
    took, (status, answer, request) = timed(lambda: walk.api("POST", "/api/files/presigned-url", ann, body))
    walk.expect(status == 200, f"the tickets were refused: {answer}")
    THUMBNAILS.mkdir(parents=True, exist_ok=True)
    for entry in answer["urls"]:
        status, content, _ = walk.send("GET", entry["url"], {}, None)
        walk.expect(status == 200, f"the bucket answered {status} for a thumbnail")
        (THUMBNAILS / Path(entry["s3Key"]).name).write_bytes(content)
    walk.say(f"She saves both to {THUMBNAILS.relative_to(ROOT)}", "with tickets", took, walk.calls("presign", request))


def read(walk: Walk, ann: str, key: str, picture: bytes) -> str:
    took, (_, page, request) = timed(lambda: walk.api("GET", "/api/files/list", ann))
    walk.expect([entry["key"] for entry in page["files"]] == [key], f"the list shows {page}")
    walk.say("Ann lists her files", f"{page['total']} file", took, walk.calls("list", request))

    took, (status, ticket, request) = timed(lambda: walk.api("POST", "/api/files/presigned-url", ann, {"s3Key": key}))
    walk.expect(status == 200, f"the ticket was refused: {ticket}")
    valid = f"valid {ticket['expiresIn']} s"
    walk.say("She asks for a ticket: a signed URL", valid, took, walk.calls("presign", request))

    took, (status, content, _) = timed(lambda: walk.send("GET", ticket["url"], {}, None))
    walk.expect(status == 200 and content == picture, "the download is not what was uploaded")
    walk.say("She downloads it with the ticket", "the same bytes", took)
    return ticket["url"]


def refuse(walk: Walk, bob: str, key: str, url: str) -> None:
    took, (status, _, request) = timed(lambda: walk.api("POST", "/api/files/presigned-url", bob, {"s3Key": key}))
    walk.expect(status == 404, f"Bob was answered {status}")
    calls = walk.calls("presign", request)
    walk.say("Bob asks for a ticket to the same key", "404, as if unknown", took, calls)

    took, (status, _, _) = timed(lambda: walk.send("GET", url.partition("?")[0], {}, None))
    walk.expect(status == 403, f"the bucket answered {status} without a signature")
    walk.say("Somebody drops the URL's signature", "403 by S3", took)


def delete(walk: Walk, ann: str, file: dict[str, Any], url: str) -> None:
    took, (status, _, request) = timed(lambda: walk.api("DELETE", "/api/files/delete", ann, {"s3Key": file["key"]}))
    walk.expect(status == 200, "the deletion was refused")
    walk.say("Ann deletes the file", "deleted", took, walk.calls("delete", request))

    took, (status, _, _) = timed(lambda: walk.send("GET", url, {}, None))
    walk.expect(status == 404, f"the old ticket still answers {status}")
    walk.say("Her ticket no longer works", "404 by S3", took)

    def taken() -> int:
        usage = walk.api("GET", "/api/files/usage", ann)[1]
        return usage["totalSize"] + usage["reservedSize"]

    took, _ = timed(lambda: walk.wait(taken, lambda size: size == 0, "the return of the bytes"))
    calls = walk.calls("on-object-event", file["fileId"], "Object Deleted")
    walk.say("S3 reports it; she uses nothing now", "0 bytes", took, calls)


def paint(path: Path, width: int = 640, height: int = 480) -> None:
    """Writes a gradient as a PNG with 24 bits per pixel. Sizes are in pixels."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes((x * 255 // width, y * 255 // height, (x ^ y) & 255))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    )
