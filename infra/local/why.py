"""Says in plain words why the laptop's stack refused a request, and what to do.

The API itself answers a refusal tersely, on AWS and on a laptop alike: a stranger learns nothing from it. Here the
caller is the person who starts the stack. So front.py adds these sentences, which repeat the API's checks with what
stack.py knows of the stack. What the API's own answer already says is not repeated.
"""

import functools
import json
import re
import time
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import why_token

ROOT = Path(__file__).resolve().parents[2]
# How old a signature of a webhook may be, in seconds. The same as in the API.
SIGNED_S = 300
LENGTH_MAX = 600
NEW_SECRETS = "a stack has new secrets after every make down"
# Where the API looks for a session token, in this order.
CARRIERS = "no Authorization header, and no X-Clerk-Auth-Token header or __session cookie either"


class Request:
    """What of a request decides whether it is refused."""

    def __init__(
        self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]], own_address: str, query: bytes = b""
    ):
        self.method, self.path, self.own_address = method, path, own_address
        self.query = urllib.parse.parse_qs(query.decode("latin-1"))
        self.headers: dict[str, str] = {}
        for name, value in headers:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            joint = "; " if key == "cookie" else ", "
            self.headers[key] = f"{self.headers[key]}{joint}{text}" if key in self.headers else text

    @property
    def origin(self) -> str | None:
        """The origin of the page that sent the request, or `None` without one and for our own pages."""
        origin = self.headers.get("origin")
        return None if origin == self.own_address else origin

    @property
    def signed_headers(self) -> list[str]:
        """The names of the headers that a signed URL was signed with. Empty for any other URL."""
        return [name for value in self.query.get("X-Amz-SignedHeaders", []) for name in value.split(";")]

    def token(self) -> tuple[str, str] | None:
        """Returns the session token and what carries it, as the API finds it."""
        if "authorization" in self.headers:
            return "the Authorization header", bearer(self.headers["authorization"])
        if "x-clerk-auth-token" in self.headers:
            return "the X-Clerk-Auth-Token header", self.headers["x-clerk-auth-token"].strip()
        cookies = [pair.strip().partition("=") for pair in self.headers.get("cookie", "").split(";")]
        exact = [pair for pair in cookies if pair[0] == "__session"]
        found = next(iter([*exact, *(pair for pair in cookies if pair[0].startswith("__session_"))]), None)
        return None if found is None else (f"the cookie {found[0]}", found[2])


def bearer(value: str) -> str:
    """Removes `Bearer` from the value of `Authorization`."""
    scheme, space, rest = value.strip().partition(" ")
    return rest.strip() if space and scheme.lower() == "bearer" else value.strip()


def is_refused(request: Request, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Returns whether an answer may be a refusal to explain: by its status, or because a page cannot read it.

    503 is the answer to every token while the keys of its issuer cannot be fetched.
    """
    if status in (401, 403, 503):
        return True
    return request.origin is not None and (not is_readable(headers) or preflight(request, headers) is not None)


def is_readable(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Returns whether an answer lets a page of another origin read it."""
    return any(name.lower() == b"access-control-allow-origin" for name, _ in headers)


def of_api(request: Request, facts: dict[str, Any], status: int, headers: Any, body: bytes) -> str | None:
    """Returns why the API refused a request, or `None` if its answer says it."""
    reasons = []
    if request.origin is not None and not is_readable(headers):
        reasons.append(cors(request.origin, facts["origins"]))
    reasons.append(preflight(request, headers))
    if status in (401, 403) and request.method != "OPTIONS":
        reasons.append(of_credentials(request, facts, code_of(body)))
    if status == 503 and facts["jwks_url"] and "session" in schemes(request.method, request.path):
        keys = why_token.keys_of(facts["jwks_url"])
        reasons.append(keys if isinstance(keys, str) else None)
    return joined(reasons)


def of_bucket(request: Request, facts: dict[str, Any], _status: int, headers: Any, body: bytes) -> str | None:
    """Returns why a page may not use the bucket, and what a signed URL lacks. S3's other refusals say why."""
    reasons = []
    if request.origin is not None and not is_readable(headers):
        reasons.append(cors(request.origin, facts["origins"]) or of_preflight(request))
    if b"<Code>SignatureDoesNotMatch</Code>" in body:
        reasons.append(of_signed_url(request))
    return joined(reasons)


def of_preflight(request: Request) -> str | None:
    """Returns why the bucket refused a preflight from an allowed origin. S3 does not say which of the two it was."""
    if request.method != "OPTIONS":
        return None
    method = request.headers.get("access-control-request-method", "absent")
    names = request.headers.get("access-control-request-headers", "none")
    return (
        f"CORS: the bucket does not allow the method {method} with the headers {names}: "
        "send the `method` and the `headers` of the grant, and no Authorization"
    )


def of_signed_url(request: Request) -> str | None:
    """Returns which headers of a signed URL the request lacks, or which may have another value than was signed."""
    signed = [name for name in request.signed_headers if name != "host"]
    absent = [name for name in signed if name not in request.headers]
    if not signed:
        return "the URL was altered, or used with another method than the one it was signed for"
    cure = "send the `headers` of the grant as they are, and as many bytes as its `size`"
    if absent:
        return f"the URL was signed with headers that the request lacks ({', '.join(absent)}): {cure}"
    return f"the URL was altered, or a header that was signed has another value ({', '.join(signed)}): {cure}"


def preflight(request: Request, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Returns which header or method the answer to a preflight does not allow, or `None` if it allows them."""
    if request.method != "OPTIONS":
        return None
    answered = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    for kind, asked in (("headers", "access-control-request-headers"), ("methods", "access-control-request-method")):
        allowed = answered.get(f"access-control-allow-{kind}")
        if allowed is None or allowed == "*":
            continue
        known = {one.strip().lower() for one in allowed.split(",")}
        wanted = [one.strip() for one in request.headers.get(asked, "").split(",") if one.strip()]
        refused = [one for one in wanted if one.lower() not in known]
        if refused:
            return f"CORS: the {kind} {', '.join(refused)} are not among the allowed ones ({allowed})"
    return None


def joined(reasons: list[str | None]) -> str | None:
    """Returns reasons as one line that can stand in a header."""
    text = "; ".join(reason for reason in reasons if reason)
    return re.sub(r"[^\x20-\x7e]", "?", text)[:LENGTH_MAX] or None


def code_of(body: bytes) -> str:
    """Returns the code of an error, or ""."""
    try:
        return str(json.loads(body)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def cors(origin: str, allowed: list[str]) -> str | None:
    """Returns why CORS does not allow an origin, or `None` if it does."""
    if origin in allowed:
        return None
    cure = f": start with make up ORIGIN={origin}" if origin.startswith("http") else ", and cannot be: serve the page"
    return f"CORS: origin {origin} is not among the allowed ones ({', '.join(allowed)}){cure}"


def of_credentials(request: Request, facts: dict[str, Any], code: str) -> str | None:
    """Returns why the credentials were refused, by the kind that the route takes."""
    kinds = schemes(request.method, request.path)
    if "service" in kinds:
        return of_service_token(request)
    if "signature" in kinds or "stripe" in kinds:
        return of_webhook(request, "stripe-signature" if "stripe" in kinds else "webhook-signature")
    if "key" in kinds:
        return of_key(request)
    if "session" in kinds and code in ("UNAUTHENTICATED", "TOKEN_EXPIRED", "API_KEY_NOT_ACCEPTED"):
        return of_session(request, facts)
    if code == "ORIGIN_NOT_ALLOWED":
        return (
            f"the session came as a cookie, and then a write needs an Origin of the allowed ones "
            f"({', '.join(facts['origins'])}); this one was {request.headers.get('origin', 'absent')}"
        )
    return None


# ------------------------------------------------------------------------------------------------- session tokens


def of_session(request: Request, facts: dict[str, Any]) -> str | None:
    """Returns why a session token was refused."""
    found = request.token()
    if found is None:
        return f"{CARRIERS}: make --silent token prints a token"
    where, token = found
    if not token:
        return f"{where} is empty"
    if token.startswith("sk_"):
        return (
            f"{where} has an API key; this route takes a session token, and the gateway below /api/v1/ takes API keys"
        )
    parts = token.split(".")
    header, claims = (why_token.part_of(parts, place) for place in (0, 1))
    if len(parts) != 3 or header is None or claims is None:
        return f"{where} has no JWT: that is JSON, JSON and a signature in base64url, with dots between them"
    return why_token.of_claims(claims, facts, header, token)


def of_service_token(request: Request) -> str | None:
    """Returns why a service token was refused."""
    value = request.headers.get("authorization")
    own = "SERVICE_TOKEN of target/local/stack.env"
    if value is None:
        return f"no Authorization header: this route takes a service token, {own}"
    if not value.lower().startswith("bearer "):
        return "the Authorization header has to begin with Bearer"
    if bearer(value).count(".") == 2:
        return f"a session token came, and this route takes a service token: {own}"
    if bearer(value).startswith("sk_"):
        return f"an API key came, and this route takes a service token: {own}. The key belongs into the body"
    return f"this service token is not one of the stack's: {own} is; {NEW_SECRETS}"


def of_key(request: Request) -> str | None:
    """Returns why no API key was found. What is wrong with a key, the answer says."""
    value = request.headers.get("authorization")
    if value is None and "x-api-key" not in request.headers:
        return "no X-API-Key header, and no Authorization header with Bearer and an API key either"
    if value is None:
        return None if request.headers["x-api-key"].strip() else "the X-API-Key header is empty"
    if not value.lower().startswith("bearer "):
        return "the Authorization header has to begin with Bearer; or send the key as X-API-Key alone"
    return "a session token came, and this route takes an API key" if bearer(value).count(".") == 2 else None


def of_webhook(request: Request, header: str) -> str | None:
    """Returns why a webhook was refused: without a signature, with an old one, or with a wrong one."""
    names = [header] if header == "stripe-signature" else [header, "webhook-id", "webhook-timestamp"]
    sent = {name: request.headers.get(name) or request.headers.get(name.replace("webhook-", "svix-")) for name in names}
    absent = [name for name, value in sent.items() if not value]
    if absent:
        return f"no {' and no '.join(absent)} header: the sender signs its requests"
    found = re.search(r"(?:^|,)\s*t=(\d+)", sent[header] or "") if header == "stripe-signature" else None
    told = found[1] if found else sent.get("webhook-timestamp") or ""
    if not told.isdigit():
        return "the time of the signature cannot be read"
    away = time.time() - int(told)
    if abs(away) > SIGNED_S:
        side = "old" if away > 0 else "ahead of this clock"
        return f"the signature is {why_token.ago(abs(away))} {side}; 5 minutes are allowed"
    name = "STRIPE" if header == "stripe-signature" else "CLERK" if "clerk" in request.path else "GENERATOR"
    return f"the signature does not match {name}_WEBHOOK_SECRET of target/local/stack.env; {NEW_SECRETS}"


# --------------------------------------------------------------------------------------------------------- routes


def schemes(method: str, path: str) -> set[str]:
    """Returns which credentials a route takes, by their names in openapi.json. Empty for an unknown route."""
    for pattern, operations in routes():
        if pattern.fullmatch(path):
            return operations.get(method.lower(), set())
    return set()


@functools.cache
def routes() -> list[tuple[re.Pattern[str], dict[str, set[str]]]]:
    """Reads every route of openapi.json, those without parameters first."""
    paths = json.loads((ROOT / "openapi.json").read_text())["paths"]

    def pattern(path: str) -> re.Pattern[str]:
        parts = re.split(r"(\{\w+\})", path)
        # `proxy` is the rest of a path; a key of the bucket contains slashes too.
        whole = {"{proxy}": ".+", "{key}": ".+"}
        return re.compile("".join(whole.get(p, "[^/]+") if p.startswith("{") else re.escape(p) for p in parts))

    def taken(operation: dict[str, Any]) -> set[str]:
        return {name for one in operation.get("security", []) for name in one}

    return [
        (pattern(path), {method: taken(one) for method, one in paths[path].items() if isinstance(one, dict)})
        for path in sorted(paths, key=lambda path: (path.count("{"), path))
    ]
