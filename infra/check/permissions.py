"""Compares what the functions' roles allow with what the functions used while the tests ran: `make permissions`.

The laptop's server keeps the record (infra/local/permission_record.py). infra/permissions.yaml lists what is granted
but cannot be in the record, such as what Lambda itself does with a role, each with its reason.

Exits with 3 if the only problems are grants that were never used, which a race can cause, and with 1 for any other.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra/check"), str(ROOT / "infra/local")]

import templates
from templates import Json, listed, of_type, target

RECORD = ROOT / "target/local/permissions"
REASONS = ROOT / "infra/permissions.yaml"
# Calls that AWS authorises as another action.
SAME = {"sqs:SendMessageBatch": "sqs:SendMessage"}
KEYS = "dynamodb:LeadingKeys"
LISTS = "s3:ListBucketVersions"
RUN = "Run `make test` first: it records what the functions use."
UNUSED = 3


class Unused(str):
    """A problem that a race can cause: something was granted and not used in this run."""


@dataclass
class Grant:
    """An action on a resource that a role allows."""

    function: str
    action: str
    resource: str
    conditions: Json
    # Beginnings of the keys of the items or objects for which it was used.
    kinds: set[str] = field(default_factory=set)
    used: bool = False

    def __str__(self) -> str:
        return f"{self.function}: {self.action} on {self.resource}"


@dataclass
class Role:
    """The grants of a role: by policy and place, as the record names them."""

    function: str
    grants: dict[tuple[str, int, int], list[Grant]]
    managed: list[str]


def main() -> None:
    """Prints each problem and what is granted, with `--table` each grant. Exits with what `status` returns."""
    core = templates.core()
    finished = RECORD / "finished"
    if not finished.is_file():
        raise SystemExit(f"There is no record of a whole run of the tests. {RUN}")
    lines = [json.loads(line) for line in (RECORD / "used.jsonl").read_text().splitlines()]
    roles = read(core)
    found = [*problems(core, roles, lines, yaml.safe_load(REASONS.read_text()))]
    for problem in found:
        print(problem)
    if "--table" in sys.argv:
        print("\n".join(table(roles)))
    print(summary(roles))
    if found and finished.read_text().strip() != "passed":
        print("Some tests failed in that run, so what they use may be missing from the record.")
    sys.exit(status(found))


def status(found: list[str]) -> int:
    """Returns the exit code: 0 without problems, `UNUSED` if a race can have caused all of them, otherwise 1."""
    if not found:
        return 0
    return UNUSED if all(isinstance(problem, Unused) for problem in found) else 1


def problems(core: Json, roles: dict[str, Role], lines: list[Json], reasons: Json) -> Iterator[str]:
    """Yields a sentence for each difference between what is granted, what was used, and what has a reason."""
    yield from unknown(roles, lines)
    yield from mark(roles, lines)
    excused = list(excuses(roles, reasons))
    yield from (problem for _, problem in excused if problem)
    known = {id(grant) for grant, problem in excused if grant and not problem}
    for grant in grants(roles):
        if "*" in grant.action:
            yield f"{grant}: name each action instead of a `*`."
        elif not grant.used and id(grant) not in known:
            yield Unused(
                f"{grant}: granted and never used. Remove it from template.yaml; or test what uses it; or, if AWS "
                f"itself does, give the reason in {REASONS.relative_to(ROOT)}."
            )
        if grant.resource == "*" and id(grant) not in known:
            yield f"{grant}: name the resource instead of `*`."
    yield from wide_objects(roles)
    yield from wide_items(roles)
    yield from others(core, roles, reasons)


def read(core: Json) -> dict[str, Role]:
    """Returns the functions' roles of the expanded template, by the name of the function's logical id."""
    roles = {}
    for logical, function in of_type(core, "AWS::Lambda::Function").items():
        name = logical.removesuffix("Function")
        role = core["Resources"][target(function["Properties"]["Role"])]["Properties"]
        places: dict[tuple[str, int, int], list[Grant]] = {}
        for policy in role.get("Policies", []):
            for at, statement in enumerate(listed(policy["PolicyDocument"]["Statement"])):
                for number, resource in enumerate(listed(statement["Resource"])):
                    conditions = statement.get("Condition", {})
                    places[policy["PolicyName"], at, number] = [
                        Grant(hyphened(name), action, shown(resource), conditions)
                        for action in listed(statement["Action"])
                    ]
        roles[name] = Role(hyphened(name), places, [str(one) for one in role.get("ManagedPolicyArns", [])])
    return roles


def hyphened(name: str) -> str:
    """Converts `OnObjectEvent` to `on-object-event`."""
    return re.sub(r"(?<!^)([A-Z])", r"-\1", name).lower()


def shown(resource: Any) -> str:
    """Returns a resource as the template writes it: `Table.Arn`, `Bucket.Arn/user_*`."""
    if isinstance(resource, str):
        return resource
    [(function, argument)] = resource.items()
    if function == "Fn::GetAtt":
        return ".".join(argument)
    return re.sub(r"^\$\{(\w+\.Arn)\}", r"\1", argument) if isinstance(argument, str) else str(argument)


def grants(roles: dict[str, Role]) -> Iterator[Grant]:
    """Yields every grant."""
    for role in roles.values():
        for place in role.grants.values():
            yield from place


def logical(line: Json) -> str:
    """Returns whose role a line of the record is about: the logical id of the function, without the word `Function`."""
    found = re.match(r".*?-(\w+)FunctionRole-", line["role"] + "-")
    policy = re.match(r"(\w+)Function", line["policy"] or "")
    return (policy or found).group(1) if policy or found else ""


def unknown(roles: dict[str, Role], lines: list[Json]) -> Iterator[str]:
    """Yields what a function asked for without being allowed to."""
    seen = set()
    for line in lines:
        name = logical(line)
        if line["statement"] is None and name in roles:
            what = f" on {', '.join(line['keys'])}" if line["keys"] else ""
            seen.add(f"{roles[name].function}: {line['action']}{what} was refused, because no statement allows it.")
    yield from sorted(seen)


def mark(roles: dict[str, Role], lines: list[Json]) -> Iterator[str]:
    """Marks the grants that were used. Yields uses that the template does not grant any more."""
    gone = set()
    for line in lines:
        name = logical(line)
        if line["statement"] is None or name not in roles:
            continue
        action = SAME.get(line["action"], line["action"])
        place = roles[name].grants.get((line["policy"], line["statement"], line["resource"]), [])
        matching = [grant for grant in place if grant.action == action]
        for grant in matching:
            grant.used = True
            grant.kinds.update(line["keys"])
        if not matching:
            gone.add(f"{roles[name].function}: {action} was used by another version of template.yaml. {RUN}")
    yield from sorted(gone)


def excuses(roles: dict[str, Role], reasons: Json) -> Iterator[tuple[Grant | None, str]]:
    """Yields each grant that has a reason, or the problem with the reason."""
    for entry in reasons["actions"]:
        names = listed(entry.get("functions", [role.function for role in roles.values()]))
        for action in listed(entry["action"]):
            matching = [
                grant
                for grant in grants(roles)
                if grant.action == action
                and grant.function in names
                and re.fullmatch(entry["resource"], grant.resource)
            ]
            wanted = names if "functions" in entry else [""]
            for name in wanted:
                if not any(name in ("", grant.function) for grant in matching):
                    yield None, f"{name or action}: has a reason for {action}, which is not granted. Remove the reason."
            for grant in matching:
                surplus = grant.used and not entry.get("sometimes")
                yield grant, f"{grant}: has a reason although it is used. Remove the reason." if surplus else ""


def wide_objects(roles: dict[str, Role]) -> Iterator[str]:
    """Yields grants on more objects than were used. The kinds of objects stand in the resource, or in a condition."""
    for grant in grants(roles):
        bucket, slash, keys = grant.resource.partition("/")
        if not grant.used or bucket != "Bucket.Arn":
            continue
        if slash and keys == "*":
            wanted = ", ".join(f"{kind}*" for kind in sorted(grant.kinds))
            yield f"{grant}: is wider than what was used, {wanted}. Name these prefixes."
        # A list without a prefix is of everything, and no condition can be narrower.
        elif grant.action == LISTS and "" not in grant.kinds and "s3:prefix" not in str(grant.conditions):
            wanted = ", ".join(f"{kind}*" for kind in sorted(grant.kinds))
            yield f"{grant}: lists every object, and only {wanted} was used. Add a condition on s3:prefix."


def wide_items(roles: dict[str, Role]) -> Iterator[str]:
    """Yields grants on more kinds of items than were used. A condition must name exactly the kinds that were used, and
    a statement of which one kind was used must have it."""
    for role in roles.values():
        for place in role.grants.values():
            used = {kind for grant in place for kind in grant.kinds}
            if not used or place[0].resource != "Table.Arn":
                continue
            allowed = conditioned(place[0].conditions)
            if allowed is None and len(kinds := {of_owner(kind) for kind in used}) == 1:
                yield f"{place[0]}: only {kinds.pop()} was used. {cure(place)}"
            for pattern in sorted(allowed or ()):
                if not any(kind.startswith(pattern.removesuffix("*")) for kind in used):
                    yield f"{place[0]}: {pattern} in its condition on {KEYS} was never used. Remove it."


def conditioned(conditions: Json) -> set[str] | None:
    """Returns the patterns of partition keys that a condition allows. `None` if there is no such condition."""
    return next((set(listed(block[KEYS])) for block in conditions.values() if KEYS in block), None)


def of_owner(kind: str) -> str:
    """Returns a kind without what the id begins with: `USER#` for `USER#order_`."""
    return "".join(kind.partition("#")[:2])


def cure(place: list[Grant]) -> str:
    """Returns the condition to add."""
    kinds = {of_owner(kind) for grant in place for kind in grant.kinds}
    patterns = ", ".join(f'"{kind}*"' if kind.endswith("#") else f'"{kind}"' for kind in sorted(kinds))
    return f'Add Condition: {{ "ForAllValues:StringLike": {{ "{KEYS}": [{patterns}] }} }}'


def others(core: Json, roles: dict[str, Role], reasons: Json) -> Iterator[str]:
    """Yields roles and policies that are not a function's own, and AWS's policies, without a reason; and reasons for
    none. A policy beside a role with a reason needs no other one, as if it stood in that role."""
    mine = {target(one["Properties"]["Role"]) for one in of_type(core, "AWS::Lambda::Function").values()}
    explained = {entry["name"] for entry in reasons["policies"]}
    found = {
        name
        for name, body in core["Resources"].items()
        if re.fullmatch(r"AWS::IAM::\w*(?:Role|Policy)", body["Type"]) and not beside(body, explained - mine)
    } - mine
    found |= {arn.rsplit("/", 1)[-1] for role in roles.values() for arn in role.managed}
    for name in sorted(found - explained):
        yield f"{name}: is not a function's own policy. Give the reason in {REASONS.relative_to(ROOT)}."
    for name in sorted(explained - found):
        yield f"{name}: has a reason, and the template does not have it. Remove the reason."


def beside(resource: Json, roles: set[str]) -> bool:
    """Returns whether a resource is a policy of these roles and of nobody else."""
    properties = resource.get("Properties", {})
    if resource["Type"] not in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy") or properties.keys() & {"Users", "Groups"}:
        return False
    holders = {target(one) for one in listed(properties.get("Roles") or properties.get("RoleName") or [])}
    return bool(holders) and holders <= roles


def table(roles: dict[str, Role]) -> Iterator[str]:
    """Yields a row of Markdown for each grant: function, action, resource, and the kinds that the tests saw."""
    yield "| function | action | on | used for |"
    yield "|---|---|---|---|"
    for grant in sorted(grants(roles), key=lambda one: (one.function, one.action, one.resource)):
        kinds = ", ".join(f"`{kind}`" for kind in sorted(grant.kinds) if kind) or ("yes" if grant.used else "")
        yield f"| `{grant.function}` | `{grant.action}` | `{grant.resource}` | {kinds} |"


def summary(roles: dict[str, Role]) -> str:
    """Returns how many actions are granted and how they are bound."""
    every = list(grants(roles))
    objects = [grant for grant in every if grant.resource.startswith("Bucket.Arn/")]
    items = [grant for grant in every if grant.resource == "Table.Arn"]
    bound = [grant for grant in items if conditioned(grant.conditions) is not None]
    prefixed = [grant for grant in objects if grant.resource != "Bucket.Arn/*"]
    return (
        f"{len(every)} actions granted to {len(roles)} functions, {sum(grant.used for grant in every)} of them used. "
        f"{len(prefixed)} of {len(objects)} on objects name a prefix; {len(bound)} of {len(items)} on items name kinds."
    )


if __name__ == "__main__":
    main()
