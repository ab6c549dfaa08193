"""Tests of the examples' runner, on pages that are right and wrong, against a server of their own."""

import http.server
import json
import os
import sys
import tempfile
import threading
import unittest
import unittest.mock
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "infra/examples"))

import http_file
import pages
import runner
import shell

MISSING = {"success": False, "error": {"code": "NOT_FOUND", "message": "File not found"}}
FOUND = {"id": "file_01M8GRYMWX01YX6471S92KF0EC", "size": 17, "tags": ["a", "b"], "at": "2026-11-28T07:13:58Z"}


class Server(http.server.BaseHTTPRequestHandler):
    """Answers /late with 409 twice and then with 200, /missing with 404, everything else with 200 and `FOUND`."""

    asked = 0

    def do_GET(self) -> None:
        """Answers a request that reads."""
        status = 404 if self.path == "/missing" else 200
        if self.path == "/late":
            Server.asked += 1
            status = 409 if Server.asked < 3 else 200
        body = json.dumps(FOUND if status == 200 else MISSING).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answers a request that writes."""
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


class RunnerTest(unittest.TestCase):
    """Runs pages."""

    @classmethod
    def setUpClass(cls) -> None:
        """Starts the server."""
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.url = f"http://127.0.0.1:{cls.server.server_port}"

    @classmethod
    def tearDownClass(cls) -> None:
        """Stops the server."""
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self) -> None:
        """Makes requests that fail be repeated for a moment only."""
        self.addCleanup(setattr, runner, "PATIENCE_S", runner.PATIENCE_S)
        runner.PATIENCE_S = 0.1

    def run_page(self, text: str) -> runner.Report:
        """Runs a page, in which URL stands for the server's address. Returns the report."""
        report = runner.Report()
        runner.run(ROOT, pages.parse("page.md", text.replace("URL", self.url)), "user_test", [], report)
        return report

    def problems(self, *lines: str) -> list[str]:
        """Returns the problems of a page."""
        return self.run_page("\n".join(lines)).problems

    def test_a_page_whose_answers_agree_has_no_problem(self) -> None:
        answer = '{"id": "file_01M8...", "size": 17, "tags": ["a", ...], "at": "2020-01-01T00:00:00Z"}'
        first = f"```sh\nPLACE=URL/file\ncurl $PLACE\n# 200 {answer}\n```\n"
        report = self.run_page(f"{first}\n```sh\ncurl $PLACE\n```\n\n```json\n{answer}\n```\n")
        self.assertEqual(report.problems, [])
        self.assertEqual((report.ran, report.requests), (2, 2))

    def test_a_wrong_status_names_page_and_line(self) -> None:
        (problem,) = self.problems("Text.", "", "```sh", "curl URL/missing", '# 403 {"error":{...},...}', "```")
        self.assertTrue(problem.startswith("page.md:5: the page shows 403, the answer was 404"), problem)

    def test_an_error_that_the_page_does_not_show_is_a_problem(self) -> None:
        (problem,) = self.problems("```sh", "true", "curl URL/missing", "```")
        self.assertTrue(problem.startswith("page.md:2: a request was answered 404"), problem)

    def test_a_request_that_nobody_answers_is_a_problem(self) -> None:
        problems = self.problems("```sh", "true", "curl --silent http://127.0.0.1:1/", "```")
        self.assertTrue(problems[0].startswith("page.md:3: `curl --silent http://127.0.0.1:1/` ended with 7"), problems)

    def test_a_missing_key_names_page_and_line(self) -> None:
        problems = self.problems("```sh", "curl URL/file", '# 200 {"id":"...","length":17,...}', "```")
        self.assertEqual(problems[0].split(";")[0], "page.md:3: length is not in the answer")

    def test_a_key_that_the_page_does_not_show_is_a_problem(self) -> None:
        problems = self.problems("```sh", "curl --silent URL/file", '# 200 {"id":"...","size":17,"at":"..."}', "```")
        self.assertEqual(problems, ["page.md:3: tags is in the answer, and the page does not show it"])

    def test_another_value_or_type_is_a_problem(self) -> None:
        for shown, problem in (
            ('"size":18', "size is 17, the page shows 18"),
            ('"size":"17"', 'size is 17, the page shows "17"'),
            ('"tags":["a"]', "tags has 2 elements, the page shows 1"),
            ('"at":"today"', 'at is "2026-11-28T07:13:58Z", the page shows "today"'),
        ):
            problems = self.problems("```sh", "curl --silent URL/file", f"# 200 {{{shown},...}}", "```")
            self.assertEqual(problems, [f"page.md:3: {problem}"])

    def test_a_json_block_behind_the_request_is_compared(self) -> None:
        problems = self.problems("```sh", "curl --silent URL/file", "```", "", "```json", '{"size": 1, ...}', "```")
        self.assertEqual(problems, ["page.md:6: size is 17, the page shows 1"])

    def test_json_that_cannot_be_read_is_a_problem(self) -> None:
        (problem,) = self.problems("```json", '{"size": 1,, ...}', "```")
        self.assertTrue(problem.startswith("page.md:2: it is not JSON"), problem)

    def test_a_failed_command_names_its_line(self) -> None:
        problems = self.problems("```sh", "true", "", "echo one | grep two", "```")
        self.assertEqual(problems, ["page.md:4: `grep two` ended with 1"])

    def test_lines_of_text_are_compared_in_order(self) -> None:
        page = ["```sh", "printf 'one 12 ms\\ntwo\\nthree\\n'", "# -> one 99 ms", "# -> three", "```"]
        self.assertEqual(self.problems(*page), [])
        page[2:4] = ["# -> three", "# -> two"]
        self.assertEqual(self.problems(*page), ["page.md:3: no line of the answer is 'two': one 12 ms two three"])

    def test_what_only_reads_is_repeated_until_it_agrees(self) -> None:
        runner.PATIENCE_S, Server.asked = 10, 0
        self.assertEqual(self.problems("```sh", "curl URL/late", '# 200 {"size":17,...}', "```"), [])
        self.assertEqual(Server.asked, 3)
        Server.asked = 0
        self.assertEqual(len(self.problems("```sh", "curl URL/late --json '{}'", "```")), 1)
        self.assertEqual(Server.asked, 1)

    def test_blank_lines_split_a_block_but_no_command(self) -> None:
        block = pages.parse(
            "page.md", "```sh\ncat <<'EOF'\none\n\ntwo\nEOF\n\nsay '\n\n'\n\nlast\n# 200\n```\n"
        ).blocks[0]
        found = [(chunk.line, chunk.code) for chunk in pages.chunks(block, None)]
        self.assertEqual(found, [(2, "cat <<'EOF'\none\n\ntwo\nEOF"), (8, "say '\n\n'"), (12, "last")])

    def test_variables_stay_for_the_whole_page_and_no_longer(self) -> None:
        self.assertEqual(self.problems("```sh", "NAME=one", "```", "", "```sh", 'test "$NAME" = one', "```"), [])
        self.assertEqual(len(self.problems("```sh", 'test "$NAME" = one', "```")), 1)

    def test_a_marked_block_is_counted_and_not_run(self) -> None:
        report = self.run_page("This needs AWS.\n\n<!-- not run: needs AWS -->\n```sh\nfalse\n```\n")
        self.assertEqual((report.problems, report.ran, dict(report.marked)), ([], 0, {"needs AWS": 1}))

    def test_a_mark_that_only_the_source_shows_is_a_problem(self) -> None:
        (problem,) = self.problems("Deploy.", "", "<!-- not run: needs AWS -->", "```sh", "aws s3 ls", "```")
        self.assertTrue(problem.startswith("page.md:5: readers do not see why it is not run: 'needs AWS'"), problem)

    def test_a_block_that_cannot_run_and_has_no_mark_is_a_problem(self) -> None:
        (problem,) = self.problems("```sh", "a-tool-that-is-not-here --list", "```")
        self.assertTrue(problem.startswith("page.md:2: `a-tool-that-is-not-here --list` ended with 127"), problem)

    def test_a_program_is_saved_or_marked(self) -> None:
        (problem,) = self.problems("Look:", "", "```python", "print('here')", "```")
        self.assertTrue(problem.startswith("page.md:4: it is neither saved"), problem)
        with tempfile.NamedTemporaryFile(prefix="examples", suffix=".py") as file:
            page = [f"Save it as `{file.name}`:", "", "```python", "print('here')", "```", ""]
            self.assertEqual(self.problems(*page, "```sh", f"python3 {file.name}", "# -> here", "```"), [])

    def test_a_block_that_ends_the_shell_or_leaves_files_is_a_problem(self) -> None:
        self.assertEqual(self.problems("```sh", "exit 0", "```"), ["page.md:2: it ended the shell"])
        self.addCleanup((ROOT / "left-behind").unlink)
        problems = self.problems("```sh", "touch left-behind", "```")
        self.assertEqual(problems, ["page.md:1: it leaves left-behind in the checkout; write to /tmp"])

    def test_a_page_sees_no_credentials_and_no_real_home(self) -> None:
        page = ["```sh", 'test -z "${AWS_PROFILE:-}"', f'test "$HOME" != {Path.home()}', "```"]
        with unittest.mock.patch.dict(os.environ, {"AWS_PROFILE": "real"}):
            self.assertEqual(self.problems(*page), [])

    def test_routes_and_requests_in_sentences_are_checked(self) -> None:
        self.assertEqual(self.problems("`GET /api/orgs/{org}/wallet` and `POST /api/v1/pdf/render` exist."), [])
        problems = self.problems("", "`GET /api/nothing`, or `curl URL`.")
        self.assertEqual(problems[0], "page.md:2: no function answers GET /api/nothing")
        self.assertIn("stands in a sentence, where it is not run", problems[1])

    def test_commands_of_the_operator_in_sentences_are_checked(self) -> None:
        right = "`consigne --stack s --region r org suspend ORG --reason ...`, `consigne redrive object-events`"
        self.assertEqual(self.problems(right), [])
        problems = self.problems("`consigne org dissolve ORG`, `consigne credits grant ORG 1 --because ...`")
        unknown = ["there is no command `consigne org dissolve`", "`consigne credits grant` has no option --because"]
        self.assertEqual(problems, [f"page.md:1: {problem}" for problem in unknown])

    def test_requests_of_a_file_use_earlier_answers(self) -> None:
        text = (
            "@url = nowhere\n\n### One\n# @name file\n# Answers 200.\nGET {{url}}/file\n\n"
            "### Two\n# Answers 201.\nPOST {{url}}/{{file.response.body.id}}\nX-Tag: {{file.response.body.tags.1}}\n\n"
            '{"a": 1}\n\n### Three\n# Answers 200.\nGET {{url}}/{{file.response.body.name}}\n'
        )
        results = list(http_file.run(text, {"url": self.url}))
        self.assertEqual([line for line, _ in results], [6, 10, 17])
        self.assertIsNone(results[0][1])
        self.assertTrue(str(results[1][1]).startswith("the file says 201, the answer was 200"))
        self.assertEqual(results[2][1], "nothing is named file.response.body.name")

    def test_the_last_status_counts(self) -> None:
        self.assertEqual(shell.status("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nDate: now\r\n"), 201)
        self.assertEqual(shell.status(""), 0)


if __name__ == "__main__":
    unittest.main()
