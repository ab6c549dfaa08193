"""What `make up` reads from the environment: the origins of pages, the issuer of session tokens, whose files are
scanned, and whether there is a CDN.

A mistake ends the command with one sentence that names the setting, before anything is built.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

# Where Next.js and Vite serve an application in development.
ORIGINS = ("http://localhost:3000", "http://localhost:5173")
# By default only the files of people whose ids begin so are scanned, so that nothing else waits for a verdict.
SCANNED = "user_scan"
ORIGIN = re.compile(r"https?://[^\s/,*?#]+")
URL = re.compile(r"https?://[^\s/]+(/\S*)?")


@dataclass(frozen=True)
class Settings:
    """The settings, each checked."""

    # The first one is where mails and checkouts lead to.
    origins: tuple[str, ...]
    # Empty for the issuer of the laptop.
    clerk_issuer: str
    clerk_jwks_url: str
    # Beginnings of the object keys that are scanned for malware, separated by commas.
    scanned: str
    # Whether files are read through the stand-in for a CDN.
    edge: bool = False


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the settings. Raises SystemExit with a sentence for a wrong one."""
    given = (origin.strip().rstrip("/") for origin in environ.get("ORIGIN", "").split(","))
    own = [checked("ORIGIN", origin, ORIGIN, "http://localhost:8080") for origin in given if origin]
    issuer = environ.get("CLERK_ISSUER", "").strip().rstrip("/")
    keys = environ.get("CLERK_JWKS_URL", "").strip()
    if issuer:
        checked("CLERK_ISSUER", issuer, URL, "https://your-app.clerk.accounts.dev")
    if keys:
        checked("CLERK_JWKS_URL", keys, URL, "https://your-app.clerk.accounts.dev/.well-known/jwks.json")
    if keys and not issuer:
        raise SystemExit("CLERK_JWKS_URL says where the keys of CLERK_ISSUER are, and CLERK_ISSUER is not set.")
    return Settings(
        origins=(*own, *(origin for origin in ORIGINS if origin not in own)),
        clerk_issuer=issuer,
        clerk_jwks_url=keys or f"{issuer}/.well-known/jwks.json",
        scanned=SCANNED if environ.get("SCAN", "") in ("", "0") else "user_,uploads/",
        edge=environ.get("EDGE", "") not in ("", "0"),
    )


def checked(name: str, value: str, pattern: re.Pattern[str], example: str) -> str:
    """Returns a value that has the form of the setting. Raises SystemExit with a sentence that names a better one."""
    if pattern.fullmatch(value):
        return value
    kind = "an origin, which is scheme, host and port" if name == "ORIGIN" else "a URL"
    scheme, _, _ = example.partition("//")
    with_scheme = f"{scheme}//{value}"
    cure = with_scheme if "//" not in value and pattern.fullmatch(with_scheme) else example
    raise SystemExit(f"{name}={value} is not {kind}. Try {name}={cure}")
