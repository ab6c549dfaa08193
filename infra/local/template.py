"""Reads template.yaml. CloudFormation's short tags, such as `!Ref`, are replaced with their long forms."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    pass


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


def load(path: Path) -> dict[str, Any]:
    """Returns the template as plain dictionaries, lists and strings."""
    return yaml.load(path.read_text(), _Loader)


def functions(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the functions, by logical id."""
    resources = template["Resources"].items()
    return {name: body for name, body in resources if body["Type"] == "AWS::Serverless::Function"}


def versioned(template: dict[str, Any]) -> dict[str, str]:
    """Returns the functions that are called through an alias, as published versions: the alias by logical id."""
    found = functions(template).items()
    return {
        name: body["Properties"]["AutoPublishAlias"] for name, body in found if "AutoPublishAlias" in body["Properties"]
    }


def called(function: dict[str, Any], stack: str) -> str:
    """Returns the name of a function in a stack."""
    return function["Properties"]["FunctionName"]["Fn::Sub"].replace("${AWS::StackName}", stack)


def settings_digest(template: dict[str, Any], values: dict[str, str]) -> str:
    """Returns the parameter `SettingsDigest`: it changes whenever a versioned function does in the template, or a
    parameter that it reads.

    `values` override the template's defaults. SAM publishes a version when the template changes, and does not look at
    the values of parameters: without these callers would go on with the old value. Where only the template's words
    change, Lambda would refuse to publish a version that is like the last.
    """
    bodies = [template.get("Globals", {}), *(template["Resources"][name] for name in versioned(template))]
    read = {name for body in bodies for name in refers_to(body)} & template["Parameters"].keys()
    # Neither is anything that a function reads.
    read -= {"SettingsDigest", "GradualDeployment"}
    given = {name: str(values.get(name, template["Parameters"][name].get("Default", ""))) for name in read}
    return hashlib.sha256(json.dumps([given, bodies], sort_keys=True, default=str).encode()).hexdigest()[:16]


def refers_to(value: Any) -> set[str]:
    """Returns what a part of a template refers to by `Ref` or `Fn::Sub`, with conditions left out."""
    if isinstance(value, list):
        return {name for one in value for name in refers_to(one)}
    if not isinstance(value, dict):
        return set()
    found = {value["Ref"]} if "Ref" in value else set()
    text = value.get("Fn::Sub", "")
    found |= set(re.findall(r"\$\{(\w+)\}", text[0] if isinstance(text, list) else text))
    return found | {name for one in value.values() for name in refers_to(one)}


def listed(value: Any) -> list[Any]:
    """Returns a list, or any other value as a list of one. An `Fn::If` counts as what its condition switches on."""
    return [switched_on(one) for one in (value if isinstance(value, list) else [value])]


def switched_on(value: Any) -> Any:
    """Returns what an `Fn::If` sets if its condition holds, and any other value as it is."""
    return value["Fn::If"][1] if isinstance(value, dict) and "Fn::If" in value else value


def log_group(template: dict[str, Any], stack: str, function: str) -> str:
    """Returns the name of a function's log group, which related functions share."""
    bodies = functions(template).values()
    [properties] = [one["Properties"] for one in bodies if Path(one["Properties"]["CodeUri"]).name == function]
    group = template["Resources"][properties["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]["LogGroupName"]
    return group["Fn::Sub"].replace("${AWS::StackName}", stack)


def as_text(template: dict[str, Any]) -> str:
    """Returns the template as JSON, which CloudFormation accepts."""
    return json.dumps(template, sort_keys=True)
