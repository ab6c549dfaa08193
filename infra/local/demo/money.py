"""Money: Stripe's event is repeated, credits are added once; a job is charged what it has cost."""

import hashlib
import hmac
import json
import time
from typing import Any

from walk import Walk, timed


def tell(walk: Walk, ann: str, org: str) -> None:
    """Buys a pack of credits, then holds credits for a job and settles them."""
    before = balance(walk, ann, org)
    session = open_checkout(walk, ann, org)
    pay(walk, session)
    bought(walk, ann, org, before + 1_000)
    hold(walk, ann, org, before + 1_000)


def open_checkout(walk: Walk, ann: str, org: str) -> dict[str, Any]:
    path = f"/api/orgs/{org}/credits/checkout"
    took, (status, answer, request) = timed(lambda: walk.api("POST", path, ann, {"pack": "starter"}, "first pack"))
    walk.expect(status == 201, f"no checkout was opened: {answer}")
    session = stripe(walk, answer["data"]["session_id"])
    price = f"{session['amount_total'] / 100:.2f} {session['currency'].upper()}"
    walk.say("Ann orders credits and gets a link to Stripe", price, took, walk.calls("checkout", request))

    took, (_, again, request) = timed(lambda: walk.api("POST", path, ann, {"pack": "starter"}, "first pack"))
    walk.expect(again["data"] == answer["data"], f"the retry was answered {again}")
    walk.say("She clicks twice, with one Idempotency-Key", "the same session", took, walk.calls("checkout", request))
    return session


def stripe(walk: Walk, session: str) -> dict[str, Any]:
    """Reads a session from the stand-in for Stripe."""
    headers = {"authorization": f"Bearer {walk.env['STRIPE_API_KEY']}"}
    _, text, _ = walk.send("GET", f"{walk.env['STRIPE_URL']}/v1/checkout/sessions/{session}", headers, None)
    return json.loads(text)


def pay(walk: Walk, session: dict[str, Any]) -> None:
    """Sends, as Stripe, the signed event that the buyer has paid, three times."""
    now, mark = int(time.time()), session["id"].rsplit("_", 1)[-1]
    paid = session | {"payment_status": "paid", "status": "complete", "payment_intent": f"pi_{mark}"}
    event = {"id": f"evt_{mark}", "type": "checkout.session.completed", "created": now, "data": {"object": paid}}
    forged, _, _ = deliver(walk, event, "whsec_0123456789abcdef0123456789abcdef")
    walk.expect(forged == 401, f"a forged event was answered {forged}")
    for which in ("first", "second", "third"):
        took, (status, answer, request) = timed(lambda: deliver(walk, event, walk.env["STRIPE_WEBHOOK_SECRET"]))
        walk.expect(status == 200, f"the event was answered {status}: {answer}")
        calls = walk.calls("webhook-stripe", request)
        walk.say(f"She paid; Stripe sends the event, {which} time", "accepted", took, calls)


def deliver(walk: Walk, event: dict[str, Any], secret: str) -> tuple[int, Any, str]:
    """Sends an event, signed as Stripe does. Returns status, answer and request id."""
    body, now = json.dumps(event), int(time.time())
    signature = hmac.new(secret.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "stripe-signature": f"t={now},v1={signature}"}
    status, text, answered = walk.send(
        "POST", walk.env["CONSIGNE_URL"] + "/api/webhooks/stripe", headers, body.encode()
    )
    return status, json.loads(text), answered["x-request-id"]


def balance(walk: Walk, ann: str, org: str) -> int:
    return wallet(walk, ann, org)[0]["balance"]


def wallet(walk: Walk, ann: str, org: str) -> tuple[dict[str, Any], str]:
    _, answer, request = walk.api("GET", f"/api/orgs/{org}/wallet", ann)
    return answer["data"], request


def bought(walk: Walk, ann: str, org: str, want: int) -> None:
    took, (shown, request) = timed(lambda: wallet(walk, ann, org))
    walk.expect((shown["balance"], shown["total_purchased"]) == (want, 1_000), f"the wallet shows {shown}")
    walk.say("The wallet: credits were added once", f"balance {shown['balance']}", took, walk.calls("wallet", request))


def hold(walk: Walk, ann: str, org: str, balance: int) -> None:
    """Holds 300 credits for a job as a service, and settles the hold for 120."""
    body = {"name": "Jobs", "environment": "production", "scopes": ["ai:write"]}
    _, key, _ = walk.api("POST", f"/api/orgs/{org}/keys", ann, body)
    token = walk.env["SERVICE_TOKEN"]
    ask = {"key": key["data"]["key"], "amount": 300, "service": "ai"}
    took, (status, answer, request) = timed(lambda: walk.api("POST", "/api/credits/holds", token, ask, "a job"))
    walk.expect(status == 201, f"the hold was refused: {answer}")
    walk.say("A service holds what a job may cost", "300 held", took, walk.calls("hold-open", request))

    path = f"/api/credits/holds/{answer['data']['hold_id']}/settle"
    end = {"amount": 120, "status_code": 200, "response_ms": 8_400}
    took, (status, answer, request) = timed(lambda: walk.api("POST", path, token, end))
    walk.expect(status == 200, f"the hold was not settled: {answer}")
    calls = walk.calls("hold-settle", request)
    walk.say("It cost less; the rest is released", "120 spent", took, calls)

    took, (shown, request) = timed(lambda: wallet(walk, ann, org))
    walk.expect((shown["balance"], shown["held"]) == (balance - 120, 0), f"the wallet shows {shown}")
    walk.say("The wallet again", f"balance {shown['balance']}, held 0", took, walk.calls("wallet", request))
