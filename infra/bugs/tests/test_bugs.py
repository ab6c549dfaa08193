"""Tests of the runner of bug reports: what it prints and returns, how cases are written, what is sent."""

import contextlib
import http.server
import io
import re
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "infra/bugs"))

import cases
import contents
import gateway
import identity
import limits
import mail
import names
import requests_json
import stripe_events
import table
import webhooks
import world

MODULES = (contents, gateway, identity, limits, mail, names, requests_json, stripe_events, webhooks)
CASES = [case for module in MODULES for case in module.CASES]


def case(expected: str, came: str | Exception, given: str = "an input") -> cases.Case:
    """Returns a case to which something comes back."""

    def ask(_: object) -> str:
        if isinstance(came, Exception):
            raise came
        return came

    return cases.Case("owner/repo#1", given, expected, ask)


class TableTest(unittest.TestCase):
    """Runs cases without a stack."""

    def run_cases(self, *given: cases.Case) -> tuple[int, str]:
        """Runs cases. Returns the exit code and what was printed."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
            code = table.run({"topic": list(given)}, None)
        return code, printed.getvalue()

    def test_verdicts_that_are_as_expected_are_ok(self) -> None:
        """The table ends with the counts, and nothing is left to do."""
        code, printed = self.run_cases(case("200", "200", "one"), case("400 X", "400 X", "two"))
        self.assertEqual(code, 0)
        self.assertRegex(printed, r"(?m)^  ok    owner/repo#1 +one +200$")
        self.assertRegex(printed, r"2 cases of 1 sources in \d+ s: 2 ok, 0 failed\.$")

    def test_another_verdict_fails_and_shows_both(self) -> None:
        """The exit code is 1, and the last lines say what to do next."""
        code, printed = self.run_cases(case("200", "502 UPSTREAM_FAILED"), case("200", "200", "two"))
        self.assertEqual(code, 1)
        self.assertRegex(printed, r"(?m)^  FAIL  owner/repo#1 +an input +502 UPSTREAM_FAILED\n +not 200$")
        self.assertIn("1 ok, 1 failed.\nNext: ", printed)

    def test_an_exception_is_a_failure_of_its_case_alone(self) -> None:
        """The others run on."""
        code, printed = self.run_cases(case("200", KeyError("data")), case("200", "200", "two"))
        self.assertEqual(code, 1)
        self.assertIn("KeyError: 'data'", printed)
        self.assertIn("1 ok, 1 failed", printed)

    def test_cases_are_chosen_by_a_word(self) -> None:
        """It is looked for in topic, source and input, in any case."""
        topics = {"cookies": [case("", "", "one")], "mail": [case("", "", "a Cookie"), case("", "", "two")]}
        found = table.chosen(topics, "cookie")
        self.assertEqual(
            {topic: [one.given for one in chosen] for topic, chosen in found.items()},
            {"cookies": ["one"], "mail": ["a Cookie"]},
        )
        self.assertEqual(table.chosen(topics, "nothing"), {})


class CasesTest(unittest.TestCase):
    """Reads the cases as they are written."""

    def test_every_case_has_a_source_and_an_input_of_its_own(self) -> None:
        """A source is a public issue or a section of a specification."""
        self.assertEqual(cases.misnamed(CASES), [])
        self.assertGreaterEqual(len(CASES), 60)

    def test_every_topic_is_run(self) -> None:
        """A module that nobody runs would be forgotten."""
        text = (ROOT / "infra/bugs/__main__.py").read_text()
        run = set(re.findall(r"(\w+)\.CASES", text))
        self.assertEqual(run, {module.__name__ for module in MODULES})
        written = {path.stem for path in (ROOT / "infra/bugs").glob("*.py") if "\nCASES = [" in path.read_text()}
        self.assertEqual(run, written)

    def test_wrong_sources_and_repeated_inputs_are_found(self) -> None:
        """Of three, the first has no source and the others have one input."""
        wrong = [cases.Case("heard somewhere", "a", "200", str), *(cases.Case("a/b#1", "b", "200", str) for _ in "12")]
        self.assertEqual(cases.misnamed(wrong), ["a: 'heard somewhere' is no source", "b: it is there twice"])

    def test_every_file_of_the_corpus_that_is_named_exists(self) -> None:
        """A renamed file would fail only on a stack."""
        for named in re.findall(r'"([\w-]+\.\w+)", [A-Z0-9]+, ', (ROOT / "infra/bugs/contents.py").read_text()):
            if not named.startswith("a."):
                self.assertTrue((contents.CORPUS / named).is_file(), named)


class Echo(http.server.BaseHTTPRequestHandler):
    """Remembers the request line and the headers."""

    seen: ClassVar[list[tuple[str, list[tuple[str, str]]]]] = []

    def do_GET(self) -> None:
        """Answers with an error of the API."""
        Echo.seen.append((self.requestline, self.headers.items()))
        body = b'{"error": {"code": "INVALID_REQUEST", "details": {"field": "limit"}}}'
        self.send_response(400)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


class WorldTest(unittest.TestCase):
    """Sends requests to a server of its own."""

    def setUp(self) -> None:
        """Starts the server."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.world = world.World({"CONSIGNE_URL": f"http://127.0.0.1:{server.server_port}"})
        Echo.seen.clear()

    def test_requests_are_sent_as_they_are_written(self) -> None:
        """Neither the query nor a cookie beyond ASCII is changed."""
        answer = self.world.call("GET", '/a?q=<"it\'s">&to=https://other.example/', cookie="navn=æble".encode())
        self.assertEqual(str(answer), "400 INVALID_REQUEST limit")
        [(line, headers)] = Echo.seen
        self.assertEqual(line, 'GET /a?q=<"it\'s">&to=https://other.example/ HTTP/1.1')
        self.assertEqual(dict(headers)["cookie"].encode("latin-1").decode(), "navn=æble")

    def test_an_answer_without_json_is_its_status(self) -> None:
        """So a case shows it instead of failing."""
        self.assertEqual(str(world.Answer(502, {}, b"<html>")), "502")
        self.assertEqual(str(world.Answer(200, {}, b"[1]")), "200")

    def test_the_file_of_addresses_is_read_as_a_shell_does(self) -> None:
        """A path with a space is quoted in it."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stack.env"
            path.write_text("CONSIGNE_URL=http://localhost:4580\nJWT_KEY_FILE='/my home/issuer.pem'\nEMPTY=\n")
            read = world.read_env(path)
        self.assertEqual(read["JWT_KEY_FILE"], "/my home/issuer.pem")
        self.assertEqual(read["EMPTY"], "")

    def test_a_url_without_a_stack_is_told_of(self) -> None:
        """In one sentence that names the cure."""
        with self.assertRaisesRegex(SystemExit, "No stack of a laptop is up at .*make up starts one"):
            world.env_of(self.world.url)


if __name__ == "__main__":
    unittest.main()
