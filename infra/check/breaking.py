"""Names what openapi.json breaks for clients that were written against the document of version 0.1.

An answer may gain fields, and a request may gain optional ones. Everything else that a client could notice is a
problem, unless `INTENDED` has it with a reason. A rule that version 0.1 did not state, such as the length of a name, is
not compared: the code had it already.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]

BASE = Path("docs/reference/openapi-0.1.json")
# Patterns of problems that are meant, each with its reason. Version 0.1 described `metadata` for every answer.
INTENDED = {
    r"(DELETE|PATCH|POST) \S+: 20[01]\.metadata was removed\.": "Only lists have it.",
    r"GET \S+/(health|services|wallet|download/\S+|status): 200\.metadata was removed\.": "Only lists have it.",
    r"GET \S+: 200\.metadata\.total may be null now\.": "It always was in long lists, which are not counted.",
    r"\S+ /api/orgs/{org}/keys\S*: 20[01]\.data(\[\])?\.legacy may be absent now\.": "It always was, on other keys.",
    r"POST /api/files/presigned-url: 200\.(url|expiresIn|expiresAt) may be absent now\.": "Only with `s3Keys`.",
    r"POST /api/keys/verify: 200\.data\.\w+ may be absent now\.": "Refused keys never had it, which `valid` says.",
    r"GET /api/health: 200\.data\.checks may be absent now\.": "Without `deep=1` nothing is checked.",
    r"PATCH /api/orgs/{org}/keys/{key}: request\.(name|scopes) may no longer be null\.": "It always was refused.",
}


def problems(root: Path) -> Iterator[str]:
    """Yields a sentence for each change that breaks clients, and for each intended one that is not there any more."""
    before, now = (json.loads((root / path).read_text()) for path in (BASE, Path("openapi.json")))
    found = list(breaks(before, now))
    yield from (problem for problem in found if not any(re.fullmatch(intended, problem) for intended in INTENDED))
    for intended in INTENDED:
        if not any(re.fullmatch(intended, problem) for problem in found):
            yield f"infra/check/breaking.py: INTENDED has what no longer is: {intended}"


def breaks(before: Json, now: Json) -> Iterator[str]:
    """Yields a sentence for each change from one document to another that breaks clients, each once."""
    seen = set()
    for problem in (problem for part in (routes, error) for problem in part(before, now)):
        if problem not in seen:
            seen.add(problem)
            yield problem


def routes(before: Json, now: Json) -> Iterator[str]:
    """Compares every operation."""
    for path, operations in before["paths"].items():
        for method, old in operations.items():
            route = f"{method.upper()} {path}"
            new = now["paths"].get(path, {}).get(method)
            if new is None:
                yield f"{route}: the route was removed."
                continue
            yield from parameters(route, resolved(before, old), resolved(now, new), before, now)
            yield from body(route, old, new, before, now)
            yield from answers(route, old, new, before, now)


def resolved(document: Json, operation: Json) -> dict[tuple[str, str], Json]:
    """Returns the parameters of an operation by place and name."""
    listed = [deref(document, one) for one in operation.get("parameters", [])]
    return {(one["in"], one["name"]): one for one in listed}


def parameters(route: str, old: dict, new: dict, before: Json, now: Json) -> Iterator[str]:
    """Compares parameters. In version 0.1 all of them were texts, which says nothing about their values."""
    for key, parameter in old.items():
        if key not in new:
            yield f"{route}: the parameter {key[1]} was removed."
        elif set(parameter["schema"]) != {"type"}:
            yield from accepted(f"{route}: {key[1]}", before, parameter["schema"], now, new[key]["schema"])
    for key, parameter in new.items():
        if parameter.get("required") and not old.get(key, {}).get("required"):
            yield f"{route}: the parameter {key[1]} is required now."


def body(route: str, old: Json, new: Json, before: Json, now: Json) -> Iterator[str]:
    """Compares what a request may contain."""
    taken, takes = (deref(doc, one.get("requestBody", {})) for doc, one in ((before, old), (now, new)))
    if takes.get("required") and not taken.get("required"):
        yield f"{route}: a body is required now."
    for kind, content in taken.get("content", {}).items():
        if kind not in takes.get("content", {}):
            yield f"{route}: a body of {kind} is no longer accepted."
        else:
            yield from accepted(f"{route}: request", before, content["schema"], now, takes["content"][kind]["schema"])


def answers(route: str, old: Json, new: Json, before: Json, now: Json) -> Iterator[str]:
    """Compares statuses, error codes, and what an answer contains."""
    for status, response in old["responses"].items():
        if status not in new["responses"]:
            yield f"{route}: the status {status} was removed."
            continue
        for kind, content in deref(before, response).get("content", {}).items():
            contents = deref(now, new["responses"][status]).get("content", {})
            if kind not in contents:
                yield f"{route}: {status} is no longer {kind}."
            elif status.isdigit() and int(status) >= 400:
                lost = codes(before, content["schema"]) - codes(now, contents[kind]["schema"])
                yield from (f"{route}: {status} no longer has the code {code}." for code in sorted(lost))
            else:
                yield from sent(f"{route}: {status}", before, content["schema"], now, contents[kind]["schema"])


def error(before: Json, now: Json) -> Iterator[str]:
    """Compares the shape of errors, which is the same on every route."""
    for operations in before["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                schema = response.get("content", {}).get("application/json", {}).get("schema")
                if schema and status.isdigit() and int(status) >= 400 and "Error" in now["components"]["schemas"]:
                    yield from sent("errors", before, schema, now, {"$ref": "#/components/schemas/Error"})
                    return


def codes(document: Json, schema: Json) -> set[str]:
    """Returns the error codes that a schema allows."""
    at = look(document, schema)
    for name in ("error", "code"):
        if name not in at.fields:
            return set()
        at = look(document, at.fields[name])
    return set(at.values or ())


def sent(place: str, before: Json, old: Json, now: Json, new: Json) -> Iterator[str]:
    """Compares something that callers get: what was there stays, and nothing else stands in its place."""
    was, has = look(before, old), look(now, new)
    if was.kinds is not None and (more := kinds(has) - kinds(was)):
        yield f"{place} may be {' or '.join(sorted(more))} now."
    for name, schema in was.fields.items():
        if name not in has.fields:
            yield f"{place}.{name} was removed."
            continue
        if name in was.required and name not in has.required:
            yield f"{place}.{name} may be absent now."
        yield from sent(f"{place}.{name}", before, schema, now, has.fields[name])
    for inner, suffix in (("items", "[]"), ("others", ".*")):
        theirs, ours = getattr(was, inner), getattr(has, inner)
        if theirs is not None and ours is not None:
            yield from sent(place + suffix, before, theirs, now, ours)


def accepted(place: str, before: Json, old: Json, now: Json, new: Json) -> Iterator[str]:
    """Compares something that callers send: what was accepted still is."""
    was, takes = look(before, old), look(now, new)
    if takes.kinds is not None and (less := kinds(was) - kinds(takes)):
        yield f"{place} may no longer be {' or '.join(sorted(less))}."
    if was.values is not None and takes.values is not None and (less := was.values - takes.values):
        yield f"{place} may no longer be {' or '.join(sorted(map(str, less)))}."
    yield from (f"{place} has a narrower {name} now." for name in tightened(was, takes))
    for name in sorted(takes.required - was.required):
        yield f"{place}.{name} is required now."
    for name, schema in was.fields.items():
        if name in takes.fields:
            yield from accepted(f"{place}.{name}", before, schema, now, takes.fields[name])
        else:
            yield f"{place}.{name} was removed."
    for inner, suffix in (("items", "[]"), ("others", ".*")):
        theirs, ours = getattr(was, inner), getattr(takes, inner)
        if theirs is not None and ours is not None:
            yield from accepted(place + suffix, before, theirs, now, ours)


def tightened(was: "View", takes: "View") -> Iterator[str]:
    """Yields the limits that version 0.1 stated and that are narrower now."""
    for name, limit in was.limits.items():
        other = takes.limits.get(name, limit)
        if other < limit if name.startswith("max") else other > limit:
            yield name


@dataclass
class View:
    """What a schema says, with its references and alternatives put together. `None` stands for anything."""

    kinds: set[str] | None = None
    values: set[Any] | None = None
    required: set[str] = field(default_factory=set)
    fields: dict[str, Json] = field(default_factory=dict)
    items: Json | None = None
    others: Json | None = None
    limits: dict[str, float] = field(default_factory=dict)


def kinds(view: View) -> set[str]:
    """Returns the types of a schema. A number may be an integer."""
    every = {"array", "boolean", "integer", "null", "number", "object", "string"}
    found = every if view.kinds is None else view.kinds
    return found | ({"integer"} if "number" in found else set())


def look(document: Json, schema: Json) -> View:
    """Puts together what a schema says."""
    if not isinstance(schema, dict):
        return View()
    said = View(fields=dict(schema.get("properties", {})), required=set(schema.get("required", ())))
    said.items = schema.get("items")
    said.others = schema["additionalProperties"] if isinstance(schema.get("additionalProperties"), dict) else None
    if "type" in schema:
        said.kinds = set(schema["type"]) if isinstance(schema["type"], list) else {schema["type"]}
    if "enum" in schema or "const" in schema:
        said.values = set(schema.get("enum", [schema.get("const")]))
        said.kinds = said.kinds or {kind_of(value) for value in said.values}
    # The limits of Rust's own types are none that callers were told about.
    if not schema.get("format", "").startswith("uint"):
        names = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")
        said.limits = {name: schema[name] for name in names if name in schema}
    if "$ref" in schema:
        said = both(said, look(document, deref(document, {"$ref": schema["$ref"]})))
    for one in schema.get("allOf", ()):
        said = both(said, look(document, one))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            said = both(said, either([look(document, one) for one in schema[keyword]]))
    return said


def both(one: View, other: View) -> View:
    """Returns what is true of a value for which two views are."""
    fields = {
        name: {"allOf": [one.fields[name], other.fields[name]]} for name in one.fields.keys() & other.fields.keys()
    }
    return View(
        narrower(one.kinds, other.kinds),
        narrower(one.values, other.values),
        one.required | other.required,
        one.fields | other.fields | fields,
        other.items if one.items is None else one.items,
        other.others if one.others is None else one.others,
        one.limits | other.limits,
    )


def narrower(one: set | None, other: set | None) -> set | None:
    """Returns what both sets have; `None` has everything."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def either(views: list[View]) -> View:
    """Returns what is true of a value for which one of some views is."""
    names = {name for view in views for name in view.fields}
    fields = {name: {"anyOf": [view.fields[name] for view in views if name in view.fields]} for name in names}
    of_objects = [view for view in views if view.kinds != {"null"}]
    return View(
        None if any(view.kinds is None for view in views) else set().union(*(view.kinds for view in views)),
        None if any(view.values is None for view in views) else set().union(*(view.values for view in views)),
        set.intersection(*(view.required for view in of_objects)) if of_objects else set(),
        fields,
        next((view.items for view in views if view.items is not None), None),
        next((view.others for view in views if view.others is not None), None),
    )


def kind_of(value: object) -> str:
    """Returns the JSON type of a constant."""
    names = {bool: "boolean", str: "string", int: "integer", float: "number", type(None): "null"}
    return names[type(value)]


def deref(document: Json, one: Json) -> Json:
    """Follows a reference such as `#/components/schemas/Error`."""
    while "$ref" in one:
        found: Any = document
        for part in one["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        one = found
    return one
