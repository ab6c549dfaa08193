"""The bill of materials is valid and whole; advisories are asked of every package, and silence is no answer."""

import http.server
import json
import sys
import threading
import unittest
from importlib import resources
from pathlib import Path

INFRA = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(INFRA / folder) for folder in ("check", "local")]

import audit
import sbom
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from packages import Package, everything

ROOT = INFRA.parent
PACKAGES = everything(ROOT)


def schema(name: str) -> dict:
    """Returns a schema of CycloneDX."""
    return json.loads(resources.files("cyclonedx.schema").joinpath(f"_res/{name}.SNAPSHOT.schema.json").read_text())


class Database(http.server.BaseHTTPRequestHandler):
    """Stands in for OSV: it has an advisory about `left-pad` only."""

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        known = [{"vulns": [{"id": "GHSA-1"}]} if one["package"]["name"] == "left-pad" else {} for one in queries]
        body = json.dumps({"results": known}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Says nothing."""


class BillOfMaterials(unittest.TestCase):
    def test_it_is_valid(self) -> None:
        others = [schema(name) for name in ("spdx", "jsf-0.82")]
        registry = Registry().with_resources((one["$id"], Resource.from_contents(one)) for one in others)
        document = sbom.bill(sbom.merged(PACKAGES), "0.1.0")
        validator = Draft7Validator(schema("bom-1.6"), registry=registry)
        self.assertEqual([error.message for error in validator.iter_errors(document)], [])
        document["components"][0]["type"] = "planet"
        self.assertTrue(list(validator.iter_errors(document)))

    def test_it_has_what_is_deployed_and_what_builds_it(self) -> None:
        components = {one["purl"]: one for one in sbom.bill(sbom.merged(PACKAGES), "0.1.0")["components"]}
        scopes = {purl.rpartition("@")[0]: one["scope"] for purl, one in components.items()}
        self.assertEqual(scopes["pkg:cargo/rustls"], "required")
        self.assertEqual(scopes["pkg:pypi/ministack"], "excluded")
        self.assertEqual(scopes["pkg:npm/typescript"], "excluded")
        crates = [one for one in components.values() if one["purl"].startswith("pkg:cargo/")]
        self.assertTrue(all(one["hashes"] and one["licenses"] for one in crates))
        self.assertEqual(len(crates), (ROOT / "Cargo.lock").read_text().count("\nchecksum = "))

    def test_the_same_packages_give_the_same_bytes(self) -> None:
        once, again = (json.dumps(sbom.bill(sbom.merged(list(order)), "1")) for order in (PACKAGES, PACKAGES[::-1]))
        self.assertEqual(once, again)
        self.assertNotEqual(once, json.dumps(sbom.bill(sbom.merged(PACKAGES[1:]), "1")))


class Audit(unittest.TestCase):
    def test_a_package_with_an_advisory_is_named(self) -> None:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Database)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        url = f"http://127.0.0.1:{server.server_port}"
        self.assertEqual(audit.advisories(PACKAGES, url), [])
        bad = Package("npm", "left-pad", "1.0.0", is_deployed=True)
        self.assertEqual(audit.advisories([*PACKAGES, bad], url), ["npm: left-pad 1.0.0 (deployed): GHSA-1"])

    def test_without_a_network_it_says_that_nobody_was_asked(self) -> None:
        with self.assertRaisesRegex(audit.NotAskedError, "OSV was not asked, because http://127.0.0.1:9 cannot"):
            audit.advisories(PACKAGES[:1], "http://127.0.0.1:9")


if __name__ == "__main__":
    unittest.main()
