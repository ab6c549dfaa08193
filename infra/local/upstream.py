"""A stand-in for the services behind the gateway. It refuses calls without the gateway's signature, and echoes others.

The query sets the answer: `status`, `delay_ms`, `size` in bytes, `location`, `header=name:value`, and `fault`, which is
`close` (closes the connection), `junk` (answers with bytes that are not HTTP) or `short` (sends less than the declared
Content-Length). `/_calls/<path>` returns how often that path was called; it needs no signature.
"""

import base64
import collections
import contextlib
import hashlib
import hmac
import http.server
import json
import threading
import time
import urllib.parse
from pathlib import Path
from typing import Any

SIGNED = ("org", "key", "environment", "service", "credits", "request", "timestamp", "body")
TOLERANCE_S = 300
calls: collections.Counter[str] = collections.Counter()


def start(port: int, secrets: Path) -> None:
    """Starts the stand-in in the background. Each file in the folder `secrets` has the secret of one deployed stack."""

    class Handler(Stand):
        secrets_folder = secrets

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Stand(http.server.BaseHTTPRequestHandler):
    """One connection of a caller."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    secrets_folder: Path

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""

    def handle_one_request(self) -> None:
        """Ignores callers that close the connection."""
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def answer(self) -> None:
        """Answers a request of any method."""
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        address = urllib.parse.urlsplit(self.path)
        if address.path.startswith("/_calls/"):
            return self.reply(200, {"calls": calls[address.path.removeprefix("/_calls")]})
        if not self.is_signed(body):
            return self.reply(401, {"error": "the call is not from the gateway"})
        calls[address.path] += 1
        options = dict(urllib.parse.parse_qsl(address.query))
        time.sleep(int(options.get("delay_ms", 0)) / 1000)
        if "fault" in options:
            return self.fail(options["fault"])
        more = [("Location", options["location"])] if "location" in options else []
        more += [tuple(options["header"].split(":", 1))] if "header" in options else []
        if "size" in options:
            status, body = int(options.get("status", 200)), b"\xff" * int(options["size"])
            return self.send(status, body, "application/octet-stream", more)
        echo = {
            "method": self.command,
            "path": address.path,
            "query": address.query,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body_base64": base64.b64encode(body).decode(),
        }
        return self.reply(int(options.get("status", 200)), echo, more)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def is_signed(self, body: bytes) -> bool:
        """Returns whether the gateway signed this call and this body, within the last five minutes."""
        values = [self.headers.get_all(f"x-consigne-{name}", []) for name in SIGNED]
        signature = self.headers.get_all("x-consigne-signature", [])
        if any(len(found) != 1 for found in [*values, signature]):
            return False
        told = dict(zip(SIGNED, (found[0] for found in values), strict=True))
        signed = "\n".join(["consigne-gateway-v1", self.command, self.path, *told.values()]).encode()

        def by(secret: bytes) -> str:
            return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()

        secrets = [path.read_bytes() for path in self.secrets_folder.glob("*.secret")]
        ours = any([hmac.compare_digest(by(secret).encode(), signature[0].encode()) for secret in secrets])
        same_body = hmac.compare_digest(hashlib.sha256(body).hexdigest().encode(), told["body"].encode())
        return ours and same_body and abs(time.time() - int(told["timestamp"])) <= TOLERANCE_S

    def fail(self, how: str) -> None:
        """Closes the connection, after what the fault sends."""
        self.close_connection = True
        if how == "junk":
            self.wfile.write(b"this is no HTTP\r\n\r\n")
        elif how == "short":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")

    def reply(self, status: int, body: Any, more: list[Any] | None = None) -> None:
        """Answers with JSON."""
        self.send(status, json.dumps(body).encode(), "application/json", more or [])

    def send(self, status: int, body: bytes, kind: str, more: list[Any]) -> None:
        """Sends a response."""
        self.send_response(status)
        has_none = status in (204, 304)
        for name, value in [("Content-Type", kind), ("Connection", "X-Of-This-Hop"), ("X-Of-This-Hop", "1"), *more]:
            self.send_header(name, value)
        if not has_none:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and not has_none:
            self.wfile.write(body)
