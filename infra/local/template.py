"""Reads template.yaml. CloudFormation's short tags, such as `!Ref`, are replaced with their long forms."""

import json
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
