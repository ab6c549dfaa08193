"""A case: a fault that somebody found in another product, as one request to this one."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from world import World

# A public issue or pull request, or a section of a specification.
SOURCE = re.compile(r"[\w.-]+/[\w.-]+#\d+|[\w .-]+, section [\d.]+|Clerk, [\w ]+")


@dataclass(frozen=True)
class Case:
    """A public fault made into a small input."""

    # Where the fault was reported: `owner/repo#number`, or a section of a specification.
    source: str
    # The input, in one line.
    given: str
    # What must come back, as `ask` words it.
    expected: str
    ask: Callable[[World], str]


def misnamed(cases: list[Case]) -> list[str]:
    """Returns what is wrong with how cases are written: a source of another form, an input that is there twice."""
    problems = [f"{case.given}: {case.source!r} is no source" for case in cases if not SOURCE.fullmatch(case.source)]
    inputs = [case.given for case in cases]
    problems += [f"{given}: it is there twice" for given in sorted(set(inputs)) if inputs.count(given) > 1]
    problems += [f"{case.given}: it has more than one line" for case in cases if "\n" in case.given + case.expected]
    return problems
