"""The end of the demo: requests to paste into the shell, each of which was sent before it is shown."""

from typing import Any

from names import NAMES
from walk import Walk

DOCUMENT = "docs/quickstart.md"


def show(walk: Walk, names: list[str]) -> None:
    """Prints how the demo went, requests to go on with, and what to do next."""
    left = {queue: count for queue, count in walk.dead_letters().items() if count > walk.dead_before.get(queue, 0)}
    walk.expect(not left, f"messages ended on a dead-letter queue ({left}); target/debug/consigne redrive lists them.")
    lines = requests(walk)
    say = walk.table.line
    steps = "1 step" if walk.step == 1 else f"{walk.step} steps"
    say(f"\nAll {steps} succeeded, in {walk.seconds():.1f} s. The stack stays up. Go on in this folder:\n")
    for line in lines:
        say(f"  {line}")
    say(f"\nThe mails that were sent: {walk.env['MAIL_PAGE']}")
    if walk.env.get("CONSOLE_URL"):
        say(f"See all of it in the console: {walk.env['CONSOLE_URL']} (sign in as {walk.name})")
    if len(names) < len(NAMES):
        say(f"The other parts: {', '.join(name for name in NAMES if name not in names)} (make demo ONLY=...).")
    say(f"Next: {DOCUMENT} goes on; make logs follows the functions; make down stops the stack.")


def requests(walk: Walk) -> list[str]:
    """Sends requests with a token and a new key, and returns them as lines for a shell."""
    url, ann = walk.env["CONSIGNE_URL"], {"authorization": f"Bearer {walk.ann}"}
    key = new_key(walk)
    with_token = '--header "Authorization: Bearer $TOKEN"'
    shown = [
        (f"{url}/api/files/list", ann, with_token),
        (f"{url}/api/orgs/{walk.org}/wallet", ann, with_token),
        (f"{url}/api/v1/pdf/pages/1", {"x-api-key": key}, '--header "X-API-Key: $KEY"'),
    ]
    for address, headers, _ in shown:
        status, text, _ = walk.send("GET", address, headers, None)
        walk.expect(status == 200, f"{address} was answered {status}: {text.decode()}")
    return [
        f"TOKEN=$(make --silent token FOR={walk.name} PLAN=pro)",
        f"KEY={key}",
        # The answers end without a line break.
        *(f"curl {address} {header}; echo" for address, _, header in shown),
    ]


def new_key(walk: Walk) -> str:
    """Issues a key that may read, for the requests to paste."""
    body: dict[str, Any] = {"name": "To try", "environment": "production", "scopes": ["pdf:read"]}
    status, answer, _ = walk.api("POST", f"/api/orgs/{walk.org}/keys", walk.ann, body)
    walk.expect(status == 201, f"no key was issued: {answer}")
    return answer["data"]["key"]
