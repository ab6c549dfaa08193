"""`make demo`: what Consigne is for, walked through in front of the reader.

Everything goes through the real functions of template.yaml: the API, the bucket, its events, the table. Each step says
what happened, how long it took, and how many calls to AWS the functions made for it, read from their own log lines.
"""

import sys
import time

import credits
import files
import gateway
import hooks
import jobs
import members
import money
import texts
from walk import ENV_FILE, Walk


def main() -> None:
    """Runs the demo."""
    if not ENV_FILE.exists():
        sys.exit("The stack is not up. `make demo` starts it.")
    walk = Walk()
    name = f"user_ann{int(time.time())}"
    ann, bob = walk.token(name, "pro"), walk.token("user_bob", "pro")
    walk.title("Files: one picture goes from your disk into private storage and back.")
    files.tell(walk, ann, bob)
    walk.title("Keys and credits: a server asks who pays, and is paid, before it works.")
    org = credits.tell(walk, ann)
    walk.title("Money: credits are bought once, however often that is told, and a job is paid for at what it has cost.")
    money.tell(walk, ann, org)
    walk.title("Jobs: a wish is accepted, a generator outside delivers, and everybody is told once.")
    jobs.tell(walk, name, ann)
    walk.title("Texts: an article is written by a language model, and a customer's own server is told of it.")
    endpoint = hooks.register(walk, ann, org)
    texts.tell(walk, name, ann)
    hooks.tell(walk, ann, org, endpoint)
    walk.title("Members: somebody is invited by mail, joins, and leaves.")
    members.tell(walk, ann, org)
    walk.title("The gateway: a service is called with a key, and paid by the call; then the day's figures.")
    gateway.tell(walk, ann, org)
    walk.end()


if __name__ == "__main__":
    main()
