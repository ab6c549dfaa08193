"""Limits of lists, bodies and requests, and the answers beyond them."""

import secrets
from typing import Any

from cases import Case
from world import World


def listed(source: str, given: str, query: str, expected: str, path: str = "/api/files/list") -> Case:
    """Makes a case that lists with a query."""
    return Case(source, given, expected, lambda world: str(world.call("GET", f"{path}?{query}", token=world.token())))


def large_body(world: World) -> str:
    """Sends a body of a megabyte to a route that takes little."""
    return str(world.call("POST", "/api/files/uploads", {"filename": "a" * 1_000_000}, world.token()))


def reused_key(world: World) -> str:
    """Asks for two grants with one Idempotency-Key."""
    token, once = world.token(), secrets.token_hex(8)
    sizes = (100, 101)
    asked = [{"filename": "a.png", "contentType": "image/png", "size": size} for size in sizes]
    return ", ".join(str(world.call("POST", "/api/files/uploads", one, token, idempotency_key=once)) for one in asked)


def too_many_reads(world: World) -> str:
    """Reads with the smallest plan until it is refused. Returns the refusal and its headers."""
    token = world.token(plan="free")
    for _ in range(70):
        answer = world.call(
            "POST", "/api/files/uploads", {"filename": "a.png", "contentType": "image/png", "size": 1}, token
        )
        if answer.status == 429:
            told = [
                name for name in ("retry-after", "ratelimit-limit", "ratelimit-remaining") if name in answer.headers
            ]
            return f"{answer}, {', '.join(told)}"
    return f"{answer} after 70 requests"


def fields(source: str, given: str, method: str, path: str, body: Any, expected: str) -> Case:
    """Makes a case that calls a route of an organisation."""

    def ask(world: World) -> str:
        org = world.org()
        return str(world.call(method, path.replace("ORG", org["id"]), body, org["token"]))

    return Case(source, given, expected, ask)


CASES = [
    listed("alerta/alerta#80", "limit=0", "limit=0", "400 INVALID_REQUEST limit"),
    listed("outline/outline#953", "limit=-20", "limit=-20", "400 INVALID_REQUEST limit"),
    listed("api-platform/core#1860", "limit=[object Object]", "limit=[object%20Object]", "400 INVALID_REQUEST limit"),
    listed("algoan/nestjs-components#657", "limit=1001, above the most", "limit=1001", "400 INVALID_REQUEST limit"),
    listed("philgyford/pepysdiary#603", "a cursor that is a NUL", "cursor=%00", "400 INVALID_CURSOR cursor"),
    listed("stellar/go-stellar-sdk#1469", "a status with a NUL", "status=%00", "400 INVALID_REQUEST status"),
    Case("Shopify/shopify-app-js#233", "a body of a megabyte", "413 BODY_TOO_LARGE", large_body),
    Case(
        "jcagarcia/grape-idempotency#13",
        "one Idempotency-Key for two requests",
        "201, 422 IDEMPOTENCY_MISMATCH",
        reused_key,
    ),
    Case(
        "RFC 6585, section 4",
        "more grants a minute than the plan has",
        "429 RATE_LIMITED, retry-after, ratelimit-limit, ratelimit-remaining",
        too_many_reads,
    ),
    fields(
        "zenml-io/kitaru#927",
        "NUL in an organisation's name",
        "POST",
        "/api/orgs",
        {"name": "a\0b"},
        "400 INVALID_REQUEST name",
    ),
    fields(
        "oqtane/oqtane.framework#1788",
        "a name of 300 letters",
        "POST",
        "/api/orgs",
        {"name": "a" * 300},
        "400 INVALID_REQUEST name",
    ),
    fields("stellar/go-stellar-sdk#1469", "NUL in an id", "GET", "/api/orgs/%00/wallet", None, "404 NOT_FOUND"),
]
