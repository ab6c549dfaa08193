"""What every part of the demo uses: the stack, printing, requests and waiting."""

import functools
import json
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from table import Table

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "infra/local"))

import template as templates  # noqa: E402  (the line above sets its path)

ENV_FILE = ROOT / "target" / "local" / "stack.env"
TIMEOUT_S = 30


class Walk:
    """The demo's state: the stack, the number of steps so far, and clients for logs and queues."""

    def __init__(self) -> None:
        # A value with a space is quoted, as a shell reads it.
        pairs = (line.split("=", 1) for line in ENV_FILE.read_text().splitlines())
        self.env = {name: "".join(shlex.split(value)) for name, value in pairs}
        self.template = templates.load(ROOT / "template.yaml")
        self.step = 0
        self.began = time.monotonic()
        self.table = Table()
        self.table.watch()
        self.since = int(time.time() * 1000) - 1000
        session = boto3.Session(
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
            region_name=self.env["AWS_REGION"],
        )
        self.logs = session.client("logs", endpoint_url=self.env["AWS_ENDPOINT_URL"])
        self.queues = session.client("sqs", endpoint_url=self.env["AWS_ENDPOINT_URL"])

        # A new user for each run, so that one run meets nothing of another.
        self.name = f"user_ann{int(time.time())}"
        self.ann = self.token(self.name, "pro")
        self.dead_before = self.dead_letters()

    @functools.cached_property
    def org(self) -> str:
        """An organisation of Ann's with 10 credits. The part about keys sets the one that it shows."""
        status, answer, _ = self.api("POST", "/api/orgs", self.ann, {"name": "Acme"})
        self.expect(status == 201, f"no organisation was created: {answer}")
        org: str = answer["data"]["id"]
        self.consigne("credits", "grant", org, "10", "--reason", "to try it")
        return org

    # -- printing ------------------------------------------------------------------------------------------------

    def title(self, text: str) -> None:
        """Prints the title of a part."""
        self.table.title(text)

    def say(self, what: str, outcome: str, took: float, calls: str = "-") -> None:
        """Prints a step: what was done, its outcome, how many seconds it took, and the AWS calls for it."""
        self.step += 1
        self.table.row(self.step, what, outcome, took, calls)

    def seconds(self) -> float:
        """Returns how long the demo has taken."""
        return time.monotonic() - self.began

    def expect(self, holds: bool, otherwise: str) -> None:
        """Raises SystemExit with `otherwise` unless `holds`."""
        if not holds:
            self.table.line("")
            raise SystemExit(
                f"The demo stops here: {otherwise}\nNext: make logs ERRORS=1 shows what the functions said."
            )

    # -- requests ------------------------------------------------------------------------------------------------

    def consigne(self, *arguments: str) -> str:
        """Runs the operator's command line on the laptop's stack. Returns what it prints."""
        command = [ROOT / "target" / "debug" / "consigne", *arguments]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        self.expect(done.returncode == 0, done.stderr.strip())
        return done.stdout.strip()

    def token(self, user: str, plan: str) -> str:
        """Returns a session token of a user with a plan."""
        return self.consigne("token", "--user", user, "--plan", plan, "--email", f"{user}@people.example")

    def mail(self, user: str, about: str) -> dict[str, Any]:
        """Waits for a mail to a user whose subject or text contains `about`. Returns it."""

        def ours() -> Any:
            _, text, _ = self.send("GET", self.env["MAIL_URL"], {}, None)
            mails = [mail for taken in json.loads(text)["messages"].values() for mail in taken]
            to_them = [mail for mail in mails if mail["To"] == [f"{user}@people.example"]]
            return next((mail for mail in to_them if about in mail["Subject"] + mail["BodyText"]), None)

        return self.wait(ours, lambda mail: mail is not None, f"the mail about {about}")

    def send(self, method: str, url: str, headers: dict[str, str], body: bytes | None) -> tuple[int, bytes, Any]:
        """Sends a request to any URL. Returns status, body and headers, also for an error status."""
        request = urllib.request.Request(url, method=method, headers=headers, data=body)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read(), answer.headers

    def api(
        self, method: str, path: str, token: str, body: Any = None, once: str | None = None
    ) -> tuple[int, Any, str]:
        """Calls the API. `once` is the idempotency key. Returns status, answer and request id."""
        headers = {"authorization": f"Bearer {token}"}
        if once is not None:
            headers["idempotency-key"] = once
        if body is not None:
            headers["content-type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        status, text, answered = self.send(method, self.env["CONSIGNE_URL"] + path, headers, data)
        return status, json.loads(text), answered["x-request-id"]

    def calls(self, function: str, *needles: str) -> str:
        """Returns the number of AWS calls, as text, from the function's log lines that contain all `needles`.

        "?" if there is no such line within two seconds.
        """
        group = templates.log_group(self.template, self.env["STACK_NAME"], function)
        for _ in range(20):
            pages = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=self.since)
            events = [event["message"] for page in pages for event in page["events"]]
            lines = [json.loads(text) for text in events if text.startswith("{") and all(n in text for n in needles)]
            lines = [line for line in lines if line["function"] == function]
            if lines:
                return str(sum(line["aws.calls"] for line in lines))
            time.sleep(0.1)
        return "?"

    def dead_letters(self) -> dict[str, int]:
        """Returns the number of messages on each dead-letter queue of the stack."""
        prefix = f"{self.env['STACK_NAME']}-"
        urls = self.queues.list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
        counts = {}
        for url in (url for url in urls if url.endswith("-dead")):
            facts = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            counts[url.rpartition("/")[2]] = int(facts["Attributes"]["ApproximateNumberOfMessages"])
        return counts

    def wait(self, ask: Any, good: Any, what: str) -> Any:
        """Calls `ask` until `good` accepts its answer. Returns the answer.

        Raises SystemExit after `TIMEOUT_S`.
        """
        self.table.waits_for = what
        try:
            for _ in range(TIMEOUT_S * 20):
                answer = ask()
                if good(answer):
                    return answer
                time.sleep(0.05)
        finally:
            self.table.waits_for = ""
        self.expect(False, f"{what} did not happen within {TIMEOUT_S} s.")
        return None


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Calls `work`. Returns the seconds it took, and its result."""
    began = time.monotonic()
    outcome = work()
    return time.monotonic() - began, outcome
