"""A stand-in for Stripe, with the part of its API that checkouts and orders need. Its data is in memory.

`POST /v1/checkout/sessions` opens one session for each `Idempotency-Key`. `GET /v1/checkout/sessions/{id}` returns it.
Nobody can pay here: a test that plays the buyer signs Stripe's events with the stack's `STRIPE_WEBHOOK_SECRET` and
sends them to the stack.

`POST /_stand-in/faults {"org": "org_...", "next": [503, "kept", "hang", "lost"]}` makes the next requests of an
organisation fail. A number is answered as the status, and nothing is done. `kept` is an error that is replayed for
every request with the same key. `hang` is never answered. `lost` opens the session but sends no answer.
`GET /_stand-in/sessions/{org}` returns the number of requests of an organisation, and its sessions.

`POST /v1/payment_intents` makes a payment intent, such as one with `metadata[consigne]=order` for an order.
`POST /_stand-in/pay {"payment_intent": "pi_...", "url": "...", "secret": "whsec_..."}` plays the buyer: it sends the
signed event that the intent has succeeded to the webhook at `url`, and returns the status of its answer.
"""

import hashlib
import hmac
import json
import re
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

HANG_S = 30
KEY = re.compile(r"Bearer \w{32,}")


class State:
    """The sessions, requests and planned faults."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.sessions: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, tuple[bytes, dict[str, Any]]] = {}
        self.failed: set[str] = set()
        self.faults: dict[str, list[int | str]] = defaultdict(list)
        self.requests: dict[str, int] = defaultdict(int)
        self.intents: dict[str, dict[str, Any]] = {}

    def open(self, once: str, body: bytes, form: dict[str, str], address: str) -> dict[str, Any] | None:
        """Opens a session, or returns the one that was opened with the same key. `None` if that request differed."""
        with self.lock:
            if once in self.asked:
                before, session = self.asked[once]
                return session if before == body else None
            session = session_of(form, address)
            self.sessions[session["id"]] = session
            self.asked[once] = (body, session)
            return session

    def fault(self, org: str) -> int | str | None:
        """Counts a request of an organisation. Returns its fault, or `None`."""
        with self.lock:
            self.requests[org] += 1
            return self.faults[org].pop(0) if self.faults[org] else None


def session_of(form: dict[str, str], address: str) -> dict[str, Any]:
    """Returns a session with the fields of Stripe's API that are used here."""
    mark = secrets.token_hex(24)
    item = "line_items[0]"
    amount = int(form[f"{item}[quantity]"]) * int(form[f"{item}[price_data][unit_amount]"])
    return {
        "id": f"cs_test_{mark}",
        "object": "checkout.session",
        "amount_total": amount,
        "client_reference_id": form["client_reference_id"],
        "created": int(time.time()),
        "currency": form[f"{item}[price_data][currency]"],
        "livemode": False,
        "metadata": inside(form, "metadata"),
        "mode": form["mode"],
        "payment_intent": None,
        "payment_status": "unpaid",
        "status": "open",
        "success_url": form["success_url"],
        "cancel_url": form["cancel_url"],
        "url": f"{address}/c/pay/cs_test_{mark}",
    }


def intent_of(form: dict[str, str]) -> dict[str, Any]:
    """Returns a payment intent with the fields of Stripe's API that are used here."""
    return {
        "id": f"pi_{secrets.token_hex(12)}",
        "object": "payment_intent",
        "amount": int(form["amount"]),
        "created": int(time.time()),
        "currency": form["currency"],
        "livemode": False,
        "metadata": inside(form, "metadata"),
        "status": "requires_payment_method",
    }


def tell(intent: dict[str, Any], url: str, secret: str) -> int:
    """Sends the signed event that an intent has succeeded to a webhook. Returns the status of its answer."""
    now = int(time.time())
    event = {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "created": now,
        "data": {"object": intent},
        "livemode": False,
        "type": "payment_intent.succeeded",
    }
    body = json.dumps(event).encode()
    signature = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "stripe-signature": f"t={now},v1={signature}"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=HANG_S) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def inside(form: dict[str, str], name: str) -> dict[str, str]:
    """Returns the fields `name[...]` of a form, by the text in brackets."""
    pattern = re.compile(rf"{re.escape(name)}\[(\w+)\]")
    return {found[1]: value for field, value in form.items() if (found := pattern.fullmatch(field))}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    state: State

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path == "/_stand-in/faults":
            plan = json.loads(body)
            self.state.faults[plan["org"]] = list(plan["next"])
            self.answer(200, {})
        elif self.path == "/_stand-in/pay":
            self.pay(json.loads(body))
        elif self.path == "/v1/checkout/sessions" and self.is_known():
            self.open_session(body)
        elif self.path == "/v1/payment_intents" and self.is_known():
            self.make_intent(body)

    def do_GET(self) -> None:
        *path, last = self.path.rsplit("/", 1)
        if path == ["/_stand-in/sessions"]:
            mine = [session for session in self.state.sessions.values() if session["client_reference_id"] == last]
            self.answer(200, {"requests": self.state.requests[last], "sessions": mine})
        elif path == ["/v1/checkout/sessions"] and self.is_known():
            session = self.state.sessions.get(last)
            self.answer(200, session) if session else self.refuse(404, "resource_missing")

    def make_intent(self, body: bytes) -> None:
        try:
            intent = intent_of(dict(parse_qsl(body.decode(), keep_blank_values=True)))
        except (KeyError, ValueError) as error:
            self.refuse(400, f"parameter_missing {error}")
            return
        self.state.intents[intent["id"]] = intent
        self.answer(200, intent)

    def pay(self, ask: dict[str, str]) -> None:
        intent = self.state.intents.get(ask["payment_intent"])
        if intent is None:
            self.refuse(404, "resource_missing")
            return
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        self.answer(200, {"status": tell(intent, ask["url"], ask["secret"])})

    def open_session(self, body: bytes) -> None:
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        once = self.headers.get("idempotency-key", secrets.token_hex())
        fault = self.state.fault(form.get("client_reference_id", ""))
        if fault == "hang":
            time.sleep(HANG_S)
            return
        if once in self.state.failed:
            self.refuse(500, "planned", replayed=True)
            return
        if fault == "kept":
            self.state.failed.add(once)
        if isinstance(fault, int) or fault == "kept":
            self.refuse(500 if fault == "kept" else fault, "planned")
            return
        try:
            session = self.state.open(once, body, form, f"http://{self.headers['host']}")
        except (KeyError, ValueError) as error:
            self.refuse(400, f"parameter_missing {error}")
            return
        if session is None:
            self.refuse(400, "idempotency_error")
        elif fault == "lost":
            self.close_connection = True
        else:
            self.answer(200, session)

    def is_known(self) -> bool:
        """Returns whether the request has an API key. If not, answers 401 as Stripe does."""
        known = KEY.fullmatch(self.headers.get("authorization", "")) is not None
        if not known:
            self.refuse(401, "api_key_missing")
        return known

    def refuse(self, status: int, code: str, replayed: bool = False) -> None:
        self.answer(status, {"error": {"type": "invalid_request_error", "code": code, "message": "No."}}, replayed)

    def answer(self, status: int, body: dict[str, Any], replayed: bool = False) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        if replayed:
            self.send_header("idempotent-replayed", "true")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing, because the log file belongs to the server."""


def start(port: int) -> None:
    """Starts the stand-in in the background. It ends with the process."""
    Handler.state = State()
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
