"""`make demo`: what Consigne is for, walked through in front of the reader.

Everything goes through the real functions of template.yaml: the API, the bucket, its events, the table. Each step says
what happened, how long it took, and how many calls to AWS the functions made for it, read from their own log lines.
"""

import sys
import time

import credits
import files
import jobs
from walk import ENV_FILE, Walk


def main() -> None:
    """Runs the demo."""
    if not ENV_FILE.exists():
        sys.exit("The stack is not up. `make demo` starts it.")
    walk = Walk()
    ann, bob = walk.token(f"user_ann{int(time.time())}", "pro"), walk.token("user_bob", "pro")
    walk.title("Files: one picture goes from your disk into private storage and back.")
    files.tell(walk, ann, bob)
    walk.title("Keys and credits: a server asks who pays, and is paid, before it works.")
    credits.tell(walk, ann)
    walk.title("Jobs: a wish is accepted, a generator outside delivers, and everybody is told once.")
    jobs.tell(walk, ann)
    walk.end()


if __name__ == "__main__":
    main()
