"""Puts examples into the document, so that requests reach what is behind the checks of their fields.

The ids are those of things that were made on the stack for this run.
"""

import copy
import json
from typing import Any

KEY = {"name": "Production API", "environment": "test", "scopes": ["pdf:read"], "monthly_quota": 10000}
ADDRESS = "ann@example.com"


def bodies(ids: dict[str, str]) -> dict[str, Any]:
    """Returns a valid body for each operation that has one, by method and path."""
    return {
        "POST /api/credits/holds": {"key": ids["text"], "amount": 2, "service": "pdf", "ttl_seconds": 60},
        "POST /api/credits/holds/{id}/settle": {"amount": 1, "status_code": 200, "response_ms": 12},
        "POST /api/credits/holds/{id}/void": {"reason": "provider_error"},
        "DELETE /api/files/delete": {"s3Key": ids["spare_file"]},
        "POST /api/files/presigned-url": {"s3Key": ids["file"], "expiresIn": 60},
        "POST /api/files/uploads": {"filename": "photo été.png", "contentType": "image/png", "size": 512},
        "POST /api/files/uploads/{fileId}/complete": {"parts": [{"partNumber": 1, "etag": "0" * 32}]},
        "POST /api/files/uploads/{fileId}/parts": {"partNumbers": [1, 2]},
        "POST /api/keys/receipts/{id}/outcome": {"status_code": 200, "response_ms": 12},
        "POST /api/keys/verify": {"key": ids["text"], "scope": "pdf:read", "cost": 1, "include": ["remaining"]},
        "POST /api/orgs": {"name": "Acme"},
        "POST /api/orgs/{org}/credits/checkout": {"pack": "starter"},
        "POST /api/orgs/{org}/endpoints": {"url": "https://example.com/hooks", "events": ["job.completed"]},
        "PATCH /api/orgs/{org}/endpoints/{endpoint}": {"rate_per_second": 5},
        "POST /api/orgs/{org}/invitations": {"email": ADDRESS, "role": "developer"},
        "POST /api/orgs/{org}/keys": KEY,
        "PATCH /api/orgs/{org}/keys/{key}": {"monthly_quota": 20000},
        "POST /api/orgs/{org}/keys/{key}/revoke": {"reason": "leaked"},
        "POST /api/orgs/{org}/keys/{key}/rotate": {"grace_seconds": 60},
        "POST /api/secure/blog/generate": {"topic": "Un phare", "goal": "Explain it"},
        "POST /api/secure/books/generate": {"topic": "Un phare", "goal": "Explain it"},
        "POST /api/secure/images/generate": {"prompt": "un phare", "count": 1},
        "POST /api/secure/videos/generate": {"prompt": "un phare", "duration_seconds": 8, "aspect_ratio": "16:9"},
        "POST /api/webhooks/clerk": {"type": "session.created", "data": {"id": "sess_1"}},
        "POST /api/webhooks/image-completion": {"generation_id": ids["job"], "status": "processing"},
        "POST /api/webhooks/stripe": {
            "id": "evt_1",
            "type": "customer.created",
            "created": 1795257000,
            "data": {"object": {"id": "cus_1"}},
        },
        "POST /api/webhooks/jobs/{id}/uploads": {"filename": "a.png", "content_type": "image/png", "size": 512},
    }


def paths(ids: dict[str, str]) -> dict[str, dict[str, str]]:
    """Returns real ids for the parameters of paths and queries, by the path that has them."""
    return {
        "": {"org": ids["org"], "key": ids["key"], "endpoint": ids["endpoint"], "service": "pdf", "proxy": "echo"},
        "/api/files/": {"s3Key": ids["file"]},
        "/api/files/uploads/": {"fileId": ids["upload"]},
        "/api/secure/files/download/": {"key": ids["file"]},
        "/api/secure/files/delete/": {"key": ids["spare_file"]},
        "/api/secure/jobs/": {"id": ids["job"]},
        "/api/webhooks/jobs/": {"id": ids["job"]},
        "/api/keys/receipts/": {"id": ids["receipt"]},
        "/api/credits/holds/": {"id": ids["hold"]},
    }


def with_examples(document: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """Returns the document with an example for each body and each parameter that is known here.

    Raises SystemExit if a body is for an operation that does not exist.
    """
    document = copy.deepcopy(document)
    left = bodies(ids)
    known = paths(ids)
    for path, item in document["paths"].items():
        examples = {
            name: value for prefix, own in known.items() if path.startswith(prefix) for name, value in own.items()
        }
        for method, operation in item.items():
            parameters = [resolved(document, one) for one in operation.get("parameters", [])]
            for parameter in parameters:
                if parameter["in"] in ("path", "query") and parameter["name"] in examples:
                    parameter.pop("examples", None)
                    parameter["example"] = examples[parameter["name"]]
            if parameters:
                operation["parameters"] = parameters
            body = left.pop(f"{method.upper()} {path}", None)
            if body is not None:
                operation["requestBody"] = resolved(document, operation["requestBody"])
                content = operation["requestBody"]["content"]["application/json"]
                content.pop("examples", None)
                content["example"] = body
    if left:
        raise SystemExit(f"infra/schemathesis/examples.py: openapi.json has no {', '.join(sorted(left))}.")
    return document


def resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy of a part of the document, or of what it refers to, which an example may be added to."""
    while "$ref" in part:
        *_, kind, name = part["$ref"].split("/")
        part = document["components"][kind][name]
    return copy.deepcopy(part)


def without_server_addresses(document: dict[str, Any]) -> str:
    """Returns the document as text, without the addresses of servers, which would lead elsewhere."""
    return json.dumps({name: value for name, value in document.items() if name != "servers"})
