"""What a laptop's stack needs to read files through the stand-in for a CDN: a key, the secret of the origin, and a
distribution to whose invalidations the server listens. On AWS these are infra/edge.yaml's and infra/deploy's."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

# The id that the CDN gave the first key.
KEY_ID = "KLAPTOPA"


@dataclass(frozen=True)
class Edge:
    """The parameters of the core stack, and what the stand-in has to know."""

    parameters: dict[str, str]
    facts: dict[str, Any]


def set_up(deployment: Any, home: Path, url: str) -> Edge:
    """Creates what is missing, and returns it. A second call finds what the first has created."""
    arn = keys_secret(deployment.client("secretsmanager"), f"{deployment.stack}-cdn-keys")
    stored = json.loads(deployment.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"])
    for slot in ("a", "b"):
        # As a deployment does on AWS, where `consigne cdn-key new` has added a key.
        if slot in stored and not stored[slot].get("id"):
            stored[slot]["id"] = f"KLAPTOP{secrets.token_hex(4).upper()}"
            deployment.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=json.dumps(stored))
    secret = origin_secret(home / f"{deployment.stack}.edge-secret")
    parameters = {
        "CdnDomain": url,
        "CdnKeysArn": arn,
        "CdnDistribution": distribution(deployment.client("cloudfront"), deployment.stack),
        "EdgeSecretHash": hashlib.sha256(secret.encode()).hexdigest(),
        "AddressHeader": "cloudfront-viewer-address",
        "CountryHeader": "cloudfront-viewer-country",
    }
    keys = {stored[slot]["id"]: public_of(stored[slot]["private"]) for slot in ("a", "b") if slot in stored}
    return Edge(parameters, {"url": url, "keys": keys, "secret": secret})


def new_key() -> str:
    """Returns a new private key in PEM, as CloudFront takes them."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def public_of(private: str) -> str:
    """Returns the public key of a private one, both in PEM."""
    key = serialization.load_pem_private_key(private.encode(), password=None)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def keys_secret(client: Any, name: str) -> str:
    """Returns the ARN of the secret with the keys. Creates it with one key."""
    try:
        return client.describe_secret(SecretId=name)["ARN"]
    except ClientError:
        first = {"current": "a", "a": {"id": KEY_ID, "private": new_key()}}
        return client.create_secret(Name=name, SecretString=json.dumps(first))["ARN"]


def origin_secret(path: Path) -> str:
    """Returns the secret that the CDN sends to the API. It is created on first use."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text()


def distribution(client: Any, stack: str) -> str:
    """Returns the id of the stack's distribution. It is created on first use, and only takes invalidations."""
    found = client.list_distributions()["DistributionList"].get("Items", [])
    known = next((one["Id"] for one in found if one["Comment"] == stack), None)
    if known:
        return known
    origin = {"Id": "api", "DomainName": "api.example.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    behaviour = {
        "TargetOriginId": "api",
        "ViewerProtocolPolicy": "https-only",
        "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        "MinTTL": 0,
    }
    config = {
        "CallerReference": stack,
        "Comment": stack,
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behaviour,
    }
    return client.create_distribution(DistributionConfig=config)["Distribution"]["Id"]
