"""Compares an answer with the one that a page shows.

In a page `...` stands for what differs from run to run: in a string for any text, in an object for more keys, in an
array for more elements, and as a value for any value. Times, UUIDs and ids in full agree with others of their kind.
Everything else must be equal.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

MORE = "\N{HORIZONTAL ELLIPSIS}"
KINDS = (
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"),
    re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    re.compile(r"[a-z]*_?01[0-9A-HJKMNP-TV-Z]{24}"),
)
# The beginning of an id, which is a time.
ID = re.compile(r"01[0-9A-Z]{2}\.\.\.")
# What a program measured, and how many calls it made: both depend on the machine and on what ran before.
MEASURE = re.compile(r"\b\d+(?:\.\d+)?(?= (?:ms|s)\b)|\b\d+(?= AWS calls?\b)|(?<= ms )\d+$")
# The end of an id or a key, which a program shows in place of all of it.
END = re.compile(r"(?<=\.\.\.)[0-9A-Za-z]{4,6}\b")


def compare_json(shown: str, answered: str) -> list[str]:
    """Returns a sentence for every difference between the JSON a page shows and the last JSON in an answer."""
    if problem := unreadable(shown):
        return [problem]
    pattern = json.loads(fill(shown))
    try:
        actual = last_json(answered)
    except ValueError:
        return [f"the answer is not JSON: {shorten(answered)}"]
    return list(differences(pattern, actual, ""))


def unreadable(shown: str) -> str | None:
    """Returns why a page's JSON cannot be read, or None."""
    try:
        json.loads(fill(shown))
    except ValueError as error:
        return f"it is not JSON ({error})"
    return None


def compare_text(shown: str, answered: str) -> list[str]:
    """Returns a sentence for the first line of a page's answer that is missing. The lines must come in this order, and
    others may stand between them."""
    lines = iter(answered.splitlines())
    for wanted in shown.splitlines():
        if not wanted.strip() or wanted.strip() == "...":
            continue
        pattern = re.compile(text_pattern(wanted.strip()))
        if not any(pattern.fullmatch(re.sub(r"\s+", " ", line.strip())) for line in lines):
            return [f"no line of the answer is {wanted.strip()!r}: {shorten(answered)}"]
    return []


def text_pattern(text: str) -> str:
    """Returns a regular expression for a line: `...` is any text, a measure is any number."""
    marked = MEASURE.sub("\0", END.sub("", ID.sub("...", re.sub(r"\s+", " ", text))))
    pattern = re.escape(marked).replace(re.escape("..."), ".*").replace(re.escape("\0"), r"[\d.]+")
    return pattern.replace(re.escape("AWS calls"), "AWS calls?").replace(re.escape("AWS call"), "AWS call")


def fill(shown: str) -> str:
    """Returns JSON in which each bare `...` is a key, an element or a value named `MORE`."""
    result: list[str] = []
    inside: list[str] = []
    is_string = False
    position = 0
    while position < len(shown):
        char = shown[position]
        if is_string:
            length = 2 if char == "\\" else 1
            is_string = char != '"'
            result.append(shown[position : position + length])
            position += length
            continue
        if shown.startswith("...", position):
            is_key = inside[-1:] == ["{"] and "".join(result).rstrip()[-1:] != ":"
            result.append(f'"{MORE}": null' if is_key else f'"{MORE}"')
            position += 3
            continue
        is_string = char == '"'
        if char in "{[":
            inside.append(char)
        elif char in "}]" and inside:
            inside.pop()
        result.append(char)
        position += 1
    return "".join(result)


def last_json(answered: str) -> Any:
    """Returns the last JSON object or array in what a command printed."""
    decoder = json.JSONDecoder()
    found, position = None, 0
    while match := re.compile(r"[\[{]").search(answered, position):
        try:
            found, position = decoder.raw_decode(answered, match.start())
        except ValueError:
            position = match.end()
    if found is None:
        raise ValueError
    return found


def differences(shown: Any, actual: Any, path: str) -> Iterator[str]:
    """Yields a sentence for every difference of two JSON values. `path` names where they stand."""
    here = path or "the answer"
    if shown == MORE:
        return
    if isinstance(shown, dict) and isinstance(actual, dict):
        for key in shown:
            if key != MORE and key not in actual:
                yield f"{f'{path}.{key}'.lstrip('.')} is not in the answer"
            elif key != MORE:
                yield from differences(shown[key], actual[key], f"{path}.{key}".lstrip("."))
        if MORE not in shown:
            for key in actual.keys() - shown.keys():
                yield f"{f'{path}.{key}'.lstrip('.')} is in the answer, and the page does not show it"
    elif isinstance(shown, list) and isinstance(actual, list):
        is_open = shown[-1:] == [MORE]
        wanted = shown[:-1] if is_open else shown
        if len(actual) < len(wanted) or (len(actual) > len(wanted) and not is_open):
            yield f"{here} has {len(actual)} elements, the page shows {len(wanted)}"
        for index, (one, other) in enumerate(zip(wanted, actual, strict=False)):
            yield from differences(one, other, f"{path}[{index}]")
    elif type(shown) is not type(actual) or not is_same(shown, actual):
        yield f"{here} is {shorten(json.dumps(actual))}, the page shows {json.dumps(shown)}"


def is_same(shown: Any, actual: Any) -> bool:
    """Returns whether two values of one type agree."""
    if not isinstance(shown, str):
        return bool(shown == actual)
    pattern = ".*".join(re.escape(part) for part in ID.sub("...", shown).split("..."))
    if re.fullmatch(pattern, actual, re.DOTALL):
        return True
    return any(kind.fullmatch(shown) and kind.fullmatch(actual) for kind in KINDS)


def shorten(text: str, most: int = 300) -> str:
    """Returns the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."
