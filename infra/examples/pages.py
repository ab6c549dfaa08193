"""Reads the fenced blocks of a Markdown page: what is run, what it should answer, what is saved, what is marked."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

SHELL = {"sh", "bash", "console"}
# Programs that a page shows. Each is saved under the name that the prose before it gives, or is marked.
PROGRAMS = {"python", "js", "ts", "rust"}

FENCE = re.compile(r"^(?P<indent>\s*)(?P<ticks>```+)(?P<language>\S*)\s*$")
MARK = re.compile(r"^\s*<!-- not run: (?P<reason>.+?) -->\s*$")
SAVE = re.compile(r"\bas `(?P<name>/tmp/[\w.-]+)`[^`]*:$")
ANSWER = re.compile(r"# (?:(?P<status>[1-5]\d\d)(?: (?P<body>\S.*))?|(?P<json>[\[{].*)|-> (?P<text>.*))$")


@dataclass(frozen=True)
class Expected:
    """What a page says that a request answers. `None` where it says nothing."""

    line: int
    status: int | None = None
    json: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Chunk:
    """Lines of the shell up to an answer. `line` is the first one's number in the page."""

    line: int
    code: str
    expected: Expected | None = None


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is the number of its first line of code in the page."""

    line: int
    language: str
    code: str
    # Why the block is not run.
    mark: str | None = None
    # The file that the prose before the block says it is.
    file: str | None = None
    # Whether nothing, or one paragraph that ends with a colon, stands between this block and the one before.
    follows: bool = False


@dataclass(frozen=True)
class Page:
    """A page: its name, its prose without blocks and comments, and its blocks in order."""

    name: str
    prose: list[str]
    blocks: list[Block]


def read(root: Path, path: Path) -> Page:
    """Reads a page below `root`."""
    return parse(str(path.relative_to(root)), path.read_text())


def parse(name: str, text: str) -> Page:
    """Parses a page. Lines of the prose keep their numbers; lines of blocks and comments are empty there."""
    prose: list[str] = []
    blocks: list[Block] = []
    lines = text.splitlines()
    mark: str | None = None
    between: list[str] | None = None
    number = 0
    while number < len(lines):
        line = lines[number]
        if fence := FENCE.match(line):
            end = next((n for n in range(number + 1, len(lines)) if lines[n].strip() == fence["ticks"]), len(lines))
            code = dedent("\n".join(lines[number + 1 : end]))
            before = next((text.strip() for text in reversed(prose) if text.strip()), "")
            save = SAVE.search(before)
            follows = between is not None and is_introduction(between) and not mark
            blocks.append(Block(number + 2, fence["language"], code, mark, save["name"] if save else None, follows))
            prose += [""] * (min(end + 1, len(lines)) - number)
            mark, between, number = None, [], end + 1
            continue
        found = MARK.match(line)
        if found:
            mark = found["reason"]
        elif line.strip():
            mark = None
        if between is not None:
            between.append(line.strip())
        prose.append("" if found else line)
        number += 1
    return Page(name, prose, blocks)


def is_introduction(lines: list[str]) -> bool:
    """Returns whether the lines between two blocks are blank, or one paragraph that ends with a colon."""
    text = "\n".join(lines).strip()
    return not text or ("\n\n" not in text and text.endswith(":") and not text.startswith("#"))


def chunks(block: Block, following: Block | None) -> list[Chunk]:
    """Splits a block of the shell at the answers it shows, comments such as `# 201 {...}` and `# -> text`, and at
    blank lines between commands.

    A JSON block or a block without a language that follows it is the answer to its last lines.
    """
    result: list[Chunk] = []
    code: list[str] = []
    start = block.line
    for number, line in enumerate(block.code.splitlines(), block.line):
        found = ANSWER.match(line)
        if not found:
            if not line.strip() and code and is_complete("\n".join(code)):
                result.append(Chunk(start, "\n".join(code)))
                code = []
            elif code or line.strip():
                start = start if code else number
                code.append(line)
            continue
        expected = _expected(number, found)
        if code:
            result.append(Chunk(start, "\n".join(code), expected))
        elif result and expected.text is not None and (last := result.pop()).expected:
            text = f"{last.expected.text or ''}\n{expected.text}"
            result.append(Chunk(last.line, last.code, Expected(last.expected.line, last.expected.status, None, text)))
        code = []
    if "".join(code).strip():
        result.append(Chunk(start, "\n".join(code)))
    if following and following.follows and result:
        last = result.pop()
        status = last.expected.status if last.expected else None
        if following.language == "json":
            expected = Expected(following.line, status, json=following.code)
        else:
            expected = Expected(following.line, status, text=following.code)
        result.append(Chunk(last.line, last.code, expected))
    return result


def is_complete(code: str) -> bool:
    """Returns whether lines are whole commands: no quote, block or here-document is open at their end."""
    checked = subprocess.run(["bash", "-n"], input=code, check=False, capture_output=True, text=True)
    return checked.returncode == 0 and not checked.stderr


def _expected(line: int, found: re.Match[str]) -> Expected:
    status = int(found["status"]) if found["status"] else None
    body = found["body"] or found["json"]
    if body and body[0] in "[{":
        return Expected(line, status, json=body)
    return Expected(line, status, text=found["text"] if found["text"] is not None else body)
