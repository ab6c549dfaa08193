"""`make demo`: shows what Consigne does, step by step. `make demo ONLY=files` shows one part.

Every step uses the real functions, bucket, queues and table of template.yaml. It prints what happened, how long it
took, and how many calls to AWS the functions made for it, which their log lines contain.
"""

import argparse
import os
import sys

import ending
from names import chosen
from parts import PARTS
from walk import ENV_FILE, Walk


def main() -> None:
    """Runs the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of parts, separated by commas")
    names = chosen(parser.parse_args().only)
    if not ENV_FILE.exists():
        raise SystemExit("The stack is not up. make demo starts it.")
    walk = Walk()
    for name in names:
        title, tell = PARTS[name]
        walk.title(title)
        tell(walk)
    ending.show(walk, names)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("\nStopped. The stack stays up; make demo begins again.") from None
    except BrokenPipeError:
        # The reader, such as `head`, has ended. Python would complain when it writes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
