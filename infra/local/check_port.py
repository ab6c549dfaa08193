"""Exits with one sentence if the laptop's API cannot listen on its port. Run before anything is built or installed."""

import argparse
from pathlib import Path

from server import Server, port_number

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", default="target/local", help="folder of the server; another folder is another server")
    parser.add_argument("--port", type=port_number, help="port of the API; without it the usual one")
    arguments = parser.parse_args()
    Server(ROOT / arguments.home).check_port(arguments.port)
