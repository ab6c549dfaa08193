"""Deploys template.yaml to the laptop's server: first the packages, then the stack."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from package import package

import emulator_workarounds
import template as templates
import versions
from server import REGION

ARTIFACTS = "consigne-artifacts"


def forget_own_account() -> None:
    """Removes everything from this process's environment that the AWS SDK would read of the user's own account.

    A profile that does not exist would stop the deployment, and an address of one service would lead it to AWS.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        os.environ[name] = os.devnull


class Deployment:
    """One stack on the laptop's server."""

    def __init__(self, address: str, stack: str):
        self.stack = stack
        forget_own_account()
        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2})

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=address, config=config)

        self.client = client
        self.s3, self.cloudformation = client("s3"), client("cloudformation")

    def deploy(self, source: Path, binaries: Path, parameters: dict[str, str]) -> None:
        """Creates or updates the stack from a template and the binaries that it names."""
        template = templates.load(source)
        self._ensure_artifacts()
        for function in templates.functions(template).values():
            properties = function["Properties"]
            binary = binaries / Path(properties["CodeUri"]).name
            properties["CodeUri"] = {"Bucket": ARTIFACTS, "Key": self._upload(binary)}
        parameters = parameters | {"SettingsDigest": templates.settings_digest(template, parameters)}
        versions.remove_old(self.client("lambda"), template, self.stack)
        emulator_workarounds.prepare(template, parameters)
        self._apply(template, parameters)
        emulator_workarounds.fill(template, self.stack, client=self.client)

    def deploy_alarms(self, source: Path) -> None:
        """Creates or updates the stack of alarms that watches this one."""
        template = templates.load(source)
        emulator_workarounds.drop_unsupported(template)
        watching = Deployment(self.s3.meta.endpoint_url, f"{self.stack}-observe")
        watching._apply(template, {"CoreStack": self.stack})

    def outputs(self) -> dict[str, str]:
        """Returns the stack's outputs. Empty if it was never deployed."""
        try:
            stack = self.cloudformation.describe_stacks(StackName=self.stack)["Stacks"][0]
        except ClientError:
            return {}
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def service_token(self) -> str:
        """Returns the newest service token of any service, or "" if all were retired. A new stack starts with one."""
        tokens = list(self._secret("ServiceTokensArn").values())
        newest = tokens[0] if tokens else ""
        # A service that has further rights.
        newest = newest["tokens"] if isinstance(newest, dict) else newest
        return newest[-1] if isinstance(newest, list) else newest

    def webhook_secret(self, output: str) -> str:
        """Returns the secret with which a sender signs webhooks, by the output that names it. Starts with `whsec_`."""
        return "whsec_" + self._secret(output)["current"].removeprefix("whsec_")

    def stripe_api_key(self) -> str:
        """Returns the Stripe key with which the stack opens checkouts."""
        return self.secret("StripeApiKeyArn")

    def secret(self, output: str) -> str:
        """Returns the value of a secret, by the output that names it."""
        return self.client("secretsmanager").get_secret_value(SecretId=self.outputs()[output])["SecretString"]

    def _secret(self, output: str) -> dict[str, Any]:
        return json.loads(self.secret(output))

    def _ensure_artifacts(self) -> None:
        try:
            self.s3.create_bucket(Bucket=ARTIFACTS)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise

    def _upload(self, binary: Path) -> str:
        """Uploads a binary unless it is there already. Returns its key, which contains the hash of the binary.

        The package is not compressed: that would take longer than reading it back.
        """
        content = binary.read_bytes()
        key = f"{binary.name}-{hashlib.sha256(content).hexdigest()[:32]}.zip"
        try:
            self.s3.head_object(Bucket=ARTIFACTS, Key=key)
        except ClientError:
            self.s3.put_object(Bucket=ARTIFACTS, Key=key, Body=package(content))
        return key

    def _apply(self, template: dict[str, Any], parameters: dict[str, str]) -> None:
        text = templates.as_text(template)
        key = f"template-{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
        self.s3.put_object(Bucket=ARTIFACTS, Key=key, Body=text.encode())
        url = f"{self.s3.meta.endpoint_url}/{ARTIFACTS}/{key}"
        request = {
            "StackName": self.stack,
            "TemplateURL": url,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        }
        try:
            self.cloudformation.describe_stacks(StackName=self.stack)
            verb, waiter = self.cloudformation.update_stack, "stack_update_complete"
        except ClientError:
            verb, waiter = self.cloudformation.create_stack, "stack_create_complete"
        try:
            verb(**request)
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return
            raise
        try:
            self.cloudformation.get_waiter(waiter).wait(
                StackName=self.stack, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300}
            )
        except Exception as error:
            raise SystemExit(f"The deployment failed: {error}\n{self._failures()}") from error

    def _failures(self) -> str:
        events = self.cloudformation.describe_stack_events(StackName=self.stack)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        return "\n".join(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed)
