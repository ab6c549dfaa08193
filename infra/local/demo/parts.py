"""The parts of the demo, by the names in names.py."""

from collections.abc import Callable

import credits
import files
import gateway
import hooks
import jobs
import large
import members
import money
import texts
from walk import Walk


def webhooks_and_texts(walk: Walk) -> None:
    """Registers an endpoint, has an article written, and shows the webhook about it."""
    endpoint = hooks.register(walk, walk.ann, walk.org)
    texts.tell(walk, walk.name, walk.ann)
    hooks.tell(walk, walk.ann, walk.org, endpoint)


PARTS: dict[str, tuple[str, Callable[[Walk], None]]] = {
    "files": (
        "Files: a picture is uploaded into private storage, gets thumbnails, is downloaded and deleted.",
        lambda walk: files.tell(walk, walk.ann, walk.token("user_bob", "pro")),
    ),
    "large": (
        "Large files: a film is uploaded in parts, one of which is lost.",
        lambda walk: large.tell(walk, walk.ann),
    ),
    "keys": (
        "Keys: a server checks an API key and charges it before it does the work.",
        credits.tell,
    ),
    "money": (
        "Money: a payment adds credits once, though Stripe reports it three times; a job is charged what it cost.",
        lambda walk: money.tell(walk, walk.ann, walk.org),
    ),
    "jobs": (
        "Jobs: an outside generator takes a request and delivers a picture; its owner gets one mail.",
        lambda walk: jobs.tell(walk, walk.name, walk.ann),
    ),
    "texts": (
        "Texts: a language model writes an article, and a webhook tells a customer's server.",
        webhooks_and_texts,
    ),
    "members": (
        "Members: somebody is invited by mail, joins, and leaves.",
        lambda walk: members.tell(walk, walk.ann, walk.org),
    ),
    "gateway": (
        "Gateway: a service is called with a key and charged for each call; then today's statistics.",
        lambda walk: gateway.tell(walk, walk.ann, walk.org),
    ),
}
