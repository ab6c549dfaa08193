"""Rules for what AWS refuses or punishes and cfn-lint does not check. Each rule yields one sentence per problem.

A rule takes the whole `Project`: both templates, expanded, and the pages that document them. For each rule,
`tests/test_rules.py` makes a mistake that the rule must find.
"""

import re
from collections.abc import Iterator
from typing import Any

import replication

import breaking
import concurrency
import deployer
import gradual
import observed
import reference
from project import Project
from templates import Json, function_of, listed, named, of_type, target

# A stack may have 500 resources. Source: AWS CloudFormation user guide, "CloudFormation quotas".
RESOURCES_WARN, RESOURCES_MAX = 420, 450
# API Gateway waits this many seconds for a function. Source: API Gateway developer guide, "Quotas for HTTP APIs".
HTTP_TIMEOUT_MAX = 30
# An export is written within a day and can be downloaded for seven.
EXPORT_DAYS = 8
LOOPS = "Lambda would drop the 17th message of a chain through its own queue"


def queue_policies_name_their_own_queue(project: Project) -> Iterator[str]:
    """Each queue has a policy of its own, because SQS refuses a statement that names another queue.
    Source: Amazon SQS developer guide, "Custom policies"."""
    for name, body in of_type(project.core, "AWS::SQS::QueuePolicy").items():
        queues = [target(queue) for queue in body["Properties"]["Queues"]]
        for statement in listed(body["Properties"]["PolicyDocument"]["Statement"]):
            resources = [target(resource) for resource in listed(statement.get("Resource", []))]
            if len(queues) != 1 or resources != queues:
                yield f"{name}: one policy a queue, and it must name that queue only; it names {', '.join(resources)}."


def failed_creations_leave_nothing_behind(project: Project) -> Iterator[str]:
    """Tables and buckets are kept when the stack is deleted, but not when its creation fails: `Retain` would leave a
    protected table behind for every failed first deployment.
    Source: AWS CloudFormation user guide, "DeletionPolicy attribute"."""
    for name, body in project.core["Resources"].items():
        # A version goes with its function, and must outlive the move of its alias.
        if body.get("DeletionPolicy") == "Retain" and body["Type"] != "AWS::Lambda::Version":
            yield f"{name}: DeletionPolicy must be RetainExceptOnCreate, or a failed first deployment leaves it behind."
        keeps = body["Type"] in ("AWS::DynamoDB::Table", "AWS::S3::Bucket")
        if keeps and (body.get("DeletionPolicy"), body.get("UpdateReplacePolicy")) != (
            "RetainExceptOnCreate",
            "Retain",
        ):
            yield f"{name}: holds people's data, so it must be kept when the stack is deleted."


def exports_last_as_long_as_they_can_be_downloaded(project: Project) -> Iterator[str]:
    """A version that an export names may be noncurrent from the start, behind one of a worker that was killed. So the
    bucket keeps noncurrent versions as long as current ones: a day of writing, and the seven of `EXPORT_KEPT`."""
    rules = project.core["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    [rule] = [rule for rule in rules if rule.get("Prefix") == "exports/"]
    days = {"current": rule["ExpirationInDays"], "noncurrent": rule["NoncurrentVersionExpiration"]["NoncurrentDays"]}
    for kind, kept in days.items():
        if kept < EXPORT_DAYS:
            yield f"Bucket: {rule['Id']} removes {kind} versions after {kept} days; exports need {EXPORT_DAYS}."


def browsers_may_call_every_route(project: Project) -> Iterator[str]:
    """The API's CORS configuration allows every method and header in openapi.json."""
    [api] = of_type(project.core, "AWS::ApiGatewayV2::Api").values()
    [_, cors, _] = api["Properties"]["Body"]["x-amazon-apigateway-cors"]["Fn::If"]
    verbs = {method.upper() for path in api["Properties"]["Body"]["paths"].values() for method in path}
    for verb in sorted(verbs - {"X-AMAZON-APIGATEWAY-ANY-METHOD"} - set(cors["allowMethods"])):
        yield f"CORS does not allow the method {verb}, which a route has."
    asked, answered = {"content-type"}, {"www-authenticate"}
    for path in project.openapi["paths"].values():
        for operation in (body for body in path.values() if isinstance(body, dict)):
            parameters = [breaking.deref(project.openapi, one) for one in operation.get("parameters", [])]
            asked |= {one["name"].lower() for one in parameters if one.get("in") == "header"}
            for response in operation.get("responses", {}).values():
                headers = breaking.deref(project.openapi, response).get("headers", {})
                answered |= {header.lower() for header in headers}
    # Headers that only servers send.
    asked -= {"webhook-id", "webhook-timestamp", "webhook-signature", "stripe-signature", "svix-id"}
    for header in sorted(asked - set(cors["allowHeaders"])):
        yield f"CORS does not allow the header {header}, which a route takes."
    for header in sorted(answered - {"allow"} - set(cors["exposeHeaders"])):
        yield f"CORS does not expose the header {header}, which an answer contains."


def loops_are_allowed_where_they_are_meant(project: Project) -> Iterator[str]:
    """`RecursiveLoop: Allow` is set for the functions whose messages can come back to them, and for no others.
    Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops"."""
    functions = of_type(project.core, "AWS::Lambda::Function")
    reads: dict[str, set[str]] = {}
    for source in of_type(project.core, "AWS::Lambda::EventSourceMapping").values():
        queue = target(source["Properties"]["EventSourceArn"])
        reads.setdefault(queue, set()).add(target(source["Properties"]["FunctionName"]))
    calls = {
        name: {reader for queue in queues_sent_to(project.core, name) for reader in reads.get(queue, ())}
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
            yield f"{name}: RecursiveLoop: Allow is set, but its messages never come back to it."


def queues_sent_to(core: Json, function: str) -> set[str]:
    """Returns the queues to which a function's role may send messages."""
    role = core["Resources"][target(core["Resources"][function]["Properties"]["Role"])]
    queues = set()
    for policy in role["Properties"].get("Policies", []):
        for statement in listed(policy["PolicyDocument"]["Statement"]):
            if "sqs:SendMessage" in listed(statement["Action"]):
                queues |= {target(resource) for resource in listed(statement["Resource"])}
    return queues


def queues_leave_concurrency_for_requests(project: Project) -> Iterator[str]:
    """Each event source has a maximum. With the defaults, all of them together leave half of the account's concurrency
    for requests."""
    options = {
        "TextModelUrl": "https://model.acme.dev",
        "MalwareScan": "on",
        "ReplicaBucketArn": "arn:aws:s3:::replica",
    }
    taken = concurrency.of_queues(project.core, options)
    for name, maximum in taken.items():
        if maximum >= 1000:
            yield f"{name}: has no MaximumConcurrency, so its queue could use all of the account's concurrency."
    account = project.observe["Parameters"].get("AccountConcurrency", {}).get("Default", 10)
    if sum(taken.values()) > account * concurrency.SHARE:
        yield f"Queues can run {sum(taken.values())} of the {account} functions that the account may run at once."


def the_reference_is_up_to_date(project: Project) -> Iterator[str]:
    """The generated parts of docs/reference are what the templates, openapi.json and the schemas of events say."""
    for path in reference.PAGES:
        page = project.pages.get(path, "")
        try:
            is_current = page == reference.filled_in(page, path, project.sources)
        except ValueError as problem:
            yield str(problem)
            continue
        if not is_current:
            yield f"{path} is out of date; `make reference` writes it."


def placeholders_are_refused(project: Project) -> Iterator[str]:
    """CloudFormation refuses to deploy the placeholders in samconfig.toml."""
    rule = str(project.core.get("Rules", {}).get("NoPlaceholders", {}))
    for name, value in project.config.items():
        if "example.com" in value and (name not in rule or value not in rule):
            yield f"The rule NoPlaceholders does not refuse {name}={value}."


def alarms_reach_somebody_who_knows_what_to_do(project: Project) -> Iterator[str]:
    """Every alarm sends a message when it starts and when it ends, or is part of one that does, or stops a deployment.
    It names a section of docs/operate/monitor.md that says what to do."""
    headings = {
        re.sub(r"[^\w -]", "", heading).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", project.pages.get("docs/operate/monitor.md", ""), re.MULTILINE)
    }
    anchors = {heading.lower() for heading in headings}
    parts = observed.parts_of_others(project.observe) | gradual.rollback_alarms(project.core)
    for template in (project.core, project.observe):
        alarms = of_type(template, "AWS::CloudWatch::Alarm") | of_type(template, "AWS::CloudWatch::CompositeAlarm")
        for name, alarm in alarms.items():
            properties = alarm["Properties"]
            for actions in ("AlarmActions", "OKActions"):
                if not properties.get(actions) and name not in parts:
                    yield f"{name}: has no {actions}."
            described = re.search(r"docs/operate/monitor\.md#([\w-]+)", str(properties.get("AlarmDescription")))
            if not described or described.group(1).lower() not in anchors:
                yield f"{name}: its description names no section of docs/operate/monitor.md."


def alarms_watch_what_exists(project: Project) -> Iterator[str]:
    """Alarms name queues, functions, rules and exports that the core has. Alarms on our own metrics name the stack."""
    names = {named(one["Properties"].get("QueueName")) for one in of_type(project.core, "AWS::SQS::Queue").values()}
    names |= {
        named(one["Properties"].get("FunctionName")) for one in of_type(project.core, "AWS::Lambda::Function").values()
    }
    names |= {named(one["Properties"].get("Name")) for one in of_type(project.core, "AWS::Events::Rule").values()}
    exports = {named(one["Export"]["Name"]) for one in project.core["Outputs"].values() if "Export" in one}
    table = next(iter(of_type(project.core, "AWS::DynamoDB::Table").values()))["Properties"]
    indexes = {index["IndexName"] for index in table["GlobalSecondaryIndexes"]}
    for name, alarm in of_type(project.observe, "AWS::CloudWatch::Alarm").items():
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
    """Yields the namespace and the dimensions of each metric of an alarm."""
    metrics = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
    for metric in metrics or [properties]:
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
        yield metric["Namespace"], dimensions


def dead_letters_are_watched(project: Project) -> Iterator[str]:
    """Every queue without a dead-letter queue has an alarm on its messages. Every queue that a function reads has a
    dead-letter queue."""
    alarms = {
        named(value)
        for alarm in of_type(project.observe, "AWS::CloudWatch::Alarm").values()
        for namespace, dimensions in watched(alarm["Properties"])
        for value in dimensions.values()
        if alarm["Properties"].get("MetricName") == "ApproximateNumberOfMessagesVisible"
    }
    for name, queue in of_type(project.core, "AWS::SQS::Queue").items():
        called = named(queue["Properties"].get("QueueName"))
        if "RedrivePolicy" not in queue["Properties"] and called not in alarms:
            yield f"{name}: no alarm watches for messages on {called}."
    for name, source in of_type(project.core, "AWS::Lambda::EventSourceMapping").items():
        queue = project.core["Resources"].get(target(source["Properties"]["EventSourceArn"]), {})
        if queue.get("Type") == "AWS::SQS::Queue" and "RedrivePolicy" not in queue["Properties"]:
            yield f"{name}: a message that always fails is retried forever; its queue needs a RedrivePolicy."


def schedules_are_missed_by_somebody(project: Project) -> Iterator[str]:
    """A scheduled run leaves a message on a queue if it fails three times or cannot be started.
    Source: AWS Lambda developer guide, "Retaining records of asynchronous invocations"."""
    invoked = {
        target(one["Properties"]["FunctionName"])
        for one in of_type(project.core, "AWS::Lambda::EventInvokeConfig").values()
        if one["Properties"].get("DestinationConfig", {}).get("OnFailure")
    }
    for name, rule in of_type(project.core, "AWS::Events::Rule").items():
        if "ScheduleExpression" not in rule["Properties"]:
            continue
        for one in rule["Properties"]["Targets"]:
            function = target(one["Arn"])
            if function not in invoked:
                yield f"{function}: a failed run leaves no message; it needs an on-failure destination."
            if "DeadLetterConfig" not in one:
                yield f"{name}: a run that EventBridge cannot start leaves no message; it needs a DeadLetterConfig."


def mail_comes_from_one_address(project: Project) -> Iterator[str]:
    """Roles may send mail from the configured address only.
    Source: Amazon SES developer guide, "Identity and access management in Amazon SES"."""
    for name, role in of_type(project.core, "AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                sends = any(action.startswith("ses:Send") for action in listed(statement["Action"]))
                if sends and "ses:FromAddress" not in str(statement.get("Condition")):
                    yield f"{name}: may send mail as any identity; it needs a condition on ses:FromAddress."


def indexes_come_one_a_release(project: Project) -> Iterator[str]:
    """No release adds two indexes to a table, because one update of a stack creates or deletes at most one.
    docs/operate/deploy.md lists the release of each index.
    Source: AWS CloudFormation template reference, "AWS::DynamoDB::Table GlobalSecondaryIndex"."""
    marked = re.findall(r"^\| `([\w-]+)` \| ([\d.]+) \|", project.pages.get("docs/operate/deploy.md", ""), re.MULTILINE)
    for name, table in of_type(project.core, "AWS::DynamoDB::Table").items():
        indexes = {index["IndexName"] for index in table["Properties"]["GlobalSecondaryIndexes"]}
        listed_indexes = {index for index, _ in marked}
        for index in sorted(indexes ^ listed_indexes):
            yield f"{name}: the table of indexes in docs/operate/deploy.md and the template disagree about {index}."
        releases = [release for index, release in marked if release != "0.1.0"]
        for release in sorted({one for one in releases if releases.count(one) > 1}):
            yield f"Release {release} adds more than one index; CloudFormation can create only one per update."


def answers_come_before_api_gateway_gives_up(project: Project) -> Iterator[str]:
    """The timeout of a function behind a route is not longer than API Gateway waits."""
    for permission in of_type(project.core, "AWS::Lambda::Permission").values():
        if permission["Properties"]["Principal"] == "apigateway.amazonaws.com":
            function = function_of(project.core, permission["Properties"]["FunctionName"])
            timeout = project.core["Resources"][function]["Properties"]["Timeout"]
            if timeout > HTTP_TIMEOUT_MAX:
                yield f"{function}: has a timeout of {timeout} s, but API Gateway waits only {HTTP_TIMEOUT_MAX} s."


def resources_stay_within_the_budget(project: Project) -> Iterator[str]:
    """Both stacks stay well below CloudFormation's limit of 500 resources."""
    for name, template in (("template.yaml", project.core), ("infra/observe.yaml", project.observe)):
        if len(template["Resources"]) > RESOURCES_MAX:
            yield f"{name} has {len(template['Resources'])} resources; at most {RESOURCES_MAX} are allowed here."


def cut_loops_are_told(project: Project) -> Iterator[str]:
    """Every function that reads a queue either has `RecursiveLoop: Allow`, or an alarm on messages that Lambda dropped
    as a recursive loop.
    Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops"."""
    watching = {
        named(dimensions["FunctionName"])
        for alarm in of_type(project.observe, "AWS::CloudWatch::Alarm").values()
        if alarm["Properties"].get("MetricName") == "RecursiveInvocationsDropped"
        for _, dimensions in watched(alarm["Properties"])
    }
    for source in of_type(project.core, "AWS::Lambda::EventSourceMapping").values():
        function = target(source["Properties"]["FunctionName"])
        properties = project.core["Resources"][function]["Properties"]
        queue = project.core["Resources"].get(target(source["Properties"]["EventSourceArn"]), {})
        if queue.get("Type") != "AWS::SQS::Queue" or properties.get("RecursiveLoop") == "Allow":
            continue
        if named(properties["FunctionName"]) not in watching:
            yield f"{function}: no alarm watches RecursiveInvocationsDropped of it."


def smoke_knows_the_loops(project: Project) -> Iterator[str]:
    """`make smoke` expects `RecursiveLoop: Allow` for the same functions as the template."""
    found = re.search(r"^LOOPS = \((.*?)\)", project.pages.get("infra/smoke/aws.py", ""), re.MULTILINE | re.DOTALL)
    asked = set(re.findall(r'"([\w-]+)"', found.group(1))) if found else set()
    functions = of_type(project.core, "AWS::Lambda::Function").values()
    allowed = [named(one["Properties"]["FunctionName"]) for one in functions if "RecursiveLoop" in one["Properties"]]
    for name in sorted({one.split("-", 1)[-1] for one in allowed} ^ asked):
        yield f"LOOPS in infra/smoke/aws.py and RecursiveLoop in template.yaml disagree about {name}."


def smoke_knows_the_aliases(project: Project) -> Iterator[str]:
    """`make smoke` looks at the alias of each function that has one."""
    found = re.search(
        r"^ALIASED, ALIAS = \((.*?)\), \"(\w+)\"", project.pages.get("infra/smoke/aws.py", ""), re.MULTILINE
    )
    asked = {(name, found.group(2)) for name in re.findall(r'"([\w-]+)"', found.group(1))} if found else set()
    functions = of_type(project.core, "AWS::Lambda::Function")
    for body in of_type(project.core, "AWS::Lambda::Alias").values():
        called = functions[target(body["Properties"]["FunctionName"])]["Properties"]["FunctionName"]
        pair = (named(called).split("-", 1)[-1], body["Properties"]["Name"])
        if pair not in asked:
            yield f"ALIASED in infra/smoke/aws.py lacks {pair[0]}, whose alias is {pair[1]}."


def throttles_of_every_index_are_watched(project: Project) -> Iterator[str]:
    """Alarms watch throttled requests of the table and of each index, which DynamoDB counts separately.
    Source: Amazon DynamoDB developer guide, "DynamoDB metrics and dimensions"."""
    [table] = of_type(project.core, "AWS::DynamoDB::Table").values()
    wanted = {"table"} | {index["IndexName"] for index in table["Properties"]["GlobalSecondaryIndexes"]}
    for metric in ("ReadThrottleEvents", "WriteThrottleEvents"):
        seen = set()
        for alarm in of_type(project.observe, "AWS::CloudWatch::Alarm").values():
            for one in alarm["Properties"].get("Metrics", []):
                stat = one.get("MetricStat", {}).get("Metric", {})
                if stat.get("MetricName") == metric:
                    dimensions = {each["Name"]: each["Value"] for each in stat["Dimensions"]}
                    seen.add(dimensions.get("GlobalSecondaryIndexName", "table"))
        for name in sorted(wanted - seen):
            yield f"No alarm watches {metric} of {name}."


def exported_values_can_be_kept(project: Project) -> Iterator[str]:
    """No exported value depends on a parameter, because it cannot change while another stack imports it.
    Source: AWS CloudFormation user guide, "Get exported outputs from a deployed CloudFormation stack"."""
    for name, output in project.core["Outputs"].items():
        if "Export" not in output:
            continue
        for parameter in project.core["Parameters"]:
            if f"'Ref': '{parameter}'" in str(output["Value"]) or f"${{{parameter}}}" in str(output["Value"]):
                yield f"{name}: is exported and depends on {parameter}, which could then no longer be changed."


def parameters_are_cleared_as_sam_reads_it(project: Project) -> Iterator[str]:
    """The documentation writes `Name=""` for an empty parameter, because `Name=` is an error for SAM."""
    names = "|".join([*project.core["Parameters"], *project.observe["Parameters"]])
    for path, text in project.pages.items():
        for found in re.finditer(rf"\b({names})=(?=[\s`']|$)", text):
            line = text.count("\n", 0, found.start()) + 1
            if "is an error" not in text.splitlines()[line - 1]:
                yield f'{path}:{line}: write {found.group(1)}="" to clear it.'


ALL = [
    queue_policies_name_their_own_queue,
    failed_creations_leave_nothing_behind,
    exports_last_as_long_as_they_can_be_downloaded,
    browsers_may_call_every_route,
    loops_are_allowed_where_they_are_meant,
    queues_leave_concurrency_for_requests,
    the_reference_is_up_to_date,
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
    deployer.the_deployer_may_pass_every_role,
    replication.s3_accepts_the_replication,
    replication.removed_files_leave_the_replica,
    cut_loops_are_told,
    smoke_knows_the_loops,
    smoke_knows_the_aliases,
    throttles_of_every_index_are_watched,
    exported_values_can_be_kept,
    parameters_are_cleared_as_sam_reads_it,
    *gradual.ALL,
    *observed.ALL,
]
