"""Names each place in which a function is missing, as CONTRIBUTING.md lists them under "Add an endpoint"."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TESTKIT = Path("shared/testkit")
PERMISSIONS = Path("shared/auth/src/permissions.rs")
ROLES = Path("docs/reference/roles.md")
CALLERS = TESTKIT / "tests/it/handlers/people/account_callers.rs"
CALLS = TESTKIT / "tests/it/deployed/roles.rs"
ROUTE = re.compile(r'Operation::\w+(?:::<[^(]*>)?\(\s*"([A-Z]+) ([^"]+)"')


def problems(root: Path, template: dict[str, Any], openapi: dict[str, Any]) -> Iterator[str]:
    """Yields a sentence for each place that lacks a function. A function exists if `functions/` has a folder for it."""
    deployed = template["Resources"]
    for folder in sorted(path for path in (root / "functions").iterdir() if path.is_dir()):
        name = folder.name
        missing = [file for file in ("Cargo.toml", "src/main.rs", "src/lib.rs") if not (folder / file).is_file()]
        yield from (f"functions/{name}/{file} is missing." for file in missing)
        if missing:
            continue
        logical = f"{pascal(name)}Function"
        if deployed.get(logical, {}).get("Type") not in ("AWS::Serverless::Function", "AWS::Lambda::Function"):
            yield f"template.yaml lacks the function {logical}, which runs functions/{name}."
        if not any((root / "events" / name).glob("*.json")):
            yield f"events/{name} lacks a payload; add events/{name}/<case>.json."
        for file, words in places(name, (folder / "src/lib.rs").read_text()):
            if not re.search(words, (root / file).read_text(), re.MULTILINE):
                generated = "; `make reference` writes it" if file == ROLES else ""
                yield f"{file} lacks {name}{generated}."
        for method, path in ROUTE.findall((folder / "src/lib.rs").read_text()):
            described = openapi["paths"].get(path.replace("+}", "}"), {})
            if method.lower() not in described and not (method == "ANY" and described):
                yield f"openapi.json lacks {method} {path} of {name}; `make openapi` writes it."
        tests = (root / TESTKIT / "tests/it/handlers").rglob("*.rs")
        if not any(f'"{name}"' in path.read_text() for path in tests if path != root / CALLERS):
            yield f"{TESTKIT}/tests/it/handlers has no test of {name}."


def places(name: str, code: str) -> Iterator[tuple[Path, str]]:
    """Yields the files that must name a function, each with the pattern of its line."""
    yield Path("functions/README.md"), rf"^\| `{name}` \|"
    yield TESTKIT / "Cargo.toml", rf"^{name} = "
    if f"Route::{pascal(name)}" in code:
        yield PERMISSIONS, rf'\(Route::{pascal(name)}, "{name}",'
        yield ROLES, rf"^\| \[`{name}`\]\("
        yield CALLERS, rf'^    \("{name}", "'
        yield CALLS, rf'^        "{name}" =>'


def pascal(name: str) -> str:
    """Converts `on-object-event` to `OnObjectEvent`."""
    return "".join(word.capitalize() for word in name.split("-"))
