"""The templates as CloudFormation would see them: SAM's transform and the language extensions carried out."""

import copy
import os
import re
import sys
from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml
from cfnlint.template import Template
from cfnlint.template.transforms._language_extensions import language_extension
from samtranslator.translator.transform import transform

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "infra/local"))

import template as templates

REGION = "eu-west-3"
Json = dict[str, Any]


class ManagedPolicies:
    """Stands in for the list of AWS's managed policies, which SAM would ask IAM for."""

    def load(self) -> dict[str, str]:
        names = ("AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess")
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


def core() -> Json:
    """Gives template.yaml, expanded."""
    return expand(templates.load(ROOT / "template.yaml"))


def expand(template: Json) -> Json:
    """Expands a SAM template, with packages in place of folders."""
    template = copy.deepcopy(template)
    for function in templates.functions(template).values():
        function["Properties"]["CodeUri"] = "s3://packages/package.zip"
    parameters = {
        name: body.get("Default", "https://app.acme.dev")
        for name, body in template["Parameters"].items()
        if body["Type"] == "String"
    }
    # SAM asks the environment for the region, as if it were about to call AWS.
    os.environ["AWS_DEFAULT_REGION"] = REGION
    return transform(template, parameters, ManagedPolicies())


def observe() -> Json:
    """Gives infra/observe.yaml, its `Fn::ForEach` written out."""
    path = ROOT / "infra/observe.yaml"
    loaded = Template(str(path), cfn_yaml.load(str(path)), [REGION])
    matches, expanded = language_extension(loaded)
    if matches:
        raise SystemExit(f"infra/observe.yaml cannot be expanded: {matches}")
    return expanded


def of_type(template: Json, kind: str) -> dict[str, Json]:
    """Gives the resources of a type by logical id."""
    return {name: body for name, body in template["Resources"].items() if body["Type"] == kind}


def named(value: Any, stack: str = "S", **more: str) -> str:
    """Reads a name that is a text, a `Ref` or a `Fn::Sub`, with `S` as the stack's name."""
    known = {"AWS::StackName": stack, "CoreStack": stack} | more
    if isinstance(value, dict):
        [(function, argument)] = value.items()
        if function == "Ref":
            return known.get(argument, argument)
        if function == "Fn::Sub" and isinstance(argument, str):
            return re.sub(r"\$\{([^}]+)\}", lambda match: known.get(match.group(1), match.group(0)), argument)
        return str(value)
    return str(value)


def listed(value: Any) -> list[Any]:
    """Reads what may stand alone or in a list."""
    return value if isinstance(value, list) else [value]


def target(value: Any) -> str:
    """Gives the logical id that a `Ref` or `Fn::GetAtt` names; empty for anything else."""
    if not isinstance(value, dict) or len(value) != 1:
        return ""
    [(function, argument)] = value.items()
    if function == "Ref":
        return argument
    return argument[0] if function == "Fn::GetAtt" else ""
