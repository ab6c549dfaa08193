"""A stand-in for a customer's server that receives webhooks. It answers as planned and records what it received.

`PUT /_plan/<name>` with `{"secrets": ["whsec_..."], "answers": [...]}` sets the answers to the next webhooks to
`/<name>`. Each is a status, or an object with `status`, `delay_ms`, `size` in bytes, `location` and `retry_after`.
After the last one the answer is 204. If there are secrets, a webhook without a valid signature gets 401.

`GET /_seen/<name>` returns the received webhooks: id, time of arrival and of sending, body, the number of signatures,
and whether one of them is valid.
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
from typing import Any

TOLERANCE_S = 300
FINE = 204
plans: dict[str, dict[str, Any]] = {}
seen: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
lock = threading.Lock()


class Server(http.server.ThreadingHTTPServer):
    """A server that accepts many connections at once."""

    request_queue_size = 128
    daemon_threads = True


def start(port: int) -> None:
    """Starts the stand-in in the background. It ends with the process."""
    threading.Thread(target=Server(("127.0.0.1", port), Receiver).serve_forever, daemon=True).start()


def is_signed(secrets: list[str], headers: Any, body: bytes) -> bool:
    """Returns whether a webhook has a valid signature, as specified by https://www.standardwebhooks.com. Customers can
    start from this code."""
    told, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not at.isdigit() or abs(time.time() - int(at)) > TOLERANCE_S:
        return False
    signed = f"{told}.{at}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if any(hmac.compare_digest(wanted, one) for one in headers.get("webhook-signature", "").split(" ")):
            return True
    return False


class Receiver(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""

    def handle_one_request(self) -> None:
        """Ignores callers that close the connection."""
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def body(self) -> bytes:
        """Reads the body of the request."""
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def do_PUT(self) -> None:
        """Stores a plan."""
        plan = json.loads(self.body())
        with lock:
            plans[self.path.removeprefix("/_plan")] = plan
        self.reply(200, {})

    def do_GET(self) -> None:
        """Returns the webhooks that were received."""
        with lock:
            came = list(seen[self.path.removeprefix("/_seen")])
        self.reply(200, {"webhooks": came})

    def do_POST(self) -> None:
        """Records a webhook and answers it as planned."""
        body, path, came = self.body(), self.path.split("?")[0], time.time()
        with lock:
            plan = plans.get(path, {})
            answers = plan.get("answers", [])
            answer = answers.pop(0) if answers else FINE
        answer = {"status": answer} if isinstance(answer, int) else answer
        secrets = plan.get("secrets", [])
        verified = is_signed(secrets, self.headers, body)
        status = answer.get("status", FINE) if verified or not secrets else 401
        signatures = self.headers.get("webhook-signature", "").split()
        timestamp = self.headers.get("webhook-timestamp", "")
        row = {
            "id": self.headers.get("webhook-id"),
            "at": came,
            "sent": int(timestamp) if timestamp.isdigit() else None,
            "verified": verified,
            "signatures": len(signatures),
            "agent": self.headers.get("user-agent"),
            "answered": status,
            "body": body.decode(),
        }
        with lock:
            seen[path].append(row)
        time.sleep(answer.get("delay_ms", 0) / 1000)
        more = {"Location": answer.get("location"), "Retry-After": answer.get("retry_after")}
        self.send(status, b"x" * answer.get("size", 0), more)

    def reply(self, status: int, body: Any) -> None:
        """Answers with JSON."""
        self.send(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, body: bytes, headers: dict[str, Any]) -> None:
        """Sends a response. Headers whose value is `None` are left out."""
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, str(value))
        if status != FINE:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != FINE:
            self.wfile.write(body)
