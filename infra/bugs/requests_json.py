"""JSON as other programs write it, and keys and addresses as people paste them."""

import base64
import json
from typing import Any

from cases import Case
from world import World

GRANT = {"filename": "a.png", "contentType": "image/png", "size": 500}


def grant(source: str, given: str, body: bytes, expected: str, **headers: Any) -> Case:
    """Makes a case that asks for a grant with a body as it is written."""

    def ask(world: World) -> str:
        return str(world.call("POST", "/api/files/uploads", body, world.token(), **headers))

    return Case(source, given, expected, ask)


def sized(size: str) -> bytes:
    """Returns the request for a grant with a size as it is written."""
    return json.dumps(GRANT).replace("500", size).encode()


def verify(world: World, key: str, **headers: Any) -> str:
    """Checks a key as a service. Returns the verdict."""
    token = None if headers else world.env["SERVICE_TOKEN"]
    answer = world.call("POST", "/api/keys/verify", {"key": key, "scope": "pdf:read"}, token, **headers)
    return answer.json()["data"]["code"] if answer.status == 200 else str(answer)


def basic(user: str) -> str:
    """Returns the header for a user name and an empty password."""
    return f"Basic {base64.b64encode(f'{user}:'.encode()).decode()}"


def invited(source: str, given: str, address: str, expected: str) -> Case:
    """Makes a case that invites an address. What comes back is the address that was kept."""

    def ask(world: World) -> str:
        org = world.org()
        path = f"/api/orgs/{org['id']}/invitations"
        answer = world.call("POST", path, {"email": address, "role": "billing"}, org["token"])
        return f"201 {answer.json()['data']['email']}" if answer.status == 201 else str(answer)

    return Case(source, given, expected, ask)


CASES = [
    grant("nlohmann/json#152", "a byte order mark before the JSON", b"\xef\xbb\xbf" + sized("500"), "201"),
    grant("fastify/secure-json-parse#5", "only a byte order mark", b"\xef\xbb\xbf", "400 INVALID_REQUEST"),
    grant("dmtrKovalenko/fff#326", "500.0 for an integer", sized("500.0"), "201"),
    grant("scylladb/scylladb#10101", "5e2 for an integer", sized("5e2"), "201"),
    grant("block/ftl#4874", "500.5 for an integer", sized("500.5"), "400 INVALID_REQUEST size"),
    grant("logchimp/logchimp#1184", "-1 for a size", sized("-1"), "400 INVALID_REQUEST size"),
    grant(
        "flop-labs/technocore-chat#130", "20,000 nested arrays", b"[" * 20_000 + b"]" * 20_000, "400 INVALID_REQUEST"
    ),
    grant(
        "schaurian/schautrack#378",
        "NUL in a name",
        json.dumps(GRANT | {"filename": "a\0b.png"}).encode(),
        "400 INVALID_FILENAME filename",
    ),
    grant("RFC 8259, section 8.1", "JSON in UTF-16", json.dumps(GRANT).encode("utf-16"), "400 INVALID_REQUEST"),
    grant(
        "RFC 9110, section 15.5.16",
        "JSON sent as a form",
        sized("500"),
        "415 UNSUPPORTED_MEDIA_TYPE",
        content_type="application/x-www-form-urlencoded",
    ),
    Case("xanthics/gw2craft#35", "spaces round a pasted key", "VALID", lambda w: verify(w, f"  {w.org()['key']} ")),
    Case(
        "replayio/replay-cli#239", "a line end behind a pasted key", "VALID", lambda w: verify(w, f"{w.org()['key']}\n")
    ),
    Case(
        "forwardemail/superagent#463",
        "a service token as user name without password",
        "VALID",
        lambda w: verify(w, w.org()["key"], authorization=basic(w.env["SERVICE_TOKEN"])),
    ),
    Case(
        "postmanlabs/httpbin#356",
        "a key as user name without password, through the gateway",
        "200",
        lambda w: str(w.call("GET", "/api/v1/pdf/echo", authorization=basic(w.org()["key"]))),
    ),
    invited("mealie-recipes/mealie#475", "spaces behind an address", "spaces@example.com   ", "201 spaces@example.com"),
]
