"""Runs cases, several at a time, and prints them as one table."""

import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cases import Case

# Cases wait for the stack most of the time.
AT_ONCE = 12
WIDTHS = (6, 50, 66)


@dataclass(frozen=True)
class Outcome:
    """A case and what came back."""

    case: Case
    came: str

    @property
    def is_ok(self) -> bool:
        """Whether what came back is what was expected."""
        return self.came == self.case.expected


def chosen(topics: Mapping[str, Sequence[Case]], word: str) -> dict[str, list[Case]]:
    """Returns the cases whose topic, source or input contains a word, by topic."""
    word = word.lower()

    def fits(topic: str, case: Case) -> bool:
        return any(word in text.lower() for text in (topic, case.source, case.given))

    found = {topic: [case for case in cases if fits(topic, case)] for topic, cases in topics.items()}
    return {topic: cases for topic, cases in found.items() if cases}


def run(topics: Mapping[str, Sequence[Case]], world: Any) -> int:
    """Runs the cases and prints the table. Returns the exit code: 1 if a case failed."""
    began = time.monotonic()
    outcomes = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {topic: [pool.submit(ask, case, world) for case in cases] for topic, cases in topics.items()}
        for topic, futures in running.items():
            print(f"\n{topic}")
            for future in futures:
                outcome = future.result()
                outcomes.append(outcome)
                print(row(outcome), flush=True)
    print(f"\n{summary(outcomes, time.monotonic() - began)}")
    return 0 if all(outcome.is_ok for outcome in outcomes) else 1


def ask(case: Case, world: Any) -> Outcome:
    """Runs a case. An exception is an outcome too, and its traceback goes to standard error."""
    try:
        return Outcome(case, case.ask(world))
    except Exception as problem:
        traceback.print_exc(file=sys.stderr)
        return Outcome(case, f"{type(problem).__name__}: {problem}".partition("\n")[0])


def row(outcome: Outcome) -> str:
    """Returns the row of an outcome: ok or FAIL, source, input, and what came back."""
    case, (verdict, source, given) = outcome.case, WIDTHS
    word = "ok" if outcome.is_ok else "FAIL"
    came = outcome.came if outcome.is_ok else f"{outcome.came}\n{'':{verdict + source + given + 4}}not {case.expected}"
    return f"  {word:{verdict}}{case.source:{source}}{case.given:{given}}  {came}"


def summary(outcomes: Sequence[Outcome], took: float) -> str:
    """Returns the last lines: the counts, and what to do next."""
    failed = sum(not outcome.is_ok for outcome in outcomes)
    sources = len({outcome.case.source for outcome in outcomes})
    counts = (
        f"{len(outcomes)} cases of {sources} sources in {took:.0f} s: {len(outcomes) - failed} ok, {failed} failed."
    )
    if not failed:
        return counts
    return (
        f"{counts}\nNext: repeat one with `make bugs ONLY=<part of its input>`; `make logs ERRORS=1` shows what the "
        "functions say.\nIf the verdict was meant to change, change what the case expects, and the documents with it."
    )
