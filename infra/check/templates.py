"""Expands the templates as CloudFormation does: SAM's transform and the language extensions are applied."""

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
from template import listed, switched_on

__all__ = ["listed", "switched_on"]

REGION = "eu-west-3"
Json = dict[str, Any]


class ManagedPolicies:
    """Replaces the list of AWS's managed policies, which SAM would request from IAM."""

    def load(self) -> dict[str, str]:
        names = ("AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess")
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


def core(**parameters: str) -> Json:
    """Returns template.yaml, expanded with the options that SAM itself reads switched on, unless `parameters` say
    otherwise."""
    return expand(templates.load(ROOT / "template.yaml"), {"GradualDeployment": "true"} | parameters)


def expand(template: Json, given: dict[str, str] | None = None) -> Json:
    """Expands a SAM template. Code folders are replaced with the address of a package in S3. `given` are parameters
    other than the defaults."""
    template = copy.deepcopy(template)
    for function in templates.functions(template).values():
        function["Properties"]["CodeUri"] = "s3://packages/package.zip"
    parameters = {
        name: body.get("Default", "https://app.acme.dev")
        for name, body in template["Parameters"].items()
        if body["Type"] == "String"
    }
    # SAM reads the region from the environment, although it does not call AWS here.
    os.environ["AWS_DEFAULT_REGION"] = REGION
    expanded = transform(template, parameters | (given or {}), ManagedPolicies())
    for name, group in of_type(expanded, "AWS::CodeDeploy::DeploymentGroup").items():
        # SAM hands what a function says to cfn-lint on to no other resource that it makes of the function.
        function = template["Resources"][name.removesuffix("DeploymentGroup")]
        group["Metadata"] = {"cfn-lint": function.get("Metadata", {}).get("cfn-lint", {})}
    return expanded


def observe() -> Json:
    """Returns infra/observe.yaml with every `Fn::ForEach` expanded.

    Raises SystemExit if cfn-lint cannot expand it.
    """
    path = ROOT / "infra/observe.yaml"
    loaded = Template(str(path), cfn_yaml.load(str(path)), [REGION])
    matches, expanded = language_extension(loaded)
    if matches:
        raise SystemExit(f"infra/observe.yaml cannot be expanded: {matches}")
    return expanded


def of_type(template: Json, kind: str) -> dict[str, Json]:
    """Returns the resources of a type, by logical id."""
    return {name: body for name, body in template["Resources"].items() if body["Type"] == kind}


def named(value: Any, stack: str = "S", **more: str) -> str:
    """Resolves a name given as text, `Ref` or `Fn::Sub`. `S` is the name of the stack, `more` are further values."""
    known = {"AWS::StackName": stack, "CoreStack": stack} | more
    if isinstance(value, dict):
        [(function, argument)] = value.items()
        if function == "Ref":
            return known.get(argument, argument)
        if function == "Fn::Sub" and isinstance(argument, str):
            return re.sub(r"\$\{([^}]+)\}", lambda match: known.get(match.group(1), match.group(0)), argument)
        return str(value)
    return str(value)


def function_of(template: Json, value: Any) -> str:
    """Returns the logical id of the function that a `Ref` names, itself or through its alias."""
    name = target(value)
    body = template["Resources"].get(name, {})
    return target(body["Properties"]["FunctionName"]) if body.get("Type") == "AWS::Lambda::Alias" else name


def target(value: Any) -> str:
    """Returns the logical id that a `Ref` or `Fn::GetAtt` names, and "" for any other value."""
    if not isinstance(value, dict) or len(value) != 1:
        return ""
    [(function, argument)] = value.items()
    if function == "Ref":
        return argument
    return argument[0] if function == "Fn::GetAtt" else ""
