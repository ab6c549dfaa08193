"""The laptop's stack says in plain words why it refused a request."""

import base64
import http.server
import json
import sys
import threading
import time
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import why
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

OWN = "https://issuer.consigne.example"
ORIGINS = ["http://localhost:3000", "http://localhost:5173"]
KEY, OTHER_KEY = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
PEM = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
FACTS = {
    "api": "a1b2c3d4",
    "bucket": "bucket",
    "issuer": OWN,
    "own_issuer": OWN,
    "jwks_url": "",
    "public_key": PEM.decode(),
    "origins": ORIGINS,
    "max_token_seconds": 86_400,
}
REFUSED = b'{"success": false, "error": {"code": "UNAUTHENTICATED"}}'


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(key: Any = KEY, header: Any = None, **claims: Any) -> str:
    """Signs a token that is in order but for the given claims."""
    now = int(time.time())
    good = {"sub": "user_ann", "iss": OWN, "azp": ORIGINS[0], "iat": now, "nbf": now, "exp": now + 60}
    parts = (header or {"alg": "RS256", "kid": "laptop-1"}, {name: v for name, v in (good | claims).items() if v != ""})
    signed = ".".join(encoded(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{encoded(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def request(method: str = "GET", path: str = "/api/files/list", **headers: str) -> why.Request:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return why.Request(method, path, pairs, "http://localhost:4580")


class Sessions(unittest.TestCase):
    def why(self, facts: dict[str, Any] | None = None, **headers: str) -> str | None:
        return why.of_api(request(**headers), facts or FACTS, 401, [], REFUSED)

    def of(self, text: str, facts: dict[str, Any] | None = None) -> str | None:
        return self.why(facts, authorization=f"Bearer {text}")

    def test_a_good_token_gets_no_reason(self) -> None:
        self.assertIsNone(self.of(token()))

    def test_a_missing_token_is_named_with_all_its_carriers(self) -> None:
        self.assertEqual(
            self.why(),
            "no Authorization header, and no X-Clerk-Auth-Token header or __session cookie either: "
            "make --silent token prints a token",
        )
        self.assertEqual(self.why(x_clerk_auth_token=""), "the X-Clerk-Auth-Token header is empty")

    def test_the_origin_of_another_application_is_named_with_the_cure(self) -> None:
        self.assertEqual(
            self.of(token(azp="http://localhost:8080")),
            "the token's azp http://localhost:8080 is not among the allowed origins (http://localhost:3000, "
            "http://localhost:5173): start with make up ORIGIN=http://localhost:8080",
        )
        self.assertIn("the token has no azp", self.of(token(azp="")) or "")

    def test_another_issuer_is_named_with_the_cure(self) -> None:
        self.assertEqual(
            self.of(token(key=OTHER_KEY, iss="https://app.clerk.accounts.dev")),
            "the token was issued by https://app.clerk.accounts.dev, this stack trusts https://issuer.consigne.example"
            ": start with make up CLERK_ISSUER=https://app.clerk.accounts.dev",
        )

    def test_a_token_without_an_issuer_is_told_apart(self) -> None:
        self.assertIn("does not say who issued it", self.of(token(iss="")) or "")

    def test_a_token_made_here_is_of_no_use_to_a_stack_with_a_clerk_issuer(self) -> None:
        reason = self.of(token(), FACTS | {"issuer": "https://app.clerk.accounts.dev"})
        self.assertIn("take the token from the browser", reason or "")

    def test_times_are_told_in_minutes(self) -> None:
        self.assertEqual(
            self.of(token(exp=int(time.time()) - 185)),
            "the token expired 3 minutes ago: make --silent token prints a new one",
        )
        now = int(time.time())
        self.assertIn(
            "lives for 90000 seconds, this stack takes 86400", self.of(token(exp=now + 90_000, iat=now)) or ""
        )
        self.assertIn("claim iat", self.of(token(iat="")) or "")
        self.assertIn("not valid yet", self.of(token(nbf=int(time.time()) + 600)) or "")
        self.assertIn("claim exp", self.of(token(exp="")) or "")

    def test_signatures_and_algorithms_are_checked(self) -> None:
        self.assertIn("does not match the key of this laptop's issuer", self.of(token(key=OTHER_KEY)) or "")
        self.assertIn("signed with none", self.of(token(header={"alg": "none"})) or "")

    def test_the_keys_of_a_jwks_are_named(self) -> None:
        numbers = KEY.public_key().public_numbers()
        jwk = {"kty": "RSA", "kid": "ins_1", "n": encoded(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
        text = json.dumps({"keys": [jwk]}).encode()

        class Keys(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Keys) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
            facts = FACTS | {"jwks_url": url, "public_key": ""}
            self.assertIsNone(self.of(token(), facts))
            self.assertEqual(
                self.of(token(key=OTHER_KEY), facts),
                f"the signature does not match any key of the JWKS at {url} "
                "(the token names the key laptop-1, there are ins_1)",
            )
            server.shutdown()
        absent = facts | {"jwks_url": "http://127.0.0.1:1/jwks.json"}
        self.assertIn("cannot be read from http://127.0.0.1:1/jwks.json", self.of(token(), absent) or "")
        asked = request(authorization=f"Bearer {token()}")
        self.assertTrue(why.is_refused(asked, 503, []))
        self.assertIn("make up CLERK_JWKS_URL=", why.of_api(asked, absent, 503, [], b"") or "")
        self.assertIsNone(why.of_api(asked, FACTS, 503, [], b""))

    def test_what_is_no_session_token_is_told_apart(self) -> None:
        self.assertIn("has an API key", self.of("sk_live_x") or "")
        self.assertIn("has no JWT", self.of("hello") or "")
        self.assertNotIn("hello", self.of("hello") or "")
        self.assertIn("is not the id of a user", self.of(token(sub="ann")) or "")
        self.assertIn("is pending", self.of(token(sts="pending")) or "")

    def test_cookies_are_read_as_the_api_reads_them(self) -> None:
        stale = token(exp=1)
        self.assertIsNone(self.why(cookie=f"__session_ab={stale}; __session={token()}"))
        self.assertIn("expired", self.why(cookie=f"a=b; __session_ab={stale}") or "")
        self.assertEqual(self.why(authorization="", cookie=f"__session={token()}"), "the Authorization header is empty")

    def test_a_claim_cannot_break_out_of_the_header(self) -> None:
        reason = self.of(token(azp="http://x\r\nset-cookie: a=b\u00e9")) or ""
        self.assertTrue(reason.isascii() and reason.isprintable(), reason)
        self.assertLessEqual(len(self.of(token(azp="x" * 5000)) or ""), why.LENGTH_MAX)


class Others(unittest.TestCase):
    def why(self, method: str, path: str, status: int = 401, body: bytes = REFUSED, **headers: str) -> str | None:
        return why.of_api(request(method, path, **headers), FACTS, status, [], body)

    def test_service_tokens_are_told_from_other_credentials(self) -> None:
        path = "/api/keys/verify"
        self.assertIn("takes a service token", self.why("POST", path) or "")
        self.assertIn("begin with Bearer", self.why("POST", path, authorization="abc") or "")
        self.assertIn("a session token came", self.why("POST", path, authorization=f"Bearer {token()}") or "")
        self.assertIn("an API key came", self.why("POST", path, authorization="Bearer sk_live_x") or "")
        self.assertIn("not one of the stack's", self.why("POST", path, authorization="Bearer " + "a" * 43) or "")

    def test_the_gateway_says_what_of_a_key_is_missing(self) -> None:
        path = "/api/v1/pdf/pages/1"
        self.assertIn("no X-API-Key header", self.why("GET", path) or "")
        self.assertIn("a session token came", self.why("GET", path, authorization=f"Bearer {token()}") or "")
        # What is wrong with a key stands in the answer.
        self.assertIsNone(self.why("GET", path, x_api_key="sk_live_x"))

    def test_webhooks_say_what_of_the_signature_is_wrong(self) -> None:
        path, now = "/api/webhooks/clerk", str(int(time.time()))
        self.assertIn("no webhook-signature and no webhook-id", self.why("POST", path) or "")
        sent = {"svix_id": "m", "svix_signature": "v1,x"}
        self.assertIn("10 minutes old", self.why("POST", path, svix_timestamp=str(int(now) - 605), **sent) or "")
        self.assertIn("match CLERK_WEBHOOK_SECRET", self.why("POST", path, svix_timestamp=now, **sent) or "")
        stripe = self.why("POST", "/api/webhooks/stripe", stripe_signature=f"t={now},v1=x")
        self.assertIn("match STRIPE_WEBHOOK_SECRET", stripe or "")

    def test_a_cookie_write_needs_an_origin(self) -> None:
        body = b'{"error": {"code": "ORIGIN_NOT_ALLOWED"}}'
        reason = self.why("POST", "/api/orgs", 403, body, cookie=f"__session={token()}")
        self.assertIn("this one was absent", reason or "")

    def test_a_missing_permission_is_left_to_the_answer(self) -> None:
        body = b'{"error": {"code": "FORBIDDEN"}}'
        self.assertIsNone(self.why("POST", "/api/orgs", 403, body, authorization=f"Bearer {token()}"))
        self.assertIsNone(self.why("GET", "/api/unknown", 403, b"no JSON"))


class Cors(unittest.TestCase):
    def test_an_origin_that_is_not_allowed_is_named_with_the_cure(self) -> None:
        asked = request("OPTIONS", origin="http://localhost:8080")
        self.assertTrue(why.is_refused(asked, 204, []))
        self.assertEqual(
            why.of_api(asked, FACTS, 204, [], b""),
            "CORS: origin http://localhost:8080 is not among the allowed ones (http://localhost:3000, "
            "http://localhost:5173): start with make up ORIGIN=http://localhost:8080",
        )
        self.assertIn("CORS: origin http://localhost:8080", why.of_bucket(asked, FACTS, 403, [], b"") or "")

    def test_a_header_that_is_not_allowed_is_named(self) -> None:
        asked = request(
            "OPTIONS",
            origin=ORIGINS[0],
            access_control_request_method="POST",
            access_control_request_headers="content-type,x-mine",
        )
        allowed = [
            (b"Access-Control-Allow-Origin", ORIGINS[0].encode()),
            (b"Access-Control-Allow-Methods", b"GET,POST"),
            (b"Access-Control-Allow-Headers", b"authorization,content-type"),
        ]
        told = "CORS: the headers x-mine are not among the allowed ones (authorization,content-type)"
        self.assertTrue(why.is_refused(asked, 204, allowed))
        self.assertEqual(why.of_api(asked, FACTS, 204, allowed, b""), told)
        self.assertFalse(why.is_refused(request("OPTIONS", origin=ORIGINS[0]), 204, allowed))

    def test_a_preflight_that_the_bucket_refuses_is_repeated(self) -> None:
        asked = request(
            "OPTIONS",
            origin=ORIGINS[0],
            access_control_request_method="PUT",
            access_control_request_headers="authorization",
        )
        told = why.of_bucket(asked, FACTS, 403, [], b"<Code>AccessForbidden</Code>") or ""
        self.assertIn("the method PUT with the headers authorization", told)

    def test_allowed_origins_our_own_pages_and_programs_get_no_reason(self) -> None:
        allowed = [(b"Access-Control-Allow-Origin", ORIGINS[0].encode())]
        self.assertFalse(why.is_refused(request(origin=ORIGINS[0]), 200, allowed))
        self.assertFalse(why.is_refused(request(origin="http://localhost:4580"), 200, []))
        self.assertFalse(why.is_refused(request(), 200, []))
        self.assertIsNone(why.of_bucket(request(origin=ORIGINS[0]), FACTS, 200, allowed, b""))

    def test_a_refused_token_is_told_beside_it(self) -> None:
        reason = why.of_api(request(origin="http://localhost:8080"), FACTS, 401, [], REFUSED) or ""
        self.assertRegex(reason, r"^CORS: .*; no Authorization header")


class SignedUrls(unittest.TestCase):
    def why(self, body: bytes = b"<Error><Code>SignatureDoesNotMatch</Code></Error>", **headers: str) -> str | None:
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        query = b"X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost%3Bif-none-match&X-Amz-Signature=1"
        return why.of_bucket(why.Request("PUT", "/bucket/a", pairs, "", query), FACTS, 403, [], body)

    def test_headers_that_the_request_lacks_are_named(self) -> None:
        self.assertEqual(
            self.why(content_length="3", content_type="image/png"),
            "the URL was signed with headers that the request lacks (if-none-match): send the `headers` of the grant "
            "as they are, and as many bytes as its `size`",
        )

    def test_another_value_is_named_with_what_was_signed(self) -> None:
        told = self.why(content_length="3", content_type="image/jpeg", if_none_match="*") or ""
        self.assertIn("another value (content-length, content-type, if-none-match)", told)

    def test_a_ticket_was_signed_with_no_header_to_send(self) -> None:
        asked = why.Request("GET", "/bucket/a", [], "", b"X-Amz-SignedHeaders=host")
        told = why.of_bucket(asked, FACTS, 403, [], b"<Code>SignatureDoesNotMatch</Code>") or ""
        self.assertEqual(told, "the URL was altered, or used with another method than the one it was signed for")

    def test_what_s3_says_itself_is_not_repeated(self) -> None:
        self.assertIsNone(self.why(b"<Error><Code>PreconditionFailed</Code></Error>"))


if __name__ == "__main__":
    unittest.main()
