"""The pages of the API's routes, one for each desk: the tags of openapi.json, which are the functions' log groups."""

import json
from collections.abc import Iterator
from typing import Any

from .events import field_table, values
from .sources import Json, Sources

# A field: name, type, need and meaning.
Row = tuple[str, str, str, str]

# By tag of openapi.json, the desk's title.
DESKS = {
    "files": "Files",
    "jobs": "Jobs",
    "keys": "Keys",
    "credits": "Credits",
    "organisations": "Organisations",
    "schedules": "Statistics",
    "deliveries": "Webhooks and mails",
    "gateway": "Gateway",
    "operations": "Operations",
}
# By security scheme of openapi.json, who calls with it.
CALLERS = {
    "session": "a signed-in person, with a session token",
    "service": "a server, with a service token",
    "key": "a program, with an API key as bearer token",
    "keyHeader": "a program, with an API key in `X-API-Key`",
    "signature": "a server that signs its webhooks",
    "stripe": "Stripe, with its signature",
}
# Answers of every route, which the page says once.
EVERYWHERE = {"INTERNAL", "UNAVAILABLE"}
# How deep the fields of fields are shown.
DEPTH_MAX = 4


def page(desk: str) -> Any:
    """Returns what makes the page of a desk."""
    return lambda sources: part(sources, desk)


def part(sources: Sources, desk: str) -> str:
    """Returns a table of a desk's routes and a section for each. Raises ValueError if a tag has no title."""
    document = sources.openapi
    unknown = {tag["name"] for tag in document["tags"]} ^ set(DESKS)
    if unknown:
        raise ValueError(f"infra/check/reference/api.py: DESKS and the tags of openapi.json disagree about {unknown}.")
    routes = [(title(verbs, path), operation) for verbs, path, operation in of_desk(document, desk)]
    rows = [f"| [`{name}`](#{anchor(name)}) | {operation['summary']} |" for name, operation in routes]
    said = next(tag.get("description", "") for tag in document["tags"] if tag["name"] == desk)
    lines = [f"{said}.", ""] if said else []
    lines += ["| route | what it does |", "|---|---|", *rows, ""]
    for name, operation in routes:
        lines += section(document, name, operation)
    return "\n".join(lines)


def of_desk(document: Json, desk: str) -> Iterator[tuple[list[str], str, Json]]:
    """Yields methods, path and operation of each route of a desk. Methods that do the same come together."""
    for path, methods in document["paths"].items():
        alike: dict[str, tuple[list[str], Json]] = {}
        for method, operation in methods.items():
            if desk in operation["tags"]:
                does = json.dumps(
                    {name: one for name, one in operation.items() if name not in ("operationId", "requestBody")}
                )
                alike.setdefault(does, ([], operation))[0].append(method.upper())
        yield from ((verbs, path, operation) for verbs, operation in alike.values())


def title(verbs: list[str], path: str) -> str:
    """Returns the name of a route."""
    return f"{' '.join(verbs)} {path}"


def anchor(heading: str) -> str:
    """Returns the anchor of a heading, as GitHub and the site make it."""
    kept = "".join(letter for letter in heading.lower() if letter.isalnum() or letter in " -_")
    return kept.replace(" ", "-")


def section(document: Json, name: str, operation: Json) -> list[str]:
    """Returns the section of a route."""
    lines = [f"## {name}", "", f"{operation['summary']}.", "", f"* **Who may call**: {callers(operation)}"]
    errors = [f"`{code}` ({status})" for status, code in refusals(document, operation) if code not in EVERYWHERE]
    lines += [f"* **Errors**: {', '.join(errors)}", ""] if errors else [""]
    parameters = [deref(document, one) for one in operation.get("parameters", [])]
    if parameters:
        lines += ["| parameter | in | type | required | meaning |", "|---|---|---|---|---|"]
        lines += [
            f"| `{one['name']}` | {one['in']} | {form(document, one['schema'])} | {'yes' if one['required'] else 'no'}"
            f" | {cell(one.get('description', ''))} |"
            for one in parameters
        ]
        lines.append("")
    return lines + body_of(document, operation) + answer_of(document, operation)


def callers(operation: Json) -> str:
    """Returns who may call a route."""
    schemes = [name for one in operation.get("security", []) for name in one]
    if {"session", "service"} <= set(schemes):
        acting = "[a service that acts for one](../authentication.md#services-that-act-for-a-user)"
        return f"{CALLERS['session']}, or {acting}"
    return " or ".join(CALLERS[name] for name in schemes) or "anybody"


def refusals(document: Json, operation: Json) -> Iterator[tuple[str, str]]:
    """Yields status and code of each error of a route."""
    for status, response in operation["responses"].items():
        for content in deref(document, response).get("content", {}).values():
            for code in codes(document, content["schema"]):
                yield status, code


def codes(document: Json, schema: Json) -> Iterator[str]:
    """Yields the error codes that a schema lists."""
    for one in schema.get("anyOf", []):
        yield from codes(document, one)
    error = schema.get("properties", {}).get("error", {})
    for one in error.get("oneOf", [error]):
        code = deref(document, one).get("properties", {}).get("code", {})
        yield from [code["const"]] if "const" in code else code.get("enum", [])


def body_of(document: Json, operation: Json) -> list[str]:
    """Returns the fields of a request's body, and an example if openapi.json has one."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if not content:
        return []
    rows = list(fields(document, content["schema"]))
    lines = ["Body:", "", *field_table(rows), ""] if rows else []
    return lines + example(content)


def answer_of(document: Json, operation: Json) -> list[str]:
    """Returns the fields of the answer to a success, and an example if openapi.json has one."""
    lines = []
    for status, response in operation["responses"].items():
        if status[0] not in "2d":
            continue
        for kind, content in response.get("content", {}).items():
            if kind != "application/json":
                said = response["description"] if status == "default" else f"{status}, {kind}"
                lines += [f"Answer: {said}.", ""]
                continue
            schema, inside = content["schema"], ""
            if "allOf" in schema and (data := schema["allOf"][-1].get("properties", {}).get("data")):
                schema, inside = data, " in the envelope, with `data`"
                inside += " as a list of" if data.get("type") == "array" else ""
            rows = list(fields(document, schema.get("items", schema)))
            lines += [f"Answer {status}{inside}:", "", *field_table(rows), ""] if rows else [f"Answer {status}.", ""]
            lines += example(content)
    return lines


def example(content: Json) -> list[str]:
    """Returns the example of a body or an answer."""
    if "example" not in content:
        return []
    return ["```json", json.dumps(content["example"], indent=2, ensure_ascii=False), "```", ""]


def fields(document: Json, schema: Json, prefix: str = "", depth: int = 1) -> Iterator[Row]:
    """Yields name, type, need and meaning of every field, those of nested objects behind their own. Alternatives are
    shown together."""
    schema = plain(document, schema)
    for alternative in schema.get("oneOf", []) + schema.get("anyOf", []):
        yield from fields(document, alternative, prefix, depth)
    for name, body in schema.get("properties", {}).items():
        inner = plain(document, body)
        need = "yes" if name in schema.get("required", []) else "no"
        meaning = body.get("description") or inner.get("description", "")
        yield prefix + name, form(document, body), need, cell(meaning)
        if depth < DEPTH_MAX:
            yield from fields(document, inner, f"{prefix}{name}.", depth + 1)
            if "items" in inner:
                yield from fields(document, inner["items"], f"{prefix}{name}[].", depth + 1)


def plain(document: Json, schema: Any) -> Json:
    """Returns a schema without references, and without the alternative null."""
    if not isinstance(schema, dict):
        return {}
    schema = deref(document, schema)
    choices = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    if len(choices) == 1:
        rest = {name: value for name, value in schema.items() if name != "anyOf"}
        return deref(document, choices[0]) | rest
    return schema


def deref(document: Json, value: Json) -> Json:
    """Follows a reference into the document."""
    while "$ref" in value:
        found: Any = document
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value


def form(document: Json, schema: Json) -> str:
    """Returns the type of a value in words."""
    inner = plain(document, schema)
    nullable = schema != inner and any(one.get("type") == "null" for one in schema.get("anyOf", []))
    kinds = inner.get("type", "any")
    if isinstance(kinds, list):
        nullable = nullable or "null" in kinds
        kinds = " or ".join(kind for kind in kinds if kind != "null")
    words = limits(document, inner, str(kinds))
    return f"{words}, or null" if nullable else words


def limits(document: Json, schema: Json, kind: str) -> str:
    """Returns a type with the limits of its values."""
    if "const" in schema or "enum" in schema:
        told = {"enum": [json.dumps(one) if isinstance(one, bool) else one for one in schema.get("enum", [])]}
        told = told if told["enum"] else {"enum": [json.dumps(schema["const"]).strip('"')]}
        return values({"enum": [one for one in told["enum"] if one is not None]})
    if kind == "array":
        return f"list of {form(document, schema['items'])}"
    words = {"date-time": "time", "uri": "URL"}.get(schema.get("format", ""), kind)
    for low, high, unit in (("minimum", "maximum", ""), ("minLength", "maxLength", " characters")):
        least, most = schema.get(low), schema.get(high)
        if least is not None and most is not None:
            words += f", {least:,}{unit}" if least == most else f", {least:,} to {most:,}{unit}"
        elif most is not None:
            words += f", at most {most:,}{unit}"
        elif least and not unit:
            words += f", at least {least:,}"
    return words


def cell(text: str) -> str:
    """Returns a text on one line, without what Markdown would take for the border of a cell."""
    return " ".join(text.split()).replace("|", "\\|")
