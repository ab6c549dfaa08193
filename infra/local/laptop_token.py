"""Session tokens for the console of the laptop, made by the laptop's own issuer.

They live a minute, as those of Clerk do, so that the console has to renew them here as well.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER = "https://issuer.consigne.example"
KEY_ID = "laptop-1"
LIFE_SECONDS = 60
PLANS = ("free", "basic", "pro", "premium", "enterprise")
ROLES = ("user", "expert", "admin")
USER = re.compile(r"user_[A-Za-z0-9]{1,64}")


class Refused(Exception):
    """What was asked for is no person. The message says which field is wrong."""


def claims_of(asked: Any, origin: str, now: int) -> dict[str, Any]:
    """Returns the claims of the person that a page asks for. Raises `Refused` if a field is missing or wrong."""
    if not isinstance(asked, dict):
        raise Refused("the body must be a JSON object")
    user, plan, role = (asked.get(name) for name in ("user", "plan", "role"))
    if not isinstance(user, str) or not USER.fullmatch(user):
        raise Refused("user must be `user_` and 1 to 64 letters or digits")
    if plan not in PLANS:
        raise Refused(f"plan must be one of {', '.join(PLANS)}")
    if role not in ROLES:
        raise Refused(f"role must be one of {', '.join(ROLES)}")
    name = user.removeprefix("user_").capitalize()
    return {
        "sub": user,
        "iss": ISSUER,
        "azp": origin,
        "iat": now,
        "nbf": now,
        "exp": now + LIFE_SECONDS,
        "sid": "sess_laptop",
        "email": f"{user.removeprefix('user_').lower()}@people.example",
        "email_verified": True,
        "first_name": name,
        "full_name": name,
        "public_metadata": {"subscription": plan, "role": role},
    }


def signed(claims: dict[str, Any], key_file: Path) -> str:
    """Signs claims with the private key in a file, as RS256."""
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    text = ".".join(encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": KEY_ID}, claims))
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def encoded(part: bytes) -> str:
    """Writes bytes in base64url, without padding."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
