"""The console of the laptop is served on a port of its own, and its own page alone gets session tokens."""

import base64
import gzip
import json
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import console
import why_token
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ORIGIN = "http://localhost:4581"
FACTS = {"issuer": "https://issuer.consigne.example", "own_issuer": "https://issuer.consigne.example"}
CLERK = FACTS | {"issuer": "https://brave-owl-7.clerk.accounts.dev"}
ANN = {"user": "user_ann", "plan": "pro", "role": "user"}


class Served(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.built = self.home / "console"
        (self.built / "assets").mkdir(parents=True)
        (self.built / "index.html").write_text("<!doctype html>")
        (self.built / "assets/app-1.js").write_text("1")
        (self.home / "issuer.txt").write_text("secret")
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self.home / "issuer.pem").write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.page = console.Console(4581, "http://localhost:4580", 4566, self.home / "issuer.pem", self.built)

    def get(self, path: str, facts: Any = FACTS, host: str = "localhost:4581", method: str = "GET") -> console.Answer:
        return self.page.answer(method, path, {b"host": host.encode()}, b"", facts)

    def ask(self, asked: Any, facts: Any = FACTS, **headers: str) -> tuple[int, str]:
        given = {"host": "localhost:4581", "origin": ORIGIN, "content-type": "application/json"} | headers
        pairs = {name.replace("_", "-").encode(): value.encode() for name, value in given.items()}
        status, _, body, _ = self.page.answer("POST", "/_laptop/token", pairs, json.dumps(asked).encode(), facts)
        return status, body.decode()

    def test_files_are_served_and_other_addresses_are_the_page(self) -> None:
        self.assertEqual(self.get("/assets/app-1.js")[:3], (200, "text/javascript", b"1"))
        for path in ("/", "/orgs/org_1/keys", "/files"):
            status, kind, body, _ = self.get(path)
            self.assertEqual((status, kind, body), (200, "text/html", b"<!doctype html>"), path)
        self.assertEqual(self.get("/assets/app-0.js")[0], 404)
        self.assertEqual(self.get("/files", method="PUT")[0], 405)

    def test_no_file_outside_of_the_build_is_served(self) -> None:
        for path in ("/../issuer.txt", "/assets/../../issuer.txt", "//etc/hostname"):
            self.assertIn(self.get(path)[2], (b"<!doctype html>", b"There is no such file.\n"), path)

    def test_the_policy_allows_no_scripts_but_those_of_the_build_and_of_the_issuer(self) -> None:
        for facts, scripts in (
            (FACTS, "'self' 'wasm-unsafe-eval'"),
            (CLERK, f"'self' 'wasm-unsafe-eval' {CLERK['issuer']}"),
        ):
            policy = dict(self.get("/", facts)[3])[b"content-security-policy"].decode()
            self.assertIn(f"script-src {scripts};", policy)
            self.assertNotIn("{", policy)
            self.assertIn("connect-src 'self' http://localhost:4580 http://localhost:4566 ", policy)

    def test_files_of_the_build_are_kept_and_the_page_is_not(self) -> None:
        for path, expected in (
            ("/assets/app-1.js", "public, max-age=31536000, immutable"),
            ("/", "no-cache"),
            ("/files", "no-cache"),
            ("/config.json", "no-cache"),
        ):
            self.assertEqual(dict(self.get(path)[3])[b"cache-control"].decode(), expected, path)
        self.assertEqual(dict(self.get("/assets/app-1.js")[3])[b"x-content-type-options"], b"nosniff")

    def test_scripts_are_compressed_for_those_who_can_read_them(self) -> None:
        asked = {b"host": b"localhost:4581", b"accept-encoding": b"gzip, br"}
        status, _, body, more = self.page.answer("GET", "/assets/app-1.js", asked, b"", FACTS)
        self.assertEqual((status, gzip.decompress(body), dict(more)[b"content-encoding"]), (200, b"1", b"gzip"))
        self.assertNotIn(b"content-encoding", dict(self.get("/assets/app-1.js")[3]))

    def test_a_console_that_is_not_built_says_how(self) -> None:
        (self.built / "index.html").unlink()
        self.assertEqual(self.get("/")[0], 503)
        self.assertIn(b"make console", self.get("/")[2])

    def test_the_configuration_tells_how_people_sign_in(self) -> None:
        for facts, key in ((FACTS, None), (None, None), (CLERK, "pk_test_YnJhdmUtb3dsLTcuY2xlcmsuYWNjb3VudHMuZGV2JA")):
            found = json.loads(self.get("/config.json", facts)[2])
            self.assertEqual(found, {"apiUrl": "http://localhost:4580", "clerkPublishableKey": key})

    def test_a_token_is_signed_and_lives_a_minute(self) -> None:
        status, text = self.ask(ANN)
        self.assertEqual(status, 200, text)
        token = json.loads(text)["token"]
        signed, _, signature = token.rpartition(".")
        self.assertTrue(why_token.is_signed(self.key.public_key(), signed, signature))
        padded = signed.partition(".")[2] + "=="
        claims = json.loads(base64.urlsafe_b64decode(padded))
        self.assertEqual(claims["exp"] - claims["iat"], 60)
        self.assertEqual((claims["sub"], claims["azp"]), ("user_ann", ORIGIN))
        self.assertEqual(claims["public_metadata"], {"subscription": "pro", "role": "user"})

    def test_no_other_page_gets_a_token(self) -> None:
        for headers in (
            {"origin": "http://localhost:3000"},
            {"origin": "null"},
            {"origin": ""},
            {"host": "evil.example:4581"},
            {"host": "127.0.0.1:4581"},
        ):
            self.assertEqual(self.ask(ANN, **headers)[0], 403, headers)
        # What a form of another page can send.
        self.assertEqual(self.ask(ANN, content_type="text/plain")[0], 415)

    def test_only_people_get_tokens(self) -> None:
        for wrong in (
            [],
            {},
            ANN | {"user": "ann"},
            ANN | {"user": "user_" + "a" * 65},
            ANN | {"user": "user_a b"},
            ANN | {"plan": "gold"},
            ANN | {"role": "owner"},
            ANN | {"more": "x" * console.BODY_MAX},
        ):
            self.assertEqual(self.ask(wrong)[0], 400, wrong)

    def test_a_stack_that_trusts_clerk_gets_no_tokens_from_here(self) -> None:
        self.assertEqual(self.ask(ANN, CLERK)[0], 409)
        self.assertEqual(self.ask(ANN, None)[0], 409)


if __name__ == "__main__":
    unittest.main()
