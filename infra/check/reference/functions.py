"""The page of the functions."""

import re
from collections.abc import Iterator

import template as templates
from template import listed

from .sources import Json, Sources

# By log group, the title of the section of its functions.
PARTS = {
    "FilesLogs": "Files",
    "JobsLogs": "Jobs",
    "KeysLogs": "Keys",
    "CreditsLogs": "Credits",
    "GatewayLogs": "Gateway",
    "OrganisationsLogs": "Organisations",
    "DeliveriesLogs": "Events, webhooks and mails",
    "SchedulesLogs": "Schedules and nightly work",
    "OperationsLogs": "Operations",
}

# By IAM action, what it lets a function do to a resource.
WORDS = {
    "dynamodb:BatchGetItem": "read many items of {}",
    "dynamodb:ConditionCheckItem": "make a transaction depend on an item of {}",
    "dynamodb:DeleteItem": "delete items of {}",
    "cloudfront:CreateInvalidation": "make {} forget files",
    "dynamodb:GetItem": "read items of {}",
    "dynamodb:PutItem": "write items to {}",
    "dynamodb:Query": "query {}",
    "dynamodb:UpdateItem": "change items of {}",
    "events:PutEvents": "publish events on {}",
    "s3:AbortMultipartUpload": "abort uploads to {}",
    "s3:DeleteObjectVersion": "delete {}",
    "s3:GetObject": "read {}",
    "s3:GetObjectVersion": "read versions of {}",
    "s3:ListBucket": "find out whether an object of {} exists",
    "s3:ListBucketMultipartUploads": "list open uploads to {}",
    "s3:ListMultipartUploadParts": "list the parts of uploads to {}",
    "s3:ListBucketVersions": "list versions in {}",
    "s3:PutObject": "write {}",
    "secretsmanager:GetSecretValue": "read {}",
    "ses:SendRawEmail": "send mails from `MailFrom`",
    "sqs:SendMessage": "send messages to {}",
}

# The settings of session tokens, which most functions read.
SESSION = {"AUTHORIZED_PARTIES", "CLERK_ISSUER", "CLERK_JWKS_URL", "CLERK_JWT_KEY"}

# Words in functions/README.md that the page says at greater length.
CALLERS = {
    "anyone": "anybody",
    "service": "servers, with a service token",
    "user": "everybody who is signed in",
    "user, service for a user": "everybody who is signed in, and services with the right `files`, for a user",
    "member": "members of the organisation",
}

# What Lambda itself needs to read a function's queue or stream.
POLLING = {
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}


def part(sources: Sources) -> str:
    """Returns a section for each group of functions. Raises ValueError if something has no words."""
    by_group: dict[str, list[str]] = {group: [] for group in PARTS}
    for logical, body in templates.functions(sources.core).items():
        group = body["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        if group not in PARTS:
            raise ValueError(f"template.yaml: add {group} to PARTS in infra/check/reference/functions.py.")
        by_group[group].append(described(sources, logical, body["Properties"]))
    return "\n".join(
        f"## {PARTS[group]}\n\nLog group: `{log_group(sources.core, group)}`.\n\n" + "\n".join(functions)
        for group, functions in by_group.items()
    )


def log_group(core: Json, logical: str) -> str:
    """Returns the name of a log group, with `<stack>` for the stack's name."""
    return core["Resources"][logical]["Properties"]["LogGroupName"]["Fn::Sub"].replace("${AWS::StackName}", "<stack>")


def described(sources: Sources, logical: str, properties: Json) -> str:
    """Returns the section of a function."""
    name = name_of(properties)
    if name not in sources.rows or len(sources.rows[name]) != 2:
        raise ValueError(f"functions/README.md: {name} needs a row: name, who may call, idempotent by.")
    may_call, idempotent_by = sources.rows[name]
    defaults = sources.core["Globals"]["Function"]
    timeout, memory = (properties.get(key, defaults[key]) for key in ("Timeout", "MemorySize"))
    settings = set(properties.get("Environment", {}).get("Variables", {}))
    words = ["those of session tokens"] if settings >= SESSION else []
    words = [f"`{one}`" for one in sorted(settings - SESSION if words else settings)] + words
    lines = [f"### {name}", "", sources.purposes.get(name, ""), ""]
    lines += [f"* **Trigger**: {trigger}" for trigger in triggers(sources, logical, properties)]
    lines.append(f"* **Who may call**: {callers(may_call, sources.roles.get(name, []))}")
    lines.append(f"* **Idempotent by**: {idempotent_by}")
    lines.append(f"* **Timeout and memory**: {timeout} s, {memory} MB")
    lines.append(f"* **Settings**: {', '.join(words) or 'none'}")
    lines.append(f"* **IAM actions**: {', '.join(permissions(properties)) or 'none'}")
    return "\n".join([*lines, ""])


def name_of(properties: Json) -> str:
    """Returns the name of a function."""
    return properties["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")


def callers(words: str, roles: list[str]) -> str:
    """Returns who may call a function, with the roles that may."""
    if words != "member":
        return CALLERS.get(words, words)
    *others, last = roles or [""]
    return f"{CALLERS[words]} with the role {', '.join(others)} or {last}" if others else CALLERS[words]


def triggers(sources: Sources, logical: str, properties: Json) -> Iterator[str]:
    """Yields what starts a function: routes, schedules, and sources of messages. Raises ValueError for a route that
    openapi.json lacks."""
    for event in properties.get("Events", {}).values():
        body = event["Properties"]
        if event["Type"] == "Schedule":
            yield schedule(body["Schedule"])
        elif "Path" not in body:
            yield "every request that matches no route"
        else:
            method, path = body["Method"], body["Path"]
            operations = sources.openapi["paths"].get(path.replace("+}", "}"), {})
            verb = next(iter(operations), "") if method in ("ANY", "any") else method.lower()
            if verb not in operations:
                raise ValueError(f"openapi.json lacks {method} {path} of template.yaml; `make reference` writes it.")
            yield f"`{method} {path}`: {operations[verb]['summary']}"
    for body in sources.core["Resources"].values():
        if body["Type"] == "AWS::Lambda::EventSourceMapping" and body["Properties"]["FunctionName"]["Ref"] == logical:
            yield source(sources.core, body)


def schedule(expression: str) -> str:
    """Returns a schedule in words. Raises ValueError for one that it cannot read."""
    if every := re.fullmatch(r"rate\((\d+ \w+)\)", expression):
        return f"every {every.group(1)}"
    if daily := re.fullmatch(r"cron\((\d+) (\d+) \* \* \? \*\)", expression):
        minute, hour = (int(number) for number in daily.groups())
        return f"every day at {hour:02}:{minute:02} UTC"
    raise ValueError(f"infra/check/reference/functions.py cannot put {expression} into words.")


def source(core: Json, mapping: Json) -> str:
    """Returns a source of messages in words: the queue or stream, what comes from it, and how much at once."""
    properties = mapping["Properties"]
    resource, attribute = properties["EventSourceArn"]["Fn::GetAtt"]
    if attribute == "StreamArn":
        return f"the table's stream, in batches of at most {properties['BatchSize']} records"
    senders = [
        body["Properties"]["Description"].split(" to the queue of ")[0].replace("Sends ", "")
        for body in core["Resources"].values()
        if body["Type"] == "AWS::Events::Rule"
        and any(one["Arn"] == {"Fn::GetAtt": [resource, "Arn"]} for one in body["Properties"]["Targets"])
    ]
    most = properties["ScalingConfig"]["MaximumConcurrency"]
    at_once = f"[`{most['Ref']}`](parameters.md#{most['Ref'].lower()})" if isinstance(most, dict) else str(most)
    batch = properties["BatchSize"]
    size = "one message at a time" if batch == 1 else f"up to {batch} messages at a time"
    what = f" ({'; '.join(senders)})" if senders else ""
    only = f"; only under the condition `{mapping['Condition']}`" if "Condition" in mapping else ""
    return f"the queue `{resource}`{what}, {size}, at most {at_once} invocations at once{only}"


def permissions(properties: Json) -> Iterator[str]:
    """Yields what a function may do, in words with the IAM action. Raises ValueError for an action without words."""
    for policy in properties.get("Policies", []):
        for statement in listed(policy["Statement"]):
            for action in listed(statement["Action"]):
                if action in POLLING:
                    continue
                if action not in WORDS:
                    raise ValueError(f"template.yaml: add {action} to WORDS in infra/check/reference/functions.py.")
                resources = " and ".join(resource(one, statement) for one in listed(statement["Resource"]))
                yield f"{WORDS[action].format(resources)} (`{action}`)"


def resource(value: Json, statement: Json) -> str:
    """Returns a resource of a statement in words, with the kinds of items that its condition allows."""
    [(function, argument)] = value.items()
    if function == "Fn::GetAtt":
        name, rest = argument[0], ""
    elif function == "Ref":
        name, rest = argument, ""
    else:
        found = re.match(r"\$\{(\w+)\.Arn\}/?(.*)", argument)
        name, rest = found.groups() if found else (argument, "")
    if name == "Table":
        conditions = statement.get("Condition", {}).values()
        kinds = [kind for block in conditions for kind in block.get("dynamodb:LeadingKeys", [])]
        only = f", of which only {' and '.join(f'`{kind}`' for kind in kinds)}" if kinds else ""
        return f"the index `{rest.removeprefix('index/')}`" if rest else f"the table{only}"
    if name == "Bucket":
        return "all objects" if rest == "*" else f"objects `{rest}`" if rest else "the bucket"
    return "the bus" if name == "Bus" else f"`{name}`"
