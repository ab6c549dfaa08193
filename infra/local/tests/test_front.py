"""The API of the laptop has an address that stays the same, and pages of its own beside it."""

import asyncio
import contextlib
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import boto3
import console
import front

from server import REGION, Server, free_api_port, is_busy

ROOT = Path(__file__).resolve().parents[3]
PORT = 4580
FACTS = {
    "api": "a1b2c3d4",
    "bucket": "pictures",
    "origins": ["http://localhost:3000"],
    "max_token_seconds": 86_400,
    "issuer": "i",
    "own_issuer": "i",
}


class Mapping(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.stacks = Path(folder.name)
        front.write_facts(self.stacks, "consigne", FACTS)
        front.write_facts(self.stacks, "e2e", FACTS | {"api": "e5f6a7b8", "bucket": "others"})
        self.status, self.headers = 200, [(b"content-type", b"application/json")]
        self.seen: dict[str, Any] = {}

    def ask(
        self, path: str, port: int = PORT, method: str = "GET", client: str = "127.0.0.1", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Sends a request through the front to an application that remembers it."""

        async def app(scope: Any, _receive: Any, send: Any) -> None:
            self.seen = scope
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await send({"type": "http.response.body", "body": b'{"error": {"code": "UNAUTHENTICATED"}}'})

        async def mails() -> list[Any]:
            return []

        pairs = {"host": f"localhost:{PORT}"} | headers
        scope = {
            "type": "http",
            "method": method,
            "path": path.partition("?")[0],
            "raw_path": path.partition("?")[0].encode(),
            "query_string": path.partition("?")[2].encode(),
            "headers": [(name.encode(), value.encode()) for name, value in pairs.items()],
            "server": ("127.0.0.1", port),
            "client": (client, 50000),
        }
        answer: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            answer.append(message)

        with contextlib.redirect_stderr(io.StringIO()) as log:
            page = console.Console(PORT + 1, f"http://localhost:{PORT}", 4566, self.stacks / "issuer.pem", self.stacks)
            asyncio.run(front.Front(app, PORT, self.stacks, mails, page)(scope, receive, send))
        self.log = log.getvalue()
        names = {name.decode().lower(): value.decode() for name, value in answer[0]["headers"]}
        return answer[0]["status"], names, answer[1]["body"]

    def test_an_address_has_no_id_in_it(self) -> None:
        self.assertEqual(front.address_of(4580, "consigne"), "http://localhost:4580")
        self.assertEqual(front.address_of(4580, "e2e"), "http://localhost:4580/_local/stacks/e2e")

    def test_a_path_leads_to_the_api_of_its_stack(self) -> None:
        for path, inner in {
            "/api/files/list": "/_aws/execute-api/a1b2c3d4/$default/api/files/list",
            "/": "/_aws/execute-api/a1b2c3d4/$default/",
            "//api": "/_aws/execute-api/a1b2c3d4/$default//api",
            "/health": "/_aws/execute-api/a1b2c3d4/$default/health",
            "/_local/stacks/e2e/api/health": "/_aws/execute-api/e5f6a7b8/$default/api/health",
        }.items():
            with self.subTest(path):
                self.assertEqual(self.ask(path)[0], 200)
                self.assertEqual(self.seen["path"], inner)
                self.assertEqual(self.seen["raw_path"].decode(), inner.replace("$default", "%24default"))

    def test_the_caller_has_the_same_address_by_both_families(self) -> None:
        self.ask("/api/health", client="::1")
        self.assertEqual(self.seen["client"], ("127.0.0.1", 50000))

    def test_a_stack_that_is_not_there_is_named(self) -> None:
        for path in ("/_local/stacks/absent/api/health", "/_local/stacks/../consigne/api/health"):
            status, _, body = self.ask(path)
            self.assertEqual((status, b"is not deployed on this laptop" in body), (503, True), path)

    def test_a_refusal_says_why_and_a_page_may_read_it(self) -> None:
        self.status = 401
        self.headers = [
            (b"access-control-allow-origin", b"http://localhost:3000"),
            (b"access-control-expose-headers", b"retry-after"),
        ]
        status, headers, body = self.ask("/api/files/list", origin="http://localhost:3000")
        self.assertEqual((status, body), (401, b'{"error": {"code": "UNAUTHENTICATED"}}'))
        self.assertIn("no Authorization header", headers["x-consigne-why"])
        self.assertEqual(headers["access-control-expose-headers"], "retry-after,x-consigne-why")
        line = json.loads(self.log)
        self.assertEqual((line["level"], line["function"], line["http.status"]), ("WARN", "laptop", 401))
        self.assertIn("no Authorization header", line["message"])

    def test_what_is_accepted_is_left_alone(self) -> None:
        self.assertNotIn("x-consigne-why", self.ask("/api/files/list")[1])

    def test_a_bucket_that_refuses_an_origin_says_why_on_the_port_of_aws(self) -> None:
        _, headers, _ = self.ask("/pictures/a.png", port=4566, method="OPTIONS", origin="http://localhost:8080")
        self.assertIn("CORS: origin http://localhost:8080", headers["x-consigne-why"])
        self.assertEqual(self.seen["path"], "/pictures/a.png")
        for path in ("/pictures/a.png", "/foreign/a.png"):
            self.assertNotIn("x-consigne-why", self.ask(path, port=4566)[1])

    def test_pages_about_the_stack_are_for_this_machine_alone(self) -> None:
        self.assertEqual(self.ask("/_local/mail")[0], 200)
        self.assertEqual(self.ask("/_local/mail", host="localhost")[0], 200)
        self.assertEqual(self.ask("/_local/mail", host="[::1]:4580", client="::1")[0], 200)
        self.assertEqual(self.ask("/_local/mail", host="evil.example:4580")[0], 403)
        self.assertEqual(self.ask("/_local/mail", client="192.168.1.5")[0], 403)
        self.assertEqual(self.ask("/_local/mail", method="POST")[0], 405)
        self.assertEqual(self.ask("/_local/other")[0], 404)
        # None of it can be read by a page of another origin.
        self.assertNotIn(
            "access-control-allow-origin", self.ask("/_local/mail.json", origin="http://localhost:3000")[1]
        )

    def test_the_console_is_on_a_port_of_its_own_for_this_machine_alone(self) -> None:
        own = {"host": f"localhost:{PORT + 1}"}
        self.assertEqual(self.ask("/config.json", port=PORT + 1, **own)[0], 200)
        self.assertEqual(self.ask("/config.json", port=PORT + 1, client="192.168.1.5", **own)[0], 403)
        # The body of the request was read: it names nobody.
        status, _, text = self.ask(
            "/_laptop/token",
            port=PORT + 1,
            method="POST",
            origin=f"http://localhost:{PORT + 1}",
            **own,
            **{"content-type": "application/json"},
        )
        self.assertEqual((status, text[:4]), (400, b"user"))


class Ports(unittest.TestCase):
    """The server itself, started in a folder whose name has a space, for a user without a home."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory(suffix=" with a space")
        # Below the ports that the system gives to connections, which would be in its way.
        cls.port = free_api_port(20_000 + os.getpid() % 5_000)
        cls.server = Server(Path(cls.folder.name))
        cls.server.start(cls.port)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.folder.cleanup()

    def get(self, path: str, host: str = "127.0.0.1") -> tuple[int, str]:
        connection = http.client.HTTPConnection(host, self.port, timeout=10)
        connection.request("GET", path, headers={"host": f"localhost:{self.port}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def test_the_address_is_the_chosen_one_and_stays(self) -> None:
        self.assertEqual(self.server.api_address, f"http://localhost:{self.port}")
        self.assertEqual(Server(Path(self.folder.name)).next_api_port(), self.port)

    def test_both_addresses_of_localhost_answer(self) -> None:
        hosts = ["127.0.0.1"] + (["::1"] if "[::1]" in front.hosts() else [])
        for host in hosts:
            self.assertEqual(self.get("/api/health", host)[0], 503, host)
        self.assertEqual(json.loads(self.get("/_local/stack.json")[1])["checkout"], str(ROOT))

    def test_a_mail_that_was_sent_is_on_the_page(self) -> None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
        ses = boto3.client("ses", endpoint_url=self.server.address, **keys)
        ses.verify_domain_identity(Domain="consigne.example")
        text = "Subject: =?utf-8?q?=C3=A9t=C3=A9?=\r\nFrom: a@consigne.example\r\nTo: b@people.example\r\n\r\nHello <b>"
        ses.send_raw_email(RawMessage={"Data": text.encode()})
        status, page = self.get("/_local/mail?to=b@people.example")
        self.assertEqual(status, 200)
        for part in ("été", "b@people.example", "Hello &lt;b&gt;"):
            self.assertIn(part, page)
        [mail] = json.loads(self.get("/_local/mail.json")[1])["mails"]
        self.assertEqual((mail["subject"], mail["from"]), ("été", "a@consigne.example"))

    def test_a_busy_port_is_named_with_who_has_it_and_the_cure(self) -> None:
        with tempfile.TemporaryDirectory() as other:
            with self.assertRaises(SystemExit) as caught:
                Server(Path(other)).check_port(self.port)
            self.assertRegex(
                str(caught.exception),
                rf"^Port {self.port} is in use by the stack of .* \(make down there stops it\)\. "
                r"Choose another one: make up PORT=\d+$",
            )
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
                with self.assertRaises(SystemExit) as caught:
                    Server(Path(other)).check_port(port)
            self.assertIn(f"Port {port} is in use by another program.", str(caught.exception))
            Server(Path(other)).check_port(free_api_port(20_000))

    def test_a_stack_that_is_up_is_not_moved(self) -> None:
        self.server.check_port(None)
        self.server.check_port(self.port)
        with self.assertRaises(SystemExit) as caught:
            self.server.check_port(5999)
        self.assertIn("make down && make up PORT=5999", str(caught.exception))

    def test_the_address_can_be_asked_for_before_the_stack_is_up(self) -> None:
        with tempfile.TemporaryDirectory() as home:
            (Path(home) / "chosen-port").write_text("4599")
            done = self.run_script("stack.py", "url", "--home", home)
        self.assertEqual((done.returncode, done.stdout), (0, "http://localhost:4599\n"))

    def test_a_port_that_is_none_is_refused_in_one_sentence(self) -> None:
        for port in ("80", "70000", "http"):
            done = self.run_script("check_port.py", "--port", port)
            self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
            self.assertIn(f"PORT={port} is no port for the API", done.stderr)

    def test_down_says_what_comes_next_when_nothing_was_up(self) -> None:
        with tempfile.TemporaryDirectory() as home:
            for _ in range(2):
                done = self.run_script("stack.py", "down", "--home", home)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, r"The stack was not up\.\nNext: make up .*http://localhost:\d+\n$")

    @staticmethod
    def run_script(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs a script of infra/local without a home folder of the user."""
        command = [sys.executable, ROOT / "infra/local" / name, *arguments]
        return subprocess.run(
            command, env={"PATH": "/usr/bin:/bin", "HOME": ""}, check=False, capture_output=True, text=True
        )

    def test_a_server_that_stops_leaves_no_unpacked_functions(self) -> None:
        with tempfile.TemporaryDirectory() as home:
            unpacked = Path(home) / "tmp" / "function"
            unpacked.mkdir(parents=True)
            self.assertFalse(Server(Path(home)).stop())
            self.assertFalse(unpacked.exists())
            server = Server(Path(home))
            server.start()
            unpacked.mkdir(parents=True)
            self.assertTrue(server.stop())
            self.assertFalse(unpacked.exists())

    def test_a_port_is_busy_by_either_family(self) -> None:
        self.assertTrue(is_busy(self.port))
        if "[::1]" in front.hosts():
            with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
                self.assertTrue(is_busy(taken.getsockname()[1]))


if __name__ == "__main__":
    unittest.main()
