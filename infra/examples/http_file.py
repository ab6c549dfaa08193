"""Runs `requests.http`: the requests of a file for VS Code's REST Client, in order.

Read are `@name = value`, `###` between requests, `# @name NAME`, `# Answers 201.`, and `{{...}}` with a variable or
with `NAME.response.body.FIELD.FIELD`.
"""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
PLACE = re.compile(r"\{\{\s*([^}]+?)\s*\}\}")
TIMEOUT_S = 30


@dataclass
class Request:
    """A request as it stands in the file, before its variables are filled in."""

    line: int
    method: str
    url: str
    name: str | None = None
    status: int | None = None
    headers: list[str] = field(default_factory=list)
    body: str = ""


def parse(text: str) -> tuple[dict[str, str], list[Request]]:
    """Parses a file. Returns its variables and its requests."""
    variables: dict[str, str] = {}
    requests: list[Request] = []
    name, status, current, in_body = None, None, None, False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("###"):
            name, status, current, in_body = None, None, None, False
        elif current and in_body:
            current.body += line + "\n"
        elif found := re.match(r"(?:#|//) @name (\w+)$", line):
            name = found[1]
        elif found := re.match(r"(?:#|//) Answers (\d{3})\b", line):
            status = int(found[1])
        elif line.startswith(("#", "//")):
            continue
        elif found := re.match(r"@(\w+)\s*=\s*(.*)$", line):
            variables[found[1]] = found[2]
        elif current and line.strip():
            current.headers.append(line)
        elif current:
            in_body = True
        elif line.split(" ", 1)[0] in METHODS:
            method, url = line.split(None, 1)
            current = Request(number, method, url.strip(), name, status)
            requests.append(current)
    return variables, requests


def run(text: str, own: dict[str, str]) -> Iterator[tuple[int, str | None]]:
    """Sends every request, with `own` in place of the file's variables. Yields each one's line and what was wrong."""
    variables, requests = parse(text)
    values: dict[str, Any] = variables | own
    for request in requests:
        try:
            url = fill(request.url, values)
            headers = dict(re.split(r":\s*", fill(line, values), maxsplit=1) for line in request.headers)
            status, body = ask(request.method, url, headers, fill(request.body.strip(), values))
        except KeyError as missing:
            yield request.line, f"nothing is named {missing.args[0]}"
            continue
        if request.name:
            values[request.name] = {"response": {"body": body}}
        if request.status is None:
            yield request.line, "the file does not say what it answers: `# Answers 200.`"
        elif status != request.status:
            yield request.line, f"the file says {request.status}, the answer was {status}: {json.dumps(body)[:300]}"
        else:
            yield request.line, None


def fill(text: str, values: dict[str, Any]) -> str:
    """Returns a text with the values of its variables, which may hold variables themselves."""

    def value(found: re.Match[str]) -> str:
        place: Any = values
        for part in found[1].replace("$.", "").split("."):
            try:
                place = place[int(part)] if isinstance(place, list) else place[part]
            except (KeyError, IndexError, TypeError, ValueError):
                raise KeyError(found[1]) from None
        return fill(str(place), values)

    return PLACE.sub(value, text)


def ask(method: str, url: str, headers: dict[str, str], body: str) -> tuple[int, Any]:
    """Sends a request, again while a file it is about is still being checked."""
    began = time.monotonic()
    while True:
        status, answer = send(method, url, headers, body)
        is_early = isinstance(answer, dict) and answer.get("error", {}).get("code") == "NOT_READY"
        if not is_early or time.monotonic() - began > TIMEOUT_S:
            return status, answer
        time.sleep(0.25)


def send(method: str, url: str, headers: dict[str, str], body: str) -> tuple[int, Any]:
    """Sends a request. Returns the status, and the body as JSON or as text."""
    request = urllib.request.Request(url, method=method, headers=headers, data=body.encode() if body else None)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        status, text = answer.code, answer.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text
