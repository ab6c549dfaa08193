"""Deploys infra/edge.yaml, the CDN, behind the core, tells the core of it, and uploads the console.

The order has no circle: the CDN imports names from the core, and the core then gets the CDN's domain, distribution and
keys as parameters. Until that second update nothing reads through the CDN, and the bucket refuses it.
"""

import base64
import hashlib
import json
import mimetypes
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import preflight
import template as templates
from samconfig import Config
from stacks import Stack

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "infra/edge.yaml"
CONSOLE = ROOT / "target/web/console"
SLOTS = {"a": "PublicKeyA", "b": "PublicKeyB"}
# The CDN and the API agree on these; see infra/edge.yaml.
HEADERS = {"AddressHeader": "x-consigne-address", "CountryHeader": "cloudfront-viewer-country"}
# Names of assets contain a hash of their content; everything else is asked for again at each visit.
FOR_EVER, ALWAYS_ASK = "public, max-age=31536000, immutable", "no-cache"

Keys = dict[str, Any]


def stack_of(config: Config, session: boto3.Session) -> Stack:
    """Returns the stack of the CDN."""
    return Stack(session, f"{config.stack_name}-edge")


def not_built(built: Path = CONSOLE) -> str | None:
    """Returns what is missing of the console, or `None` if it is built."""
    return None if (built / "index.html").is_file() else "The console is not built: make console."


def problems(config: Config) -> Iterator[str]:
    """Yields what is wrong with the parameters of the CDN. Needs no network."""
    known = templates.load(ROOT / TEMPLATE)["Parameters"]
    for name, value in config.edge.items():
        if name not in known or name in (*SLOTS.values(), "CoreStack", "OriginSecretVersion"):
            yield f"infra/edge.yaml has no parameter {name} that can be set."
        elif problem := preflight.broken(value, known[name]):
            yield f"{name} {problem}."
    for name in ("Domain", "ApiDomain"):
        certificate = "CertificateArn" if name == "Domain" else "ApiCertificateArn"
        if bool(config.edge.get(name)) != bool(config.edge.get(certificate)):
            yield f"{name} and {certificate} belong together; set both or none."
    if config.parameters.get("DefaultEndpoint") == "off" and not config.edge.get("ApiDomain"):
        yield "DefaultEndpoint=off needs ApiDomain, or the CDN could not reach the API."


def up(sam: Any, core: Stack, config: Config, session: boto3.Session) -> None:
    """Deploys the CDN, tells the core of it, and uploads the console."""
    edge, secrets = stack_of(config, session), session.client("secretsmanager")
    print(f"\nDeploying the CDN as {edge.name} (the first time takes some minutes)...")
    edge.clear()
    keys = with_a_key(read_keys(edge, secrets), edge.parameters())
    origin = read_origin(edge, secrets)
    if both := both_hashes(core.parameters().get("EdgeSecretHash", ""), origin):
        print("\nTelling the core of the new secret between the CDN and the API...")
        sam.deploy_core(core, config.parameters | {"EdgeSecretHash": both})
    version = {"OriginSecretVersion": origin["VersionId"][:8]} if origin else {}
    for parameters in steps(keys, edge.parameters()):
        sam.deploy(edge, TEMPLATE, own_parameters(config, core) | config.edge | version | parameters)
    outputs = edge.outputs()
    write_keys(keys, outputs, secrets)
    wanted = config.parameters | core_parameters(config, outputs, secrets)
    if any(core.parameters().get(name) != value for name, value in wanted.items()):
        print("\nTelling the core of the CDN...")
        sam.deploy_core(core, wanted)
    domain = outputs["CdnDomain"]
    count = upload(session.client("s3"), outputs["ConsoleBucketName"], CONSOLE, console_config(config, domain))
    invalidate(session.client("cloudfront"), outputs["DistributionId"])
    print(f"\nUploaded {count} files of the console. It is at https://{domain}.")
    if config.edge.get("Domain"):
        print(f"DNS: {domain} must lead to {outputs['DistributionDomain']}.")
    if config.edge.get("ApiDomain"):
        print(f"DNS: {config.edge['ApiDomain']} must lead to {outputs['ApiTarget']}.")
    if f"https://{domain}" not in config.parameters["AuthorizedParties"].split(","):
        print(f"Add https://{domain} to AuthorizedParties in the file, or nobody can sign in to the console.")


def own_parameters(config: Config, core: Stack) -> dict[str, str]:
    """Returns the parameters of the CDN that follow from those of the core."""
    issuer = config.parameters["ClerkIssuer"]
    return {
        "CoreStack": core.name,
        "Origins": config.parameters["AuthorizedParties"],
        "ClerkOrigin": issuer if issuer.startswith("https://") and not urlsplit(issuer).path else "",
    }


# ----------------------------------------------------------------------------------------------------------- keys


def read_keys(edge: Stack, secrets: Any) -> Keys:
    """Returns the content of the secret of keys: empty before the first deployment."""
    arn = edge.outputs().get("KeysArn")
    return json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"]) if arn else {}


def with_a_key(keys: Keys, deployed: dict[str, str]) -> Keys:
    """Returns keys that can sign. If there are none, makes one, in a slot that the CDN has no key for."""
    if any(slot in keys for slot in SLOTS):
        return keys
    free = next((slot for slot, name in SLOTS.items() if not deployed.get(name)), "a")
    return {"current": free, free: {"private": new_key()}}


def new_key() -> str:
    """Returns a new private key in PEM: RSA with 2048 bits, the only size that CloudFront takes."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def public_of(private: str) -> str:
    """Returns the public key of a private one, both in PEM."""
    key = serialization.load_pem_private_key(private.encode(), password=None)
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def steps(keys: Keys, deployed: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yields the public keys of each deployment that is needed, in order.

    CloudFront never changes a public key. So a slot that gets another key is emptied first, in a deployment of its own.
    """
    wanted = {name: public_of(keys[slot]["private"]) if slot in keys else "" for slot, name in SLOTS.items()}
    changed = [name for name, key in wanted.items() if deployed.get(name) and key and not same(key, deployed[name])]
    if changed and any(key for name, key in wanted.items() if name not in changed):
        yield wanted | dict.fromkeys(changed, "")
    elif changed:
        raise SystemExit(
            "The only key in the secret is not the one that the CDN has, and nothing would be readable meanwhile. Put "
            "the previous version of the secret back (AWSPREVIOUS), then run `consigne cdn-key new`."
        )
    yield wanted


def same(one: str, other: str) -> bool:
    """Returns whether two PEM texts are the same key. CloudFormation may change white space at the ends of lines."""
    return one.split() == other.split()


def write_keys(keys: Keys, outputs: dict[str, str], secrets: Any) -> None:
    """Writes the ids that the CDN gave the keys into the secret, by which functions then name them."""
    named = json.loads(json.dumps(keys))
    for slot in SLOTS:
        if slot in named:
            named[slot]["id"] = outputs[f"KeyId{slot.upper()}"]
    arn = outputs["KeysArn"]
    if json.loads(secrets.get_secret_value(SecretId=arn)["SecretString"]) != named:
        secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(named))


# ------------------------------------------------------------------------------- secret between the CDN and the API


def read_origin(edge: Stack, secrets: Any) -> dict[str, str]:
    """Returns the secret with its version, as Secrets Manager answers it: empty before the first deployment."""
    arn = edge.outputs().get("OriginSecretArn")
    return secrets.get_secret_value(SecretId=arn) if arn else {}


def both_hashes(deployed: str, origin: dict[str, str]) -> str | None:
    """Returns the hashes of the secret that the CDN sends now and of the one that it sends next, for the time until it
    does. Returns `None` if the core knows the next one already."""
    if not (deployed and origin):
        return None
    known = deployed.split(",")
    following = hash_of(origin["SecretString"])
    return None if following in known else f"{known[0]},{following}"


def hash_of(secret: str) -> str:
    """Returns the hash by which the core knows a secret: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


# ----------------------------------------------------------------------------------------------- core and console


def core_parameters(config: Config, outputs: dict[str, str], secrets: Any) -> dict[str, str]:
    """Returns the parameters with which the core knows the CDN."""
    secret = secrets.get_secret_value(SecretId=outputs["OriginSecretArn"])["SecretString"]
    parameters = HEADERS | {
        "CdnDomain": outputs["CdnDomain"],
        "CdnKeysArn": outputs["KeysArn"],
        "CdnDistribution": outputs["DistributionId"],
        "EdgeSecretHash": hash_of(secret),
    }
    if not config.parameters.get("PublicUrl"):
        parameters["PublicUrl"] = f"https://{outputs['CdnDomain']}"
    return parameters


def console_config(config: Config, domain: str) -> dict[str, Any]:
    """Returns the console's config.json: the API is on the same domain, and people sign in with Clerk."""
    host = urlsplit(config.parameters["ClerkIssuer"]).hostname or ""
    kind = "test" if host.endswith(".accounts.dev") else "live"
    key = base64.b64encode(f"{host}$".encode()).decode().rstrip("=")
    return {"apiUrl": f"https://{domain}", "clerkPublishableKey": f"pk_{kind}_{key}", "edge": True}


def upload(s3: Any, bucket: str, built: Path, config: dict[str, Any]) -> int:
    """Uploads the console: what pages refer to first, and the page itself last. Returns the number of files.

    Assets of earlier versions stay, so that a page that is open goes on working.
    """
    files = sorted(path for path in built.rglob("*") if path.is_file())
    files.sort(key=lambda path: path.name == "index.html")
    text = json.dumps(config).encode()
    s3.put_object(Bucket=bucket, Key="config.json", Body=text, ContentType="application/json", CacheControl=ALWAYS_ASK)
    for path in files:
        key = path.relative_to(built).as_posix()
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        caching = FOR_EVER if key.startswith("assets/") else ALWAYS_ASK
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ContentType=kind, CacheControl=caching)
    return len(files) + 1


def invalidate(cloudfront: Any, distribution: str) -> None:
    """Makes the CDN forget the page and its configuration. Assets never change."""
    paths = ["/", "/index.html", "/config.json"]
    batch = {"Paths": {"Quantity": len(paths), "Items": paths}, "CallerReference": f"console-{time.time_ns()}"}
    cloudfront.create_invalidation(DistributionId=distribution, InvalidationBatch=batch)
