"""Follows the log lines of the functions on the laptop: `logs.py [--function NAME] [--file ID] [--errors] [--once]`.

`make logs` calls it. Each line is printed with the time, level, function, message and the fields that tell what
happened; `target/local/server.log` has the whole lines.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from server import Server

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "target/local/server.log"
# Fields with a place of their own in the printed line, or of no use on a laptop.
SHOWN = {"timestamp", "level", "message", "function", "duration_ms", "aws.calls", "_aws", "stack"}


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--function", default="", help="only the lines of one function")
    parser.add_argument("--file", default="", help="only the lines about access to the file with this id")
    parser.add_argument("--errors", action="store_true", help="only warnings and errors")
    parser.add_argument("--once", action="store_true", help="print what there is and end, instead of following")
    parser.add_argument("--log", type=Path, default=LOG, help="the server's log")
    arguments = parser.parse_args()
    if not arguments.log.exists():
        raise SystemExit("There is no log yet. Next: make up starts the stack.")
    if not arguments.once and arguments.log == LOG and not Server(LOG.parent).is_up():
        print("The stack is down; these are the lines of its last run. Next: make up starts it.", file=sys.stderr)
        arguments.once = True
    if not arguments.once:
        print("Following what the functions log. Ctrl-C stops that, and the stack stays up.", file=sys.stderr)
    try:
        for line in lines(arguments.log, follow=not arguments.once):
            entry = entry_of(line)
            if entry is None or (arguments.function and entry.get("function") != arguments.function):
                continue
            if arguments.file and entry.get("audit", {}).get("file") != arguments.file:
                continue
            if arguments.errors and entry.get("level") == "INFO":
                continue
            print(shown(entry), flush=True)
    except KeyboardInterrupt:
        whole = arguments.log.relative_to(ROOT) if arguments.log.is_relative_to(ROOT) else arguments.log
        print(
            f"\nStopped following. The whole lines are in {whole}. Next: make logs ERRORS=1 shows warnings and errors."
        )
    except BrokenPipeError:
        sys.stderr.close()


def lines(path: Path, follow: bool) -> Iterator[str]:
    """Yields the lines of a file, and then each line that is added. Begins again when the file is replaced."""
    part = ""
    with path.open(encoding="utf-8", errors="replace") as file:
        while True:
            text = file.readline()
            part += text
            if part.endswith("\n"):
                yield part
                part = ""
            elif not text:
                if not follow:
                    return
                time.sleep(0.2)
                if path.exists() and path.stat().st_size < file.tell():
                    file.seek(0)


def entry_of(line: str) -> dict[str, Any] | None:
    """Reads a line that a function wrote. Returns `None` for the server's own lines."""
    start = line.find('{"timestamp"')
    if start < 0:
        return None
    try:
        entry = json.loads(line[start:])
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "function" in entry else None


def shown(entry: dict[str, Any]) -> str:
    """Formats an entry for a person."""
    clock = str(entry.get("timestamp", ""))[11:19]
    head = f"{clock} {entry.get('level', ''):<5} {entry.get('function', ''):<20} {entry.get('message', '')}"
    cost = [f"{entry['duration_ms']:.0f} ms"] if "duration_ms" in entry else []
    if "aws.calls" in entry:
        cost.append(f"{entry['aws.calls']} AWS call{'' if entry['aws.calls'] == 1 else 's'}")
    fields = [f"{name}={compact(value)}" for name, value in entry.items() if name not in SHOWN]
    return "  ".join([head, *cost, *fields])


def compact(value: Any) -> str:
    """Formats a field's value on one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
