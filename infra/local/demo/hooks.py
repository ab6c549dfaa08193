"""Webhooks: signed messages tell a customer's server what happened, and are retried if it fails."""

import json
import uuid
from typing import Any

from walk import Walk, timed


def register(walk: Walk, ann: str, org: str) -> dict[str, Any]:
    """Registers a server of Ann's that will fail once. Returns the endpoint."""
    name = f"/demo-{uuid.uuid4().hex}"
    body = {"url": walk.env["RECEIVER_URL"] + name, "events": ["job.completed", "key.revoked"]}
    took, (status, answer, request) = timed(lambda: walk.api("POST", f"/api/orgs/{org}/endpoints", ann, body))
    walk.expect(status == 201, f"the endpoint was refused: {answer}")
    endpoint = answer["data"]
    plan = {"secrets": [endpoint["secret"]], "answers": [500]}
    walk.send("PUT", f"{walk.env['RECEIVER_URL']}/_plan{name}", {}, json.dumps(plan).encode())
    calls = walk.calls("endpoint-create", request)
    walk.say("Ann registers a server for webhooks", f"{endpoint['secret'][:10]}...", took, calls)

    internal = body | {"url": "https://169.254.169.254/latest/meta-data/"}
    took, (status, answer, request) = timed(lambda: walk.api("POST", f"/api/orgs/{org}/endpoints", ann, internal))
    walk.expect(status == 400, f"an internal address was answered {status}: {answer}")
    walk.say("She tries an internal address", "400", took, walk.calls("endpoint-create", request))
    return endpoint | {"name": name}


def tell(walk: Walk, ann: str, org: str, endpoint: dict[str, Any]) -> None:
    """Waits until the server has the webhook about the end of a job, and shows its delivery."""

    def seen() -> Any:
        _, text, _ = walk.send("GET", f"{walk.env['RECEIVER_URL']}/_seen{endpoint['name']}", {}, None)
        return json.loads(text)["webhooks"]

    took, came = timed(lambda: walk.wait(seen, lambda came: len(came) > 1, "the webhook about the job"))
    first, second = came[0], came[1]
    walk.expect(first["verified"] and second["verified"], f"the signature is not ours: {first}")
    walk.expect(json.loads(first["body"])["type"] == "job.completed", f"something else came: {first['body']}")
    walk.expect(first["id"] == second["id"], f"two ids: {first['id']} and {second['id']}")
    walk.say(f"It answered {first['answered']}; the webhook was sent again", "signature verified", took)

    path = f"/api/orgs/{org}/endpoints/{endpoint['id']}/deliveries"

    def listed() -> Any:
        return walk.api("GET", path, ann)

    took, (_, answer, request) = timed(
        lambda: walk.wait(listed, lambda got: got[1]["data"][0]["status"] == "delivered", "the end of the delivery")
    )
    attempts = len(answer["data"][0]["attempts"])
    walk.say("She looks at the delivery", f"{attempts} attempts, one id", took, walk.calls("delivery-list", request))
