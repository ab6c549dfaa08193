"""Reads infra/samconfig.toml as SAM does, and refuses values that SAM would refuse or truncate.

SAM splits each override at spaces and quotes, so `MailFrom=Consigne <a@b.example>` silently becomes `Consigne`, and
`Upstreams=` is an error. An empty value, and one with spaces or quotes, must therefore be in double quotes inside
TOML's single quotes: `'MailFrom="Consigne <a@b.example>"'`, `'Upstreams=""'`.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import tomlkit
from tomlkit.exceptions import TOMLKitError

# A value that SAM reads whole without quotes: no space, no quote, no comma at the end.
PLAIN = re.compile(r'[^\s"\'\\]*[^\s"\'\\,]')
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


class ConfigError(Exception):
    """What is wrong with the file, and the remedy."""


@dataclass
class Config:
    """One environment of samconfig.toml."""

    stack_name: str
    region: str
    parameters: dict[str, str]
    observe: dict[str, str] = field(default_factory=dict)
    edge: dict[str, str] = field(default_factory=dict)
    profile: str | None = None

    def session(self) -> boto3.Session:
        """Creates a session with the credentials that SAM will use."""
        return boto3.Session(profile_name=self.profile, region_name=self.region)


def load(path: Path, environment: str = "default") -> Config:
    """Reads one environment of the file.

    Raises ConfigError with all problems.
    """
    try:
        document = tomlkit.parse(path.read_text()).unwrap()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except TOMLKitError as error:
        raise ConfigError(f"{path} is not TOML: {error}.") from error
    section = document.get(environment, {}).get("deploy", {}).get("parameters")
    if section is None:
        known = ", ".join(name for name, value in document.items() if isinstance(value, dict))
        raise ConfigError(f"{path} has no [{environment}.deploy.parameters]. It has: {known}. ENV= chooses one.")
    problems = [f"{name} is missing." for name in ("stack_name", "region") if not section.get(name)]
    parameters = read_overrides(section.get("parameter_overrides", []), problems)
    others = [document[environment].get(name, {}).get("parameters", {}) for name in ("observe", "edge")]
    watched, edge = (read_overrides(other.get("parameter_overrides", []), problems) for other in others)
    if problems:
        raise ConfigError("\n".join(f"{path} [{environment}]: {problem}" for problem in problems))
    return Config(section["stack_name"], section["region"], parameters, watched, edge, section.get("profile"))


def quoted(name: str, value: str) -> str:
    """Returns an override in quotes, so that SAM reads the value whole."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}="{escaped}"'


def read_overrides(overrides: Any, problems: list[str]) -> dict[str, str]:
    """Parses overrides. Appends a sentence to `problems` for each one that SAM would misread."""
    # `sam deploy --guided` writes all overrides into one string.
    items = re.findall(r'[A-Za-z0-9]+="(?:[^"\\]|\\.)*"|\S+', overrides) if isinstance(overrides, str) else overrides
    parameters: dict[str, str] = {}
    for item in items:
        name, equals, value = item.partition("=")
        quoted = QUOTED.fullmatch(value)
        if not equals or not re.fullmatch(r"[A-Za-z0-9]+", name):
            problems.append(f"{item!r} is not Name=value.")
        elif value == "":
            problems.append(f"SAM refuses {name}= without a value. Write '{name}=\"\"' to clear it.")
        elif quoted is None and not PLAIN.fullmatch(value):
            problems.append(f"SAM would truncate the value of {name}. Write it in double quotes: '{name}=\"...\"'.")
        elif name in parameters:
            problems.append(f"{name} is given twice.")
        else:
            parameters[name] = value if quoted is None else re.sub(r"\\(.)", unescape, quoted.group(1))
    return parameters


def unescape(match: re.Match[str]) -> str:
    """Removes the backslash before a quote or backslash, as SAM does. Other escapes, such as `\\n`, stay."""
    return match.group(1) if match.group(1) in '"\\' else match.group(0)
