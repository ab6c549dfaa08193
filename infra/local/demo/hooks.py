"""Webhooks: a customer's own server is told what has happened, signed, and again when it fails."""

import json
import uuid
from typing import Any

from walk import Walk, timed


def register(walk: Walk, ann: str, org: str) -> dict[str, Any]:
    """Registers a small server of Ann's, which will fail once; gives the endpoint."""
    name = f"/demo-{uuid.uuid4().hex}"
    wish = {"url": walk.env["RECEIVER_URL"] + name, "events": ["job.completed", "key.revoked"]}
    took, (status, answer, request) = timed(lambda: walk.api("POST", f"/api/orgs/{org}/endpoints", ann, wish))
    walk.expect(status == 201, f"the endpoint was refused: {answer}")
    endpoint = answer["data"]
    plan = {"secrets": [endpoint["secret"]], "answers": [500]}
    walk.send("PUT", f"{walk.env['RECEIVER_URL']}/_plan{name}", {}, json.dumps(plan).encode())
    calls = walk.calls("endpoint-create", request)
    walk.say("Ann registers a server that is to hear of her jobs", f"{endpoint['secret'][:10]}...", took, calls)

    inside = wish | {"url": "https://169.254.169.254/latest/meta-data/"}
    took, (status, answer, request) = timed(lambda: walk.api("POST", f"/api/orgs/{org}/endpoints", ann, inside))
    walk.expect(status == 400, f"an address inside was answered {status}: {answer}")
    walk.say("She tries one where clouds keep their keys", "400", took, walk.calls("endpoint-create", request))
    return endpoint | {"name": name}


def tell(walk: Walk, ann: str, org: str, endpoint: dict[str, Any]) -> None:
    """Tells how the end of a job has reached the server."""

    def seen() -> Any:
        _, text, _ = walk.send("GET", f"{walk.env['RECEIVER_URL']}/_seen{endpoint['name']}", {}, None)
        return json.loads(text)["webhooks"]

    took, came = timed(lambda: walk.wait(seen, lambda came: len(came) > 1, "the webhook about the job"))
    first, second = came[0], came[1]
    walk.expect(first["verified"] and second["verified"], f"the signature is not ours: {first}")
    walk.expect(json.loads(first["body"])["type"] == "job.completed", f"something else came: {first['body']}")
    walk.expect(first["id"] == second["id"], f"two ids: {first['id']} and {second['id']}")
    walk.say(f"Her server was told, answered {first['answered']}, and is told again", "verified", took)

    path = f"/api/orgs/{org}/endpoints/{endpoint['id']}/deliveries"

    def listed() -> Any:
        return walk.api("GET", path, ann)

    took, (_, answer, request) = timed(
        lambda: walk.wait(listed, lambda got: got[1]["data"][0]["status"] == "delivered", "the end of the delivery")
    )
    attempts = len(answer["data"][0]["attempts"])
    walk.say("She looks at the deliveries", f"{attempts} attempts, one id", took, walk.calls("delivery-list", request))
