"""The page of the events on the bus."""

import json
from collections.abc import Iterator

from .sources import Json, Sources

# A field: name, type, need and meaning.
Row = tuple[str, str, str, str]

# By rule of the template, who hears the events that it lets pass.
HEARERS = {
    "DeliveryRule": "customers' endpoints",
    "MailRule": "`send-mail`",
    "GenerationRule": "generators",
    "TextRule": "the language model",
    "ExportRule": "`export-worker`",
    "CdnRule": "`cdn-invalidate` (with a CDN)",
    "ImageRule": "`derive-image` (pictures only)",
}


def part(sources: Sources) -> str:
    """Returns a table of all events and one of the fields that all have, then a section for each event."""
    hearers = heard(sources.core)
    schemas = list(sources.schemas.values())
    shared = [row for row in fields(schemas[0]) if all(row in fields(schema) for schema in schemas)]
    rows = [f"| [`{kind}`](#{anchor(kind)}) | {schema['description']} |" for kind, schema in sources.schemas.items()]
    overview = ["## All events", "", "| detail-type | when |", "|---|---|", *rows, ""]
    common = ["Every `detail` has these fields, which the sections below leave out:", "", *field_table(shared), ""]
    sections = [
        section(kind, schema, sources.examples[kind], hearers.get(kind, []), shared)
        for kind, schema in sources.schemas.items()
    ]
    return "\n".join([*overview, *common, *sections])


def heard(core: Json) -> dict[str, list[str]]:
    """Returns who hears each event. Raises ValueError for a rule that HEARERS does not have."""
    result: dict[str, list[str]] = {}
    for name, body in core["Resources"].items():
        pattern = body["Properties"].get("EventPattern", {}) if body["Type"] == "AWS::Events::Rule" else {}
        if pattern.get("source") != ["consigne"]:
            continue
        if name not in HEARERS:
            raise ValueError(f"template.yaml: add {name} to HEARERS in infra/check/reference/events.py.")
        for kind in pattern["detail-type"]:
            result.setdefault(kind, []).append(HEARERS[name])
    return result


def anchor(kind: str) -> str:
    """Returns the anchor of an event's section."""
    return kind.replace(".", "")


def section(kind: str, schema: Json, example: Json, hearers: list[str], shared: list[Row]) -> str:
    """Returns the section of an event. `shared` are the fields that all events have."""
    told = f"Sent to {in_words(hearers)}." if hearers else "On the bus only."
    lines = [f"## {kind}", "", f"{schema['description']} {told} [Schema](../../events/schemas/{kind}.json)", ""]
    lines += field_table([row for row in fields(schema) if row not in shared])
    lines += ["", "```json", json.dumps(example, indent=2, ensure_ascii=False), "```", ""]
    return "\n".join(lines)


def in_words(names: list[str]) -> str:
    """Returns names as a sentence lists them: `a`, `a and b`, or `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def field_table(rows: list[Row]) -> list[str]:
    """Returns the lines of a table of fields."""
    lines = [f"| `{name}` | {kind} | {need} | {meaning} |" for name, kind, need, meaning in rows]
    return ["| field | type | required | meaning |", "|---|---|---|---|", *lines]


def fields(schema: Json, prefix: str = "") -> Iterator[Row]:
    """Yields the name, type, need and meaning of every field, those of nested objects behind their own."""
    for name, body in schema.get("properties", {}).items():
        need = "yes" if name in schema.get("required", []) else "; ".join(conditions(schema, name)) or "no"
        yield prefix + name, form(body), need, body.get("description", "").replace("|", "\\|")
        yield from fields(body, f"{prefix}{name}.")
        yield from fields(body.get("items", {}), f"{prefix}{name}[].")


def conditions(schema: Json, name: str) -> Iterator[str]:
    """Yields the conditions under which a field is required."""
    for rule in schema.get("allOf", []):
        if name in rule["then"].get("required", []):
            for field, body in rule["if"]["properties"].items():
                yield f"if `{field}` is {values(body)}"


def values(body: Json) -> str:
    """Returns the values that a schema lists."""
    *others, last = [f"`{value}`" for value in body.get("enum", [body.get("const")])]
    return f"{', '.join(others)} or {last}" if others else last


def form(body: Json) -> str:
    """Returns the type of a field in words."""
    if "enum" in body or "const" in body:
        return values(body)
    words = {"date-time": "time", "uri": "URL"}.get(body.get("format", ""), body.get("type", "any"))
    if words == "array":
        return f"list of {form(body['items'])}"
    least, most = body.get("minimum"), body.get("maximum")
    if least is not None and most is not None:
        return f"{words}, {least} to {most}"
    return f"{words}, at least {least}" if least is not None else words
