"""Says in plain words what is wrong with a session token: a claim, or the signature."""

import base64
import binascii
import functools
import json
import re
import time
import urllib.request
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

# How far clocks may differ, in seconds. The same as in the API.
LEEWAY_S = 5
# How long the keys of an issuer are kept, in seconds.
KEYS_S = 60


def of_claims(claims: dict[str, Any], facts: dict[str, Any], header: dict[str, Any], token: str) -> str | None:
    """Returns which claim of a token is wrong, the one to mend first before the others."""
    issuer, trusted, now = claims.get("iss"), facts["issuer"], time.time()
    if issuer is None:
        return f"the token does not say who issued it (claim iss), this stack trusts {trusted}"
    if issuer != trusted:
        cure = f": start with make up CLERK_ISSUER={issuer}" if str(issuer).startswith("https://") else ""
        if issuer == facts["own_issuer"]:
            cure = ": take the token from the browser, or start with make up and no CLERK_ISSUER"
        return f"the token was issued by {issuer}, this stack trusts {trusted}{cure}"
    wrong = of_signature(header, facts, token)
    if wrong:
        return wrong
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not is_number(expires):
        return "the token has no time at which it expires (claim exp)"
    if now > expires + LEEWAY_S:
        return f"the token expired {ago(now - expires)} ago: make --silent token prints a new one"
    issued, most = claims.get("iat"), facts["max_token_seconds"]
    if not is_number(issued):
        return "the token does not say when it was issued (claim iat)"
    if expires - issued > most:
        return f"the token lives for {expires - issued:.0f} seconds, this stack takes {most} (MaxTokenSeconds)"
    if not is_number(begins) or now < begins - LEEWAY_S:
        return "the token is not valid yet (claim nbf): the clocks of its issuer and of this machine differ"
    party, allowed = claims.get("azp"), facts["origins"]
    if party not in allowed:
        given = f"the token's azp {party} is" if party else "the token has no azp (the origin of its page), so it is"
        cure = f": start with make up ORIGIN={party}" if str(party).startswith("http") else ""
        return f"{given} not among the allowed origins ({', '.join(allowed)}){cure}"
    if claims.get("sts") == "pending":
        return "the session is pending (claim sts): the user has to finish signing in"
    if not re.fullmatch(r"user_[A-Za-z0-9]+", str(claims.get("sub"))):
        return f"the token's sub {claims.get('sub')} is not the id of a user, which is user_ and letters or digits"
    return None


def of_signature(header: dict[str, Any], facts: dict[str, Any], token: str) -> str | None:
    """Returns what is wrong with a token's signature, or `None` if it is genuine."""
    if header.get("alg") != "RS256":
        return f"the token is signed with {header.get('alg')}; only RS256 is accepted"
    signed, _, signature = token.rpartition(".")
    if facts["jwks_url"]:
        keys = keys_of(facts["jwks_url"])
        if isinstance(keys, str):
            return keys
        named = [key for kid, key in keys if kid == header.get("kid")] or [key for _, key in keys]
        if any(is_signed(key, signed, signature) for key in named):
            return None
        listed = ", ".join(kid for kid, _ in keys) or "none"
        return (
            f"the signature does not match any key of the JWKS at {facts['jwks_url']} (the token names the key "
            f"{header.get('kid')}, there are {listed})"
        )
    key = serialization.load_pem_public_key(facts["public_key"].encode())
    if is_signed(key, signed, signature):
        return None
    return "the signature does not match the key of this laptop's issuer: make --silent token prints a new token"


def keys_of(url: str) -> list[tuple[str, Any]] | str:
    """Returns the keys of an issuer, each with its id, or a sentence that says why they cannot be read."""
    try:
        return fetched(url, int(time.time() // KEYS_S))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        return (
            f"the keys of the issuer cannot be read from {url} ({error}): make up CLERK_JWKS_URL= says where they are"
        )


@functools.lru_cache(maxsize=4)
def fetched(url: str, _minute: int) -> list[tuple[str, Any]]:
    """Fetches the keys of an issuer, each with its id, at most once in the time for which keys are kept."""
    with urllib.request.urlopen(url, timeout=3) as answer:
        listed = json.load(answer).get("keys", [])
    return [(str(key.get("kid")), public_key(key)) for key in listed if key.get("kty") == "RSA"]


def public_key(key: dict[str, str]) -> rsa.RSAPublicKey:
    """Returns a key of a JWKS. Source: RFC 7518, section 6.3.1."""
    modulus, exponent = (int.from_bytes(decoded(key[name]), "big") for name in ("n", "e"))
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def is_signed(key: Any, signed: str, signature: str) -> bool:
    """Returns whether a key has signed a text."""
    try:
        key.verify(decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def part_of(parts: list[str], place: int) -> dict[str, Any] | None:
    """Returns the object in a part of a JWT, or `None` if there is none."""
    try:
        found = json.loads(decoded(parts[place]))
    except (IndexError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def decoded(text: str) -> bytes:
    """Decodes base64url without padding."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error


def is_number(value: Any) -> bool:
    """Returns whether a claim is a number. JSON's true is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def ago(seconds: float) -> str:
    """Formats a time span for a person."""
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        count = int(seconds // size)
        if count:
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "a moment"


# --------------------------------------------------------------------------------------------- other credentials
