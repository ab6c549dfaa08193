"""Webhooks of generators and of Clerk: repeated ids, other bodies, several signatures, wrong times."""

import json
import secrets
import time

from cases import Case
from world import World

REPORTS = "/api/webhooks/image-completion"


def job(world: World) -> str:
    """Asks for an image. Returns the id of the job."""
    answer = world.call("POST", "/api/secure/images/generate", {"prompt": "a lighthouse", "count": 1}, world.token())
    return answer.json()["data"]["job_id"]


def failed(id_: str, message: str = "out of memory") -> bytes:
    """Returns the report that a job failed."""
    return json.dumps({"generation_id": id_, "status": "failed", "error": {"code": "E", "message": message}}).encode()


def report(world: World, id_: str, body: bytes, **changes: str) -> str:
    """Sends a signed report with an id. Changes replace headers."""
    headers = world.webhook_headers("GENERATOR", id_, body) | {
        name.replace("_", "-"): value for name, value in changes.items()
    }
    return str(world.call("POST", REPORTS, body, **headers))


def fresh() -> str:
    """Returns a new id of a webhook."""
    return f"msg_{secrets.token_hex(8)}"


def same_id_other_body(world: World) -> str:
    """Reports the end, then something else under the same id."""
    id_, of = fresh(), job(world)
    return f"{report(world, id_, failed(of))}, {report(world, id_, failed(of, 'another story'))}"


def same_id_same_body(world: World) -> str:
    """Sends a report three times."""
    id_, body = fresh(), failed(job(world))
    return ", ".join(report(world, id_, body) for _ in range(3))


def other_id_same_body(world: World) -> str:
    """Sends a report again under another id, as a sender without memory does."""
    body = failed(job(world))
    return ", ".join(report(world, fresh(), body) for _ in range(2))


def two_signatures(world: World) -> str:
    """Sends a signature of an older secret before the valid one."""
    id_, body = fresh(), failed(job(world))
    valid = world.webhook_headers("GENERATOR", id_, body)["webhook-signature"]
    return report(world, id_, body, webhook_signature=f"v1,{'A' * 43}= {valid}")


def at(world: World, when: str) -> str:
    """Sends a report that was signed at another time, or whose time is no number."""
    id_, body = fresh(), failed(job(world))
    if when.lstrip("-").isdigit():
        headers = world.webhook_headers("GENERATOR", id_, body, int(time.time()) + int(when))
    else:
        headers = world.webhook_headers("GENERATOR", id_, body) | {"webhook-timestamp": when}
    return str(world.call("POST", REPORTS, body, **headers))


def signature_beyond_ascii(world: World) -> str:
    """Sends a signature with a letter beyond ASCII."""
    id_, body = fresh(), failed(job(world))
    headers = world.webhook_headers("GENERATOR", id_, body) | {"webhook-signature": "v1,é".encode()}
    return str(world.call("POST", REPORTS, body, **headers))


def old_names(world: World) -> str:
    """Sends an event of Clerk with the header names from before the standard."""
    body = json.dumps({"type": "session.created", "object": "event", "data": {"id": "sess_1"}}).encode()
    signed = world.webhook_headers("CLERK", fresh(), body)
    headers = {name.replace("webhook-", "svix-"): value for name, value in signed.items()}
    return str(world.call("POST", "/api/webhooks/clerk", body, **headers))


CASES = [
    Case(
        "NousResearch/hermes-agent#85618",
        "one webhook-id, another body after the end",
        "200, 422 IDEMPOTENCY_MISMATCH",
        same_id_other_body,
    ),
    Case("polarsource/polar#6819", "one report three times", "200, 200, 200", same_id_same_body),
    Case("Abilityai/trinity#1422", "the same body under another id", "200, 200", other_id_same_body),
    Case("sandbaseai/sandbase-harness#256", "two signatures, one of an older secret", "200", two_signatures),
    Case("mishrasanjeev/grantex#892", "a signature beyond ASCII", "401 INVALID_SIGNATURE", signature_beyond_ascii),
    Case("NangoHQ/nango#6218", "a signature of six minutes ago", "401 INVALID_SIGNATURE", lambda w: at(w, "-360")),
    Case(
        "lettermint/lettermint-node#26",
        "a signature of six minutes ahead",
        "401 INVALID_SIGNATURE",
        lambda w: at(w, "360"),
    ),
    Case("thirdweb-dev/js#7103", "a time that is no number", "401 INVALID_SIGNATURE", lambda w: at(w, "now")),
    Case("svix/svix-docs#330", "Clerk's older header names, and an event that nobody handles", "200", old_names),
]
