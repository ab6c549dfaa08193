"""Tests of what is put into openapi.json before it is tried."""

import collections
import json
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "infra/schemathesis"))

import examples

DOCUMENT = json.loads((ROOT / "openapi.json").read_text())
IDS = collections.defaultdict(lambda: "an id")


class ExamplesTest(unittest.TestCase):
    """Puts examples into the committed document."""

    def test_operations_and_parameters_get_examples(self) -> None:
        """The document itself stays as it is."""
        before = json.dumps(DOCUMENT)
        paths = examples.with_examples(DOCUMENT, IDS | {"org": "org_1", "file": "user_1/a.png"})["paths"]
        self.assertEqual(json.dumps(DOCUMENT), before)
        body = paths["/api/orgs/{org}/keys"]["post"]["requestBody"]["content"]["application/json"]
        self.assertEqual(body["example"], examples.KEY)
        [org, *_] = paths["/api/orgs/{org}/keys"]["get"]["parameters"]
        self.assertEqual(org["example"], "org_1")
        [key, *_] = paths["/api/files/metadata"]["get"]["parameters"]
        self.assertEqual(key["example"], "user_1/a.png")

    def test_an_example_names_only_fields_that_the_schema_has(self) -> None:
        """A field that was renamed is noticed without a stack."""
        for name, body in examples.bodies(IDS).items():
            method, path = name.split(" ")
            body_of = examples.resolved(DOCUMENT, DOCUMENT["paths"][path][method.lower()]["requestBody"])
            schema = examples.resolved(DOCUMENT, body_of["content"]["application/json"]["schema"])
            if schema.get("properties"):
                self.assertLessEqual(set(body), set(schema["properties"]), name)
                self.assertLessEqual(set(schema.get("required", [])), set(body), name)

    def test_a_body_for_an_operation_that_is_gone_is_told_of(self) -> None:
        """Else it would be forgotten."""
        document = DOCUMENT | {"paths": {path: item for path, item in DOCUMENT["paths"].items() if path != "/api/orgs"}}
        with self.assertRaisesRegex(SystemExit, "openapi.json has no POST /api/orgs."):
            examples.with_examples(document, IDS)


if __name__ == "__main__":
    unittest.main()
