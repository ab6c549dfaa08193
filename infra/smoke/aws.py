"""Checks that need AWS credentials: settings, alarms and mail of a stack. They need boto3, STACK and REGION."""

import time
from typing import Any

from client import Api, Failed, Person, Skipped, expect
from orgs import founded

# Functions that are called through an alias, and its name.
ALIASED, ALIAS = ("gateway", "key-verify"), "live"
# Functions that send messages to the queue they read.
LOOPS = (
    "dispatch-webhook",
    "erase-replica",
    "export-worker",
    "generate-worker",
    "quota-organisation",
    "stats-organisation",
    "stats-storage",
)
DRAINED_WITHIN_S = 120
# Mailboxes of SES itself. Their bounces do not count against the account. Source: Amazon SES developer guide, "Using
# the mailbox simulator".
DELIVERED, BOUNCED = "success@simulator.amazonses.com", "bounce@simulator.amazonses.com"


class Stack:
    """A stack and clients for its account."""

    def __init__(self, name: str, region: str):
        try:
            import boto3  # noqa: PLC0415  (the other checks run without it)
        except ImportError as error:
            raise Failed("STACK is set, but boto3 is not installed: use `make smoke`, which installs it") from error
        self.name = name
        self.client = lambda service: boto3.client(service, region_name=region)

    def output(self, name: str) -> str:
        """Returns an output of the stack."""
        [stack] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return next(one["OutputValue"] for one in stack["Outputs"] if one["OutputKey"] == name)


def stack_of(name: str | None, region: str | None) -> Stack:
    """Returns the stack.

    Raises Skipped without STACK, and Failed without REGION.
    """
    if not name:
        raise Skipped("it needs AWS credentials: set STACK and REGION")
    if not region:
        raise Failed("STACK is set, but REGION is not")
    return Stack(name, region)


def loops_are_allowed(name: str | None, region: str | None) -> None:
    """Recursive loops are allowed for the functions that send to their own queue, and for no others."""
    stack = stack_of(name, region)
    client = stack.client("lambda")
    functions = [
        one["FunctionName"].removeprefix(f"{stack.name}-")
        for page in client.get_paginator("list_functions").paginate()
        for one in page["Functions"]
        if one["FunctionName"].startswith(f"{stack.name}-")
    ]
    for function in ("sweep", "send-mail", *(one for one in LOOPS if one in functions)):
        setting = client.get_function_recursion_config(FunctionName=f"{stack.name}-{function}")["RecursiveLoop"]
        wanted = "Allow" if function in LOOPS else "Terminate"
        expect(setting == wanted, f"{function}: RecursiveLoop is {setting}, not {wanted}")


def no_alarm_sounds(name: str | None, region: str | None) -> None:
    """The stack has alarms, and none is in ALARM."""
    stack = stack_of(name, region)
    pages = stack.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{stack.name} ")
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    expect(bool(alarms), f"the stack {stack.name} has no alarms: deploy without OBSERVE=0")
    sounding = [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]
    expect(not sounding, f"in ALARM: {', '.join(sounding)}")


def callers_get_the_newest_version(name: str | None, region: str | None) -> None:
    """The alias of key-verify and gateway names one version, and that has the newest code and settings."""
    stack = stack_of(name, region)
    client = stack.client("lambda")
    for function in ALIASED:
        called = f"{stack.name}-{function}"
        alias = client.get_alias(FunctionName=called, Name=ALIAS)
        shared = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        expect(not shared, f"{function}: a deployment is moving calls to version {', '.join(shared)}; try again later")
        newest = client.get_function_configuration(FunctionName=called)
        live = client.get_function_configuration(FunctionName=called, Qualifier=ALIAS)
        for part in ("CodeSha256", "Environment", "MemorySize", "Timeout"):
            differs = f"{function}: version {alias['FunctionVersion']}, which callers get, has another {part}"
            expect(newest.get(part) == live.get(part), f"{differs} than what was deployed: `make deploy`")


def mail_goes_out(api: Api, ann: Person, name: str | None, region: str | None) -> None:
    """Mails to SES's simulator are sent, and none is on the dead-letter queue."""
    stack = stack_of(name, region)
    settings = stack.client("lambda").get_function_configuration(FunctionName=f"{stack.name}-send-mail")
    if not settings["Environment"]["Variables"].get("MAIL_FROM"):
        raise Skipped("the stack sends no mails: MailFrom is empty")
    org = founded(api, ann)
    invited = [invite(api, ann, org, address) for address in (DELIVERED, BOUNCED)]
    try:
        began = time.monotonic()
        while left := waiting(stack, "mails"):
            expect(
                time.monotonic() - began < DRAINED_WITHIN_S,
                f"{left} mails are still on the queue after {DRAINED_WITHIN_S} s",
            )
            time.sleep(1)
        dead = waiting(stack, "mails-dead")
        expect(dead == 0, f"{dead} messages are on {stack.name}-mails-dead")
    finally:
        for invitation in invited:
            api.call("DELETE", f"/api/orgs/{org}/invitations/{invitation}", who=ann)


def invite(api: Api, ann: Person, org: str, address: str) -> str:
    """Invites an address. Returns the invitation's id."""
    answer = api.call("POST", f"/api/orgs/{org}/invitations", {"email": address, "role": "billing"}, who=ann)
    expect(answer.status == 201, f"inviting {address} answered {answer.status}: {answer.body[:200]!r}")
    return answer.json()["data"]["id"]


def waiting(stack: Stack, queue: str) -> int:
    """Returns how many messages a queue holds, including those that are being processed."""
    client: Any = stack.client("sqs")
    url = client.get_queue_url(QueueName=f"{stack.name}-{queue}")["QueueUrl"]
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)
