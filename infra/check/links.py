"""Checks the documents: links, anchors, `make` verbs and named tests exist, and README.md stays short."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

README_LINES = 150
# The root module of the integration tests.
TESTS = Path("shared/testkit/tests/it")
# Folders with files of others, or with files that are generated.
SKIPPED = {".git", ".venv", "target", "node_modules"}

FENCE = re.compile(r"^(\s*)(```|~~~).*?^\s*\2\s*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
# A function that is named by a link to the file that has it.
LINKED_TEST = re.compile(r"\[`(\w+)`\]\(([^)\s]+\.(?:rs|py))\)")
ANCHOR = re.compile(r"<span id=\"([^\"]+)\">")
HEADING = re.compile(r"^#{1,6} +(.+?)\s*#*$", re.MULTILINE)
MAKE = re.compile(r"(?:^|&&|\$\()\s*make((?: +[^\s#&)]+)+)", re.MULTILINE)


def documents(root: Path) -> list[Path]:
    """Returns every Markdown file of the repository, sorted."""
    return sorted(path for path in root.rglob("*.md") if not SKIPPED & set(path.relative_to(root).parts))


def problems(root: Path) -> Iterator[str]:
    """Yields a sentence for everything that is wrong with the documents below a folder."""
    makefile = (root / "Makefile").read_text()
    for path in documents(root):
        name, text = path.relative_to(root), path.read_text()
        for line, target in links(text):
            if reason := dead(root, path, target):
                yield f"{name}:{line}: {target} {reason}."
        for word in unknown_to_make(makefile, text):
            yield f"{name}: the Makefile knows no {word}."
        for test in unknown_tests(root / TESTS, text):
            yield f"{name}: there is no test {test}."
        for test, file in unknown_linked_tests(path, text):
            yield f"{name}: there is no {test} in {file}."
    lines = len((root / "README.md").read_text().splitlines())
    if lines > README_LINES:
        yield f"README.md has {lines} lines of {README_LINES}; move something to docs/."


def links(text: str) -> Iterator[tuple[int, str]]:
    """Yields the links of a document with their lines. What stands in code is no link."""
    prose = SPAN.sub(blank, FENCE.sub(blank, text))
    for found in LINK.finditer(prose):
        yield prose.count("\n", 0, found.start()) + 1, found.group(1)


def blank(found: re.Match[str]) -> str:
    """Returns spaces in place of a match, and its line breaks, so that lines keep their numbers."""
    return re.sub(r"[^\n]", " ", found.group())


def dead(root: Path, source: Path, target: str) -> str | None:
    """Returns what is wrong with a link in a document, or None. Links to other hosts are not followed."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    place, _, anchor = target.partition("#")
    goal = (source.parent / unquote(place)).resolve() if place else source.resolve()
    if not goal.is_relative_to(root.resolve()):
        return "leads out of the repository"
    if not goal.exists():
        return "does not exist"
    if anchor and (goal.suffix != ".md" or anchor not in anchors(goal.read_text())):
        return "names a section that does not exist"
    return None


def anchors(text: str) -> set[str]:
    """Returns the anchors that GitHub gives to the headings of a document, and those that it sets itself."""
    seen: dict[str, int] = {}
    result = set(ANCHOR.findall(text))
    for heading in HEADING.findall(FENCE.sub(blank, text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = seen.get(slug, 0)
        seen[slug] = number + 1
        result.add(f"{slug}-{number}" if number else slug)
    return result


def unknown_to_make(makefile: str, text: str) -> Iterator[str]:
    """Yields the verbs and options of `make` that a document shows in code and the Makefile does not have."""
    verbs = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE))
    names = set(re.findall(r"\b[A-Z][A-Z_]+\b", makefile))
    code = [found.group() for found in FENCE.finditer(text)] + SPAN.findall(FENCE.sub(blank, text))
    for arguments in (found.group(1) for piece in code for found in MAKE.finditer(piece)):
        for argument in arguments.split():
            option, equals, _ = argument.partition("=")
            if equals and re.fullmatch(r"[A-Z_]+", option):
                if option not in names:
                    yield f"option {option}"
            elif re.fullmatch(r"[a-z][a-z0-9-]*", argument) and argument not in verbs:
                yield f"verb {argument}"


def unknown_tests(tests: Path, text: str) -> Iterator[str]:
    """Yields the integration tests and modules of such tests that a document names and that do not exist.

    A path counts when it begins with one of the modules below `tests`, such as `ports::charges`.
    """
    roots = {path.stem for path in tests.glob("*")} - {"main"}
    for span in SPAN.findall(FENCE.sub(blank, text)):
        *modules, last = span.split("::")
        if not modules or modules[0] not in roots:
            continue
        file = module(tests, modules)
        is_test = file and re.search(rf"^\s*(?:async )?fn {re.escape(last)}\b", file.read_text(), re.MULTILINE)
        if not is_test and not module(tests, [*modules, last]):
            yield span


def unknown_linked_tests(source: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yields the functions that a document names by a link to a file which does not have them, with the file.

    A file that does not exist is left to the check of links.
    """
    for name, target in LINKED_TEST.findall(FENCE.sub(blank, text)):
        file = source.parent / unquote(target)
        if file.is_file() and not re.search(rf"^\s*(?:async )?(?:fn|def) {name}\b", file.read_text(), re.MULTILINE):
            yield name, target


def module(tests: Path, modules: list[str]) -> Path | None:
    """Returns the file of a module below a folder, or None."""
    places = (tests.joinpath(*modules[:-1], f"{modules[-1]}.rs"), tests.joinpath(*modules, "mod.rs"))
    return next((place for place in places if place.is_file()), None)
