"""Resolves CloudFormation's intrinsic functions with the values of a deployed stack."""

import re
from typing import Any

from server import REGION


class Resolver:
    """Resolves the intrinsic functions that template.yaml uses in routes, CORS, lifecycle rules and replications."""

    def __init__(self, values: dict[str, str], conditions: dict[str, Any], roles: frozenset[str] = frozenset()):
        """`roles` are the logical ids of IAM roles."""
        self.values = values
        self.roles = roles
        self.conditions = conditions

    @classmethod
    def of_stack(cls, cloudformation: Any, name: str, conditions: dict[str, Any]) -> "Resolver":
        """Creates a resolver with the resources, parameters and pseudo parameters of a stack."""
        resources = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        physical = {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in resources}
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        parameters = {item["ParameterKey"]: item["ParameterValue"] for item in stack.get("Parameters", [])}
        pseudo = {
            "AWS::Region": REGION,
            "AWS::AccountId": stack["StackId"].split(":")[4],
            "AWS::Partition": "aws",
            "AWS::StackName": name,
        }
        roles = {one["LogicalResourceId"] for one in resources if one["ResourceType"] == "AWS::IAM::Role"}
        return cls(pseudo | parameters | physical, conditions, frozenset(roles))

    def resolve(self, value: Any) -> Any:
        """Returns a value with all intrinsic functions in it resolved."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return None if argument == "AWS::NoValue" else self.values[argument]
            if name == "Fn::GetAtt" and argument[1] == "Arn":
                physical = self.values[argument[0]]
                if physical.startswith("arn:"):
                    return physical
                if argument[0] in self.roles:
                    return f"arn:aws:iam::{self.values['AWS::AccountId']}:role/{physical}"
                return f"arn:aws:lambda:{REGION}:{self.values['AWS::AccountId']}:function:{physical}"
            if name == "Fn::Sub":
                return self._substitute(argument)
            if name == "Fn::If":
                return self.resolve(argument[1] if self._holds(self.conditions[argument[0]]) else argument[2])
            if name == "Fn::Join":
                parts = self.resolve(argument[1])
                return argument[0].join(parts.split(",") if isinstance(parts, str) else parts)
        return {name: self.resolve(item) for name, item in value.items()}

    def _holds(self, condition: dict[str, Any]) -> bool:
        [(name, argument)] = condition.items()
        if name == "Fn::Not":
            return not self._holds(argument[0])
        if name == "Fn::Equals":
            left, right = (self.resolve(side) for side in argument)
            return left == right
        raise SystemExit(f"infra/local/intrinsics.py does not support the condition function {name}.")

    def _substitute(self, argument: Any) -> str:
        text, names = (argument, {}) if isinstance(argument, str) else argument

        def one(match: re.Match[str]) -> str:
            name = match.group(1)
            if name in names:
                return str(self.resolve(names[name]))
            if "." in name:
                return str(self.resolve({"Fn::GetAtt": name.split(".", 1)}))
            return self.values[name]

        return re.sub(r"\$\{([^!}]+)\}", one, text)
