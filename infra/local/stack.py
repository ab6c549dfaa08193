"""The laptop's stack: `stack.py up|down|status|url|deploy|watch`. People run `make`, which calls it."""

import argparse
import functools
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import console
import edge
import front
import scan_stand_in
import settings
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from laptop_token import ISSUER, KEY_ID

from deployment import Deployment
from server import REGION, Server, port_number

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "infra/deploy"))

import samconfig  # noqa: E402  (the line above sets its path)

# Most seconds that a session token may live on this machine.
MAX_TOKEN_SECONDS = 86_400
MAIL_FROM = "Consigne <no-reply@consigne.example>"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "url", "deploy", "watch"])
    parser.add_argument("--stack", default=front.FIRST_STACK, help="name of the stack")
    parser.add_argument("--port", type=port_number, help="port of the API; it is kept for later starts")
    parser.add_argument("--next", action="store_true", help="say what to do next, after `up`")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="overrides a parameter")
    parser.add_argument("--home", default="target/local", help="folder of the server; another folder is another server")
    binaries = os.environ.get("BINARIES", "target/debug")
    parser.add_argument("--binaries", default=binaries, help="folder of the built functions; the default is $BINARIES")
    parser.add_argument("--env-file", help="where to write addresses and secrets; the default is stack.env in the home")
    arguments = parser.parse_args()
    laptop = Laptop(arguments)
    getattr(laptop, arguments.command)()


def shown(path: Path) -> Path:
    """Returns a path for people: from the root of the checkout if it is inside, else as it is."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


class Laptop:
    """One server, and one stack on it."""

    def __init__(self, arguments: argparse.Namespace):
        self.home = ROOT / arguments.home
        self.binaries = ROOT / arguments.binaries
        self.env_file = ROOT / arguments.env_file if arguments.env_file else self.home / "stack.env"
        self.stack = arguments.stack
        self.port = arguments.port
        self.says_next = arguments.next
        self.overrides = dict(item.split("=", 1) for item in arguments.parameter)
        self.server = Server(self.home)

    @functools.cached_property
    def chosen(self) -> settings.Settings:
        """What the environment says. Read by a deployment only, so that `make down` works whatever it says."""
        return settings.read()

    def up(self) -> None:
        """Starts the server unless it is running, and deploys."""
        if self.server.is_up():
            self.server.check_port(self.port)
        else:
            began = time.monotonic()
            usual = self.port or self.server.next_api_port()
            self.server.stop()
            self.server.start(self.port)
            print(f"Started AWS on {self.server.address} in {time.monotonic() - began:.1f} s.")
            if self.server.api_port != usual:
                print(f"Port {usual} is in use, so this time the API is on port {self.server.api_port}.")
        self.deploy()
        print(f"  the API     {self.public_url()}  (the same after every make up)")
        print(f"  its routes  {self.server.api_address}/_local/api")
        print(f"  its mails   {self.server.api_address}/_local/mail")
        built = console.is_built()
        print(f"  AWS         {self.server.address}")
        if self.chosen.edge:
            print(f"  the CDN     {self.edge_url()}")
        print(f"  the console {self.server.console_origin if built else 'is not built: make console'}")
        if self.says_next and self.chosen.clerk_issuer:
            print("Next: call it with a session token of your application; make logs says why one is refused.")
        elif self.says_next:
            print("Next: make demo shows every part of it; TOKEN=$(make --silent token FOR=user_me) signs you in.")

    def url(self) -> None:
        """Prints the address of the API, and nothing else. It is the same whether the stack is up or not."""
        print(self.public_url())

    def down(self) -> None:
        """Stops the server. All its data is lost, because it is in memory."""
        if self.server.stop():
            print("The stack is down, and what was on it is gone.")
        else:
            print("The stack was not up.")
        print(f"Next: make up starts an empty one, at the same address: {self.public_url()}")

    def status(self) -> None:
        """Prints whether the server is running. Exits with 1 if it is not."""
        up = self.server.is_up()
        print(f"The stack is up: {self.public_url()}" if up else "The stack is down. make up starts it.")
        raise SystemExit(0 if up else 1)

    def deploy(self) -> None:
        """Deploys what was built, and writes the file of addresses and secrets for tools."""
        if not self.server.is_up():
            raise SystemExit("The stack is not up. make up starts it.")
        # Not used here. But a file that SAM would refuse should be noticed before a deployment to AWS.
        try:
            samconfig.load(ROOT / "infra/samconfig.toml")
        except samconfig.ConfigError as error:
            raise SystemExit(str(error)) from error
        began = time.monotonic()
        deployment = Deployment(self.server.address, self.stack)
        parameters = self.parameters() | {"PublicUrl": self.public_url()}
        at_edge = edge.set_up(deployment, self.home, self.edge_url()) if self.chosen.edge else None
        parameters |= at_edge.parameters if at_edge else {}
        parameters |= self.overrides
        deployment.deploy(ROOT / "template.yaml", self.binaries, parameters)
        self.tell_server(deployment, parameters, at_edge.facts if at_edge else None)
        deployment.deploy_alarms(ROOT / "infra/observe.yaml")
        self.tell_upstream(deployment)
        self.write_env(deployment, parameters["ClerkIssuer"], at_edge)
        took = time.monotonic() - began
        if self.chosen.clerk_issuer:
            print(
                f"Session tokens must be those of {self.chosen.clerk_issuer}; tokens made on this laptop are refused."
            )
        print(f"Deployed in {took:.1f} s. Addresses and secrets for tools: {shown(self.env_file)}")

    def tell_upstream(self, deployment: Deployment) -> None:
        """Writes the secret with which this stack's gateway signs, for the stand-in for services."""
        path = self.server.upstream_secrets / f"{self.stack}.secret"
        path.touch(mode=0o600)
        path.write_text(deployment.secret("GatewaySecretArn"))

    def edge_url(self) -> str:
        """Returns the address of the stack at the stand-in for the CDN."""
        return self.server.edge + ("" if self.stack == front.FIRST_STACK else front.FURTHER + self.stack)

    def tell_server(self, deployment: Deployment, parameters: dict[str, str], at_edge: dict[str, Any] | None) -> None:
        """Writes which API the stack has, and what it trusts, for the server that leads to it and explains refusals."""
        outputs = deployment.outputs()
        facts = {
            "api": outputs["ApiId"],
            "bucket": outputs["BucketName"],
            "scanned": scan_stand_in.prefixes_in(parameters),
            "issuer": parameters["ClerkIssuer"],
            "own_issuer": ISSUER,
            "jwks_url": "" if parameters["ClerkJwtKey"] else parameters["ClerkJwksUrl"],
            "public_key": parameters["ClerkJwtKey"].replace("\\n", "\n"),
            "origins": parameters["AuthorizedParties"].split(","),
            "max_token_seconds": int(parameters["MaxTokenSeconds"]),
            "edge": at_edge,
        }
        front.write_facts(self.server.stacks, self.stack, facts)

    def public_url(self) -> str:
        """Returns the address of the stack's API. It stays the same, and needs no stack that is up."""
        return front.address_of(self.server.api_port, self.stack)

    def watch(self) -> None:
        """Rebuilds and redeploys whenever a source file changes, until interrupted."""
        print(
            "Watching functions/, shared/ and template.yaml. Ctrl-C stops watching, and the stack stays up.", flush=True
        )
        seen = newest_change()
        try:
            while True:
                time.sleep(0.5)
                now = newest_change()
                if now == seen:
                    continue
                seen = now
                build = [ROOT / "infra/local/build.sh", "--message-format", "short"]
                print("Something changed. Building...", flush=True)
                if subprocess.run(build, cwd=ROOT, check=False).returncode == 0:
                    self.deploy_again()
                else:
                    print("The build failed, and the stack was not changed. Next: mend it; the next change is built.")
        except KeyboardInterrupt:
            print("\nStopped watching; the stack stays up. Next: make logs follows it, make down stops it.")

    def deploy_again(self) -> None:
        """Deploys, and prints a failure instead of ending with it: the next change may mend it."""
        try:
            self.deploy()
            print(f"Next: try it at {self.public_url()}, or go on; the next change is built.", flush=True)
        except (SystemExit, yaml.YAMLError) as error:
            print(f"{error}\nThe stack was not changed. Next: mend it; the next change is built.", flush=True)

    def issuer_key(self) -> rsa.RSAPrivateKey:
        """Returns the private key of this laptop's token issuer. It is created on first use and never committed."""
        path = self.home / "issuer.pem"
        if not path.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            text = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            path.touch(mode=0o600)
            path.write_bytes(text)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key

    def parameters(self) -> dict[str, str]:
        """Returns the template's parameters for a laptop."""
        public = (
            self.issuer_key()
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        issuer = {
            "ClerkIssuer": ISSUER,
            "ClerkJwtKey": public.decode().strip().replace("\n", "\\n"),
            "ClerkJwksUrl": "",
        }
        if self.chosen.clerk_issuer:
            issuer = {
                "ClerkIssuer": self.chosen.clerk_issuer,
                "ClerkJwtKey": "",
                "ClerkJwksUrl": self.chosen.clerk_jwks_url,
            }
        return issuer | {
            "AuthorizedParties": ",".join([*self.chosen.origins, self.server.console_origin]),
            # Tokens of this machine's issuer may live for a day, so that nobody has to renew one at every try.
            "MaxTokenSeconds": str(MAX_TOKEN_SECONDS),
            "MailFrom": MAIL_FROM,
            "OrdersEmail": "orders@example.com",
            "ApplicationUrl": self.chosen.origins[0],
            "StripeUrl": self.server.stripe_address,
            "TextModelUrl": f"{self.server.model_address}/v1",
            "TextModel": "stand-in",
            "Architecture": "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64",
            "ApiRateLimit": "100000",
            "ApiBurstLimit": "100000",
            "DeletionProtection": "false",
            "RequireTls": "false",
            "Upstreams": f"pdf={self.server.upstream}/pdf,ai={self.server.upstream}/ai",
            "AllowPrivateUpstreams": "true",
            "AllowPrivateEndpoints": "true",
            "MalwareScan": "on",
            "ScannedPrefixes": self.chosen.scanned,
        }

    def write_env(self, deployment: Deployment, trusted: str, at_edge: edge.Edge | None) -> None:
        """Writes the file of addresses and secrets, which tools and tests of other projects read."""
        outputs = deployment.outputs()
        values = {
            "CONSIGNE_URL": self.public_url(),
            "AWS_ENDPOINT_URL": self.server.address,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "STACK_NAME": self.stack,
            "TABLE_NAME": outputs["TableName"],
            "BUCKET_NAME": outputs["BucketName"],
            "BUS_NAME": outputs["BusName"],
            "REPLICA_BUCKET": outputs.get("ReplicaBucket", ""),
            "REPLICA_REGION": outputs.get("ReplicaRegion", ""),
            "UPSTREAM_URL": self.server.upstream,
            "RECEIVER_URL": self.server.receiver,
            "INVITATION_SECRET_ARN": outputs["InvitationSecretArn"],
            "PEPPER_SECRET_ARN": outputs["PeppersArn"],
            "KEY_PREFIX": outputs["KeyPrefix"],
            "LEGACY_KEYS_UNTIL": outputs.get("LegacyKeysUntil", ""),
            "SERVICE_TOKENS_ARN": outputs["ServiceTokensArn"],
            "SERVICE_TOKEN": deployment.service_token(),
            "GENERATOR_SECRETS_ARN": outputs["GeneratorSecretsArn"],
            "GENERATOR_WEBHOOK_SECRET": deployment.webhook_secret("GeneratorSecretsArn"),
            "CLERK_SECRETS_ARN": outputs["ClerkSecretsArn"],
            "CLERK_WEBHOOK_SECRET": deployment.webhook_secret("ClerkSecretsArn"),
            "STRIPE_SECRETS_ARN": outputs["StripeSecretsArn"],
            "STRIPE_WEBHOOK_SECRET": deployment.webhook_secret("StripeSecretsArn"),
            "STRIPE_URL": self.server.stripe_address,
            "STRIPE_API_KEY_ARN": outputs["StripeApiKeyArn"],
            "STRIPE_API_KEY": deployment.stripe_api_key(),
            "TEXT_MODEL_URL": f"{self.server.model_address}/v1",
            "GENERATION_QUEUE_URL": outputs["GenerationQueueUrl"],
            "MAIL_URL": f"{self.server.address}/_ministack/ses/messages",
            "CONSOLE_URL": self.server.console_origin if console.is_built() else "",
            # Empty without EDGE=1: then files are read from the bucket.
            "CDN_URL": at_edge.parameters["CdnDomain"] if at_edge else "",
            "CDN_KEYS_ARN": at_edge.parameters["CdnKeysArn"] if at_edge else "",
            "CDN_DISTRIBUTION": at_edge.parameters["CdnDistribution"] if at_edge else "",
            "MAIL_PAGE": f"{self.server.api_address}/_local/mail",
            "JWT_KEY_FILE": str(self.home / "issuer.pem"),
            "JWT_KID": KEY_ID,
            "JWT_ISSUER": ISSUER,
            "JWT_AZP": self.chosen.origins[0],
            # Another than JWT_ISSUER if the stack takes the tokens of a Clerk application: then none can be made here.
            "TRUSTED_ISSUER": trusted,
        }
        self.env_file.parent.mkdir(parents=True, exist_ok=True)
        self.env_file.write_text("".join(f"{name}={quoted(value)}\n" for name, value in values.items()))


def quoted(value: str) -> str:
    """Quotes a value for a shell, if it needs that: a path with a space does."""
    return shlex.quote(value) if value else ""


def newest_change() -> float:
    """Returns the time of the latest change to a source file, in seconds since 1970."""
    files = [ROOT / "template.yaml", ROOT / "Cargo.toml"]
    for folder in ("functions", "shared"):
        files.extend(path for path in (ROOT / folder).rglob("*") if path.suffix in (".rs", ".toml"))
    # A file may be gone by now: editors replace files.
    return max(path.stat().st_mtime for path in files if path.exists())


if __name__ == "__main__":
    main()
