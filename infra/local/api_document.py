"""The whole description of the API: openapi.json with the descriptions that stand in its overlay."""

import json
import re
from pathlib import Path
from typing import Any

DOCUMENT = "openapi.json"
# As the OpenAPI Overlay Specification defines it: https://spec.openapis.org/overlay/v1.0.0.html
OVERLAY = "docs/reference/descriptions.overlay.json"


def load(root: Path) -> dict[str, Any]:
    """Reads the document from a checkout and applies the overlay."""
    document: dict[str, Any] = json.loads((root / DOCUMENT).read_text(encoding="utf-8"))
    for action in json.loads((root / OVERLAY).read_text(encoding="utf-8"))["actions"]:
        place: Any = document
        for name, index in re.findall(r"\['([^']*)'\]|\[(\d+)\]", action["target"]):
            place = place[name] if name else place[int(index)]
        place.update(action["update"])
    return document
