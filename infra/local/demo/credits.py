"""Keys and credits: a server asks who pays, and is paid, before it works."""

from typing import Any

from walk import Walk, timed


def tell(walk: Walk, ann: str) -> str:
    """Tells the life of one key, and gives the organisation it belongs to."""
    org = found(walk, ann)
    key = issue(walk, ann, org)
    spend(walk, key["key"])
    revoke(walk, ann, org, key)
    return org


def found(walk: Walk, ann: str) -> str:
    took, (status, answer, request) = timed(lambda: walk.api("POST", "/api/orgs", ann, {"name": "Acme"}))
    walk.expect(status == 201, f"no organisation was founded: {answer}")
    org = answer["data"]["id"]
    walk.say("Ann founds an organisation, Acme", f"{org[:4]}...{org[-6:]}", took, walk.calls("org-create", request))

    took, _ = timed(lambda: walk.consigne("credits", "grant", org, "10", "--reason", "to try it"))
    walk.say("The operator grants it credits: consigne credits grant", "10 credits", took)
    return org


def issue(walk: Walk, ann: str, org: str) -> dict[str, Any]:
    wish = {"name": "Demo", "environment": "production", "scopes": ["pdf:read"], "daily_quota": 3}
    took, (status, answer, request) = timed(lambda: walk.api("POST", f"/api/orgs/{org}/keys", ann, wish))
    walk.expect(status == 201, f"no key was issued: {answer}")
    key = answer["data"]
    shown = f"{key['prefix']}_...{key['hint']}"
    walk.say("She issues a key for 3 calls a day, shown this once", shown, took, walk.calls("key-issue", request))
    return key


def check(walk: Walk, key: str, once: str) -> tuple[float, dict[str, Any], str]:
    """Has a server check a key and charge it one credit; gives the seconds it took, the answer and its calls."""
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
        walk.say(f"A server checks and charges it, the {which} time", receipt(receipts[-1]), took, calls)
    walk.expect(len(set(receipts)) == 3, f"three calls share receipts: {receipts}")

    took, answer, calls = check(walk, key, "third")
    walk.expect(answer["receipt_id"] == receipts[-1], f"the retry was answered {answer}")
    walk.say("It lost that answer and asks again: same Idempotency-Key", receipt(answer["receipt_id"]), took, calls)

    took, answer, calls = check(walk, key, "fourth")
    walk.expect(answer["code"] == "DAILY_QUOTA_EXCEEDED", f"the fourth call was answered {answer}")
    walk.say(f"A fourth call must wait until {answer['resets_at']}", answer["code"], took, calls)

    middle = len(key) // 2
    mistyped = key[:middle] + ("x" if key[middle] != "x" else "y") + key[middle + 1 :]
    took, answer, calls = check(walk, mistyped, "mistyped")
    walk.expect(answer["code"] == "NOT_FOUND", f"a mistyped key was answered {answer}")
    walk.expect(calls == "0 AWS calls", f"a mistyped key cost {calls}")
    walk.say("Somebody mistypes the key; its checksum tells", answer["code"], took, calls)


def revoke(walk: Walk, ann: str, org: str, key: dict[str, Any]) -> None:
    path, why = f"/api/orgs/{org}/keys/{key['id']}/revoke", {"reason": "The demo is over"}
    took, (status, answer, request) = timed(lambda: walk.api("POST", path, ann, why))
    walk.expect(status == 200, f"the key was not revoked: {answer}")
    walk.say("Ann revokes the key", answer["data"]["status"], took, walk.calls("key-revoke", request))

    took, answer, calls = check(walk, key["key"], "fifth")
    walk.expect(answer["code"] == "REVOKED", f"a revoked key was answered {answer}")
    walk.say("The very next check", answer["code"], took, calls)

    took, (_, answer, request) = timed(lambda: walk.api("GET", f"/api/orgs/{org}/wallet", ann))
    balance, used = answer["data"]["balance"], answer["data"]["total_used"]
    walk.expect((balance, used) == (7, 3), f"the wallet shows {answer['data']}")
    calls = walk.calls("wallet", request)
    walk.say("The wallet: three calls were paid for, nothing else", f"balance {balance}, used {used}", took, calls)


def receipt(name: str) -> str:
    """Writes a receipt's id short: its last characters, by which they differ."""
    return f"receipt ...{name[-6:]}"
