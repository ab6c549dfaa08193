"""The check of breaking changes accepts the document as it is, and names each change that breaks a client."""

import copy
import gzip
import json
import sys
import unittest
import unittest.mock
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

import breaking

ROOT = Path(__file__).resolve().parents[3]
PLAIN = "application/json"
# Of the document as committed, in bytes: as it is, and as browsers get it.
SIZE_MAX, GZIP_MAX = 320 * 1024, 20 * 1024

BEFORE = {
    "paths": {
        "/pets": {
            "post": {
                "parameters": [
                    {"name": "day", "in": "query", "required": False, "schema": {"type": "string", "enum": ["a", "b"]}}
                ],
                "requestBody": {"required": True, "content": {PLAIN: {"schema": {"$ref": "#/components/schemas/Ask"}}}},
                "responses": {
                    "200": {"content": {PLAIN: {"schema": {"$ref": "#/components/schemas/Pet"}}}},
                    "404": {"content": {PLAIN: {"schema": {"$ref": "#/components/schemas/Error"}}}},
                },
            }
        }
    },
    "components": {
        "schemas": {
            "Ask": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 9},
                    "kind": {"type": ["string", "null"], "enum": ["cat", "dog", None]},
                },
            },
            "Pet": {
                "type": "object",
                "required": ["id", "tags"],
                "properties": {
                    "id": {"type": "string"},
                    "tags": {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}}}},
                    "owner": {"anyOf": [{"type": "object", "properties": {"name": {}}}, {"type": "null"}]},
                },
            },
            "Error": {
                "type": "object",
                "required": ["error"],
                "properties": {"error": {"type": "object", "properties": {"code": {"enum": ["LOST", "GONE"]}}}},
            },
        }
    },
}


def schemas(document: dict) -> dict:
    """Returns the named schemas of a document."""
    return document["components"]["schemas"]


def post(document: dict) -> dict:
    """Returns the only operation of a document."""
    return document["paths"]["/pets"]["post"]


class Breaking(unittest.TestCase):
    def finds(self, words: str | None, change: Callable[[dict], object]) -> None:
        """Expects exactly one problem after a change, or none."""
        now = copy.deepcopy(BEFORE)
        change(now)
        self.assertEqual(list(breaking.breaks(BEFORE, now)), [words] if words else [])

    def test_the_committed_document_breaks_nobody(self) -> None:
        self.assertEqual(list(breaking.problems(ROOT)), [])

    def test_a_change_planted_in_the_committed_document_is_found(self) -> None:
        before = json.loads((ROOT / breaking.BASE).read_text())
        now = json.loads((ROOT / "openapi.json").read_text())
        del now["paths"]["/api/files/usage"]
        schemas(now)["Ticket"]["properties"].pop("expiresIn")
        not_found = now["components"]["responses"]["NotFound"]["content"][PLAIN]["schema"]["properties"]
        not_found["error"] = {"$ref": "#/components/schemas/Conflict"}
        found = list(breaking.breaks(before, now))
        for words in (
            "GET /api/files/usage: the route was removed.",
            "POST /api/files/presigned-url: 200.expiresIn was removed.",
            "GET /api/files/metadata: 404 no longer has the code NOT_FOUND.",
        ):
            self.assertIn(words, found)

    def test_changes_that_break_clients_are_named(self) -> None:
        route = "POST /pets"
        for words, change in (
            ("the route was removed.", lambda d: d["paths"].pop("/pets")),
            ("the parameter day was removed.", lambda d: post(d).pop("parameters")),
            ("the parameter day is required now.", lambda d: post(d)["parameters"][0].update(required=True)),
            ("day may no longer be b.", lambda d: post(d)["parameters"][0]["schema"].update(enum=["a"])),
            ("the status 404 was removed.", lambda d: post(d)["responses"].pop("404")),
            ("request.kind is required now.", lambda d: schemas(d)["Ask"]["required"].append("kind")),
            ("request.kind was removed.", lambda d: schemas(d)["Ask"]["properties"].pop("kind")),
            (
                "request.kind may no longer be null.",
                lambda d: schemas(d)["Ask"]["properties"]["kind"].update(type="string"),
            ),
            (
                "request.name has a narrower maxLength now.",
                lambda d: schemas(d)["Ask"]["properties"]["name"].update(maxLength=8),
            ),
            ("200.id may be absent now.", lambda d: schemas(d)["Pet"]["required"].remove("id")),
            (
                "200.id may be null now.",
                lambda d: schemas(d)["Pet"]["properties"]["id"].update(type=["string", "null"]),
            ),
            (
                "200.tags[].text was removed.",
                lambda d: schemas(d)["Pet"]["properties"]["tags"]["items"].update(properties={"words": {}}),
            ),
            (
                "200.owner.name was removed.",
                lambda d: schemas(d)["Pet"]["properties"]["owner"]["anyOf"][0].update(properties={}),
            ),
        ):
            self.finds(f"{route}: {words}", change)
        now = copy.deepcopy(BEFORE)
        schemas(now)["Error"]["properties"]["error"]["properties"]["code"]["enum"] = ["LOST"]
        self.assertIn(f"{route}: 404 no longer has the code GONE.", list(breaking.breaks(BEFORE, now)))

    def test_changes_that_clients_do_not_notice_are_no_problem(self) -> None:
        for change in (
            lambda d: None,
            lambda d: d["paths"].update({"/dogs": {}}),
            lambda d: schemas(d)["Pet"]["properties"].update(age={"type": "integer"}),
            lambda d: schemas(d)["Pet"]["required"].append("owner"),
            lambda d: schemas(d)["Ask"]["properties"].update(age={"type": "integer"}),
            lambda d: schemas(d)["Ask"]["required"].remove("name"),
            lambda d: schemas(d)["Error"]["properties"]["error"]["properties"]["code"]["enum"].append("NEW"),
            lambda d: post(d)["responses"].update({"429": {}}),
        ):
            self.finds(None, change)

    def test_an_intended_change_that_is_gone_is_named(self) -> None:
        with unittest.mock.patch.dict(breaking.INTENDED, {"GET /nowhere: the route was removed.": "a test"}):
            self.assertIn("INTENDED has what no longer is", "".join(breaking.problems(ROOT)))


class Size(unittest.TestCase):
    def test_the_document_is_small(self) -> None:
        document = (ROOT / "openapi.json").read_bytes()
        self.assertLessEqual(len(document), SIZE_MAX)
        self.assertLessEqual(len(gzip.compress(document, 9)), GZIP_MAX)


if __name__ == "__main__":
    unittest.main()
