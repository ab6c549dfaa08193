"""What the generated pages are made from."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import api_document
import template as templates

Json = dict[str, Any]


@dataclass
class Sources:
    """The contents of the files that the pages are made from."""

    # Both templates as written, with the long forms of CloudFormation's tags.
    core: Json
    observe: Json
    openapi: Json
    # By detail-type, the schema of an event and an example of its detail.
    schemas: dict[str, Json]
    examples: dict[str, Json]
    # By function, the first paragraph of its documentation.
    purposes: dict[str, str]
    # By function, the cells of its row in functions/README.md: who may call, and by what it is idempotent.
    rows: dict[str, list[str]]
    # By function of an organisation, the roles that may call it.
    roles: dict[str, list[str]]


def load(root: Path) -> Sources:
    """Reads everything from a checkout."""
    schemas, examples = {}, {}
    for path in sorted((root / "events/schemas").glob("*.json")):
        name = path.name.removesuffix(".json")
        kind = name.removesuffix(".example")
        (schemas if kind == name else examples)[kind] = json.loads(path.read_text())
    return Sources(
        core=templates.load(root / "template.yaml"),
        observe=templates.load(root / "infra/observe.yaml"),
        openapi=api_document.load(root),
        schemas=schemas,
        examples=examples,
        purposes={path.parts[-3]: purpose(path.read_text()) for path in root.glob("functions/*/src/lib.rs")},
        rows={name: cells for name, *cells in table(root / "functions/README.md")},
        roles={name: roles for name, roles in matrix(root / "docs/reference/roles.md")},
    )


def purpose(source: str) -> str:
    """Returns the first paragraph of a module's documentation, on one line."""
    lines = re.match(r"(?://! .*\n)+", source)
    return " ".join(line.removeprefix("//! ") for line in lines.group().splitlines()) if lines else ""


def table(path: Path) -> list[list[str]]:
    """Returns the cells of the rows that begin with a name in code, or with a link that is one."""
    rows = [line.strip("| ").split(" | ") for line in path.read_text().splitlines() if re.match(r"\| \[?`", line)]
    return [[re.sub(r"\[?`([^`]*)`.*", r"\1", name), *cells] for name, *cells in rows]


def matrix(path: Path) -> list[tuple[str, list[str]]]:
    """Returns the functions of an organisation with the roles that may call them, from the page on roles."""
    header = re.search(r"^\| function \| (.*) \|$", path.read_text(), re.MULTILINE)
    roles = header.group(1).split(" | ") if header else []
    return [
        (name, [role for role, cell in zip(roles, cells, strict=True) if cell == "yes"]) for name, *cells in table(path)
    ]
