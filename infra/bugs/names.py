"""Names and declared types of files, and what is said of a file right after its upload, rejection or deletion."""

import time

from cases import Case
from contents import CORPUS
from world import World

PICTURE = (CORPUS / "baseline.jpg").read_bytes()
PHOTO = (CORPUS / "plain.heic").read_bytes()


def named(source: str, given: str, name: str, declared: str | None, expected: str) -> Case:
    """Makes a case that asks for a grant. What comes back is its type and name, or the refusal."""

    def ask(world: World) -> str:
        request = {"filename": name, "size": 100} | ({} if declared is None else {"contentType": declared})
        token = world.token()
        answer = world.call("POST", "/api/files/uploads", request, token)
        if answer.status != 201:
            return str(answer)
        key = answer.json()["s3Key"]
        file = world.call("GET", f"/api/files/metadata?s3Key={key}", token=token).json()
        return f"201 {answer.json()['headers']['content-type']} {file['filename']}"

    return Case(source, given, expected, ask)


def heic_without_type(world: World) -> str:
    """Uploads a photo whose type the browser does not know. Returns its type and size."""
    file = world.upload("IMG_0638.HEIC", "application/octet-stream", PHOTO)
    return f"{file['status']} {file.get('contentType')} {file.get('width')}x{file.get('height')}"


def ticket_before_the_check(world: World) -> str:
    """Asks for a ticket before anything was uploaded."""
    token = world.token()
    request = {"filename": "a.png", "contentType": "image/png", "size": 100}
    key = world.call("POST", "/api/files/uploads", request, token).json()["s3Key"]
    answer = world.call("POST", "/api/files/presigned-url", {"s3Key": key}, token)
    return f"{answer}, Retry-After {'set' if answer.headers.get('retry-after') else 'missing'}"


def ticket_of_a_rejected_file(world: World) -> str:
    """Asks for a ticket of a file that was rejected."""
    file = world.upload("a.png", "image/png", b"no picture at all\n")
    answer = world.call("POST", "/api/files/presigned-url", {"s3Key": file["s3Key"]}, file["token"])
    reason = (answer.error.get("details") or {}).get("reason")
    return f"{answer.status} {answer.error.get('code')}: {reason}"


def list_after_a_deletion(world: World) -> str:
    """Deletes the only file, and lists at once."""
    file = world.upload("a.jpg", "image/jpeg", PICTURE)
    world.call("DELETE", "/api/files/delete", {"s3Key": file["s3Key"]}, file["token"])
    body = world.call("GET", "/api/files/list", token=file["token"]).json()
    return f"{len(body['files'])} listed, total {body['total']}"


def downloaded_text(world: World) -> str:
    """Uploads a text and downloads it. Returns the type of the answer."""
    file = world.upload("a.txt", "text/plain", "Été à Paris\n".encode())
    # The list of files may be a moment behind; the ticket is not.
    for _ in range(20):
        ticket = world.call("POST", "/api/files/presigned-url", {"s3Key": file["s3Key"]}, file["token"])
        if ticket.status == 200:
            return world.send("GET", ticket.json()["url"]).headers.get("content-type", "no type")
        time.sleep(0.3)
    return str(ticket)


CASES = [
    named("opengovsg/FormSG#3369", "a name with .jfif", "a.jfif", "image/jpeg", "201 image/jpeg a.jfif"),
    named("lucyparsons/OpenOversight#709", "a name with .jpe", "a.jpe", "image/jpeg", "201 image/jpeg a.jpe"),
    named("drogers0/gh-image#32", "the type image/jpg", "a.jpg", "image/jpg", "201 image/jpeg a.jpg"),
    named("drogers0/gh-image#32", "the type image/pjpeg", "a.jpg", "image/pjpeg", "201 image/jpeg a.jpg"),
    named("baloise/design-system#1847", "an empty type and .heic", "a.heic", "", "201 image/heic a.heic"),
    Case(
        "Altinn/altinn-studio#18989",
        "application/octet-stream and .HEIC",
        "ready image/heic 64x40",
        heic_without_type,
    ),
    named("vanilla/vanilla#7271", "an upper-case .JPEG", "3C5D579A.JPEG", "image/jpeg", "201 image/jpeg 3C5D579A.JPEG"),
    named(
        "haiwen/seafile#1966", "128 Cyrillic letters", "я" * 124 + ".png", "image/png", f"201 image/png {'я' * 124}.png"
    ),
    named(
        "toolforge/video2commons#213",
        "90 Japanese letters",
        "写" * 86 + ".png",
        "image/png",
        f"201 image/png {'写' * 86}.png",
    ),
    named("haiwen/seahub#5259", "an emoji", "💫.png", "image/png", "201 image/png 💫.png"),
    named(
        "haiwen/seahub#5259",
        "the flag of Scotland, which is six tags",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f.png",
        "image/png",
        "201 image/png \U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f.png",
    ),
    named(
        "owncloud/ocis#6281",
        "a Hebrew name with a right-to-left mark",
        "\u200f\u05e9\u05dc\u05d5\u05dd.png",
        "image/png",
        "201 image/png \u05e9\u05dc\u05d5\u05dd.png",
    ),
    named(
        "nextcloud/server#10030",
        "a right-to-left override before gpj.exe",
        "a\u202egpj.exe",
        "image/jpeg",
        "400 INVALID_FILENAME filename",
    ),
    named(
        "sismics/docs#401",
        "a name of 105 characters",
        "A" * 101 + ".pdf",
        "application/pdf",
        f"201 application/pdf {'A' * 101}.pdf",
    ),
    named(
        "opencloud-eu/web#772",
        "a name of 256 characters",
        "a" * 252 + ".png",
        "image/png",
        "400 INVALID_FILENAME filename",
    ),
    named(
        "Studio-42/elFinder#3458",
        "two dots behind .php",
        "shell.php..",
        "image/png",
        "415 UNSUPPORTED_FILE_TYPE filename",
    ),
    Case("rclone/rclone#5447", "a ticket before the upload", "409 NOT_READY, Retry-After set", ticket_before_the_check),
    Case(
        "get-bb/bb#2170",
        "a ticket for a rejected file says why",
        "409 FILE_REJECTED: declared image/png, found text",
        ticket_of_a_rejected_file,
    ),
    Case(
        "runbox/runbox7#190", "a list right after the only file was deleted", "0 listed, total 0", list_after_a_deletion
    ),
    Case(
        "source-cooperative/source.coop#198",
        "a text with accents, downloaded",
        "text/plain; charset=utf-8",
        downloaded_text,
    ),
]
