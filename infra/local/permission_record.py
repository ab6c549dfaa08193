"""Records which permissions the functions use while the tests run. `make permissions` compares them with the template.

The server checks every request of a function against the function's role, as AWS does. Here each kind of request is
written down once, with the statement of the role that allows it, or that none does. Also gives DynamoDB's requests the
condition key `dynamodb:LeadingKeys`, which MiniStack leaves out, so that conditions on it refuse what AWS refuses.
"""

import contextvars
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb, iam, s3, sts

Json = dict[str, Any]

# `pk = :pk` of a key condition, also with placeholders for the name.
EQUALS = re.compile(r"(#?\w+)\s*=\s*(:\w+)")
# The beginning of an object key or a folder that says what an object is.
KIND = re.compile(r"[^#/_]*[#/_]?")
# The same of a partition key, with the word that the id behind it begins with, if it has one.
KIND_OF_ITEM = re.compile(r"[^#]*#?(?:[a-z]+_)?")

# Whether the request that is served came by a signed URL that somebody has altered.
altered: contextvars.ContextVar[bool] = contextvars.ContextVar("altered", default=False)


def install(folder: Path) -> None:
    """Gives requests their leading keys, and records requests in a file of this folder. Called once, before the start.

    An emptied folder starts a new record, even while the server runs.
    """
    give_leading_keys()
    notice_altered_urls()
    record = Record(folder / "used.jsonl")
    enforce = iam_evaluator.enforce

    @functools.wraps(enforce)
    def wrapper(
        access_key: str, action: str, service: str, region: str, resource_arn: str = "*", service_context: Any = None
    ) -> Any:
        denied = enforce(access_key, action, service, region, resource_arn, service_context)
        refused = isinstance(denied, iam_evaluator.EvalResult)
        if access_key in sts._sessions and (denied is None or refused) and not altered.get():
            record.add(role_of(access_key), action, resource_arn, service_context or {}, refused)
        return denied

    iam_evaluator.enforce = wrapper


# ------------------------------------------------------------------------------------------------- altered URLs


def notice_altered_urls() -> None:
    """Marks requests by signed URLs whose signature does not match, such as a PUT with the URL of a GET.

    AWS checks the signature first, so the signer's role is never asked. MiniStack asks it first.
    """
    action_of = iam_actions.extract_iam_action

    @functools.wraps(action_of)
    def wrapper(service: str, method: str, path: str, headers: Json, body: bytes, query: Json) -> Any:
        is_altered = service == "s3" and s3._verify_presigned_sigv4(method, path, headers, query) is not None
        altered.set(is_altered)
        return action_of(service, method, path, headers, body, query)

    iam_actions.extract_iam_action = wrapper


# -------------------------------------------------------------------------------------------------- leading keys


def give_leading_keys() -> None:
    """Requests to DynamoDB have `dynamodb:LeadingKeys`: the partition keys of all items that they name.

    Each item of a transaction is checked with the keys of all. AWS may check it with its own key only, which allows no
    less. Source: Amazon DynamoDB developer guide, "Using IAM policy conditions for fine-grained access control".
    """
    context_of = iam_actions.dynamodb_service_context

    @functools.wraps(context_of)
    def wrapper(body: bytes) -> Json:
        context = context_of(body)
        try:
            data = json.loads(body or b"{}")
        except ValueError:
            return context
        keys = sorted(set(leading_keys(data))) if isinstance(data, dict) else []
        return context | {"dynamodb:LeadingKeys": keys} if keys else context

    iam_actions.dynamodb_service_context = wrapper


def leading_keys(data: Json) -> Iterator[str]:
    """Yields the partition keys that a request to DynamoDB names."""
    for item in data.get("TransactItems") or []:
        for one in item.values():
            yield from leading_keys(one)
    for table, request in (data.get("RequestItems") or {}).items():
        for item in written(request) if isinstance(request, list) else request.get("Keys", []):
            yield from text(item.get(partition_key(table)))
    table = data.get("TableName")
    if isinstance(table, str):
        name = partition_key(table, data.get("IndexName"))
        yield from text((data.get("Key") or data.get("Item") or {}).get(name))
        names = data.get("ExpressionAttributeNames") or {}
        for left, right in EQUALS.findall(data.get("KeyConditionExpression") or ""):
            if names.get(left, left) == name:
                yield from text((data.get("ExpressionAttributeValues") or {}).get(right))


def written(requests: list[Json]) -> Iterator[Json]:
    """Yields the items and keys of `BatchWriteItem`'s requests about a table."""
    for request in requests:
        for one in request.values():
            yield one.get("Item") or one.get("Key") or {}


def partition_key(table: str, index: str | None = None) -> str:
    """Returns the name of the partition key of a table or of an index of it. Empty if there is no such table."""
    known = dynamodb._tables.get(table.rpartition("/")[2]) or {}
    for one in known.get("GlobalSecondaryIndexes") or []:
        if one["IndexName"] == index:
            return next(part["AttributeName"] for part in one["KeySchema"] if part["KeyType"] == "HASH")
    return known.get("pk_name", "")


def text(value: Json | None) -> Iterator[str]:
    """Yields the text of an attribute."""
    if value and "S" in value:
        yield value["S"]


# ----------------------------------------------------------------------------------------------------- the record


class Record:
    """The kinds of requests seen so far, each a line of JSON in a file.

    A line has `policy`, `statement` and `resource`, which say what in the role allows the request: the policy's name,
    and the places of the statement in it and of the resource in that, from 0. They are null if nothing does. And
    `action`, `keys`: the kinds of items or objects, or the prefix of a list.
    """

    def __init__(self, path: Path):
        self.path = path
        self.seen: set[tuple] = set()

    def add(self, role: str, action: str, resource: str, context: Json, refused: bool) -> None:
        """Records a request of a role, unless one like it is recorded already."""
        keys = kinds(resource, context)
        if not self.path.exists():
            self.seen.clear()
        # A role's documents change when its stack is deployed again.
        documents = (iam._roles.get(role) or {}).get("InlinePolicies") or {}
        mark = (role, hash(tuple(documents.values())), action, shortened(resource), keys, refused)
        if mark in self.seen:
            return
        self.seen.add(mark)
        places = [None] if refused else list(allowing(documents, action, resource, context))
        lines = [line(role, action, keys, place) for place in places]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write("".join(lines))


def line(role: str, action: str, keys: tuple[str, ...], place: tuple[str, int, int] | None) -> str:
    """Returns a line of the record."""
    policy, statement, resource = place or (None, None, None)
    entry = {"role": role, "policy": policy, "statement": statement, "resource": resource}
    return json.dumps(entry | {"action": action, "keys": keys}) + "\n"


def role_of(access_key: str) -> str:
    """Returns the name of the role of a session."""
    return sts._sessions[access_key]["Arn"].split("/")[1]


def shortened(resource: str) -> str:
    """Returns the resource of a request without the key of an object, of which only the kind matters."""
    return resource.partition("/")[0] if ":s3:::" in resource else resource


def kinds(resource: str, context: Json) -> tuple[str, ...]:
    """Returns the kinds of what a request is about: `USER#user_` or `OUTBOX#` for an item, `user_` or `derived/user_`
    for an object."""
    if ":s3:::" in resource:
        _, slash, key = resource.partition("/")
        return (kind_of_object(key if slash else str(context.get("s3:prefix", ""))),)
    return tuple(sorted({KIND_OF_ITEM.match(key).group() for key in context.get("dynamodb:LeadingKeys", [])}))


def kind_of_object(key: str) -> str:
    """Returns the beginning of an object's key: its folders and the word that every owner's id begins with."""
    *folders, last = key.split("/")
    if not folders:
        return KIND.match(last).group()
    named = [KIND.match(folder).group() if "_" in folder else f"{folder}/" for folder in folders]
    until = next((at for at, folder in enumerate(named) if folder.endswith("_")), len(named) - 1)
    return "".join(named[: until + 1])


def allowing(documents: Json, action: str, resource: str, context: Json) -> Iterator[tuple[str, int, int]]:
    """Yields each place in a role's policies that allows a request, if it were alone."""
    given = {name.lower(): value for name, value in context.items()}
    for policy, document in documents.items():
        for at, statement in enumerate(iam_evaluator.parse_policy_document(document)):
            for number, pattern in enumerate(statement.resources):
                if (
                    statement.effect == "Allow"
                    and iam_evaluator._action_matches(action, statement.actions, [])
                    and iam_evaluator._resource_matches(resource, [pattern], [])
                    and all(met(block, given) for block in statement.conditions.items())
                ):
                    yield policy, at, number


def met(block: tuple[str, Json], given: Json) -> bool:
    """Returns whether the conditions with one operator hold. Other keys than the request's own count as met."""
    operator, keys = block
    return all(
        iam_evaluator._evaluate_single_condition(operator, given[key.lower()], listed(expected))
        for key, expected in keys.items()
        if key.lower() in given
    )


def listed(value: Any) -> list[Any]:
    """Returns a list as it is, and any other value as a list of one."""
    return value if isinstance(value, list) else [value]
