"""The reference of the API is served from this machine alone, for the address of its stack."""

import json
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import api_page

import api_document

ADDRESS = "http://localhost:4580"


def get(path: str) -> tuple[int, str, bytes, str]:
    found = api_page.answer(path, ADDRESS)
    assert found is not None, path
    return found


class Page(unittest.TestCase):
    def test_everything_that_the_page_loads_is_served_here(self) -> None:
        status, kind, body, policy = get("/_local/api")
        self.assertEqual((status, kind), (200, "text/html"))
        loaded = re.findall(r'(?:src|href)="([^"]+)"', body.decode())
        self.assertEqual(len(loaded), 3)
        for path in loaded:
            status, kind, part, _ = get(path)
            self.assertEqual(status, 200)
            self.assertIn(kind, ("text/javascript", "text/css"))
            self.assertGreater(len(part), 100)
        self.assertNotIn("http", policy)
        self.assertIn("script-src 'self';", policy)

    def test_the_document_names_the_laptops_address(self) -> None:
        _, kind, body, _ = get("/_local/api/openapi.json")
        self.assertEqual(kind, "application/json")
        document = json.loads(body)
        self.assertEqual([server["url"] for server in document["servers"]], [ADDRESS])
        self.assertEqual(document["paths"], api_document.load(api_page.ROOT)["paths"])
        parameter = next(
            one for one in document["paths"]["/api/orgs/{org}/keys"]["get"]["parameters"] if one["name"] == "org"
        )
        self.assertTrue(parameter["description"], "a description of the overlay is shown")

    def test_other_paths_are_not_answered(self) -> None:
        for path in ("/_local/apis", "/_local/api/../front.py", "/_local/api/redoc.js", "/_local/mail", "/api"):
            self.assertIsNone(api_page.answer(path, ADDRESS), path)


if __name__ == "__main__":
    unittest.main()
