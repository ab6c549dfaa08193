"""The deployment of the CDN: which keys it gets, in which order, and how the console is uploaded."""

import base64
import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "infra/deploy"), str(ROOT / "infra/local")]

import edge_stack

from samconfig import Config, load

PARAMETERS = {"ClerkIssuer": "https://clerk.acme.dev", "AuthorizedParties": "https://app.acme.dev"}
OUTPUTS = {"CdnDomain": "d1.cloudfront.net", "KeysArn": "keys", "DistributionId": "E1", "OriginSecretArn": "origin"}


def config(edge: dict[str, str] | None = None, **more: str) -> Config:
    """Returns a configuration of both stacks."""
    return Config("consigne", "eu-west-3", PARAMETERS | more, edge=edge or {})


class Secrets:
    """Secrets Manager, with the values by ARN. The parameters have the names of boto3."""

    def __init__(self, **values: str):
        self.values = values

    def get_secret_value(self, **asked: str) -> dict[str, str]:
        """Returns a value."""
        return {"SecretString": self.values[asked["SecretId"]], "VersionId": "0a1b2c3d-0000"}

    def put_secret_value(self, **asked: str) -> None:
        """Replaces a value."""
        self.values[asked["SecretId"]] = asked["SecretString"]


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.one, cls.other = edge_stack.new_key(), edge_stack.new_key()
        cls.public_one, cls.public_other = edge_stack.public_of(cls.one), edge_stack.public_of(cls.other)

    def test_the_first_deployment_makes_a_key_in_a_slot_that_is_free(self) -> None:
        keys = edge_stack.with_a_key({}, {})
        self.assertEqual((keys["current"], sorted(keys)), ("a", ["a", "current"]))
        # The stack was created, and the command killed before the secret was written: that key is lost.
        keys = edge_stack.with_a_key({}, {"PublicKeyA": self.public_one})
        self.assertEqual(keys["current"], "b")
        self.assertIs(edge_stack.with_a_key(keys, {}), keys)

    def test_a_new_key_joins_the_group_and_a_retired_one_leaves_it(self) -> None:
        one, other = self.public_one, self.public_other
        both = {"current": "a", "a": {"private": self.one}, "b": {"private": self.other}}
        deployed = {"PublicKeyA": one, "PublicKeyB": ""}
        self.assertEqual(list(edge_stack.steps(both, deployed)), [{"PublicKeyA": one, "PublicKeyB": other}])
        left = {"current": "b", "b": {"private": self.other}}
        deployed = {"PublicKeyA": one, "PublicKeyB": other}
        self.assertEqual(list(edge_stack.steps(left, deployed)), [{"PublicKeyA": "", "PublicKeyB": other}])

    def test_a_slot_that_gets_another_key_is_emptied_first(self) -> None:
        one, other = self.public_one, self.public_other
        keys = {"current": "a", "a": {"private": self.one}, "b": {"private": self.other}}
        deployed = {"PublicKeyA": one, "PublicKeyB": edge_stack.public_of(edge_stack.new_key())}
        first, second = edge_stack.steps(keys, deployed)
        self.assertEqual(first, {"PublicKeyA": one, "PublicKeyB": ""})
        self.assertEqual(second, {"PublicKeyA": one, "PublicKeyB": other})
        # With no other key nothing would be readable meanwhile.
        with self.assertRaises(SystemExit):
            list(edge_stack.steps({"current": "b", "b": {"private": self.other}}, deployed))

    def test_the_secret_gets_the_ids_once(self) -> None:
        keys, secrets = {"current": "a", "a": {"private": self.one}}, Secrets(arn="{}")
        for _ in range(2):
            edge_stack.write_keys(keys, {"KeysArn": "arn", "KeyIdA": "K1"}, secrets)
        self.assertEqual(json.loads(secrets.values["arn"])["a"], {"private": self.one, "id": "K1"})


class Origin(unittest.TestCase):
    def test_the_core_knows_both_secrets_until_the_cdn_sends_the_new_one(self) -> None:
        old, new = edge_stack.hash_of("old"), edge_stack.hash_of("new")
        origin = edge_stack.read_origin(mock.Mock(outputs=lambda: {"OriginSecretArn": "arn"}), Secrets(arn="new"))
        self.assertEqual(origin["VersionId"][:8], "0a1b2c3d")
        self.assertEqual(edge_stack.both_hashes(old, origin), f"{old},{new}")
        for known in (new, f"{old},{new}", ""):
            self.assertIsNone(edge_stack.both_hashes(known, origin), known)
        self.assertEqual(edge_stack.read_origin(mock.Mock(outputs=dict), Secrets()), {})
        self.assertIsNone(edge_stack.both_hashes(old, {}))

    def test_a_new_secret_reaches_the_cdn(self) -> None:
        # CloudFormation reads a secret again only when another property of the same resource changes.
        edge = edge_stack.templates.load(ROOT / "infra/edge.yaml")
        distribution = edge["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
        self.assertIn("${OriginSecretVersion}", distribution["Comment"]["Fn::Sub"])


class Core(unittest.TestCase):
    def test_the_core_gets_domain_keys_distribution_and_the_hash_of_the_secret(self) -> None:
        wanted = edge_stack.core_parameters(config(), OUTPUTS, Secrets(origin="secret"))
        self.assertEqual(wanted["CdnDomain"], "d1.cloudfront.net")
        self.assertEqual(wanted["EdgeSecretHash"][:8], "2bb80d53")
        self.assertEqual(wanted["PublicUrl"], "https://d1.cloudfront.net")
        own = edge_stack.core_parameters(config(PublicUrl="https://api.acme.dev"), OUTPUTS, Secrets(origin="s"))
        self.assertNotIn("PublicUrl", own)
        known = edge_stack.templates.load(ROOT / "template.yaml")["Parameters"]
        values = wanted | {"CdnKeysArn": "arn:aws:secretsmanager:eu-west-3:123456789012:secret:k"}
        for name, value in values.items():
            self.assertIsNone(edge_stack.preflight.broken(value, known[name]), name)

    def test_what_is_wrong_is_said_before_anything_is_built(self) -> None:
        wrong = config({"Domain": "app.acme.dev", "PublicKeyA": "x", "OriginSecretVersion": "x"}, DefaultEndpoint="off")
        found = "\n".join(edge_stack.problems(wrong))
        for words in (
            "no parameter PublicKeyA",
            "no parameter OriginSecretVersion",
            "Domain and CertificateArn belong together",
            "needs ApiDomain",
        ):
            self.assertIn(words, found)
        certificate = "arn:aws:acm:eu-west-3:123456789012:certificate/1"
        wrong = config({"Domain": "app.acme.dev", "CertificateArn": certificate})
        self.assertIn("us-east-1", "\n".join(edge_stack.problems(wrong)))
        self.assertEqual(list(edge_stack.problems(load(ROOT / "infra/samconfig.toml"))), [])


class Console(unittest.TestCase):
    def test_assets_are_kept_for_ever_and_the_page_is_asked_for_and_comes_last(self) -> None:
        s3, asked = mock.Mock(), edge_stack.console_config(config(), "d1.cloudfront.net")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "assets").mkdir()
            for name in ("index.html", "robots.txt", "assets/main-1a2b.js"):
                (Path(folder) / name).write_text(name)
            count = edge_stack.upload(s3, "bucket", Path(folder), asked)
        put = {call.kwargs["Key"]: call.kwargs for call in s3.put_object.call_args_list}
        self.assertEqual((count, list(put)[-1]), (4, "index.html"))
        self.assertEqual(put["assets/main-1a2b.js"]["CacheControl"], "public, max-age=31536000, immutable")
        for name in ("index.html", "config.json", "robots.txt"):
            self.assertEqual(put[name]["CacheControl"], "no-cache", name)
        written = json.loads(put["config.json"]["Body"])
        self.assertEqual(written["apiUrl"], "https://d1.cloudfront.net")
        key = written["clerkPublishableKey"].removeprefix("pk_live_")
        self.assertEqual(base64.b64decode(key + "=" * (-len(key) % 4)), b"clerk.acme.dev$")


if __name__ == "__main__":
    unittest.main()
