"""The check of functions names every place that lacks one, and nothing in the repository as it is."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

import endpoints

MEMBER = """
let (user, org) = request.member(&self.users, &self.orgs, Route::OrgPing).await?;
vec![Operation::new::<Pong>("GET /api/orgs/{org}/ping", "Ping an organisation").in_org()]
"""
# Every place of a function that members of an organisation call.
WHOLE = {
    "functions/org-ping/Cargo.toml": "",
    "functions/org-ping/src/main.rs": "",
    "functions/org-ping/src/lib.rs": MEMBER,
    "functions/README.md": "| `org-ping` | GET |\n",
    "events/org-ping/ask.json": "{}",
    "shared/testkit/Cargo.toml": 'org-ping = { path = "../../functions/org-ping" }\n',
    "shared/testkit/tests/it/handlers/people/orgs.rs": 'answer(&world, "org-ping", event)\n',
    str(endpoints.PERMISSIONS): '    (Route::OrgPing, "org-ping", &[Owner]),\n',
    str(endpoints.ROLES): "| [`org-ping`](functions.md#org-ping) | yes |\n",
    str(endpoints.CALLERS): '    ("org-ping", "ask"),\n',
    str(endpoints.CALLS): '        "org-ping" => ("GET", fixture.path("/ping"), None),\n',
}
TEMPLATE = {"Resources": {"OrgPingFunction": {"Type": "AWS::Serverless::Function"}}}
OPENAPI = {"paths": {"/api/orgs/{org}/ping": {"get": {}}}}


class Endpoints(unittest.TestCase):
    def problems(self, files: dict[str, str], template: dict = TEMPLATE, openapi: dict = OPENAPI) -> list[str]:
        """Returns the problems of a repository with these files."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return list(endpoints.problems(Path(folder), template, openapi))

    def test_a_whole_function_has_no_problem(self) -> None:
        self.assertEqual(self.problems(WHOLE), [])

    def test_each_missing_place_is_named_once(self) -> None:
        for name, text in WHOLE.items():
            if name.startswith("functions/org-ping/") or name.endswith(".json"):
                files = {key: value for key, value in WHOLE.items() if key != name}
            else:
                files = WHOLE | {name: text.replace("org-ping", "org-pong")}
            found = self.problems(files)
            self.assertEqual(len(found), 1, (name, found))
            where = name.rsplit("/", 2)[0] if "/handlers/people/orgs" in name else name.removesuffix("/ask.json")
            self.assertIn(where, found[0])

    def test_a_missing_resource_or_route_is_named(self) -> None:
        self.assertIn("template.yaml lacks the function OrgPingFunction", self.problems(WHOLE, {"Resources": {}})[0])
        self.assertIn("`make openapi` writes it", self.problems(WHOLE, openapi={"paths": {}})[0])

    def test_only_routes_of_members_need_roles(self) -> None:
        code = 'vec![Operation::new::<Pong>("GET /api/orgs/{org}/ping", "Ping")]'
        roles = map(str, (endpoints.PERMISSIONS, endpoints.ROLES, endpoints.CALLERS, endpoints.CALLS))
        files = WHOLE | dict.fromkeys(roles, "") | {"functions/org-ping/src/lib.rs": code}
        self.assertEqual(self.problems(files), [])


if __name__ == "__main__":
    unittest.main()
