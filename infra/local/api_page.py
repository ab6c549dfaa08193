"""The reference of the API as a page from which requests can be sent, made from openapi.json by Swagger UI.

The package that brings Swagger UI is made for Django, so it is installed without its dependencies, and only its files
are used. Everything comes from this machine.
"""

import importlib.util
import json
from pathlib import Path

import api_document

PAGE = "/_local/api"
ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "drf_spectacular_sidecar"
# What the page loads, by its last part of the path.
ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
# Swagger UI sets styles of its elements, and has its icons in data addresses.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HTML = f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Consigne API</title><link rel="stylesheet" href="{PAGE}/swagger-ui.css"></head>
<body><div id="page"></div>
<script src="{PAGE}/swagger-ui-bundle.js"></script><script src="{PAGE}/start.js"></script></body>
</html>
"""
# `tryItOutEnabled` shows the fields of a request at once. The token is kept in the tab only.
START = f"""SwaggerUIBundle({{
  url: "{PAGE}/openapi.json",
  dom_id: "#page",
  deepLinking: true,
  docExpansion: "none",
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
}});
"""


def answer(path: str, address: str) -> tuple[int, str, bytes, str] | None:
    """Answers a request for the page. Returns status, type, body and content security policy; `None` for another path.

    `address` is the stack's, to which the page sends its requests.
    """
    if path in (PAGE, f"{PAGE}/"):
        return 200, "text/html", HTML.encode(), POLICY
    name = path.removeprefix(f"{PAGE}/")
    if name == path:
        return None
    if name == "start.js":
        return 200, "text/javascript", START.encode(), POLICY
    if name == "openapi.json":
        document = api_document.load(ROOT)
        document["servers"] = [{"url": address, "description": "This laptop's stack"}]
        return 200, "application/json", json.dumps(document).encode(), POLICY
    if name in ASSETS and (folder := assets()):
        return 200, ASSETS[name], (folder / name).read_bytes(), POLICY
    return None


def assets() -> Path | None:
    """Returns the folder with Swagger UI's files, or `None` if the package is not installed."""
    # Not imported, because that would import Django.
    found = importlib.util.find_spec(PACKAGE)
    folders = (found.submodule_search_locations if found else None) or []
    paths = [Path(folder) / "static" / PACKAGE / "swagger-ui-dist" for folder in folders]
    return next((path for path in paths if path.is_dir()), None)
