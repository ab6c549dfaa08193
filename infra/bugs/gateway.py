"""Queries, paths, methods and headers through the gateway, and HEAD on health."""

import secrets
from typing import Any

from cases import Case
from world import World


def through(world: World, path: str, method: str = "GET", **headers: Any) -> Any:
    """Calls the stand-in for a service through the gateway."""
    return world.call(method, f"/api/v1/pdf{path}", token=world.org()["key"], **headers)


def query(source: str, raw: str, expected: str) -> Case:
    """Makes a case with a query as it is written. What comes back is the query that the service saw."""

    def ask(world: World) -> str:
        answer = through(world, f"/echo?{raw}")
        return f"200 {answer.json()['query']}" if answer.status == 200 else str(answer)

    return Case(source, f"the query {raw}", expected, ask)


def path(source: str, raw: str, expected: str) -> Case:
    """Makes a case with a path as it is written. What comes back is the path that the service saw."""

    def ask(world: World) -> str:
        answer = through(world, raw)
        return f"200 {answer.json()['path']}" if answer.status == 200 else str(answer)

    return Case(source, f"the path {raw}", expected, ask)


def headers(source: str, sent: dict[str, str]) -> Case:
    """Makes a case with headers that no service may get from a caller."""

    def ask(world: World) -> str:
        answer = through(world, "/echo", **sent)
        seen = {name: value for name, value in answer.json()["headers"]}
        arrived = sorted(name for name, value in sent.items() if seen.get(name) == value)
        return f"{answer.status}, arrived: {', '.join(arrived) or 'none'}"

    return Case(source, f"{', '.join(sent)} of a caller", "200, arrived: none", ask)


def head_of_health(world: World) -> str:
    """Compares HEAD with GET on health."""
    got, head = world.call("GET", "/api/health"), world.call("HEAD", "/api/health")
    return (
        f"{head.status} {head.headers.get('content-type')} {len(head.body)} bytes, as GET: {head.status == got.status}"
    )


def head_through(world: World) -> str:
    """Asks for the length of an answer of 4,000 bytes."""
    answer = through(world, "/echo?size=4000", method="HEAD")
    return f"{answer.status}, Content-Length {answer.headers.get('content-length')}, {len(answer.body)} bytes"


def connection_names_a_header(world: World) -> str:
    """Lets Connection name a header, which then belongs to this hop."""
    answer = through(world, "/echo", connection="x-mark", x_mark="mine")
    return str("x-mark" in {name for name, _ in answer.json()["headers"]})


def same_key_other_request(world: World) -> str:
    """Sends two different calls with one Idempotency-Key."""
    once = secrets.token_hex(8)
    first = through(world, "/echo?a=1", method="POST", idempotency_key=once)
    second = through(world, "/echo?a=2", method="POST", idempotency_key=once)
    return f"{first}, {second}"


def redirect(world: World) -> str:
    """Calls a service that redirects to another host."""
    answer = through(world, "/echo?status=302&location=https://other.example/")
    return str(answer.status)


CASES = [
    query("spring-cloud/spring-cloud-gateway#139", "match[]=up", "200 match[]=up"),
    query("aws/serverless-java-container#154", 'query={"name":"faisal"}', "200 query=%7B%22name%22:%22faisal%22%7D"),
    query("serverless/serverless#2901", "q=it's", "200 q=it's"),
    query("outmoded/lout#179", "path=/one/{two}/three", "200 path=/one/%7Btwo%7D/three"),
    query("aws/aws-lambda-rust-runtime#461", "param1=test%20with%20spaces", "200 param1=test%20with%20spaces"),
    query("aws/aws-lambda-rust-runtime#461", "a=<b>", "200 a=%3Cb%3E"),
    query("aws-amplify/amplify-js#2356", "foo=*!()", "200 foo=*!()"),
    query("api-platform/api-platform#2150", "order[title]=ASC", "200 order[title]=ASC"),
    path("open-webui/open-webui#25157", "/a/%252e%252e/b", "400 INVALID_REQUEST path"),
    path("codeforamerica/sebt-self-service-portal#499", "/a%2F..%2F..%2Fhealth", "400 INVALID_REQUEST path"),
    path("BaseIntelligence/bounty-challenge#6583", "/%2e%2e%2fetc%2fpasswd", "400 INVALID_REQUEST path"),
    headers(
        "spring-cloud/spring-cloud-gateway#4267",
        {"x-forwarded-host": "malicious-host.example", "x-forwarded-prefix": "/malicious"},
    ),
    headers("projectcontour/contour#4449", {"x-envoy-external-address": "203.0.113.50", "x-envoy-original-path": "/x"}),
    headers("agentic-community/mcp-gateway-registry#1685", {"x-original-url": "/admin", "x-original-uri": "/admin"}),
    headers("danmoz/caddy-lambda#41", {"x-real-ip": "203.0.113.50", "fly-client-ip": "203.0.113.50"}),
    headers(
        "envoyproxy/gateway#8542",
        {
            "x-azure-clientip": "203.0.113.50",
            "x-appengine-user-ip": "203.0.113.50",
            "x-accel-redirect": "/secret",
            "http2-settings": "AAMAAABk",
        },
    ),
    Case(
        "mitmproxy/mitmproxy#659",
        "HEAD on health",
        "200 application/json; charset=utf-8 0 bytes, as GET: True",
        head_of_health,
    ),
    Case(
        "chimurai/http-proxy-middleware#1121",
        "HEAD of an answer of 4,000 bytes",
        "200, Content-Length 4000, 0 bytes",
        head_through,
    ),
    Case("RFC 9110, section 7.6.1", "Connection names a header", "False", connection_names_a_header),
    Case(
        "ietf-wg-httpapi/idempotency#22",
        "one Idempotency-Key for two calls",
        "200, 422 IDEMPOTENCY_MISMATCH",
        same_key_other_request,
    ),
    Case("opengeos/GeoLibre#1576", "a service that redirects to another host", "302", redirect),
]
