"""Runs public bug reports of other products against the laptop's stack: `python infra/bugs`. `make bugs` starts one.

Each case is a small input with the verdict that it must get. `--env FILE` or `--url URL` names a stack that is up;
without them it is the one of this checkout. `--only WORD` runs the topics and inputs that contain a word.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

import contents
import gateway
import identity
import limits
import mail
import names
import requests_json
import stripe_events
import table
import webhooks
import world

TOPICS = {
    "what bytes are": contents.CASES,
    "names and types": names.CASES,
    "cookies and claims": identity.CASES,
    "JSON and keys": requests_json.CASES,
    "Stripe's events": stripe_events.CASES,
    "gateway and HTTP": gateway.CASES,
    "mail addresses": mail.CASES,
    "webhooks": webhooks.CASES,
    "limits": limits.CASES,
}


def main() -> None:
    """Runs the cases and prints a table of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", type=Path, default=ROOT / "target/local/stack.env", help="addresses and secrets")
    parser.add_argument("--url", help="address of a laptop's stack, of any checkout")
    parser.add_argument("--only", default="", help="part of a topic, an input or a source")
    arguments = parser.parse_args()
    path = world.env_of(arguments.url) if arguments.url else arguments.env
    if not path.is_file():
        raise SystemExit(f"{path} is not there. make up starts a stack and writes it.")
    chosen = table.chosen(TOPICS, arguments.only)
    if not chosen:
        raise SystemExit(f"No case contains {arguments.only!r}. Topics are: {', '.join(TOPICS)}.")
    sys.exit(table.run(chosen, world.World(world.read_env(path))))


if __name__ == "__main__":
    main()
