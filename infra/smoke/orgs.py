"""Checks of organisations, keys and credits: who may use them, and that each call is charged once."""

import time
import uuid
from typing import Any

from client import Api, Person, Skipped, expect

VERIFY = "/api/keys/verify"


def founded(api: Api, ann: Person) -> str:
    """Returns the id of the organisation for these checks: the one of an earlier run, or a new one."""
    for org in api.want(200, "GET", "/api/orgs?limit=100", who=ann)["data"]:
        if org["name"] == "Smoke test" and org["role"] == "owner":
            return org["id"]
    return api.want(201, "POST", "/api/orgs", {"name": "Smoke test"}, who=ann)["data"]["id"]


def issued(api: Api, ann: Person, org: str, environment: str) -> Any:
    """Issues a key and returns it."""
    request = {"name": f"smoke {environment}", "environment": environment, "scopes": ["pdf:read"]}
    return api.want(201, "POST", f"/api/orgs/{org}/keys", request, who=ann)["data"]


def keys_are_charged_once_and_never_after_revocation(api: Api, ann: Person, service: str | None) -> None:
    """A test key is charged once for each call, not again for a retry, and not after it is revoked."""
    if service is None:
        raise Skipped("it needs a service token: set SERVICE_TOKEN")
    org = founded(api, ann)
    key = issued(api, ann, org, "test")
    try:
        check = {"key": key["key"], "scope": "pdf:read"}
        free = api.want(200, "POST", VERIFY, check, who=service)["data"]
        expect(free["valid"] and free["receipt_id"] is None, f"a check without a cost: {free}")
        once = uuid.uuid4().hex
        paid = api.want(200, "POST", VERIFY, check | {"cost": 1}, who=service, idempotency_key=once)["data"]
        if paid["code"] == "INSUFFICIENT_CREDITS":
            raise Skipped("the test wallet is empty; it is filled again every 30 days")
        expect(paid["valid"], f"a check with a cost: {paid}")
        again = api.want(200, "POST", VERIFY, check | {"cost": 1}, who=service, idempotency_key=once)["data"]
        expect(again["receipt_id"] == paid["receipt_id"], "a retry has another receipt")
        other = check | {"cost": 2}
        api.refused(422, "IDEMPOTENCY_MISMATCH", "POST", VERIFY, other, who=service, idempotency_key=once)
        scope = api.want(200, "POST", VERIFY, check | {"scope": "ai:write"}, who=service)["data"]
        expect(scope["code"] == "INSUFFICIENT_SCOPE", f"a scope that the key lacks: {scope}")
        forged = check | {"key": key["key"][:-1] + ("a" if key["key"][-1] != "a" else "b")}
        expect(api.want(200, "POST", VERIFY, forged, who=service)["data"]["code"] == "NOT_FOUND", "a forged key")
        told = {"status_code": 200, "response_ms": 12}
        api.want(200, "POST", f"/api/keys/receipts/{paid['receipt_id']}/outcome", told, who=service)
        day = time.strftime("%Y-%m-%d", time.gmtime())
        log = api.want(200, "GET", f"/api/orgs/{org}/usage?day={day}&key={key['id']}", who=ann)["data"]
        expect(any(line["receipt_id"] == paid["receipt_id"] for line in log), "the usage log has no such receipt")
        api.want(200, "POST", f"/api/orgs/{org}/keys/{key['id']}/revoke", {"reason": "smoke"}, who=ann)
        revoked = api.want(200, "POST", VERIFY, check | {"cost": 1}, who=service)["data"]
        expect(revoked["code"] == "REVOKED", f"a revoked key: {revoked}")
        late = api.want(200, "POST", VERIFY, check | {"cost": 1}, who=service, idempotency_key=once)["data"]
        expect(late["receipt_id"] == paid["receipt_id"], "a retry after the key was revoked has another receipt")
    finally:
        api.want(200, "DELETE", f"/api/orgs/{org}/keys/{key['id']}", who=ann)


def a_production_key_spends_bought_credits_alone(api: Api, ann: Person, service: str | None) -> None:
    """A production key cannot spend more credits than were bought, and the answer names the wallet."""
    if service is None:
        raise Skipped("it needs a service token: set SERVICE_TOKEN")
    org = founded(api, ann)
    wallet = api.want(200, "GET", f"/api/orgs/{org}/wallet", who=ann)["data"]
    expect({"balance", "held", "total_used", "test"} <= wallet.keys(), f"the wallet: {wallet}")
    key = issued(api, ann, org, "production")
    try:
        check = {"key": key["key"], "cost": wallet["balance"] + 1}
        refused = api.want(200, "POST", VERIFY, check, who=service)["data"]
        expect((refused["code"], refused["limiter"]) == ("INSUFFICIENT_CREDITS", "wallet"), f"refused with {refused}")
    finally:
        api.want(200, "DELETE", f"/api/orgs/{org}/keys/{key['id']}", who=ann)


def organisations_are_kept_apart(api: Api, ann: Person, bob: Person | None) -> None:
    """A user who is not a member gets 404 for everything in an organisation."""
    if bob is None:
        raise Skipped("it needs a second user: set OTHER_TOKEN_CMD")
    org = founded(api, ann)
    for path in ("wallet", "keys", "members", "usage", "stats", "audit", "endpoints"):
        api.refused(404, "NOT_FOUND", "GET", f"/api/orgs/{org}/{path}", who=bob)


def callers_must_be_known(api: Api, ann: Person) -> None:
    """Requests with missing or wrong credentials get 401, with WWW-Authenticate."""
    for path in ("/api/files/list", "/api/orgs"):
        answer = api.refused(401, "UNAUTHENTICATED", "GET", path)
        expect("Bearer" in answer.headers.get("www-authenticate", ""), f"{path}: no WWW-Authenticate")
    api.refused(401, "UNAUTHENTICATED", "GET", "/api/files/list", who=ann.token[:-4] + "AAAA")
    api.refused(401, "API_KEY_NOT_ACCEPTED", "GET", "/api/files/list", who="sk_live_" + "0" * 43)
    api.refused(401, "UNAUTHENTICATED", "POST", VERIFY, {"key": "x"}, who="not-a-service-token-0123456789abcdef")
    api.refused(401, "UNAUTHENTICATED", "GET", "/api/v1/pdf/anything")
