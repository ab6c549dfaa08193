"""`make demo`: shows what Consigne does, step by step.

Every step uses the real functions, bucket, queues and table of template.yaml. It prints what happened, how long it
took, and how many calls to AWS the functions made for it, which their log lines contain.
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
    walk.title("Files: a picture is uploaded into private storage, downloaded and deleted.")
    files.tell(walk, ann, bob)
    walk.title("Keys and credits: a server checks an API key and charges it before it does the work.")
    org = credits.tell(walk, ann)
    walk.title("Money: Stripe's event is repeated, credits are added once; a job is charged what it has cost.")
    money.tell(walk, ann, org)
    walk.title("Jobs: an outside generator takes a request, delivers a picture, and its owner gets one mail.")
    jobs.tell(walk, name, ann)
    walk.title("Texts: a language model writes an article, and a webhook tells a customer's server.")
    endpoint = hooks.register(walk, ann, org)
    texts.tell(walk, name, ann)
    hooks.tell(walk, ann, org, endpoint)
    walk.title("Members: somebody is invited by mail, joins, and leaves.")
    members.tell(walk, ann, org)
    walk.title("The gateway: a service is called with a key and charged for each call; then today's statistics.")
    gateway.tell(walk, ann, org)
    walk.end()


if __name__ == "__main__":
    main()
