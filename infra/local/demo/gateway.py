"""The gateway: a service is called with a key and charged for each call, and refuses calls from elsewhere."""

import json
from typing import Any

from walk import Walk, timed


def tell(walk: Walk, ann: str, org: str) -> None:
    """Makes four calls, of which one is accepted and charged. Then shows today's statistics."""
    body = {"name": "Reader", "environment": "production", "scopes": ["pdf:read"]}
    status, answer, _ = walk.api("POST", f"/api/orgs/{org}/keys", ann, body)
    walk.expect(status == 201, f"no key was issued: {answer}")
    key = answer["data"]

    took, (status, answer, left, calls) = call(walk, "GET", key["key"])
    walk.expect(status == 200 and left is not None, f"the call was answered {status}: {answer}")
    walk.expect(key["key"] not in json.dumps(answer), "the service has seen the key")
    walk.say("She calls the PDF service with a read-only key", f"200, {left} credits left", took, calls)

    took, (status, answer, _, calls) = call(walk, "POST", key["key"])
    walk.expect(status == 403, f"a key that may only read was answered {status}: {answer}")
    walk.say("A write with the same key is refused", answer["error"]["code"], took, calls)

    url = f"{walk.env['UPSTREAM_URL']}/pdf/pages/1"
    took, (status, _, _) = timed(lambda: walk.send("GET", url, {"x-consigne-org": org}, None))
    walk.expect(status == 401, f"the service itself answered {status}")
    walk.say("Somebody bypasses the gateway", str(status), took)

    why = {"reason": "The demo is over"}
    status, answer, _ = walk.api("POST", f"/api/orgs/{org}/keys/{key['id']}/revoke", ann, why)
    walk.expect(status == 200, f"the key was not revoked: {answer}")
    took, (status, answer, _, calls) = call(walk, "GET", key["key"])
    walk.expect(status == 401, f"a revoked key was answered {status}: {answer}")
    walk.say("Ann revokes the key; the next call is refused", answer["error"]["details"]["code"], took, calls)

    took, (status, answer, request) = timed(lambda: walk.api("GET", f"/api/orgs/{org}/stats", ann))
    walk.expect(status == 200, f"the statistics were refused: {answer}")
    today = answer["data"][-1]
    walk.expect(today["requests"] > 0 and today["services"].get("pdf", 0) > 0, f"the call is not counted: {today}")
    figures = f"{today['requests']} calls, {today['credits']} credits, p50 {today['p50_ms']} ms"
    walk.say("Today's statistics, counted now", figures, took, walk.calls("stats", request))


def call(walk: Walk, method: str, key: str) -> tuple[float, Any]:
    """Calls the PDF service. Returns the seconds it took, then status, answer, credits left and the AWS calls."""
    url = f"{walk.env['CONSIGNE_URL']}/api/v1/pdf/pages/1"
    took, (status, text, headers) = timed(lambda: walk.send(method, url, {"x-api-key": key}, None))
    left, request = headers["x-credits-remaining"], headers["x-request-id"]
    return took, (status, json.loads(text), left, walk.calls("gateway", request))
