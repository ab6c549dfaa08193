"""Large files: a film is uploaded in parts, one of which is lost."""

from typing import Any

from walk import Walk, timed

# The smallest size that is uploaded in parts, in bytes: seven of them.
SIZE = 104_857_601
# The start of an MPEG-4 video.
START = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"


def tell(walk: Walk, ann: str) -> None:
    """Uploads all parts but one, goes on as after a reload of the page, and deletes the film."""
    film = START + bytes(SIZE - len(START))
    path, size = grant(walk, ann)
    send_some(walk, ann, path, size, film)
    file = resume(walk, ann, path, size, film)

    took, (status, _, request) = timed(lambda: walk.api("DELETE", "/api/files/delete", ann, {"s3Key": file["s3Key"]}))
    walk.expect(status == 200, "the deletion was refused")
    walk.say("Ann deletes the film", "deleted", took, walk.calls("delete", request))


def grant(walk: Walk, ann: str) -> tuple[str, int]:
    """Returns the path of the upload and the size of its parts."""
    body = {"filename": "film.mp4", "contentType": "video/mp4", "size": SIZE}
    took, (status, granted, request) = timed(lambda: walk.api("POST", "/api/files/uploads", ann, body))
    walk.expect(status == 201 and granted["method"] == "MULTIPART", f"the grant is {granted}")
    parts = f"{granted['partCount']} parts of {granted['partSize'] / 1e6:.1f} MB"
    walk.say(f"Ann asks to upload a film of {SIZE / 1e6:.0f} MB", parts, took, walk.calls("upload-grant", request))
    return f"/api/files/uploads/{granted['fileId']}", granted["partSize"]


def send_some(walk: Walk, ann: str, path: str, size: int, film: bytes) -> None:
    """Uploads all parts but the last."""
    numbers = list(range(1, -(-SIZE // size) + 1))
    took, (status, signed, request) = timed(
        lambda: walk.api("POST", f"{path}/parts", ann, {"partNumbers": numbers}),
    )
    walk.expect(status == 200, f"the parts were refused: {signed}")
    urls = f"{len(signed['parts'])} URLs, each for one length"
    walk.say("She asks for the parts", urls, took, walk.calls("upload-parts", request))

    took, _ = timed(lambda: [put(walk, part, size, film) for part in signed["parts"][:-1]])
    walk.say("Her browser sends all but the last, and closes", f"{len(numbers) - 1} parts stored", took)


def resume(walk: Walk, ann: str, path: str, size: int, film: bytes) -> dict[str, Any]:
    """Uploads what is missing, and completes the upload. Returns the answer."""
    took, (_, listed, request) = timed(lambda: walk.api("GET", f"{path}/parts", ann))
    missing = listed["missing"]
    walk.expect(missing == [listed["partCount"]], f"the parts are {listed}")
    what = f"part {missing[0]} is missing"
    walk.say("Later she asks what has arrived", what, took, walk.calls("upload-parts", request))

    _, signed, _ = walk.api("POST", f"{path}/parts", ann, {"partNumbers": missing})
    took, tag = timed(lambda: put(walk, signed["parts"][0], size, film))
    walk.say("That part is signed again and sent", "stored", took)

    parts = [{"partNumber": part["partNumber"], "etag": part["etag"]} for part in listed["parts"]]
    body = {"parts": [*parts, {"partNumber": missing[0], "etag": tag}]}
    took, (status, done, request) = timed(lambda: walk.api("POST", f"{path}/complete", ann, body))
    walk.expect(status == 200, f"the completion was refused: {done}")
    walk.say("She completes the upload", "one object", took, walk.calls("upload-complete", request))

    def facts() -> Any:
        return walk.api("GET", f"/api/files/metadata?s3Key={done['s3Key']}", ann)[1]

    took, _ = timed(lambda: walk.wait(facts, lambda file: file["status"] == "ready", "the check of the film"))
    calls = walk.calls("on-object-event", done["fileId"], "Object Created")
    walk.say("S3 reports it; the bytes are checked", "ready", took, calls)
    answer: dict[str, Any] = done
    return answer


def put(walk: Walk, part: dict[str, Any], size: int, film: bytes) -> str:
    """Uploads a signed part. Returns its entity tag."""
    start = (part["partNumber"] - 1) * size
    status, text, headers = walk.send("PUT", part["url"], part["headers"], film[start : start + part["size"]])
    walk.expect(status == 200, f"the bucket refused part {part['partNumber']}: {text.decode()}")
    tag: str = headers["etag"]
    return tag
