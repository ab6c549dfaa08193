"""The laptop's stack as the cases see it: requests of any shape, tokens with any claims, signed webhooks."""

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import shlex
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT_S = 30
# How long the check of an upload may take.
CHECKED_WITHIN_S = 45


@dataclass
class Answer:
    """An HTTP response: status, headers with lower-case names, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Parses the body. Returns `{}` if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    @property
    def error(self) -> dict[str, Any]:
        """The `error` object, or `{}`."""
        body = self.json()
        return body.get("error", {}) if isinstance(body, dict) else {}

    def __str__(self) -> str:
        """Returns `200`, or of a refusal status, code and field: `400 INVALID_FILENAME filename`."""
        field = (self.error.get("details") or {}).get("field", "")
        return " ".join(str(part) for part in (self.status, self.error.get("code", ""), field) if part)


class World:
    """The stack under test. Made from the file of addresses and secrets that `make up` writes."""

    def __init__(self, env: Mapping[str, str]):
        self.env = env
        self.url = env["CONSIGNE_URL"].rstrip("/")
        self._lock = threading.Lock()
        self._org: dict[str, Any] | None = None
        self._issuer_key: Any = None

    def send(self, method: str, url: str, headers: Any = (), body: bytes | None = None) -> Answer:
        """Sends a request as it is written, whatever is in its query or headers. Header values may be bytes.

        An address without host is one of the API.
        """
        parts = urllib.parse.urlsplit(self.url if url.startswith("/") else url)
        # The target is taken from the text, because the parser would drop an empty query.
        target = (url if url.startswith("/") else url.split(parts.netloc, 1)[1]) or "/"
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT_S)
        try:
            connection.putrequest(method, target.encode().decode("latin-1"), skip_accept_encoding=True)
            for name, value in dict(headers).items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("content-length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def call(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: Any) -> Answer:
        """Calls the API. Bytes are sent as they are, anything else as JSON. Other names are headers."""
        sent: dict[str, Any] = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["authorization"] = f"Bearer {token}"
        if body is not None:
            sent.setdefault("content-type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(method, path, sent, body)

    def token(self, user: str | None = None, plan: str = "pro", **claims: Any) -> str:
        """Returns a session token of the laptop's issuer. Without a user it is somebody new. `None` drops a claim."""
        now = int(time.time())
        all_claims = {
            "sub": user or f"user_bugs{secrets.token_hex(6)}",
            "iss": self.env["JWT_ISSUER"],
            "azp": self.env["JWT_AZP"],
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "sid": "sess_bugs",
            "public_metadata": {"subscription": plan},
        } | claims
        kept = {name: value for name, value in all_claims.items() if value is not None}
        return self.sign_token(kept)

    def sign_token(self, claims: dict[str, Any]) -> str:
        """Signs claims with the key of the laptop's issuer, by RS256."""
        from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415  (the runner's tests need none)
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

        with self._lock:
            if self._issuer_key is None:
                pem = Path(self.env["JWT_KEY_FILE"]).read_bytes()
                self._issuer_key = serialization.load_pem_private_key(pem, password=None)
        head = {"alg": "RS256", "typ": "JWT", "kid": self.env["JWT_KID"]}
        signed = b".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = self._issuer_key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + base64url(signature)).decode()

    def org(self) -> dict[str, Any]:
        """Returns the organisation of these cases: its id, a token of its owner, and a test key. It is made once."""
        with self._lock:
            made = self._org
        if made is None:
            made = self.new_org()
            with self._lock:
                self._org = self._org or made
        return self._org or made

    def new_org(self) -> dict[str, Any]:
        """Makes an organisation with a test key, which may spend 100 credits."""
        owner = f"user_bugs{secrets.token_hex(6)}"
        token = self.token(owner, plan="enterprise")
        org = self.call("POST", "/api/orgs", {"name": "Bugs"}, token).json()["data"]["id"]
        asked = {"name": "Bugs", "environment": "test", "scopes": ["pdf:read", "pdf:write"]}
        key = self.call("POST", f"/api/orgs/{org}/keys", asked, token).json()["data"]
        return {"id": org, "owner": owner, "token": token, "key": key["key"], "key_id": key["id"]}

    def stripe(self, event: Any) -> Answer:
        """Sends an event with Stripe's signature."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        at, secret = str(int(time.time())), self.env["STRIPE_WEBHOOK_SECRET"].encode()
        mac = hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
        return self.call("POST", "/api/webhooks/stripe", body, **{"stripe-signature": f"t={at},v1={mac}"})

    def webhook_headers(self, sender: str, id_: str, body: bytes, at: int | None = None) -> dict[str, str]:
        """Returns the headers of a Standard Webhook, signed with the secret of `GENERATOR` or `CLERK`."""
        time_ = str(at if at is not None else int(time.time()))
        encoded = self.env[f"{sender}_WEBHOOK_SECRET"].removeprefix("whsec_")
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        mac = hmac.new(key, f"{id_}.{time_}.".encode() + body, hashlib.sha256).digest()
        return {
            "webhook-id": id_,
            "webhook-timestamp": time_,
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }

    def upload(self, name: str, declared: str | None, content: bytes, token: str | None = None) -> dict[str, Any]:
        """Uploads a file and waits until it was checked. Returns its metadata, or the grant's refusal as `refused`."""
        token = token or self.token()
        request = {"filename": name, "contentType": declared, "size": len(content)}
        asked = {key: value for key, value in request.items() if value is not None}
        granted = self.call("POST", "/api/files/uploads", asked, token)
        if granted.status != 201:
            return {"refused": str(granted), "status": "refused"}
        grant = granted.json()
        put = self.send(grant["method"], grant["url"], grant["headers"], content)
        if put.status != 200:
            return {"refused": f"S3 {put.status}", "status": "refused"}
        return self.checked(grant["s3Key"], token) | {"token": token, "s3Key": grant["s3Key"]}

    def checked(self, key: str, token: str) -> dict[str, Any]:
        """Waits until a file was checked. Returns its metadata, as it is at the end of the wait."""
        until = time.monotonic() + CHECKED_WITHIN_S
        while True:
            file = self.call("GET", f"/api/files/metadata?s3Key={urllib.parse.quote(key)}", token=token).json()
            if file.get("status") not in ("pending", "processing") or time.monotonic() > until:
                return file
            time.sleep(0.4)


def base64url(data: bytes) -> bytes:
    """Returns data in URL-safe base64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def read_env(path: Path) -> dict[str, str]:
    """Reads the file of addresses and secrets of a stack."""
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    return {name: "".join(shlex.split(value)) for name, value in pairs}


def env_of(url: str) -> Path:
    """Returns the file of addresses and secrets of the stack that is up at a URL.

    Raises SystemExit if no stack of a laptop is.
    """
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/_local/stack.json", timeout=5) as answer:
            return Path(json.load(answer)["checkout"]) / "target/local/stack.env"
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"No stack of a laptop is up at {url} ({error}). make up starts one.") from error
