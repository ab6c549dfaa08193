"""Events as Stripe really sends them: large, thin, about other people's payments, and refunds that fail later."""

import secrets
import time
from typing import Any

from cases import Case
from world import World


def event(kind: str, thing: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns an event about a thing, with a new id and the current time."""
    whole = {
        "id": f"evt_{secrets.token_hex(8)}",
        "object": "event",
        "api_version": "2024-06-20",
        "type": kind,
        "created": int(time.time()),
        "livemode": False,
        "pending_webhooks": 1,
        "data": {"object": thing},
    }
    return whole | changes


def accepted(source: str, given: str, sent: dict[str, Any], expected: str = "200") -> Case:
    """Makes a case that sends a signed event."""
    return Case(source, given, expected, lambda world: str(world.stripe(sent)))


def bought(world: World) -> tuple[dict[str, Any], str]:
    """Buys 1,000 credits for a new organisation. Returns the organisation and the id of the payment."""
    org = world.new_org()
    opened = world.call("POST", f"/api/orgs/{org['id']}/credits/checkout", {"pack": "starter"}, org["token"]).json()
    session = f"{world.env['STRIPE_URL']}/v1/checkout/sessions/{opened['data']['session_id']}"
    shown = world.send("GET", session, {"authorization": f"Bearer {world.env['STRIPE_API_KEY']}"}).json()
    payment = f"pi_{secrets.token_hex(8)}"
    paid = shown | {"payment_status": "paid", "status": "complete", "payment_intent": payment}
    world.stripe(event("checkout.session.completed", paid))
    return org, payment


def balance(world: World, org: dict[str, Any]) -> int:
    """Returns the credits that an organisation has bought and still has."""
    return world.call("GET", f"/api/orgs/{org['id']}/wallet", token=org["token"]).json()["data"]["balance"]


def refund_that_fails(source: str, kind: str, status: str, order: str = "after") -> Case:
    """Makes a case of a refund of a quarter that fails at the bank, told of by a kind of event."""

    def ask(world: World) -> str:
        org, payment = bought(world)
        # The refund and its failure are seconds apart, as `created` says, whatever is told of first.
        asked, done = int(time.time()) - 20, int(time.time()) - 10
        charge = {
            "id": "ch_1",
            "object": "charge",
            "payment_intent": payment,
            "amount": 1000,
            "amount_refunded": 250,
            "currency": "eur",
            "refunded": False,
        }
        refund = {
            "id": f"re_{payment}",
            "object": "refund",
            "payment_intent": payment,
            "amount": 250,
            "currency": "eur",
            "charge": "ch_1",
            "status": status,
            "created": asked,
        }
        told = [event("charge.refunded", charge, created=asked), *(event(kind, refund, created=done) for _ in range(2))]
        shown = []
        for one in told if order == "after" else reversed(told):
            world.stripe(one)
            shown.append(str(balance(world, org)))
        return " ".join(shown)

    expected = "750 1000 1000" if order == "after" else "1000 1000 1000"
    place = "" if order == "after" else ", told of before the refund"
    return Case(source, f"{kind} with status {status}, twice{place}", expected, ask)


def paid_twice(world: World) -> str:
    """Sends the event of a payment three times."""
    org, payment = bought(world)
    shown = f"{world.env['STRIPE_URL']}/_stand-in/sessions/{org['id']}"
    session = world.send("GET", shown).json()["sessions"][0]
    paid = session | {"payment_status": "paid", "status": "complete", "payment_intent": payment}
    for kind in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
        world.stripe(event(kind, paid))
    return str(balance(world, org))


def old_signature(world: World) -> str:
    """Sends an event with the signature of another one."""
    headers = {"stripe-signature": f"t={int(time.time())},v1={'0' * 64}"}
    return str(world.call("POST", "/api/webhooks/stripe", event("customer.created", {}), **headers))


ELSEWHERE = {
    "id": "cs_live_1",
    "object": "checkout.session",
    "metadata": {},
    "client_reference_id": None,
    "payment_status": "paid",
    "status": "complete",
    "mode": "payment",
    "amount_total": 500,
}

CASES = [
    accepted(
        "mozilla/fxa#8861",
        "an event of 80 KB about an invoice",
        event("invoice.paid", {"id": "in_1", "object": "invoice", "lines": ["x" * 100] * 780}),
    ),
    accepted(
        "vercel/nextjs-subscription-payments#356",
        "an event that nobody handles: balance.available",
        event("balance.available", {"object": "balance"}),
    ),
    accepted(
        "stripe/stripe-dotnet#3136",
        "a thin event, whose created is text",
        {
            "id": "evt_thin",
            "object": "v2.core.event",
            "type": "v1.billing.meter.error_report_triggered",
            "created": "2026-11-28T10:22:00.000Z",
            "livemode": False,
            "related_object": {"id": "mtr_1", "type": "billing.meter", "url": "/v1/billing/meters/mtr_1"},
        },
    ),
    accepted(
        "stripe/stripe-dotnet#863",
        "an event whose created has a fraction",
        event("transfer.created", {"id": "tr_1", "object": "transfer"}, created=1493884202.8321862),
    ),
    accepted(
        "solspace/craft-freeform#2426",
        "a session that another application opened",
        event("checkout.session.completed", ELSEWHERE | {"payment_intent": "pi_other"}),
    ),
    accepted(
        "alexmorrisnz/moodle-paygw_stripe#25",
        "a session without payment, because a coupon covered all",
        event(
            "checkout.session.completed",
            ELSEWHERE | {"payment_intent": None, "payment_status": "no_payment_required", "amount_total": 0},
        ),
    ),
    accepted(
        "stripe/stripe-mirakl-connector#62",
        "account.updated of an account that is not ours",
        event("account.updated", {"id": "acct_1", "object": "account"}, account="acct_1"),
    ),
    refund_that_fails("solidusio/solidus_stripe#265", "charge.refund.updated", "failed"),
    refund_that_fails("antiwork/gumroad#5779", "refund.updated", "canceled"),
    refund_that_fails("Automattic/woocommerce-payments#10600", "refund.updated", "failed"),
    refund_that_fails("antiwork/gumroad#5779", "refund.failed", "failed"),
    refund_that_fails("antiwork/gumroad#5779", "refund.updated", "failed", order="before"),
    Case("frain-dev/convoy#1618", "one payment, told of three times by two kinds of event", "1000", paid_twice),
    Case("stripe/stripe-php#1984", "a signature of zeros", "401 INVALID_SIGNATURE", old_signature),
]
