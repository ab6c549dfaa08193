"""A shell that runs the blocks of one page one after the other, and records what curl was answered."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# In front of the reader's curl: the same curl, which also writes the headers of the answer to a file of the run.
# Calls through the gateway are charged, so they count as writes.
CURL = """#!/bin/bash
record=$RECORD/request-$(printf '%04d' "$(ls "$RECORD" | wc -l)")-$$
kind=read
for argument; do
  case $argument in
    --json | --data* | -d | --upload-file | -T | --form* | -F | --request | -X* | */api/v1/*) kind=write ;;
  esac
done
echo "$kind" > "$record.kind"
exec {curl} --dump-header "$record.headers" --max-time 60 "$@"
"""
# A failed command is reported with its line and its status, and the block goes on, as in a terminal.
START = 'set -o pipefail -o errtrace; trap \'echo "$LINENO $? $BASH_COMMAND" >> "$RECORD/failed"\' ERR\n'
TIMEOUT_S = 180
# Variables that pages need from the environment. No others: a page must set what it uses.
KEPT = ("LANG", "LC_ALL", "USER", "CARGO_HOME", "RUSTUP_HOME", "BINARIES", "CARGO_BUILD_JOBS", "CARGO_INCREMENTAL")


@dataclass(frozen=True)
class Exchange:
    """A request of curl: whether it only read, and the status of the answer, 0 for none."""

    is_read: bool
    status: int


@dataclass(frozen=True)
class Outcome:
    """What came of some lines: their output, the commands that failed as (line, sentence), and the requests."""

    output: str
    errors: str
    failed: list[tuple[int, str]]
    exchanges: list[Exchange]


class Shell:
    """A bash at the root of the checkout, with a temporary folder as its home. Use it with `with`."""

    def __init__(self, root: Path, person: str, path: list[Path]):
        self._folder = Path(tempfile.mkdtemp(prefix="consigne-examples-"))
        self._record, tools, home = self._folder / "record", self._folder / "tools", self._folder / "home"
        for folder in (self._record, tools, home):
            folder.mkdir()
        curl = tools / "curl"
        curl.write_text(CURL.replace("{curl}", shutil.which("curl") or "/usr/bin/curl"))
        curl.chmod(0o755)
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        search = ":".join(map(str, [tools, *path, os.environ.get("PATH", "")]))
        environment |= {"PATH": search, "RECORD": str(self._record), "ME": person, "HOME": str(home)}
        # These are found by the real home otherwise.
        for name, folder in (("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")):
            environment.setdefault(name, str(Path.home() / folder))
        self._told, ours = os.pipe()
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=root,
            env=environment | {"TOLD": str(ours)},
            pass_fds=[ours],
            start_new_session=True,
        )
        os.close(ours)
        self._send(START)

    def __enter__(self) -> "Shell":
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the shell and what its blocks left running."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()
        assert self._bash.stdin
        with contextlib.suppress(BrokenPipeError):
            self._bash.stdin.close()
        os.close(self._told)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _send(self, line: str) -> None:
        assert self._bash.stdin
        self._bash.stdin.write(line.encode())
        self._bash.stdin.flush()

    def run(self, code: str, line: int) -> Outcome:
        """Runs lines that begin at a line of the page."""
        for old in self._record.iterdir():
            old.unlink()
        # With the same number of lines before it, a command has in the file the number it has in the page.
        # The colon makes the file itself succeed, so that the last command is reported once.
        (self._record / "code.sh").write_text("\n" * (line - 1) + code + "\n:\n")
        out, errors = self._record / "out", self._record / "errors"
        self._send(f'. "$RECORD/code.sh" > {out} 2> {errors} < /dev/null; echo >&"$TOLD"\n')
        ready, _, _ = select.select([self._told], [], [], TIMEOUT_S)
        failed = [(int(one), f"`{command}` ended with {status}") for one, status, command in self._failures()]
        if not ready:
            failed.append((line, f"it did not end within {TIMEOUT_S} s"))
        elif not os.read(self._told, 1):
            failed.append((line, "it ended the shell"))
        return Outcome(text(out), text(errors), failed, self._exchanges())

    def _failures(self) -> list[list[str]]:
        lines = [line.split(" ", 2) for line in text(self._record / "failed").splitlines()]
        return [line for line in lines if len(line) == 3 and line[0].isdigit()]

    def _exchanges(self) -> list[Exchange]:
        kinds = sorted(self._record.glob("*.kind"))
        return [Exchange(text(kind).strip() == "read", status(text(kind.with_suffix(".headers")))) for kind in kinds]


def status(headers: str) -> int:
    """Returns the last status in the headers that curl wrote, or 0."""
    lines = [line.split() for line in headers.splitlines() if line.startswith("HTTP/")]
    return int(lines[-1][1]) if lines else 0


def text(path: Path) -> str:
    """Returns the text of a file, or "" if there is none."""
    return path.read_text(errors="replace") if path.exists() else ""
