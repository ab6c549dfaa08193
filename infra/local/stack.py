"""The laptop's stack: `stack.py up | down | status | deploy | watch`. People run `make`, which calls it."""

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from deployment import Deployment
from server import REGION, Server

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "infra/deploy"))

import samconfig  # noqa: E402  (the line above sets its path)

ISSUER = "https://issuer.consigne.example"
# Where Next.js and Vite serve an application in development.
ORIGINS = ["http://localhost:3000", "http://localhost:5173"]
KEY_ID = "laptop-1"
MAIL_FROM = "Consigne <no-reply@consigne.example>"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["up", "down", "status", "deploy", "watch"])
    parser.add_argument("--stack", default="consigne", help="name of the stack")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="overrides a parameter")
    parser.add_argument("--home", default="target/local", help="folder of the server; another folder is another server")
    binaries = os.environ.get("BINARIES", "target/debug")
    parser.add_argument("--binaries", default=binaries, help="folder of the built functions; the default is $BINARIES")
    parser.add_argument("--env-file", help="where to write addresses and secrets; the default is stack.env in the home")
    arguments = parser.parse_args()
    laptop = Laptop(arguments)
    getattr(laptop, arguments.command)()


class Laptop:
    """One server, and one stack on it."""

    def __init__(self, arguments: argparse.Namespace):
        self.home = ROOT / arguments.home
        self.binaries = ROOT / arguments.binaries
        self.env_file = ROOT / arguments.env_file if arguments.env_file else self.home / "stack.env"
        self.stack = arguments.stack
        self.overrides = dict(item.split("=", 1) for item in arguments.parameter)
        self.server = Server(self.home)
        own = [origin.strip().rstrip("/") for origin in os.environ.get("ORIGIN", "").split(",") if origin.strip()]
        # The first one is where mails and checkouts lead to.
        self.origins = [*own, *(origin for origin in ORIGINS if origin not in own)]
        self.clerk_issuer = os.environ.get("CLERK_ISSUER", "").rstrip("/")
        self.clerk_jwks_url = os.environ.get("CLERK_JWKS_URL") or f"{self.clerk_issuer}/.well-known/jwks.json"

    def up(self) -> None:
        """Starts the server unless it is running, and deploys."""
        if not self.server.is_up():
            began = time.monotonic()
            self.server.stop()
            self.server.start()
            print(f"Started AWS on {self.server.address} in {time.monotonic() - began:.1f} s.")
        self.deploy()

    def down(self) -> None:
        """Stops the server. All its data is lost, because it is in memory."""
        print("The stack is down." if self.server.stop() else "The stack was not up.")

    def status(self) -> None:
        """Prints whether the server is running. Exits with 1 if it is not."""
        up = self.server.is_up()
        print(f"The stack is up on {self.server.address}." if up else "The stack is down.")
        raise SystemExit(0 if up else 1)

    def deploy(self) -> None:
        """Deploys what was built, and writes the file of addresses and secrets for tools."""
        if not self.server.is_up():
            raise SystemExit("The stack is not up. `make up` starts it.")
        # Not used here. But a file that SAM would refuse should be noticed before a deployment to AWS.
        try:
            samconfig.load(ROOT / "infra/samconfig.toml")
        except samconfig.ConfigError as error:
            raise SystemExit(str(error)) from error
        began = time.monotonic()
        deployment = Deployment(self.server.address, self.stack)
        known = self.public_url(deployment)
        self.apply(deployment, known)
        # The address contains the API's id, which is known only after the first deployment.
        if self.public_url(deployment) != known:
            self.apply(deployment, self.public_url(deployment))
        deployment.deploy_alarms(ROOT / "infra/observe.yaml")
        self.tell_upstream(deployment)
        self.write_env(deployment)
        took = time.monotonic() - began
        if self.clerk_issuer:
            print(f"Session tokens must be those of {self.clerk_issuer}; tokens made on this laptop are refused.")
        print(f"Deployed in {took:.1f} s. Addresses and secrets for tools: {self.env_file.relative_to(ROOT)}")

    def apply(self, deployment: Deployment, public_url: str) -> None:
        """Deploys the stack with `public_url` as the address of its API."""
        parameters = self.parameters() | {"PublicUrl": public_url} | self.overrides
        deployment.deploy(ROOT / "template.yaml", self.binaries, parameters)

    def tell_upstream(self, deployment: Deployment) -> None:
        """Writes the secret with which this stack's gateway signs, for the stand-in for services."""
        path = self.server.upstream_secrets / f"{self.stack}.secret"
        path.touch(mode=0o600)
        path.write_text(deployment.secret("GatewaySecretArn"))

    def public_url(self, deployment: Deployment) -> str:
        """Returns the address of the stack's API, or "" before the first deployment."""
        api = deployment.outputs().get("ApiId")
        return f"{self.server.address}/_aws/execute-api/{api}/%24default" if api else ""

    def watch(self) -> None:
        """Rebuilds and redeploys whenever a source file changes, until interrupted."""
        print("Watching functions/, shared/ and template.yaml. Ctrl-C stops watching; the stack stays up.")
        seen = newest_change()
        try:
            while True:
                time.sleep(0.5)
                now = newest_change()
                if now == seen:
                    continue
                seen = now
                build = [ROOT / "infra/local/build.sh", "--message-format", "short"]
                if subprocess.run(build, cwd=ROOT, check=False).returncode == 0:
                    self.deploy()
                else:
                    print("The build failed. The stack was not changed.")
        except KeyboardInterrupt:
            print()

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
        if self.clerk_issuer:
            issuer = {"ClerkIssuer": self.clerk_issuer, "ClerkJwtKey": "", "ClerkJwksUrl": self.clerk_jwks_url}
        return issuer | {
            "AuthorizedParties": ",".join(self.origins),
            "MailFrom": MAIL_FROM,
            "ApplicationUrl": self.origins[0],
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
        }

    def write_env(self, deployment: Deployment) -> None:
        """Writes the file of addresses and secrets, which tools and tests of other projects read."""
        outputs = deployment.outputs()
        values = {
            "CONSIGNE_URL": self.public_url(deployment),
            "AWS_ENDPOINT_URL": self.server.address,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "STACK_NAME": self.stack,
            "TABLE_NAME": outputs["TableName"],
            "BUCKET_NAME": outputs["BucketName"],
            "BUS_NAME": outputs["BusName"],
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
            "JWT_KEY_FILE": str(self.home / "issuer.pem"),
            "JWT_KID": KEY_ID,
            "JWT_ISSUER": ISSUER,
            "JWT_AZP": self.origins[0],
        }
        self.env_file.parent.mkdir(parents=True, exist_ok=True)
        self.env_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def newest_change() -> float:
    """Returns the time of the latest change to a source file, in seconds since 1970."""
    files = [ROOT / "template.yaml", ROOT / "Cargo.toml"]
    for folder in ("functions", "shared"):
        files.extend(path for path in (ROOT / folder).rglob("*") if path.suffix in (".rs", ".toml"))
    return max(path.stat().st_mtime for path in files)


if __name__ == "__main__":
    main()
