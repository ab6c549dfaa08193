"""Outages on the laptop: requests about a table or bucket that a file names fail, as long as it names them.

The file is `outages` in the server's folder. A line has a name and how its requests fail:

* `throttled`: the service says that there are too many requests.
* `broken`: it answers that it has failed.
* `silent`: it never answers.

Tests write the file. Other tables and buckets on the same server are not disturbed.
"""

import asyncio
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import dynamodb, s3

# Longer than any function waits.
SILENCE_S = 40


def apply(file: Path) -> None:
    """Makes the services look into the file. Called once, before the server starts."""
    dynamodb.handle_request = guarded(
        dynamodb.handle_request,
        lambda path, body: how(file, lambda name: name.encode() in body),
        lambda way: (
            error_response_json("ThrottlingException", "Rate exceeded", 400)
            if way == "throttled"
            else error_response_json("InternalServerError", "Internal server error", 500)
        ),
    )
    s3.handle_request = guarded(
        s3.handle_request,
        lambda path, body: how(file, lambda name: path.split("/")[1:2] == [name]),
        lambda way: (
            s3._error("SlowDown", "Please reduce your request rate.", 503)
            if way == "throttled"
            else s3._error("InternalError", "We encountered an internal error. Please try again.", 500)
        ),
    )


def how(file: Path, concerns: Callable[[str], bool]) -> str:
    """Returns how a request fails by the first line of the file that concerns it, and "" if none does."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return ""
    return next((way for name, _, way in (line.partition(" ") for line in lines) if name and concerns(name)), "")


def guarded(handle: Callable[..., Any], fails: Callable[[str, bytes], str], answer: Callable[[str], tuple]) -> Any:
    """Wraps what handles a service's requests. `fails` says how a request fails, `answer` makes the answer."""

    @functools.wraps(handle)
    async def wrapper(method: str, path: str, headers: dict, body: bytes, *rest: Any, **named: Any) -> tuple:
        way = fails(path, body or b"")
        if not way:
            return await handle(method, path, headers, body, *rest, **named)
        if way == "silent":
            await asyncio.sleep(SILENCE_S)
        return answer(way)

    return wrapper
