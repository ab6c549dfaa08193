"""Checks what pages show within sentences: routes exist, `consigne` commands and their options exist."""

import functools
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pages import Page

SPAN = re.compile(r"`([^`]+)`")
ROUTE = re.compile(r"(?P<method>GET|POST|PUT|PATCH|DELETE|HEAD) (?P<path>/[^\s?]*)")
WORD = re.compile(r"[a-z][a-z-]*")


def problems(root: Path, page: Page) -> Iterator[tuple[int, str]]:
    """Yields what is wrong with the code in a page's sentences, as (line, sentence)."""
    known = routes(root / "openapi.json")
    for number, line in enumerate(page.prose, 1):
        for span in SPAN.findall(line):
            route = ROUTE.match(span)
            if route and not any(fits(route["method"], route["path"], one) for one in known):
                yield number, f"no function answers {route['method']} {route['path']}"
            if span.startswith("curl "):
                yield number, f"`{span}` stands in a sentence, where it is not run; give it a block"
        yield from ((number, problem) for problem in unknown_commands(root, line))


@functools.cache
def routes(openapi: Path) -> list[tuple[str, str]]:
    """Returns method and path of every route."""
    paths = json.loads(openapi.read_text())["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def fits(method: str, path: str, route: tuple[str, str]) -> bool:
    """Returns whether a path that a page shows is one of a route. A parameter stands for any part of it."""
    pattern = re.sub(r"\\\{(proxy|key)\\\}", ".+", re.escape(route[1]))
    pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", pattern)
    is_open = path.endswith("...")
    return route[0] == method and bool(re.fullmatch(pattern, path) or (is_open and route[1].startswith(path[:-3])))


def unknown_commands(root: Path, line: str) -> Iterator[str]:
    """Yields a sentence for every `consigne` command or option in a line that the command line does not know."""
    for span in SPAN.findall(line):
        program, *words = span.split() or [""]
        if program.rsplit("/", 1)[-1] != "consigne" or not words:
            continue
        while words[:1] in (["--stack"], ["--region"]):
            words = words[2:]
        names = list(_leading(words))
        if names[:1] == ["help"]:
            continue
        text = help_text(root, tuple(names))
        if text is None and len(names) > 1:
            text = help_text(root, tuple(names[:-1]))
            # The last word may be an argument, such as the name of a queue, but not where a command is expected.
            text = None if text and "<COMMAND>" in text else text
        if text is None:
            yield f"there is no command `consigne {' '.join(names)}`"
            continue
        for option in re.findall(r"(?<!\S)--[a-z-]+", span):
            if not re.search(rf"{option}\b", text):
                yield f"`consigne {' '.join(names)}` has no option {option}"


def _leading(words: list[str]) -> Iterator[str]:
    for word in words:
        if not WORD.fullmatch(word):
            return
        yield word


@functools.cache
def help_text(root: Path, names: tuple[str, ...]) -> str | None:
    """Returns what `consigne help` prints on a command, or None if it knows none."""
    done = subprocess.run(
        [root / "target/debug/consigne", "help", *names], check=False, capture_output=True, text=True, cwd=root
    )
    return done.stdout if done.returncode == 0 else None
