"""`make deploy` from end to end: the pinned SAM CLI against the laptop's AWS, with packages of two bytes.

Needs `.venv/local` as well as the deployment tools, because the laptop's server runs in it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import boto3
import tomlkit
from botocore.stub import Stubber

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "infra/deploy"), str(ROOT / "infra/local")]

import deploy
import emulator_workarounds
import preflight
import template as templates
from samconfig import Config, load
from stacks import Stack

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
    """Writes a samconfig.toml with one environment for each dictionary of parameters. Returns its path."""
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

    def test_each_problem_names_the_parameter_and_the_remedy(self) -> None:
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

    def test_an_api_that_nobody_could_reach_is_refused(self) -> None:
        words = "DefaultEndpoint=off closes the API's address"
        self.assertIn(words, self.problems(DefaultEndpoint="off"))
        own = "https://a1b2c3.execute-api.eu-west-3.amazonaws.com"
        self.assertIn(words, self.problems(DefaultEndpoint="off", PublicUrl=own))
        self.assertEqual(self.problems(DefaultEndpoint="off", PublicUrl="https://api.acme.dev"), "")
        self.assertEqual(self.problems(DefaultEndpoint="on"), "")
        edge = {"ApiDomain": "api.acme.dev"}
        config = Config("consigne", "eu-west-3", GOOD | {"DefaultEndpoint": "off"}, edge=edge)
        self.assertEqual(list(preflight.offline(config, templates.load(ROOT / "template.yaml"))), [])

    def test_the_api_stays_open_until_the_cdn_leads_to_it(self) -> None:
        off = {"DefaultEndpoint": "off", "KeyPrefix": "sk"}
        for parameters, deployed, wanted in (
            (off, {}, "on"),
            (off, {"PublicUrl": ""}, "on"),
            (off, {"PublicUrl": "https://api.acme.dev"}, "off"),
            (off | {"PublicUrl": "https://api.acme.dev"}, {}, "off"),
            (off | {"PublicUrl": ""}, {"PublicUrl": "https://api.acme.dev"}, "on"),
        ):
            with mock.patch("builtins.print"):
                self.assertEqual(deploy.reachable(parameters, deployed)["DefaultEndpoint"], wanted)
        self.assertEqual(deploy.reachable({"KeyPrefix": "sk"}, {}), {"KeyPrefix": "sk"})

    def test_the_digest_of_settings_is_not_for_the_file(self) -> None:
        self.assertIn("SettingsDigest is set by `make deploy`", self.problems(SettingsDigest="abcdef"))

    def test_a_region_with_other_endpoints_is_refused(self) -> None:
        template = templates.load(ROOT / "template.yaml")
        for region in ("cn-north-1", "us-iso-east-1", "eusc-de-east-1"):
            found = "".join(preflight.offline(Config("consigne", region, GOOD), template))
            self.assertIn(f"{region} is not supported", found)

    def test_a_name_that_is_too_long_for_functions_is_refused(self) -> None:
        template = templates.load(ROOT / "template.yaml")
        longest, longer = Config("c" * 39, "eu-west-3", GOOD), Config("c" * 40, "eu-west-3", GOOD)
        self.assertEqual(list(preflight.offline(longest, template)), [])
        self.assertIn("has 40 characters. It may have 39", "".join(preflight.offline(longer, template)))

    def test_arch_prints_the_processor_of_the_chosen_environment(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            other = {name: value for name, value in GOOD.items() if name != "Architecture"}
            path = file_of(folder, default=GOOD, staging=other)
            built = [deploy.architecture(load(path, name)) for name in ("default", "staging")]
            self.assertEqual(built, ["x86_64", "arm64"])

    def test_a_missing_standard_library_is_named_with_the_cure(self) -> None:
        with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, PATH=folder):
            self.assertIn("rustc is missing.", deploy.missing_target("arm64"))
            rustc, library = Path(folder) / "rustc", Path(folder) / "lib"
            rustc.write_text(f'#!/bin/sh\n[ "$4" = aarch64-unknown-linux-gnu ] && echo {library}\n')
            rustc.chmod(0o755)
            cure = "rustup target add aarch64-unknown-linux-gnu"
            self.assertIn(cure, deploy.missing_target("arm64"))
            library.mkdir()
            (library / "libstd-0123456789abcdef.rlib").touch()
            self.assertIsNone(deploy.missing_target("arm64"))
            self.assertIn("rustup target add x86_64-unknown-linux-gnu", deploy.missing_target("x86_64"))


class Account(unittest.TestCase):
    def problems(self, concurrent: int, deployed: dict[str, str] | None = None, **parameters: str) -> str:
        client = boto3.client("lambda", region_name="eu-west-3", aws_access_key_id="x", aws_secret_access_key="x")
        stub = Stubber(client)
        limit = {"ConcurrentExecutions": concurrent, "UnreservedConcurrentExecutions": concurrent}
        stub.add_response("get_account_settings", {"AccountLimit": limit})
        session = SimpleNamespace(client=lambda _: client)
        config = Config("consigne", "eu-west-3", GOOD | parameters)
        with stub:
            template = templates.load(ROOT / "template.yaml")
            return "\n".join(preflight.quota(config, template, deployed or {}, session))

    def test_an_account_with_too_little_concurrency_is_found(self) -> None:
        self.assertIn("may run 10 functions at once in eu-west-3, and queues alone could use 75", self.problems(10))
        self.assertEqual(self.problems(1000), "")
        self.assertIn("could use 80", self.problems(10, MalwareScan="on"))
        self.assertIn("could use 80", self.problems(10, {"MalwareScan": "on"}), "the line was deleted in the file")
        names = ("Delivery", "Upload", "Image", "Text", "Night")
        low = {f"{name}Concurrency": "2" for name in names}
        self.assertEqual(self.problems(50, **low), "")


class EndToEnd(unittest.TestCase):
    """`deploy.py` against the laptop's AWS, with the pinned SAM CLI, the real templates and packages of two bytes."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.folder = Path(folder.name)
        python = ROOT / ".venv/bin/python"
        serve = [python, "-c", SERVE, self.folder]
        address = subprocess.run([*serve, "start"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
        self.addCleanup(lambda: (subprocess.run([*serve, "stop"], cwd=ROOT, check=False), folder.cleanup()))
        settings = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        patched = mock.patch.dict(os.environ, settings | {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-3"})
        patched.start()
        self.addCleanup(patched.stop)
        self.session = boto3.Session(region_name="eu-west-3")
        self.copy_templates()

    def copy_templates(self) -> None:
        """Writes the templates with packages that exist, and without the alarms that the laptop's CloudWatch lacks."""
        packages = self.folder / "packages"
        template = ROOT / "template.yaml"
        for function in templates.functions(templates.load(template)).values():
            folder = packages / Path(function["Properties"]["CodeUri"]).name
            folder.mkdir(parents=True)
            (folder / "bootstrap").write_text("#!")
        moved = template.read_text().replace("CodeUri: target/lambda/", f"CodeUri: {packages}/")
        (self.folder / "template.yaml").write_text(moved)
        watching = templates.load(ROOT / "infra/observe.yaml")
        emulator_workarounds.drop_unsupported(watching)
        (self.folder / "infra").mkdir()
        (self.folder / "infra/observe.yaml").write_text(json.dumps(watching))

    def deploy(self, *arguments: str, answer: str = "", **parameters: str) -> tuple[int, str]:
        """Runs `deploy.py` with these parameters in samconfig.toml. Returns its exit code and what it printed."""
        path = file_of(str(self.folder), default=GOOD | parameters)
        command = [sys.executable, ROOT / "infra/deploy/deploy.py", "--file", path, "--root", self.folder, *arguments]
        done = subprocess.run(command, input=answer, check=False, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def deployed(self, *arguments: str, **parameters: str) -> str:
        """Runs `deploy.py` and expects it to succeed. Returns what it printed."""
        code, printed = self.deploy(*arguments, **parameters)
        self.assertEqual(code, 0, printed[-4000:])
        return printed

    def finished(self, name: str) -> Stack:
        """Waits up to 10 s until CloudFormation has finished with a stack. Returns the stack."""
        stack = Stack(self.session, name)
        for _ in range(100):
            if not stack.described()["StackStatus"].endswith("IN_PROGRESS"):
                return stack
            time.sleep(0.1)
        raise AssertionError(f"{name} is still in progress")

    def mail_from(self) -> str:
        """Returns the sender of mails with which send-mail is configured."""
        found = self.session.client("lambda").get_function_configuration(FunctionName="consigne-default-send-mail")
        return found["Environment"]["Variables"]["MAIL_FROM"]

    def live(self) -> tuple[str, str]:
        """Returns the version of key-verify that callers get, and the prefix of keys with which it is configured."""
        which = {"FunctionName": "consigne-default-key-verify", "Qualifier": "live"}
        found = self.session.client("lambda").get_function_configuration(**which)
        return found["Version"], found["Environment"]["Variables"]["KEY_PREFIX"]

    def test_make_deploy_creates_the_stack_and_the_alarms_and_updates_them(self) -> None:
        up = ("up", "--", "--no-confirm-changeset")
        core = Stack(self.session, "consigne-default")
        observe = Stack(self.session, "consigne-default-observe")
        printed = self.deployed("check", "--force")
        self.assertIn("Deploying the stack consigne-default to eu-west-3, account 000000000000", printed)

        printed = self.deployed(*up)
        self.assertIn("Protecting the table against deletion", printed)
        self.assertIn(f"curl {core.outputs()['ApiUrl']}/api/health", printed)
        table = self.session.client("dynamodb").describe_table(TableName=core.outputs()["TableName"])["Table"]
        self.assertTrue(table["DeletionProtectionEnabled"])
        self.assertEqual(self.mail_from(), "Acme & Co <no-reply@acme.dev>")
        quota = self.session.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
        self.assertEqual(observe.parameters()["AccountConcurrency"], str(quota))
        alarms = self.session.client("cloudwatch").describe_alarms(AlarmNamePrefix="consigne-default ")["MetricAlarms"]
        self.assertGreater(len(alarms), 30)

        # A parameter that is missing in the file keeps its value, with a notice.
        with mock.patch.dict(GOOD):
            del GOOD["MailFrom"]
            printed = self.deployed("check", "--force")
            kept = "MailFrom keeps its value 'Acme & Co <no-reply@acme.dev>'."
            self.assertIn(f"""{kept} To go back to the default write 'MailFrom=""'.""", printed)
        printed = self.deployed(*up, MailFrom="")
        self.assertNotIn("Protecting the table", printed)
        self.assertEqual(self.mail_from(), "")

        # A setting of a function behind an alias reaches its callers, although neither template nor code has changed.
        # Others publish no version.
        self.assertEqual(self.live(), ("1", "sk"))
        printed = self.deployed(*up, MailFrom="", KeyPrefix="acme")
        self.assertEqual(self.live(), ("2", "acme"))

        # If the changes are not confirmed, nothing changes and the deployment fails.
        code, printed = self.deploy("up", "--", "--confirm-changeset", answer="n\n", MailFrom="a@acme.dev")
        self.assertEqual((code, self.mail_from()), (1, ""), printed[-2000:])
        self.assertIn("The changes of consigne-default were not executed", printed)

    def test_a_stuck_stack_is_reported_with_the_remedy(self) -> None:
        formation = self.session.client("cloudformation")
        # A function that cannot be created, and a protected table, which cannot be deleted in the rollback.
        table = {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "TableName": "protected",
                "DeletionProtectionEnabled": True,
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
            },
        }
        broken = {
            "Type": "AWS::Lambda::Function",
            "DependsOn": "Table",
            "Properties": {
                "FunctionName": "broken",
                "Role": "arn:aws:iam::000000000000:role/none",
                "Runtime": "python3.11",
                "Handler": "code.handle",
                "Code": {"ZipFile": ""},
                "Environment": {"Variables": {"X": "x" * 5000}},
            },
        }
        body = json.dumps({"Resources": {"Table": table, "Function": broken}})
        formation.create_stack(StackName="consigne-default", TemplateBody=body)
        self.finished("consigne-default")
        code, printed = self.deploy("check", "--force")
        self.assertEqual(code, 1)
        self.assertIn("The stack consigne-default is in the state ROLLBACK_FAILED. Its events name", printed)

        # A creation that was rolled back leaves only the stack's name. `clear` deletes it.
        unprotected = json.loads(body)
        unprotected["Resources"]["Table"]["Properties"] |= {"DeletionProtectionEnabled": False, "TableName": "gone"}
        formation.create_stack(StackName="consigne-other", TemplateBody=json.dumps(unprotected))
        stack = self.finished("consigne-other")
        self.assertEqual(stack.described()["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIsNone(stack.obstacle())
        stack.clear()
        self.assertIsNone(stack.described())


if __name__ == "__main__":
    unittest.main()
