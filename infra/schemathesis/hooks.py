"""Signs what Schemathesis sends to routes of webhooks, so that more than the check of signatures is tried.

Half of the requests stay unsigned. `python infra/schemathesis` names this file in SCHEMATHESIS_HOOKS.
"""

import base64
import hashlib
import hmac
import os
import time
import uuid

import requests
import schemathesis

SECRETS = {
    "/api/webhooks/stripe": "STRIPE_WEBHOOK_SECRET",
    "/api/webhooks/clerk": "CLERK_WEBHOOK_SECRET",
    "/api/webhooks/": "GENERATOR_WEBHOOK_SECRET",
}


class Signature(requests.auth.AuthBase):
    """Signs a request as its sender does, once its body is known."""

    def __init__(self, path: str, secret: str):
        self.path, self.secret = path, secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Adds the headers of the signature."""
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        at = str(int(time.time()))
        if self.path.startswith("/api/webhooks/stripe"):
            mac = hmac.new(self.secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
            request.headers["stripe-signature"] = f"t={at},v1={mac}"
            return request
        encoded = self.secret.removeprefix("whsec_")
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        told = f"msg_{uuid.uuid4().hex}"
        mac = hmac.new(key, f"{told}.{at}.".encode() + body, hashlib.sha256).digest()
        request.headers["webhook-id"] = told
        request.headers["webhook-timestamp"] = at
        request.headers["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
        return request


class Turn:
    """Counts requests to webhooks."""

    count = 0


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict) -> None:
    """Lets every other request to a route of webhooks be signed, when credentials are used."""
    path = case.operation.path
    name = next((name for prefix, name in SECRETS.items() if path.startswith(prefix)), None)
    Turn.count += 1
    if name and os.environ.get("TRY_SIGNED") == "yes" and Turn.count % 2:
        kwargs["auth"] = Signature(path, os.environ[name])
