"""The settings of `make up` are checked before anything is built."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import settings


class Settings(unittest.TestCase):
    def refusal(self, **environ: str) -> str:
        with self.assertRaises(SystemExit) as raised:
            settings.read(environ)
        return str(raised.exception)

    def test_own_origins_stand_before_the_usual_ones(self) -> None:
        self.assertEqual(settings.read({}).origins, settings.ORIGINS)
        own = settings.read({"ORIGIN": "http://localhost:8080/, http://localhost:3000"}).origins
        self.assertEqual(own, ("http://localhost:8080", "http://localhost:3000", "http://localhost:5173"))

    def test_the_keys_of_an_issuer_are_at_the_usual_place(self) -> None:
        found = settings.read({"CLERK_ISSUER": "https://app.clerk.accounts.dev/"})
        self.assertEqual(found.clerk_issuer, "https://app.clerk.accounts.dev")
        self.assertEqual(found.clerk_jwks_url, "https://app.clerk.accounts.dev/.well-known/jwks.json")

    def test_a_wrong_setting_is_named_with_a_better_one(self) -> None:
        for given, cure in (
            ({"ORIGIN": "localhost:8080"}, "ORIGIN=http://localhost:8080"),
            ({"ORIGIN": "*"}, "ORIGIN=http://localhost:8080"),
            ({"ORIGIN": "http://localhost:8080/app"}, "ORIGIN=http://localhost:8080"),
            ({"CLERK_ISSUER": "app.clerk.accounts.dev"}, "CLERK_ISSUER=https://app.clerk.accounts.dev"),
            (
                {"CLERK_ISSUER": "https://app.clerk.accounts.dev", "CLERK_JWKS_URL": "keys"},
                "CLERK_JWKS_URL=https://keys",
            ),
        ):
            self.assertTrue(self.refusal(**given).endswith(f"Try {cure}"), self.refusal(**given))

    def test_all_files_are_scanned_on_request(self) -> None:
        for given, scanned in (({}, "user_scan"), ({"SCAN": "0"}, "user_scan"), ({"SCAN": "1"}, "user_,uploads/")):
            self.assertEqual(settings.read(given).scanned, scanned)

    def test_keys_without_an_issuer_are_refused(self) -> None:
        self.assertIn("CLERK_ISSUER is not set", self.refusal(CLERK_JWKS_URL="https://app.example/keys"))


if __name__ == "__main__":
    unittest.main()
