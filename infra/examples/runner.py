"""Runs a page: every block of the shell, in order, in one shell, and compares what is answered with what is shown."""

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import answers
import inline
import pages
from pages import Block, Chunk, Page
from shell import Outcome, Shell

# How long a request that only reads is repeated until it answers what the page shows, because a reader who is too early
# asks again.
PATIENCE_S = 60
PAUSE_S = 0.25


@dataclass
class Report:
    """What came of the pages: problems with page and line, and counts."""

    problems: list[str] = field(default_factory=list)
    ran: int = 0
    requests: int = 0
    marked: Counter[str] = field(default_factory=Counter)


def run(root: Path, page: Page, person: str, path: list[Path], report: Report) -> None:
    """Runs a page as a new person, and adds what came of it to the report."""
    report.problems += [f"{page.name}:{line}: {problem}" for line, problem in inline.problems(root, page)]
    report.problems += [f"{page.name}:{line}: {problem}" for line, problem in unfit(page)]
    report.marked.update(block.mark for block in page.blocks if block.mark)
    if not any(is_run(block) for block in page.blocks):
        return
    before = {entry.name for entry in root.iterdir()}
    with Shell(root, person, path) as shell:
        for block, following in zip(page.blocks, [*page.blocks[1:], None], strict=True):
            if block.mark:
                continue
            if block.file:
                Path(block.file).write_text(block.code + "\n")
            if not is_run(block):
                continue
            report.ran += 1
            is_answer = following and following.language in ("json", "", "text") and not following.file
            for chunk in pages.chunks(block, following if is_answer else None):
                outcome, problems = run_chunk(shell, chunk)
                report.requests += len(outcome.exchanges)
                report.problems += [f"{page.name}:{line}: {problem}" for line, problem in problems]
    left = sorted({entry.name for entry in root.iterdir()} - before)
    report.problems += [f"{page.name}:1: it leaves {name} in the checkout; write to /tmp" for name in left]


def run_chunk(shell: Shell, chunk: Chunk) -> tuple[Outcome, list[tuple[int, str]]]:
    """Runs lines, again while they only read and the answer is not yet what the page shows."""
    began = time.monotonic()
    while True:
        outcome = shell.run(chunk.code, chunk.line)
        problems = verdict(chunk, outcome)
        only_reads = outcome.exchanges and all(one.is_read for one in outcome.exchanges)
        if not problems or not only_reads or time.monotonic() - began > PATIENCE_S:
            return outcome, problems
        time.sleep(PAUSE_S)


def verdict(chunk: Chunk, outcome: Outcome) -> list[tuple[int, str]]:
    """Returns what is wrong, as (line, sentence): failed commands, statuses, the answer."""
    problems = list(outcome.failed)
    expected = chunk.expected
    statuses = [one.status for one in outcome.exchanges]
    told = f": {answers.shorten(outcome.output or outcome.errors)}"
    if expected and expected.status:
        if statuses[-1:] != [expected.status]:
            came = statuses[-1] if statuses else "no request"
            problems.append((expected.line, f"the page shows {expected.status}, the answer was {came}{told}"))
        statuses = statuses[:-1]
    problems += [
        (chunk.line, f"a request was answered {one}, and the page does not say so{told}")
        for one in statuses
        if not 200 <= one < 300
    ]
    if expected and expected.json is not None:
        found = answers.compare_json(expected.json, outcome.output)
    elif expected and expected.text is not None:
        found = answers.compare_text(expected.text, outcome.output)
    else:
        found = []
    problems += [(expected.line if expected else chunk.line, problem) for problem in found]
    if problems and outcome.errors.strip():
        line, problem = problems[0]
        problems[0] = (line, f"{problem}; {answers.shorten(outcome.errors)}")
    return problems


def is_run(block: Block) -> bool:
    """Returns whether a block is handed to the shell."""
    return block.language in pages.SHELL and not block.mark and not block.file


def unfit(page: Page) -> list[tuple[int, str]]:
    """Returns what is wrong with how blocks are marked, as (line, sentence)."""
    prose = " ".join(" ".join(page.prose).split()).lower()
    problems = []
    for block in page.blocks:
        if block.mark and block.mark.lower() not in prose:
            problems.append((block.line, f"readers do not see why it is not run: {block.mark!r} is not in the text"))
        if block.language in pages.PROGRAMS and not block.mark and not block.file:
            problems.append((block.line, "it is neither saved (`... as `/tmp/name`:` before it) nor marked as not run"))
        if block.language == "json" and (problem := answers.unreadable(block.code)):
            problems.append((block.line, problem))
    return problems
