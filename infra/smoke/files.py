"""Checks of files: upload, validation, download, limits, and that users do not see each other's files."""

import base64
import struct
import time
import zlib
from typing import Any

from client import Api, Person, Skipped, expect, send

# How long the check of an upload may take: S3's event, the queue and a cold start of the function.
READY_WITHIN_S = 90


def picture() -> bytes:
    """Returns a PNG of 2 x 2 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xc0\x30\x20" * 2) * 2)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def granted(api: Api, who: Person, size: int, name: str = "smoke été.png") -> Any:
    """Requests an upload grant and returns it."""
    request = {"filename": name, "contentType": "image/png", "size": size}
    return api.want(201, "POST", "/api/files/uploads", request, who=who)


def uploaded(api: Api, who: Person) -> Any:
    """Uploads a picture and waits until it is ready. Returns its metadata."""
    content = picture()
    grant = granted(api, who, len(content))
    put = send(grant["method"], grant["url"], grant["headers"], content)
    expect(put.status == 200, f"S3 answered {put.status} to the upload: {put.body[:200]!r}")
    path = f"/api/files/metadata?s3Key={grant['s3Key']}"
    began = time.monotonic()
    while (file := api.want(200, "GET", path, who=who))["status"] in ("pending", "processing"):
        expect(
            time.monotonic() - began < READY_WITHIN_S, f"the file is still {file['status']} after {READY_WITHIN_S} s"
        )
        time.sleep(0.3)
    expect(file["status"] == "ready", f"the file is {file['status']}: {file.get('rejectedReason')}")
    return file


def round_trip(api: Api, ann: Person) -> None:
    """A picture is uploaded, measured, downloaded unchanged, and deleted."""
    file = uploaded(api, ann)
    expect((file["width"], file["height"], file["size"]) == (2, 2, len(picture())), f"measured wrongly: {file}")
    expect(file["filename"] == "smoke été.png", f"the name became {file['filename']}")
    key = file["key"]
    try:
        ticket = api.want(200, "POST", "/api/files/presigned-url", {"s3Key": key, "expiresIn": 60}, who=ann)
        read = send("GET", ticket["url"], {}, None)
        expect((read.status, read.body) == (200, picture()), f"read back {read.status}, {len(read.body)} bytes")
        secure = api.want(200, "GET", f"/api/secure/files/download/{key}", who=ann)["data"]
        expect(send("GET", secure["download_url"], {}, None).status == 200, "the download_url does not work")
        usage = api.want(200, "GET", "/api/files/usage", who=ann)
        expect(usage["totalFiles"] >= 1 and usage["limit"] > 0, f"usage: {usage}")
    finally:
        api.want(200, "DELETE", "/api/files/delete", {"s3Key": key}, who=ann)
    api.refused(404, "NOT_FOUND", "POST", "/api/files/presigned-url", {"s3Key": key}, who=ann)


def grants_are_enforced_by_s3(api: Api, ann: Person) -> None:
    """S3 refuses uploads that differ from their grant, and a second upload."""
    content = picture()
    for cut, wanted in ((content[:-1], 403), (content + b"x", 403)):
        grant = granted(api, ann, len(content))
        answer = send("PUT", grant["url"], grant["headers"], cut)
        expect(answer.status == wanted, f"{len(cut)} bytes for a grant of {len(content)} were answered {answer.status}")
        api.want(200, "DELETE", "/api/files/delete", {"s3Key": grant["s3Key"]}, who=ann)
    grant = granted(api, ann, len(content))
    expect(send("PUT", grant["url"], grant["headers"], content).status == 200, "the upload was refused")
    again = send("PUT", grant["url"], grant["headers"], content[::-1])
    expect(again.status == 412, f"a grant used twice was answered {again.status}")
    expect(send("GET", grant["url"].partition("?")[0], {}, None).status == 403, "the bucket allows anybody to read")
    api.want(200, "DELETE", "/api/files/delete", {"s3Key": grant["s3Key"]}, who=ann)


def bad_requests_name_their_field(api: Api, ann: Person) -> None:
    """Invalid requests are refused with the name of the field."""
    good = {"filename": "a.png", "contentType": "image/png", "size": 100}
    for change, status, code, field in (
        ({"size": 0}, 400, "INVALID_REQUEST", "size"),
        ({"size": "10"}, 400, "INVALID_REQUEST", "size"),
        ({"size": 6 * 1024**4}, 413, "FILE_TOO_LARGE", "size"),
        ({"filename": "a\u202eb.png"}, 400, "INVALID_FILENAME", "filename"),
        ({"contentType": "application/x-msdownload"}, 415, "UNSUPPORTED_FILE_TYPE", "contentType"),
        ({"role": "admin"}, 400, "INVALID_REQUEST", "role"),
    ):
        answer = api.refused(status, code, "POST", "/api/files/uploads", good | change, who=ann)
        named = answer.error().get("details", {}).get("field")
        expect(named == field, f"the refusal of {change} names {named}, not {field}")
    api.refused(400, "INVALID_CURSOR", "GET", "/api/files/list?cursor=forged", who=ann)


def a_retry_gets_the_same_grant(api: Api, ann: Person) -> None:
    """A retry with the same Idempotency-Key gets the same grant; another request with it is refused."""
    request = {"filename": "once.png", "contentType": "image/png", "size": 100}
    once = base64.b32encode(str(time.time_ns()).encode()).decode().strip("=")
    first = api.want(201, "POST", "/api/files/uploads", request, who=ann, idempotency_key=once)
    second = api.want(201, "POST", "/api/files/uploads", request, who=ann, idempotency_key=once)
    expect(first["fileId"] == second["fileId"], "a retry got another grant")
    other = request | {"size": 101}
    api.refused(422, "IDEMPOTENCY_MISMATCH", "POST", "/api/files/uploads", other, who=ann, idempotency_key=once)
    api.want(200, "DELETE", "/api/files/delete", {"s3Key": first["s3Key"]}, who=ann)


def users_are_kept_apart(api: Api, ann: Person, bob: Person | None) -> None:
    """Another user's file answers exactly like a file that does not exist."""
    if bob is None:
        raise Skipped("it needs a second user: set OTHER_TOKEN_CMD")
    expect(ann.claim("sub") != bob.claim("sub"), "TOKEN_CMD and OTHER_TOKEN_CMD print tokens of the same user")
    key = uploaded(api, ann)["key"]
    try:
        for method, path, body in (
            ("GET", f"/api/files/metadata?s3Key={key}", None),
            ("POST", "/api/files/presigned-url", {"s3Key": key}),
            ("DELETE", "/api/files/delete", {"s3Key": key}),
            ("GET", f"/api/secure/files/download/{key}", None),
        ):
            theirs = api.refused(404, "NOT_FOUND", method, path, body, who=bob)
            never = json_without_ids(api.call(method, path.replace(key, key[:-1]), replaced(body, key), who=bob).json())
            expect(
                json_without_ids(theirs.json()) == never,
                f"{method} {path}: reveals that the file exists",
            )
    finally:
        api.want(200, "DELETE", "/api/files/delete", {"s3Key": key}, who=ann)


def replaced(body: Any, key: str) -> Any:
    """Returns the body with a key that does not exist."""
    return None if body is None else {"s3Key": key[:-1]}


def json_without_ids(body: dict[str, Any]) -> dict[str, Any]:
    """Returns an error without the fields that differ in every answer."""
    return {name: value for name, value in body.items() if name not in ("timestamp", "requestId")}
