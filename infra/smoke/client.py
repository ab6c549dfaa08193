"""Requests, tokens and expectations for all checks. Uses the standard library only, so that it runs anywhere."""

import base64
import json
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

# Clerk's session tokens are valid for a minute.
TOKEN_KEPT_S = 30
TIMEOUT_S = 30


class Failed(Exception):
    """What a check found wrong, as a sentence."""


class Skipped(Exception):
    """Why a check was skipped."""


@dataclass
class Answer:
    """An HTTP response: status, headers with lower-case names, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Parses the body as JSON.

        Raises Failed if it is not JSON.
        """
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Failed(f"the body is not JSON: {self.body[:80]!r}") from error

    def error(self) -> dict[str, Any]:
        """Returns the `error` object, which has the same shape on every route.

        Raises Failed if the shape is wrong.
        """
        body = self.json()
        if body.get("success") is not False or not {"code", "message"} <= body.get("error", {}).keys():
            raise Failed(f"the error has the wrong shape: {body}")
        return body["error"]


class Person:
    """A user whose session tokens a command prints."""

    def __init__(self, command: str, name: str = "TOKEN_CMD"):
        self._command, self._name = command, name
        self._token, self._since = "", 0.0

    @property
    def token(self) -> str:
        """A token that is valid for at least half a minute.

        Raises SystemExit if the command prints none.
        """
        if time.monotonic() - self._since > TOKEN_KEPT_S:
            done = subprocess.run(self._command, shell=True, check=False, capture_output=True, text=True)
            self._token, self._since = done.stdout.strip(), time.monotonic()
            if done.returncode or not self._token:
                # The command is not printed, because it may contain a secret and the output may be logged.
                raise SystemExit(f"{self._name} printed no token (code {done.returncode}).\n{done.stderr.strip()}")
        return self._token

    def claim(self, name: str) -> Any:
        """Returns a claim of the token without verifying it. `None` if the token lacks it."""
        part = self.token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))).get(name)


class Api:
    """The deployment under test."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")

    def call(
        self, method: str, path: str, body: Any = None, who: "Person | str | None" = None, **headers: str
    ) -> Answer:
        """Sends a request. `who` is a person or a bearer token, `body` is sent as JSON, other names are headers."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            sent["authorization"] = f"Bearer {who.token if isinstance(who, Person) else who}"
        data = None
        if body is not None:
            sent["content-type"] = "application/json"
            data = json.dumps(body).encode()
        return send(method, self.url + path, sent, data)

    def want(self, status: int, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """Sends a request. Returns the JSON of the response.

        Raises Failed if the status is another one.
        """
        answer = self.call(method, path, body, **more)
        expect(
            answer.status == status, f"{method} {path} answered {answer.status}, not {status}: {answer.body[:200]!r}"
        )
        return answer.json()

    def refused(self, status: int, code: str, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        """Sends a request that must be refused. Returns the response.

        Raises Failed if the status or the error code is another one.
        """
        answer = self.call(method, path, body, **more)
        expect(
            answer.status == status, f"{method} {path} answered {answer.status}, not {status}: {answer.body[:200]!r}"
        )
        found = answer.error()["code"]
        expect(found == code, f"{method} {path} was refused with {found}, not {code}")
        return answer


def send(method: str, url: str, headers: dict[str, str], data: bytes | None) -> Answer:
    """Sends a request to any URL. Returns the response, whatever its status.

    Raises Failed if there is none.
    """
    request = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return Answer(answer.status, lower(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, lower(error.headers), error.read())
    except (urllib.error.URLError, TimeoutError) as error:
        raise Failed(f"{method} {url.partition('?')[0]}: no answer ({error})") from error


def lower(headers: Any) -> dict[str, str]:
    """Returns headers by lower-case name."""
    return {name.lower(): value for name, value in headers.items()}


def expect(holds: bool, otherwise: str) -> None:
    """Raises Failed with `otherwise` unless `holds`."""
    if not holds:
        raise Failed(otherwise)
