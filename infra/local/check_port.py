"""Exits with one sentence if a setting is wrong or the API cannot have its port: `check_port.py [--port 4590]`.

`make up` calls it before anything is built. It needs nothing but Python.
"""

import argparse
from pathlib import Path

import settings

from server import Server, port_number

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=port_number, help="the port that was asked for; without it, the usual one")
    port = parser.parse_args().port
    settings.read()
    Server(ROOT / "target/local").check_port(port)


if __name__ == "__main__":
    main()
