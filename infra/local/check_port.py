"""Exits with one sentence if the laptop's API cannot have its port: `check_port.py [--port 4590]`.

`make up` calls it before anything is built. It needs nothing but Python.
"""

import argparse
from pathlib import Path

from server import Server, port_number

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=port_number, help="the port that was asked for; without it, the usual one")
    Server(ROOT / "target/local").check_port(parser.parse_args().port)


if __name__ == "__main__":
    main()
