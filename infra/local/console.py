"""The console of the laptop: what `make console` built, on a port of its own, because it is an application of its own.

| path | what answers |
|---|---|
| `/config.json` | where the API is, and how people sign in |
| `POST /_laptop/token` | a session token that lives a minute, for the console alone |
| a file of the build | that file |
| everything else | the page, whose router knows its own addresses |
"""

import base64
import functools
import gzip
import json
import mimetypes
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import laptop_token

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "target/web/console"
HEADERS = ROOT / "web/console/headers.json"
NOT_BUILT = "The console is not built. make console builds it.\n"
# Most bytes of a request for a token.
BODY_MAX = 4096

COMPRESSED = ("text/html", "text/javascript", "text/css", "application/wasm")

Answer = tuple[int, str, bytes, list[tuple[bytes, bytes]]]


def is_built(built: Path = BUILT) -> bool:
    """Returns whether there is a build of the console."""
    return (built / "index.html").is_file()


@functools.cache
def committed() -> dict[str, Any]:
    """Returns the headers with which the console is served, here and by a CDN: `web/console/headers.json`."""
    return json.loads(HEADERS.read_text())


def policy(api: str, aws_port: int, issuer: str | None) -> str:
    """Returns the content security policy of the page: scripts of the build only, requests to the API and the bucket.

    `issuer` is the address of a Clerk application if people sign in there.
    """
    places = {
        "{api}": [api],
        "{files}": [f"http://localhost:{aws_port}", f"http://127.0.0.1:{aws_port}"],
        # Clerk serves its script from the application's own domain.
        "{clerk}": [issuer] if issuer else [],
    }
    more = committed()["policyWithClerk"] if issuer else {}
    return "; ".join(
        " ".join(
            [name, *(place for source in [*sources, *more.get(name, [])] for place in places.get(source, [source]))]
        )
        for name, sources in committed()["policy"].items()
    )


@functools.lru_cache(maxsize=256)
def compressed(content: bytes) -> bytes:
    """Compresses a file. Each is compressed once."""
    return gzip.compress(content, mtime=0)


def cache_policy(path: str) -> str:
    """Returns how long a browser keeps what is at a path. A file of the build has another name once it changes."""
    cache = committed()["cache"]
    return cache.get(path) or cache["/assets/*" if path.startswith("/assets/") else "*"]


class Console:
    """Answers the requests on the console's port."""

    def __init__(self, port: int, api: str, aws_port: int, key_file: Path, built: Path = BUILT):
        self.port, self.api, self.aws_port, self.key_file, self.built = port, api, aws_port, key_file, built
        self.origin = f"http://localhost:{port}"

    def answer(self, method: str, path: str, headers: dict[bytes, bytes], body: bytes, facts: Any) -> Answer:
        """Answers one request. `facts` is what is known of the stack, or `None` if it is not deployed."""
        if headers.get(b"host", b"").decode("latin-1") != f"localhost:{self.port}":
            return refusal(403, f"Ask for {self.origin}{path} on this machine.\n")
        if path == "/_laptop/token":
            return self.token(method, headers, body, facts)
        if method not in ("GET", "HEAD"):
            return 405, "text/plain", b"Only GET and HEAD.\n", [(b"allow", b"GET, HEAD")]
        if path == "/config.json":
            kept = [(b"cache-control", cache_policy(path).encode())]
            return 200, "application/json", json.dumps(config(self.api, facts)).encode(), kept
        status, kind, content, more = self.file(path, None if takes_own(facts) else facts["issuer"])
        # As a CDN does, so that what is measured here is what people wait for.
        if b"gzip" in headers.get(b"accept-encoding", b"") and kind in COMPRESSED:
            return (
                status,
                kind,
                compressed(content),
                [*more, (b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")],
            )
        return status, kind, content, more

    def file(self, path: str, issuer: str | None) -> Answer:
        """Answers with a file of the build, or with the page for an address of its router."""
        if not is_built(self.built):
            return refusal(503, NOT_BUILT)
        more = [
            (b"content-security-policy", policy(self.api, self.aws_port, issuer).encode()),
            (b"cache-control", cache_policy(path).encode()),
            *((name.encode(), value.encode()) for name, value in committed()["headers"].items()),
        ]
        file = (self.built / path.lstrip("/")).resolve()
        if file.is_file() and file.is_relative_to(self.built.resolve()):
            kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
            return 200, kind, file.read_bytes(), more
        if path.startswith("/assets/"):
            return refusal(404, "There is no such file.\n")
        return 200, "text/html", (self.built / "index.html").read_bytes(), more

    def token(self, method: str, headers: dict[bytes, bytes], body: bytes, facts: Any) -> Answer:
        """Answers with a token for the console's own page. No other page of the browser gets one."""
        if method != "POST":
            return 405, "text/plain", b"Only POST.\n", [(b"allow", b"POST")]
        if headers.get(b"origin", b"").decode("latin-1") != self.origin:
            return refusal(403, f"Only a page of {self.origin} gets tokens.\n")
        if headers.get(b"content-type", b"").partition(b";")[0].strip() != b"application/json":
            return refusal(415, "The body must be application/json.\n")
        if facts is None or not takes_own(facts):
            return refusal(409, "The stack takes no tokens of this laptop.\n")
        try:
            asked = json.loads(body) if len(body) <= BODY_MAX else None
            claims = laptop_token.claims_of(asked, self.origin, int(time.time()))
        except (ValueError, laptop_token.Refused) as error:
            return refusal(400, f"{error}\n")
        text = json.dumps({"token": laptop_token.signed(claims, self.key_file), "expires_at": claims["exp"]})
        return 200, "application/json", text.encode(), []


def config(api: str, facts: Any) -> dict[str, Any]:
    """Returns what the page has to know. Tokens come from this laptop unless the stack trusts a Clerk application."""
    return {"apiUrl": api, "clerkPublishableKey": None if takes_own(facts) else publishable_key(facts["issuer"])}


def takes_own(facts: Any) -> bool:
    """Returns whether a stack takes the tokens of this laptop; one that is not deployed yet will."""
    return facts is None or facts["issuer"] == facts["own_issuer"]


def publishable_key(issuer: str) -> str:
    """Returns the publishable key of a Clerk application, which is its domain in another form."""
    host = urlsplit(issuer).hostname or ""
    kind = "test" if re.search(r"\.accounts\.dev$", host) else "live"
    return f"pk_{kind}_{base64.b64encode(f'{host}$'.encode()).decode().rstrip('=')}"


def refusal(status: int, text: str) -> Answer:
    """Returns an answer for people."""
    return status, "text/plain", text.encode(), []
