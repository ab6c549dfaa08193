"""Finds what would make a deployment fail, before anything is built or uploaded."""

import re
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

import concurrency
from samconfig import Config

# Regions whose endpoints do not end in amazonaws.com. The functions' AWS client does not support them.
ELSEWHERE = ("cn-", "us-iso", "eu-iso", "eusc-")
# Most characters of a function's name. Source: AWS Lambda API reference, "CreateFunction".
FUNCTION_NAME_MAX = 64


def offline(config: Config, template: dict[str, Any]) -> Iterator[str]:
    """Yields the problems of a configuration, each with the remedy. Needs no network."""
    known = template["Parameters"]
    for name in config.parameters.keys() - known.keys():
        yield f"The template has no parameter {name}. It has: {', '.join(sorted(known))}."
    for name, body in known.items():
        value = config.parameters.get(name)
        if value is None:
            if "Default" not in body:
                yield f"{name} is missing: {body['Description']}"
        elif problem := broken(value, body):
            yield f"{name} {problem}."
        elif re.search(r"\bexample\.(com|org|net)\b", value):
            yield f"{name} is still a placeholder ({value}). {body['Description']}"
    if config.parameters.get("DefaultEndpoint") == "off" and not has_own_domain(config):
        yield (
            "DefaultEndpoint=off closes the API's address of API Gateway, and the file names no other. Set ApiDomain "
            "in the CDN's section, or PublicUrl to an address on a domain of your own that leads to the API."
        )
    if config.parameters.get("SettingsDigest"):
        yield "SettingsDigest is set by `make deploy`. Leave it out."
    room = FUNCTION_NAME_MAX - longest_function(template)
    if len(config.stack_name) > room:
        yield f"The stack's name {config.stack_name} has {len(config.stack_name)} characters. It may have {room}."
    if config.region.startswith(ELSEWHERE):
        yield f"{config.region} is not supported: the functions run in AWS's commercial and GovCloud regions only."


def longest_function(template: dict[str, Any]) -> int:
    """Returns how many characters the longest name of a function has behind the name of the stack."""
    functions = [one for one in template["Resources"].values() if one["Type"] == "AWS::Serverless::Function"]
    names = [one["Properties"]["FunctionName"]["Fn::Sub"] for one in functions]
    return max(len(name.removeprefix("${AWS::StackName}")) for name in names)


def has_own_domain(config: Config) -> bool:
    """Returns whether the file names an address of the API that is not API Gateway's own."""
    url = config.parameters.get("PublicUrl", "")
    return bool(config.edge.get("ApiDomain") or (url and ".execute-api." not in url))


def broken(value: str, body: dict[str, Any]) -> str | None:
    """Returns why CloudFormation would refuse a parameter's value, or `None` if it would accept it."""
    choices = [str(choice) for choice in body.get("AllowedValues", [])]
    if choices and value not in choices:
        return f"must be one of {', '.join(choices)}"
    # CloudFormation matches each member of a list on its own.
    members = value.split(",") if body["Type"] == "CommaDelimitedList" else [value]
    pattern = body.get("AllowedPattern")
    if pattern and not all(re.fullmatch(pattern, member) for member in members):
        return body.get("ConstraintDescription", f"must match {pattern}")
    if body["Type"] == "Number":
        if not value.isdigit():
            return "must be a number"
        if not body.get("MinValue", 0) <= int(value) <= body.get("MaxValue", int(value)):
            return f"must be {body.get('MinValue', 0)} to {body.get('MaxValue', 'any number')}"
    return None


def quota(config: Config, template: dict[str, Any], deployed: dict[str, str], session: boto3.Session) -> Iterator[str]:
    """Yields a problem if the queues may run too many of the functions that the account may run at once.

    A new account has 10 to 50 concurrent executions. AWS raises that on request, at no cost.
    Source: AWS Lambda developer guide, "Lambda quotas".
    """
    account = concurrent_functions(session)
    # A parameter that is left out keeps its deployed value.
    taken = concurrency.of_queues(template, deployed | config.parameters)
    if sum(taken.values()) > account * concurrency.SHARE:
        parts = ", ".join(f"{name.removesuffix('Source')} {count}" for name, count in sorted(taken.items()))
        yield (
            f"This account may run {account} functions at once in {config.region}, and queues alone could use "
            f"{sum(taken.values())} of them ({parts}), so requests would be refused. Ask for more under Service "
            "Quotas, AWS Lambda, Concurrent executions (free), or lower DeliveryConcurrency, UploadConcurrency, "
            "ImageConcurrency, TextConcurrency and NightConcurrency. FORCE=1 deploys anyway."
        )


def concurrent_functions(session: boto3.Session) -> int:
    """Returns how many functions the account may run at once in the session's region."""
    return session.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]


def kept(config: Config, template: dict[str, Any], deployed: dict[str, str]) -> Iterator[str]:
    """Yields a notice for each parameter that is missing in the file, so that the deployed stack keeps its value.

    That is not a problem, but somebody who deleted the line may expect the default.
    """
    for name, value in deployed.items():
        default = str(template["Parameters"].get(name, {}).get("Default", value))
        is_ours = name in ("DeletionProtection", "SettingsDigest")
        if name not in config.parameters and value != default and not is_ours:
            yield f"{name} keeps its value {value!r}. To go back to the default write '{name}=\"{default}\"'."


def caller(session: boto3.Session) -> str:
    """Returns the account and the name of the caller.

    Raises SystemExit with the remedy if there are no credentials, or AWS refuses them.
    """
    try:
        identity = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(
            f"No working AWS credentials: {error}\nSign in first, for example with `aws sso login`, and try "
            "`aws sts get-caller-identity`."
        ) from error
    return f"account {identity['Account']} as {identity['Arn'].rpartition('/')[2]}"
