"""The stand-in for Stripe makes payment intents, and tells a webhook that one has succeeded."""

import hashlib
import hmac
import json
import sys
import threading
import unittest
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import stripe_stand_in

from server import free_port

SECRET = "whsec_0123456789abcdef"
BEARER = {"authorization": "Bearer sk_test_0123456789abcdef0123456789abcdef"}


class Webhook(BaseHTTPRequestHandler):
    told: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.told.append((self.headers["stripe-signature"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


class PaymentIntents(unittest.TestCase):
    address: str
    webhook: str

    @classmethod
    def setUpClass(cls) -> None:
        port = free_port(40_100)
        stripe_stand_in.start(port)
        cls.address = f"http://127.0.0.1:{port}"
        listener = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        cls.webhook = f"http://127.0.0.1:{listener.server_port}/api/webhooks/stripe"

    def send(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        request = urllib.request.Request(self.address + path, body, headers)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def test_an_intent_is_made_and_its_success_is_told_with_a_signature(self) -> None:
        form = b"amount=4900&currency=eur&metadata%5Bconsigne%5D=order"
        status, intent = self.send("/v1/payment_intents", form, BEARER)
        self.assertEqual((status, intent["metadata"]), (200, {"consigne": "order"}))
        ask = {"payment_intent": intent["id"], "url": self.webhook, "secret": SECRET}
        self.assertEqual(self.send("/_stand-in/pay", json.dumps(ask).encode(), {}), (200, {"status": 200}))
        signature, body = Webhook.told[-1]
        stamp, _, mac = signature.removeprefix("t=").partition(",v1=")
        wanted = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        event = json.loads(body)
        self.assertEqual(mac, wanted)
        self.assertEqual((event["type"], event["data"]["object"]["id"]), ("payment_intent.succeeded", intent["id"]))

    def test_what_is_missing_or_unknown_is_refused(self) -> None:
        self.assertEqual(self.send("/v1/payment_intents", b"amount=4900", BEARER)[0], 400)
        self.assertEqual(self.send("/v1/payment_intents", b"amount=1&currency=eur", {})[0], 401)
        ask = {"payment_intent": "pi_unknown", "url": self.webhook, "secret": SECRET}
        self.assertEqual(self.send("/_stand-in/pay", json.dumps(ask).encode(), {})[0], 404)


if __name__ == "__main__":
    unittest.main()
