"""samconfig.py reads what SAM reads, and refuses what SAM refuses or truncates. Needs the pinned SAM CLI."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tomlkit
from samcli.cli.types import CfnParameterOverridesType

from samconfig import ConfigError, load, read_overrides

ROOT = Path(__file__).resolve().parents[3]


def sam(item: str) -> dict[str, str] | None:
    """Returns the value that SAM reads from an override. `None` if SAM refuses it."""
    try:
        return CfnParameterOverridesType().convert((item,), None, None)
    except Exception:
        return None


def ours(item: str) -> dict[str, str] | None:
    """Returns the value that we read from an override. `None` if we refuse it."""
    problems: list[str] = []
    read = read_overrides([item], problems)
    return None if problems else read


class Samconfig(unittest.TestCase):
    def test_sam_reads_the_same_value_from_what_we_accept(self) -> None:
        for item, value in {
            'Upstreams=""': "",
            "ClerkIssuer=https://clerk.acme.dev": "https://clerk.acme.dev",
            "AuthorizedParties=https://a.acme.dev,https://b.acme.dev": "https://a.acme.dev,https://b.acme.dev",
            'MailFrom="Consigne <no-reply@acme.dev>"': "Consigne <no-reply@acme.dev>",
            r'Upstreams="{\"pdf\": \"https://pdf.acme.dev\"}"': '{"pdf": "https://pdf.acme.dev"}',
            r'ClerkJwtKey="-----BEGIN PUBLIC KEY-----\nMIIB+/=\n-----END PUBLIC KEY-----"': (
                r"-----BEGIN PUBLIC KEY-----\nMIIB+/=\n-----END PUBLIC KEY-----"
            ),
            "Architecture=arm64": "arm64",
        }.items():
            [(name, taken)] = (ours(item) or {"": ""}).items()
            self.assertEqual((taken, sam(item)), (value, {name: value}), item)

    def test_we_refuse_what_sam_refuses_or_truncates(self) -> None:
        for item, cut in {
            "Upstreams=": None,
            "MailFrom=Consigne <no-reply@acme.dev>": "Consigne",
            "ClerkJwtKey=-----BEGIN PUBLIC KEY-----": "-----BEGIN",
            'Upstreams={"pdf": "https://pdf.acme.dev"}': "{",
            "AuthorizedParties=https://a.acme.dev, https://b.acme.dev": "https://a.acme.dev,",
        }.items():
            name = item.partition("=")[0]
            self.assertEqual(sam(item), None if cut is None else {name: cut}, item)
            self.assertIsNone(ours(item), item)

    def test_we_read_the_committed_file_as_sam_does(self) -> None:
        config = load(ROOT / "infra/samconfig.toml")
        document = tomlkit.parse((ROOT / "infra/samconfig.toml").read_text())["default"]
        for command, parameters in (("deploy", config.parameters), ("observe", config.observe)):
            overrides = document[command]["parameters"]["parameter_overrides"]
            self.assertEqual(CfnParameterOverridesType().convert(tuple(overrides), None, None), parameters)

    def test_overrides_in_one_string_are_read(self) -> None:
        problems: list[str] = []
        text = 'Architecture="x86_64" MailFrom="Consigne <a@acme.dev>" ClerkJwksUrl="" Region=x'
        wanted = {"Architecture": "x86_64", "MailFrom": "Consigne <a@acme.dev>", "ClerkJwksUrl": "", "Region": "x"}
        self.assertEqual((read_overrides(text, problems), problems), (wanted, []))
        self.assertEqual(CfnParameterOverridesType().convert((text,), None, None), wanted)

    def test_a_missing_environment_is_named(self) -> None:
        with self.assertRaisesRegex(ConfigError, r"no \[staging.deploy.parameters\]. It has: default"):
            load(ROOT / "infra/samconfig.toml", "staging")


if __name__ == "__main__":
    unittest.main()
