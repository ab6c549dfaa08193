"""`make deploy` from end to end: the pinned SAM CLI against the laptop's AWS, with packages of two bytes.

Needs `.venv/local` beside the tools of deployment, since the server runs in it.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import boto3
import tomlkit
from botocore.stub import Stubber

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "infra/deploy"), str(ROOT / "infra/local")]

import alarms

import deploy
import emulator_workarounds
import preflight
import template as templates
from samconfig import Config, load

SERVE = """
import sys
sys.path.insert(0, "infra/local")
from pathlib import Path
from server import Server
server = Server(Path(sys.argv[1]))
server.stop() if sys.argv[2] == "stop" else server.start()
print(server.address if sys.argv[2] == "start" else "")
"""
GOOD = {
    "ClerkIssuer": "https://clerk.acme.dev",
    "AuthorizedParties": "https://app.acme.dev",
    "ClerkJwksUrl": "https://clerk.acme.dev/.well-known/jwks.json",
    "ApplicationUrl": "https://app.acme.dev",
    "Architecture": "x86_64",
    "MailFrom": "Acme & Co <no-reply@acme.dev>",
    "Upstreams": "",
}


def file_of(folder: str, **environments: dict[str, str]) -> Path:
    """Writes a samconfig.toml with an environment for each dictionary of parameters."""
    document = tomlkit.document()
    document["version"] = 0.1
    for name, parameters in environments.items():
        overrides = [f'{key}="{value}"' for key, value in parameters.items()]
        section = {"stack_name": f"consigne-{name}", "region": "eu-west-3", "resolve_s3": True}
        section |= {"capabilities": "CAPABILITY_IAM CAPABILITY_AUTO_EXPAND", "parameter_overrides": overrides}
        document[name] = {"deploy": {"parameters": section}}
    path = Path(folder) / "samconfig.toml"
    path.write_text(tomlkit.dumps(document))
    return path


class Offline(unittest.TestCase):
    def problems(self, **changes: str | None) -> str:
        parameters = {name: value for name, value in (GOOD | changes).items() if value is not None}
        config = Config("consigne", "eu-west-3", parameters)
        return "\n".join(preflight.offline(config, templates.load(ROOT / "template.yaml")))

    def test_a_good_file_has_no_problems(self) -> None:
        self.assertEqual(self.problems(), "")

    def test_each_problem_names_the_parameter_and_the_cure(self) -> None:
        for name, value, words in (
            ("ClerkIssuer", None, "ClerkIssuer is missing: The `iss` of session tokens"),
            ("ClerkIssuer", "clerk.acme.dev", "ClerkIssuer must be a URL"),
            ("ClerkIssuer", "https://clerk.example.com", "ClerkIssuer is still a placeholder"),
            (
                "AuthorizedParties",
                "https://a.acme.dev,https://app.example.com",
                "AuthorizedParties is still a placeholder",
            ),
            ("Architecture", "arm", "Architecture must be one of arm64, x86_64"),
            ("DeliveryConcurrency", "1", "DeliveryConcurrency must be 2 to 1000"),
            ("DeliveryConcurrency", "many", "DeliveryConcurrency must be a number"),
            ("EdgeSecretHash", "secret", "EdgeSecretHash must be empty, or one or two SHA-256"),
            ("MailFrm", "x", "The template has no parameter MailFrm"),
        ):
            self.assertIn(words, self.problems(**{name: value}))

    def test_a_region_with_other_endpoints_is_refused(self) -> None:
        config = Config("consigne", "cn-north-1", GOOD)
        self.assertIn(
            "cn-north-1 is not served", "".join(preflight.offline(config, templates.load(ROOT / "template.yaml")))
        )

    def test_the_processor_is_that_of_the_chosen_environment(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            other = {name: value for name, value in GOOD.items() if name != "Architecture"}
            path = file_of(folder, default=GOOD, staging=other)
            built = [deploy.architecture(load(path, name)) for name in ("default", "staging")]
            self.assertEqual(built, ["x86_64", "arm64"])


class Account(unittest.TestCase):
    def problems(self, concurrent: int, **parameters: str) -> str:
        client = boto3.client("lambda", region_name="eu-west-3", aws_access_key_id="x", aws_secret_access_key="x")
        stub = Stubber(client)
        limit = {"ConcurrentExecutions": concurrent, "UnreservedConcurrentExecutions": concurrent}
        stub.add_response("get_account_settings", {"AccountLimit": limit})
        session = SimpleNamespace(client=lambda _: client)
        config = Config("consigne", "eu-west-3", GOOD | {"AccountConcurrency": str(concurrent)} | parameters)
        with stub:
            return "\n".join(preflight.quota(config, templates.load(ROOT / "template.yaml"), session))

    def test_a_new_account_is_told_to_ask_for_more(self) -> None:
        self.assertIn("may run 10 functions at once in eu-west-3, and queues alone could take 66", self.problems(10))
        self.assertEqual(self.problems(1000), "")
        low = dict.fromkeys(("DeliveryConcurrency", "UploadConcurrency", "TextConcurrency", "NightConcurrency"), "2")
        self.assertEqual(self.problems(50, **low), "")

    def test_the_alarm_is_measured_against_what_the_account_has(self) -> None:
        self.assertIn("Write AccountConcurrency=500", self.problems(500, AccountConcurrency="1000"))


class EndToEnd(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        python = ROOT / ".venv/bin/python"
        serve = [python, "-c", SERVE, self.folder.name]
        address = subprocess.run([*serve, "start"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        self.addCleanup(lambda: (subprocess.run([*serve, "stop"], cwd=ROOT, check=False), self.folder.cleanup()))
        settings = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        patched = mock.patch.dict(os.environ, settings | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-3"})
        patched.start()
        self.addCleanup(patched.stop)

    def test_the_pinned_sam_cli_deploys_the_stack_and_updates_it(self) -> None:
        session = boto3.Session(region_name="eu-west-3")
        quota = session.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
        parameters = GOOD | {"AccountConcurrency": str(quota)}
        path = file_of(self.folder.name, default=parameters)
        packages = Path(self.folder.name) / "packages"
        template = (ROOT / "template.yaml").read_text().replace("CodeUri: target/lambda/", f"CodeUri: {packages}/")
        for function in templates.functions(templates.load(ROOT / "template.yaml")).values():
            folder = packages / Path(function["Properties"]["CodeUri"]).name
            folder.mkdir(parents=True)
            (folder / "bootstrap").write_text("#!")
        source = Path(self.folder.name) / "template.yaml"
        source.write_text(template)
        config = load(path)
        self.assertEqual(list(preflight.offline(config, templates.load(source))), [])
        self.assertEqual(list(preflight.online(config, templates.load(source), session)), [])

        self.sam(source, path)
        outputs = self.outputs(session, config.stack_name)
        self.assertTrue({"ApiUrl", "TableName", "PeppersArn"} <= outputs.keys(), outputs)
        mail = session.client("lambda").get_function_configuration(FunctionName="consigne-default-send-mail")
        self.assertEqual(mail["Environment"]["Variables"]["MAIL_FROM"], "Acme & Co <no-reply@acme.dev>")

        watching = templates.load(ROOT / "infra/observe.yaml")
        emulator_workarounds.drop_metric_math(watching)
        for email in ("", "ops@acme.dev"):
            config.observe = {"AlarmEmail": email}
            alarms.deploy(session, config, json.dumps(watching))
        self.assertIn("AlarmTopicArn", self.outputs(session, f"{config.stack_name}-observe"))
        topics = session.client("sns").list_subscriptions()["Subscriptions"]
        self.assertEqual([one["Endpoint"] for one in topics], ["ops@acme.dev"])

        # What the file leaves out stays as it was, and is said.
        del parameters["MailFrom"]
        config = load(file_of(self.folder.name, default=parameters))
        notices = list(preflight.kept(config, templates.load(source), session))
        kept = "MailFrom keeps its value 'Acme & Co <no-reply@acme.dev>'."
        self.assertEqual(notices, [f"""{kept} To go back to the default write 'MailFrom=""'."""])
        path = file_of(self.folder.name, default=parameters | {"MailFrom": ""})
        self.sam(source, path)
        mail = session.client("lambda").get_function_configuration(FunctionName="consigne-default-send-mail")
        self.assertEqual(mail["Environment"]["Variables"]["MAIL_FROM"], "")

    def sam(self, template: Path, config: Path) -> None:
        """Runs `sam deploy` as `make deploy` does."""
        command = [deploy.SAM, "deploy", "--template-file", template, "--config-file", config, "--no-confirm-changeset"]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-3000:])

    def outputs(self, session: boto3.Session, stack: str) -> dict[str, str]:
        """Gives a stack's outputs."""
        [found] = session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


if __name__ == "__main__":
    unittest.main()
