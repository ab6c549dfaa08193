"""What AWS refuses, or does not forgive, that cfn-lint does not know. Each rule yields what is wrong, as a sentence.

A rule takes the whole `House`: both templates expanded, and the pages that document them. `tests/test_rules.py` shows
each rule finding the fault it is there for.
"""

import re
from collections.abc import Iterator
from typing import Any

import concurrency
import deployer
from house import House
from templates import Json, listed, named, of_type, target

# CloudFormation allows 500 resources a stack. Source: AWS CloudFormation user guide, "CloudFormation quotas".
RESOURCES_WARN, RESOURCES_MAX = 420, 450
# API Gateway gives up after so many seconds. Source: API Gateway developer guide, "Quotas for HTTP APIs".
HTTP_TIMEOUT_MAX = 30
LOOPS = "a chain of messages through its own queue would be dropped after 16 invocations"


def queue_policies_name_their_own_queue(house: House) -> Iterator[str]:
    """SQS refuses a policy whose statement lists another queue. Source: Amazon SQS developer guide, "Custom
    policies"."""
    for name, body in of_type(house.core, "AWS::SQS::QueuePolicy").items():
        queues = [target(queue) for queue in body["Properties"]["Queues"]]
        for statement in listed(body["Properties"]["PolicyDocument"]["Statement"]):
            resources = [target(resource) for resource in listed(statement.get("Resource", []))]
            if len(queues) != 1 or resources != queues:
                yield f"{name}: one policy a queue, which names that queue alone; it names {', '.join(resources)}."


def failed_creations_leave_nothing_behind(house: House) -> Iterator[str]:
    """`Retain` keeps a protected table of every failed first try.
    Source: AWS CloudFormation user guide, "DeletionPolicy attribute"."""
    for name, body in house.core["Resources"].items():
        if body.get("DeletionPolicy") == "Retain":
            yield f"{name}: DeletionPolicy must be RetainExceptOnCreate, or a failed first deployment leaves it behind."
        keeps = body["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket")
        if keeps and (body.get("DeletionPolicy"), body.get("UpdateReplacePolicy")) != (
            "RetainExceptOnCreate",
            "Retain",
        ):
            yield f"{name}: holds people's data and must outlive the stack."


def browsers_may_call_every_route(house: House) -> Iterator[str]:
    """Methods and headers that the API documents are those its CORS configuration lets through."""
    [api] = of_type(house.core, "AWS::ApiGatewayV2::Api").values()
    [_, cors, _] = api["Properties"]["Body"]["x-amazon-apigateway-cors"]["Fn::If"]
    verbs = {method.upper() for path in api["Properties"]["Body"]["paths"].values() for method in path}
    for verb in sorted(verbs - {"X-AMAZON-APIGATEWAY-ANY-METHOD"} - set(cors["allowMethods"])):
        yield f"CORS does not allow {verb}, which a route has."
    asked, answered = {"content-type"}, {"www-authenticate"}
    for path in house.openapi["paths"].values():
        for operation in (body for body in path.values() if isinstance(body, dict)):
            parameters = operation.get("parameters", [])
            asked |= {one["name"].lower() for one in parameters if one.get("in") == "header"}
            for response in operation.get("responses", {}).values():
                answered |= {header.lower() for header in response.get("headers", {})}
    # Sent by servers alone, or by the browser itself.
    asked -= {"webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature", "svix-id"}
    for header in sorted(asked - set(cors["allowHeaders"])):
        yield f"CORS does not allow the header {header}, which a route takes."
    for header in sorted(answered - {"allow"} - set(cors["exposeHeaders"])):
        yield f"CORS does not expose the header {header}, which an answer has."


def loops_are_allowed_where_they_are_meant(house: House) -> Iterator[str]:
    """Functions that can reach their own queue say `RecursiveLoop: Allow`, and no others do.
    Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops"."""
    functions = of_type(house.core, "AWS::Lambda::Function")
    reads: dict[str, set[str]] = {}
    for source in of_type(house.core, "AWS::Lambda::EventSourceMapping").values():
        queue = target(source["Properties"]["EventSourceArn"])
        reads.setdefault(queue, set()).add(target(source["Properties"]["FunctionName"]))
    calls = {
        name: {reader for queue in queues_sent_to(house.core, name) for reader in reads.get(queue, ())}
        for name in functions
    }
    for name, body in functions.items():
        reached, waiting = set(), list(calls[name])
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting.extend(calls.get(one, ()))
        allowed = body["Properties"].get("RecursiveLoop") == "Allow"
        if name in reached and not allowed:
            yield f"{name}: needs RecursiveLoop: Allow; {LOOPS}."
        if allowed and name not in reached:
            yield f"{name}: RecursiveLoop: Allow switches off a protection it does not stand in the way of."


def queues_sent_to(core: Json, function: str) -> set[str]:
    """Gives the queues a function's role may send to."""
    role = core["Resources"][target(core["Resources"][function]["Properties"]["Role"])]
    queues = set()
    for policy in role["Properties"].get("Policies", []):
        for statement in listed(policy["PolicyDocument"]["Statement"]):
            if "sqs:SendMessage" in listed(statement["Action"]):
                queues |= {target(resource) for resource in listed(statement["Resource"])}
    return queues


def queues_leave_concurrency_for_requests(house: House) -> Iterator[str]:
    """Each event source has a maximum, and by default all of them together leave half the account to requests."""
    taken = concurrency.of_queues(house.core, {"TextModelUrl": "https://model.acme.dev"})
    for name, maximum in taken.items():
        if maximum >= 1000:
            yield f"{name}: has no MaximumConcurrency, so its queue may take every function of the account."
    account = house.observe["Parameters"].get("AccountConcurrency", {}).get("Default", 10)
    if sum(taken.values()) > account * concurrency.SHARE:
        yield f"Queues may take {sum(taken.values())} of the {account} functions an account runs at once."


def parameters_are_documented(house: House) -> Iterator[str]:
    """Every parameter of both templates stands in the table of docs/operate/deploy.md, as the template describes it."""
    lines = house.pages.get("docs/operate/deploy.md", "").splitlines()
    for template in (house.core, house.observe):
        for name, body in template["Parameters"].items():
            if parameter_row(name, body) not in lines:
                yield f"docs/operate/deploy.md lacks the row {parameter_row(name, body)}"


def parameter_row(name: str, body: Json) -> str:
    """Writes the row of a parameter in the documentation."""
    default = f"Default: `{body['Default']}`." if body.get("Default") not in (None, "") else "Default: empty."
    return f"| `{name}` | {body['Description']} {default if 'Default' in body else 'Required.'} |"


def placeholders_are_refused(house: House) -> Iterator[str]:
    """CloudFormation refuses what samconfig.toml has in place of one's own values."""
    rule = str(house.core.get("Rules", {}).get("NoPlaceholders", {}))
    for name, value in house.config.items():
        if "example.com" in value and (name not in rule or value not in rule):
            yield f"The rule NoPlaceholders does not refuse {name}={value}."


def alarms_reach_somebody_who_knows_what_to_do(house: House) -> Iterator[str]:
    """Every alarm tells its beginning and its end, and names the section of the runbook that says what to do."""
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", house.pages.get("docs/operate/monitor.md", ""), re.MULTILINE)
    }
    anchors = {heading.lower() for heading in headings}
    for template in (house.core, house.observe):
        for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
            properties = alarm["Properties"]
            for actions in ("AlarmActions", "OKActions"):
                if not properties.get(actions):
                    yield f"{name}: has no {actions}."
            described = re.search(r"docs/operate/monitor\.md#([\w-]+)", str(properties.get("AlarmDescription")))
            if not described or described.group(1).lower() not in anchors:
                yield f"{name}: its description names no section of docs/operate/monitor.md."


def alarms_watch_what_exists(house: House) -> Iterator[str]:
    """Dimensions name queues, functions, rules and metrics of the core; metrics of our own are told apart by stack."""
    names = {named(one["Properties"].get("QueueName")) for one in of_type(house.core, "AWS::SQS::Queue").values()}
    names |= {
        named(one["Properties"].get("FunctionName")) for one in of_type(house.core, "AWS::Lambda::Function").values()
    }
    names |= {named(one["Properties"].get("Name")) for one in of_type(house.core, "AWS::Events::Rule").values()}
    exports = {named(one["Export"]["Name"]) for one in house.core["Outputs"].values() if "Export" in one}
    table = next(iter(of_type(house.core, "AWS::DynamoDB::Table").values()))["Properties"]
    indexes = {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}
    for name, alarm in of_type(house.observe, "AWS::CloudWatch::Alarm").items():
        for namespace, dimensions in watched(alarm["Properties"]):
            for dimension, value in dimensions.items():
                if isinstance(value, dict) and "Fn::ImportValue" in value:
                    if named(value["Fn::ImportValue"]) not in exports:
                        yield f"{name}: the core does not export {named(value['Fn::ImportValue'])}."
                elif dimension in ("QueueName", "FunctionName", "RuleName") and named(value) not in names:
                    yield f"{name}: the core has no {dimension} {named(value)}."
                elif dimension == "GlobalSecondaryIndexName" and value not in indexes:
                    yield f"{name}: the table has no index {value}."
            if namespace == "Consigne" and set(dimensions) != {"stack", "function"}:
                yield f"{name}: stacks of one account share this metric; it needs the dimensions stack and function."


def watched(properties: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    """Gives namespace and dimensions of each metric of an alarm."""
    metrics = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
    for metric in metrics or [properties]:
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
        yield metric["Namespace"], dimensions


def dead_letters_are_watched(house: House) -> Iterator[str]:
    """Every queue without a reader of its own has an alarm on its messages, and the queue of a function ends in one."""
    alarms = {
        named(value)
        for alarm in of_type(house.observe, "AWS::CloudWatch::Alarm").values()
        for namespace, dimensions in watched(alarm["Properties"])
        for value in dimensions.values()
        if alarm["Properties"].get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    for name, queue in of_type(house.core, "AWS::SQS::Queue").items():
        called = named(queue["Properties"].get("QueueName"))
        if "RedrivePolicy" not in queue["Properties"] and called not in alarms:
            yield f"{name}: nobody is told of messages on {called}."
    for name, source in of_type(house.core, "AWS::Lambda::EventSourceMapping").items():
        queue = house.core["Resources"].get(target(source["Properties"]["EventSourceArn"]), {})
        if queue.get("Type") == "AWS::SQS::Queue" and "RedrivePolicy" not in queue["Properties"]:
            yield f"{name}: a message that always fails is tried for ever."


def schedules_are_missed_by_somebody(house: House) -> Iterator[str]:
    """A run that fails three times, or cannot be started, leaves a message.
    Source: AWS Lambda developer guide, "Retaining records of asynchronous invocations"."""
    invoked = {
        target(one["Properties"]["FunctionName"])
        for one in of_type(house.core, "AWS::Lambda::EventInvokeConfig").values()
        if one["Properties"].get("DestinationConfig", {}).get("OnFailure")
    }
    for name, rule in of_type(house.core, "AWS::Events::Rule").items():
        if "ScheduleExpression" not in rule["Properties"]:
            continue
        for one in rule["Properties"]["Targets"]:
            function = target(one["Arn"])
            if function not in invoked:
                yield f"{function}: a failed run goes nowhere; it needs an on-failure destination."
            if "DeadLetterConfig" not in one:
                yield f"{name}: a run that EventBridge cannot start goes nowhere; it needs a DeadLetterConfig."


def mail_comes_from_one_address(house: House) -> Iterator[str]:
    """Whoever may send mail may do so from the configured address alone.
    Source: Amazon SES developer guide, "Identity and access management in Amazon SES"."""
    for name, role in of_type(house.core, "AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                sends = any(action.startswith("ses:Send") for action in listed(statement["Action"]))
                if sends and "ses:FromAddress" not in str(statement.get("Condition")):
                    yield f"{name}: may send mail as any identity; it needs a condition on ses:FromAddress."


def indexes_come_one_a_release(house: House) -> Iterator[str]:
    """CloudFormation makes or deletes one index of a table per update, so the releases that bring one are marked.
    Source: AWS CloudFormation template reference, "AWS::DynamoDB::Table GlobalSecondaryIndex"."""
    marked = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \|", house.pages.get("docs/operate/deploy.md", ""), re.MULTILINE)
    for name, table in of_type(house.core, "AWS::DynamoDB::Table").items():
        indexes = {index["IndexName"] for index in table["Properties"]["GlobalSecondaryIndexes"]}
        listed_indexes = {index for index, _ in marked}
        for index in sorted(indexes ^ listed_indexes):
            yield f"{name}: the table of indexes in docs/operate/deploy.md and the template disagree about {index}."
        releases = [release for index, release in marked if release != "0.1.0"]
        for release in sorted({one for one in releases if releases.count(one) > 1}):
            yield f"Release {release} brings more than one index; CloudFormation makes one an update."


def answers_come_before_api_gateway_gives_up(house: House) -> Iterator[str]:
    """A function behind a route has no more time than API Gateway waits for it."""
    for permission in of_type(house.core, "AWS::Lambda::Permission").values():
        if permission["Properties"]["Principal"] == "apigateway.amazonaws.com":
            function = target(permission["Properties"]["FunctionName"])
            timeout = house.core["Resources"][function]["Properties"]["Timeout"]
            if timeout > HTTP_TIMEOUT_MAX:
                yield f"{function}: has {timeout} s, and API Gateway waits {HTTP_TIMEOUT_MAX} s."


def resources_stay_within_the_budget(house: House) -> Iterator[str]:
    """Room must be left below CloudFormation's 500."""
    for name, template in (("template.yaml", house.core), ("infra/observe.yaml", house.observe)):
        if len(template["Resources"]) > RESOURCES_MAX:
            yield f"{name} becomes {len(template['Resources'])} resources; {RESOURCES_MAX} is the most."


def cut_loops_are_told(house: House) -> Iterator[str]:
    """A function that a queue starts either may reach itself, or has an alarm on chains that Lambda cut.
    Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops"."""
    watching = {
        named(dimensions["FunctionName"])
        for alarm in of_type(house.observe, "AWS::CloudWatch::Alarm").values()
        if alarm["Properties"].get("MetricName") == "RecursiveInvocationsDropped"
        for _, dimensions in watched(alarm["Properties"])
    }
    for source in of_type(house.core, "AWS::Lambda::EventSourceMapping").values():
        function = target(source["Properties"]["FunctionName"])
        properties = house.core["Resources"][function]["Properties"]
        queue = house.core["Resources"].get(target(source["Properties"]["EventSourceArn"]), {})
        if queue.get("Type") != "AWS::SQS::Queue" or properties.get("RecursiveLoop") == "Allow":
            continue
        if named(properties["FunctionName"]) not in watching:
            yield f"{function}: nobody is told when Lambda cuts a chain of its messages."


def smoke_knows_the_loops(house: House) -> Iterator[str]:
    """`make smoke` asks AWS for the loop settings that the template has."""
    found = re.search(r"^LOOPS = \((.*?)\)", house.pages.get("infra/smoke/aws.py", ""), re.MULTILINE | re.DOTALL)
    asked = set(re.findall(r'"([\w-]+)"', found.group(1))) if found else set()
    functions = of_type(house.core, "AWS::Lambda::Function").values()
    allowed = [named(one["Properties"]["FunctionName"]) for one in functions if "RecursiveLoop" in one["Properties"]]
    for name in sorted({one.split("-", 1)[-1] for one in allowed} ^ asked):
        yield f"LOOPS in infra/smoke/aws.py and RecursiveLoop in template.yaml disagree about {name}."


def throttles_of_every_index_are_watched(house: House) -> Iterator[str]:
    """DynamoDB counts throttles for the table and for each index apart.
    Source: Amazon DynamoDB developer guide, "DynamoDB metrics and dimensions"."""
    [table] = of_type(house.core, "AWS::DynamoDB::Table").values()
    wanted = {"table"} | {index["IndexName"] for index in table["Properties"]["GlobalSecondaryIndexes"]}
    for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
        seen = set()
        for alarm in of_type(house.observe, "AWS::CloudWatch::Alarm").values():
            for one in alarm["Properties"].get("Metrics", []):
                stat = one.get("MetricStat", {}).get("Metric", {})
                if stat.get("MetricName") == metric:
                    dimensions = {each["Name"]: each["Value"] for each in stat["Dimensions"]}
                    seen.add(dimensions.get("GlobalSecondaryIndexName", "table"))
        for name in sorted(wanted - seen):
            yield f"No alarm watches {metric} of {name}."


def exported_values_can_be_kept(house: House) -> Iterator[str]:
    """An exported value cannot change while another stack imports it, so none is a parameter's.
    Source: AWS CloudFormation user guide, "Get exported outputs from a deployed CloudFormation stack"."""
    for name, output in house.core["Outputs"].items():
        if "Export" not in output:
            continue
        for parameter in house.core["Parameters"]:
            if f"'Ref': '{parameter}'" in str(output["Value"]) or f"${{{parameter}}}" in str(output["Value"]):
                yield f"{name}: is exported and follows {parameter}, which could then not be changed."


def parameters_are_cleared_as_sam_reads_it(house: House) -> Iterator[str]:
    """The documents write `Name=""` for an empty parameter: SAM takes `Name=` for an error."""
    names = "|".join([*house.core["Parameters"], *house.observe["Parameters"]])
    for path, text in house.pages.items():
        for found in re.finditer(rf"\b({names})=(?=[\s`']|$)", text):
            line = text.count("\n", 0, found.start()) + 1
            if "is an error" not in text.splitlines()[line - 1]:
                yield f'{path}:{line}: write {found.group(1)}="" to clear it.'


ALL = [
    queue_policies_name_their_own_queue,
    failed_creations_leave_nothing_behind,
    browsers_may_call_every_route,
    loops_are_allowed_where_they_are_meant,
    queues_leave_concurrency_for_requests,
    parameters_are_documented,
    placeholders_are_refused,
    alarms_reach_somebody_who_knows_what_to_do,
    alarms_watch_what_exists,
    dead_letters_are_watched,
    schedules_are_missed_by_somebody,
    mail_comes_from_one_address,
    indexes_come_one_a_release,
    answers_come_before_api_gateway_gives_up,
    resources_stay_within_the_budget,
    deployer.the_deployer_may_make_everything,
    cut_loops_are_told,
    smoke_knows_the_loops,
    throttles_of_every_index_are_watched,
    exported_values_can_be_kept,
    parameters_are_cleared_as_sam_reads_it,
]
