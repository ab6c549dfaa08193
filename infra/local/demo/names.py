"""The names of the demo's parts, which `make demo ONLY=` takes: `names.py "files, keys"` checks some.

`make demo` calls it before anything is built. It needs nothing but Python.
"""

import re
import sys

NAMES = ("files", "large", "keys", "money", "jobs", "texts", "members", "gateway")


def chosen(only: str) -> list[str]:
    """Returns the names of the parts to show, in their order. `only` names some, with commas or spaces; "" means all.

    Raises SystemExit with the names there are if one is unknown.
    """
    asked = [name for name in re.split(r"[,\s]+", only.lower()) if name]
    unknown = [name for name in asked if name not in NAMES]
    if unknown:
        raise SystemExit(f"The demo has no part {', '.join(unknown)}. Its parts are {', '.join(NAMES)}.")
    return [name for name in NAMES if not asked or name in asked]


if __name__ == "__main__":
    chosen(" ".join(sys.argv[1:]))
