"""Keys and credits: a server checks an API key and charges it before it does the work."""

from typing import Any

from walk import Walk, timed


def tell(walk: Walk) -> None:
    """Creates an organisation, issues a key, spends credits with it and revokes it."""
    ann, org = walk.ann, create_org(walk, walk.ann)
    walk.org = org
    key = issue(walk, ann, org)
    spend(walk, key["key"])
    revoke(walk, ann, org, key)


def create_org(walk: Walk, ann: str) -> str:
    took, (status, answer, request) = timed(lambda: walk.api("POST", "/api/orgs", ann, {"name": "Acme"}))
    walk.expect(status == 201, f"no organisation was created: {answer}")
    org = answer["data"]["id"]
    walk.say("Ann creates an organisation, Acme", f"{org[:4]}...{org[-6:]}", took, walk.calls("org-create", request))

    took, _ = timed(lambda: walk.consigne("credits", "grant", org, "10", "--reason", "to try it"))
    walk.say("The operator grants it credits", "10 credits", took)
    return org


def issue(walk: Walk, ann: str, org: str) -> dict[str, Any]:
    body = {"name": "Demo", "environment": "production", "scopes": ["pdf:read"], "daily_quota": 3}
    took, (status, answer, request) = timed(lambda: walk.api("POST", f"/api/orgs/{org}/keys", ann, body))
    walk.expect(status == 201, f"no key was issued: {answer}")
    key = answer["data"]
    shown = f"{key['prefix']}_...{key['hint']}"
    walk.say("She issues a key for 3 calls a day", shown, took, walk.calls("key-issue", request))
    return key


def check(walk: Walk, key: str, once: str) -> tuple[float, dict[str, Any], str]:
    """Checks a key as a server and charges it one credit. Returns the seconds it took, the answer and the AWS calls."""
    ask = {"key": key, "scope": "pdf:read", "cost": 1}
    took, (status, answer, request) = timed(
        lambda: walk.api("POST", "/api/keys/verify", walk.env["SERVICE_TOKEN"], ask, once)
    )
    walk.expect(status == 200, f"the check was answered {status}: {answer}")
    return took, answer["data"], walk.calls("key-verify", request)


def spend(walk: Walk, key: str) -> None:
    receipts = []
    for which in ("first", "second", "third"):
        took, answer, calls = check(walk, key, which)
        walk.expect(answer["valid"], f"the {which} call was refused: {answer}")
        receipts.append(answer["receipt_id"])
        walk.say(f"A server checks and charges it, {which} call", receipt(receipts[-1]), took, calls)
    walk.expect(len(set(receipts)) == 3, f"three calls share receipts: {receipts}")

    took, answer, calls = check(walk, key, "third")
    walk.expect(answer["receipt_id"] == receipts[-1], f"the retry was answered {answer}")
    walk.say("A retry with the third Idempotency-Key", receipt(answer["receipt_id"]), took, calls)

    took, answer, calls = check(walk, key, "fourth")
    walk.expect(answer["code"] == "DAILY_QUOTA_EXCEEDED", f"the fourth call was answered {answer}")
    walk.say("A fourth call today is refused", answer["code"], took, calls)

    middle = len(key) // 2
    mistyped = key[:middle] + ("x" if key[middle] != "x" else "y") + key[middle + 1 :]
    took, answer, calls = check(walk, mistyped, "mistyped")
    walk.expect(answer["code"] == "NOT_FOUND", f"a mistyped key was answered {answer}")
    walk.expect(calls == "0", f"a mistyped key cost {calls} AWS calls")
    walk.say("A mistyped key fails by its checksum", answer["code"], took, calls)


def revoke(walk: Walk, ann: str, org: str, key: dict[str, Any]) -> None:
    path, why = f"/api/orgs/{org}/keys/{key['id']}/revoke", {"reason": "The demo is over"}
    took, (status, answer, request) = timed(lambda: walk.api("POST", path, ann, why))
    walk.expect(status == 200, f"the key was not revoked: {answer}")
    walk.say("Ann revokes the key", answer["data"]["status"], took, walk.calls("key-revoke", request))

    took, answer, calls = check(walk, key["key"], "fifth")
    walk.expect(answer["code"] == "REVOKED", f"a revoked key was answered {answer}")
    walk.say("The next check is refused", answer["code"], took, calls)

    took, (_, answer, request) = timed(lambda: walk.api("GET", f"/api/orgs/{org}/wallet", ann))
    balance, used = answer["data"]["balance"], answer["data"]["total_used"]
    walk.expect((balance, used) == (7, 3), f"the wallet shows {answer['data']}")
    calls = walk.calls("wallet", request)
    walk.say("The wallet: three calls were charged", f"balance {balance}, used {used}", took, calls)


def receipt(name: str) -> str:
    """Returns the last characters of a receipt's id."""
    return f"receipt ...{name[-6:]}"
