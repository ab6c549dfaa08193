"""Everything that can be known to fail before anything is built or uploaded."""

import re
from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

import concurrency
from samconfig import Config
from stacks import Stack

# Where AWS's endpoints end in something else than amazonaws.com, which our own client does not know.
ELSEWHERE = ("cn-", "us-iso", "eu-iso")


def offline(config: Config, template: dict[str, Any]) -> Iterator[str]:
    """Finds what is wrong with a configuration, without a network. Each problem says what to do about it."""
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
    if config.region.startswith(ELSEWHERE):
        yield f"{config.region} is not served: the functions know AWS's commercial and GovCloud regions alone."


def broken(value: str, body: dict[str, Any]) -> str | None:
    """Says what CloudFormation would refuse a parameter's value for."""
    choices = [str(choice) for choice in body.get("AllowedValues", [])]
    if choices and value not in choices:
        return f"must be one of {', '.join(choices)}"
    # CloudFormation matches each member of a list.
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


def quota(config: Config, template: dict[str, Any], session: boto3.Session) -> Iterator[str]:
    """Compares what queues may run at once with what the account may.

    A new account has 10 to 50 concurrent executions, and gets more on request, at no cost.
    Source: AWS Lambda developer guide, "Lambda quotas".
    """
    account = concurrent_functions(session)
    taken = concurrency.of_queues(template, config.parameters)
    if sum(taken.values()) > account * concurrency.SHARE:
        parts = ", ".join(f"{name.removesuffix('Source')} {count}" for name, count in sorted(taken.items()))
        yield (
            f"This account may run {account} functions at once in {config.region}, and queues alone could take "
            f"{sum(taken.values())} of them ({parts}), so requests would be refused. Ask for more under Service "
            "Quotas, AWS Lambda, Concurrent executions (free), or lower DeliveryConcurrency, UploadConcurrency, "
            "TextConcurrency and NightConcurrency. FORCE=1 deploys all the same."
        )


def concurrent_functions(session: boto3.Session) -> int:
    """Asks Lambda how many functions the account may run at once in the session's region."""
    return session.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]


def kept(config: Config, template: dict[str, Any], session: boto3.Session) -> Iterator[str]:
    """Names parameters that a deployed stack keeps because the file leaves them out.

    Nothing is wrong with that, but people who deleted the line expect otherwise.
    """
    for name, value in Stack(session, config.stack_name).parameters().items():
        default = str(template["Parameters"].get(name, {}).get("Default", value))
        if name not in config.parameters and value != default and name != "DeletionProtection":
            yield f"{name} keeps its value {value!r}. To go back to the default write '{name}=\"{default}\"'."


def caller(session: boto3.Session) -> str:
    """Gives the account and who acts in it.

    Raises SystemExit with what to do when there are no credentials, or none that AWS takes.
    """
    try:
        identity = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(
            f"No AWS credentials that work: {error}\nSign in first, for example with `aws sso login`, and try "
            "`aws sts get-caller-identity`."
        ) from error
    return f"account {identity['Account']} as {identity['Arn'].rpartition('/')[2]}"
