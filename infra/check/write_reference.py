"""Writes the generated parts of docs/reference: `python infra/check/write_reference.py`, part of `make reference`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra/check"), str(ROOT / "infra/local")]

import reference
from reference.sources import load


def main() -> None:
    """Writes every page."""
    sources = load(ROOT)
    for path in reference.PAGES:
        page = ROOT / path
        page.write_text(reference.filled_in(page.read_text(), path, sources))


if __name__ == "__main__":
    main()
