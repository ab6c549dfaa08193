"""Rules for infra/observe.yaml: what alarms, dashboard and queries name exists, and sizes stay below AWS's limits.

An alarm on a metric that nobody writes never starts, and nobody notices.
"""

import re
from collections.abc import Iterator
from typing import Any

from project import Project
from templates import Json, named, of_type

# The metrics of AWS that are used here, with the sets of dimensions under which it publishes them.
# Source: the pages "CloudWatch metrics" or "Monitoring" in the developer guide of each service.
QUEUE, FUNCTION, RULE = {"QueueName"}, {"FunctionName"}, {"RuleName"}
TABLE = {"TableName"}
INDEX = TABLE | {"GlobalSecondaryIndexName"}
API = {"ApiId"}
ROUTE = API | {"Stage", "Method", "Resource"}
PUBLISHED: dict[str, dict[str, list[set[str]]]] = {
    "AWS/ApiGateway": {
        name: [API, API | {"Stage"}, ROUTE] for name in ("4xx", "5xx", "Count", "Latency", "IntegrationLatency")
    },
    "AWS/DynamoDB": {
        "ReadThrottleEvents": [TABLE, INDEX],
        "WriteThrottleEvents": [TABLE, INDEX],
        "TransactionConflict": [TABLE],
    },
    "AWS/Events": {
        name: [RULE, RULE | {"EventBusName"}] for name in ("FailedInvocations", "InvocationsFailedToBeSentToDlq")
    },
    "AWS/Lambda": {
        **{name: [set(), FUNCTION] for name in ("ConcurrentExecutions", "Errors", "Invocations", "Throttles")},
        **{name: [FUNCTION] for name in ("IteratorAge", "RecursiveInvocationsDropped")},
    },
    "AWS/S3": {"OperationsFailedReplication": [{"SourceBucket", "DestinationBucket", "RuleId"}]},
    "AWS/SES": {name: [set()] for name in ("Reputation.BounceRate", "Reputation.ComplaintRate")},
    "AWS/SQS": {name: [QUEUE] for name in ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage")},
}

# Source: Amazon CloudWatch user guide, "Limits" of alarms, and API reference, "PutMetricAlarm", "PutCompositeAlarm".
ALARM_METRICS_MAX, RULE_MAX, DAY, WEEK = 10, 10_240, 86_400, 604_800
# Source: Amazon CloudWatch user guide, "CloudWatch service quotas".
WIDGETS_MAX, WIDGET_METRICS_MAX, DASHBOARD_METRICS_MAX, QUERY_GROUPS_MAX = 500, 500, 2_500, 50

# What every line of the log has, besides what the code adds by name. Source: shared/runtime/src/log.rs.
LINE = {"timestamp", "level", "message", "function", "stack"}
BATCHES = "shared/runtime/src/batch.rs"
NOTED = re.compile(r'(?:\.field|\.count|\.add|\.bytes|\.millis|\.insert)\(\s*"([\w.]+)"')
COUNTED = re.compile(r'\.(?:count|add|bytes|millis)\(\s*(?:if [^{]*\{)?\s*"([A-Z]\w+)"|"([A-Z]\w+)"')
# Words of the query language that stand where a field may.
WORDS = set(
    re.findall(
        r"\w+",
        "fields filter sort stats count by as desc asc and or not in like ispresent limit avg sum min max "
        "count_distinct datefloor SOURCE",
    )
)
# The log line of API Gateway has the fields that the template writes.
ACCESS_LOG = "/aws/vendedlogs/"


def metrics_exist(project: Project) -> Iterator[str]:
    """Every metric of an alarm or a widget is published by AWS, written by the function that it names, or counted from
    the log by a filter."""
    routes = {
        (method, properties["Path"])
        for body in project.sources.core["Resources"].values()
        if body["Type"] == "AWS::Serverless::Function"
        for event in body["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi" and "Path" in (properties := event["Properties"])
        for method in [properties["Method"]]
    }
    written, filtered = metrics_written(project.code), metrics_filtered(project.observe)
    for where, namespace, name, dimensions in metrics_used(project.observe):
        if namespace == "Consigne":
            function = str(dimensions.get("function"))
            if set(dimensions) != {"stack", "function"}:
                yield f"{where}: {name} needs the dimensions stack and function."
            elif name not in written.get(function, set()):
                yield f"{where}: no code of {function} writes the metric {name}."
        elif namespace.startswith("Consigne/"):
            if (namespace, name) not in filtered or dimensions:
                yield f"{where}: no filter counts {name} from the log."
        elif name not in PUBLISHED.get(namespace, {}):
            yield f"{where}: add {namespace} {name} to PUBLISHED in infra/check/observed.py, if AWS publishes it."
        elif set(dimensions) not in PUBLISHED[namespace][name]:
            yield f"{where}: AWS does not publish {name} by {', '.join(sorted(dimensions)) or 'no dimension'}."
        elif "Resource" in dimensions and (dimensions["Method"], dimensions["Resource"]) not in routes:
            yield f"{where}: the API has no route {dimensions['Method']} {dimensions['Resource']}."


def rules_are_watched(project: Project) -> Iterator[str]:
    """Alarms watch every rule that hands events to a queue. The dimensions follow from its bus: the rule alone on AWS's
    own bus, rule and bus on another.

    Source: Amazon EventBridge user guide, "Monitoring Amazon EventBridge".
    """
    watched = {
        (name, frozenset((one, named(value)) for one, value in dimensions.items()))
        for _, namespace, name, dimensions in metrics_used(project.observe)
        if namespace == "AWS/Events"
    }
    for where, rule in of_type(project.core, "AWS::Events::Rule").items():
        properties = rule["Properties"]
        if "EventPattern" not in properties:
            continue
        dimensions = {"RuleName": named(properties["Name"])}
        if "EventBusName" in properties:
            # The bus bears the name of the stack.
            dimensions["EventBusName"] = named({"Ref": "AWS::StackName"})
        for metric in ("FailedInvocations", "InvocationsFailedToBeSentToDlq"):
            if (metric, frozenset(dimensions.items())) not in watched:
                yield f"{where}: no alarm watches its {metric} by {', '.join(sorted(dimensions))}."


def metrics_used(observe: Json) -> Iterator[tuple[str, str, str, Json]]:
    """Yields each metric of an alarm or of the dashboard: where, namespace, name and dimensions."""
    for where, alarm in of_type(observe, "AWS::CloudWatch::Alarm").items():
        properties = alarm["Properties"]
        stats = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
        for metric in stats or [properties]:
            dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
            yield where, named(metric["Namespace"]), str(metric["MetricName"]), dimensions
    for where, widget in widgets(observe):
        for metric in widget.get("metrics", []):
            parts = [one for one in metric if not (isinstance(one, dict) and set(one) - {"Ref"} and is_plain(one))]
            if parts:
                namespace, name, *pairs = parts
                dimensions = dict(zip((str(one) for one in pairs[::2]), pairs[1::2], strict=True))
                yield where, named(namespace), str(name), dimensions


def is_plain(value: Json) -> bool:
    """Returns whether a mapping is the options of a metric, and no function of CloudFormation."""
    return not any(name.startswith("Fn::") for name in value)


def widgets(observe: Json) -> Iterator[tuple[str, Json]]:
    """Yields each widget of the dashboard: its title and its properties."""
    for name, dashboard in of_type(observe, "AWS::CloudWatch::Dashboard").items():
        for widget in dashboard["Properties"]["DashboardBody"]["Fn::ToJsonString"]["widgets"]:
            yield f"{name}, {widget['properties'].get('title', 'text')}", widget["properties"]


def metrics_written(code: dict[str, str]) -> dict[str, set[str]]:
    """Returns the metrics that each function writes: by its own code, by a shared function that it calls, or by the
    loop that hands it its records."""
    written: dict[str, set[str]] = {}
    shared: list[tuple[str, str]] = []
    for path, text in code.items():
        top, name, *_ = path.split("/")
        found = {one or other for one, other in COUNTED.findall(text)}
        if top == "functions":
            written.setdefault(name, set()).update(found)
        else:
            for body in re.split(r"(?m)^(?=\s*(?:pub(?:\([^)]*\))? )?(?:async )?fn )", text):
                if called := re.match(r"\s*(?:pub(?:\([^)]*\))? )?(?:async )?fn (\w+)", body):
                    shared += [(called.group(1), one or other) for one, other in COUNTED.findall(body)]
    for path, text in code.items():
        top, name, *_ = path.split("/")
        if top == "functions":
            calls = set(re.findall(r"\b(\w+)\(", text))
            written[name] |= {metric for called, metric in shared if called in calls}
            if "BatchFunction for" in text:
                written[name] |= {one or other for one, other in COUNTED.findall(code.get(BATCHES, ""))}
    return written


def metrics_filtered(observe: Json) -> set[tuple[str, str]]:
    """Returns namespace and name of each metric that is counted from the log."""
    return {
        (named(one["MetricNamespace"]), one["MetricName"])
        for body in of_type(observe, "AWS::Logs::MetricFilter").values()
        for one in body["Properties"]["MetricTransformations"]
    }


def queries_name_what_is_logged(project: Project) -> Iterator[str]:
    """Every field of a saved query, of a widget with a query and of a filter is written by the code, and every log
    group is one of the stack's."""
    logged = LINE | {name for text in project.code.values() for name in NOTED.findall(text)}
    audit = set(re.findall(r'\("(\w+)"', project.code.get("shared/runtime/src/http/access.rs", "")))
    audit |= set(re.findall(r'"(\w+)"\.to_owned\(\)', project.code.get("shared/runtime/src/http/access.rs", "")))
    logged |= {f"audit.{name}" for name in audit}
    groups = {
        named(body["Properties"]["LogGroupName"]) for body in of_type(project.core, "AWS::Logs::LogGroup").values()
    }
    for where, query, asked in queries(project.observe):
        for group in asked:
            if group not in groups:
                yield f"{where}: the core has no log group {group}."
        for name in sorted(fields_of(query) - logged):
            yield f"{where}: no line of the log has the field {name}."
    access = str(
        next(iter(of_type(project.core, "AWS::ApiGatewayV2::Stage").values()))["Properties"]["AccessLogSettings"]
    )
    for where, body in of_type(project.observe, "AWS::Logs::MetricFilter").items():
        group = named(body["Properties"]["LogGroupName"])
        if group not in groups:
            yield f"{where}: the core has no log group {group}."
        for name in re.findall(r"\$\.(\w+)", str(body["Properties"]["FilterPattern"])):
            if not (group.startswith(ACCESS_LOG) and f'"{name}"' in access):
                yield f"{where}: no line of {group} has the field {name}."


def queries(observe: Json) -> Iterator[tuple[str, str, list[str]]]:
    """Yields each query of the log: where, its text, and its log groups."""
    for where, body in of_type(observe, "AWS::Logs::QueryDefinition").items():
        properties = body["Properties"]
        yield where, str(properties["QueryString"]), [named(one) for one in properties["LogGroupNames"]]
    for where, widget in widgets(observe):
        if "query" in widget:
            text = named(widget["query"])
            yield where, re.sub(r"SOURCE '[^']*' \|", "", text), re.findall(r"SOURCE '([^']*)'", text)


def fields_of(query: str) -> set[str]:
    """Returns the fields that a query reads. Names that it gives to results are none."""
    plain = re.sub(r'"[^"]*"', "", query)
    given = set(re.findall(r"\bas (\w+)", plain))
    words = set(re.findall(r"(?<![\w.@])[A-Za-z][\w.]*(?![\w.(])", plain))
    return {word for word in words if word not in WORDS | given}


def sizes_stay_below_the_limits(project: Project) -> Iterator[str]:
    """Alarms, dashboards and queries are no larger than CloudWatch takes."""
    for where, alarm in of_type(project.observe, "AWS::CloudWatch::Alarm").items():
        properties = alarm["Properties"]
        stats = [one["MetricStat"] for one in properties.get("Metrics", []) if "MetricStat" in one]
        if len(stats) > ALARM_METRICS_MAX:
            yield f"{where}: has {len(stats)} metrics; an alarm may have {ALARM_METRICS_MAX}."
        periods = {int(one["Period"]) for one in stats or [properties]}
        if len(periods) > 1:
            yield f"{where}: all metrics of an alarm must have the same period."
        watched = max(periods) * int(properties["EvaluationPeriods"])
        if watched > (WEEK if max(periods) >= 3600 else DAY):
            yield f"{where}: watches {watched} s, which is longer than CloudWatch looks back."
    for where, alarm in of_type(project.observe, "AWS::CloudWatch::CompositeAlarm").items():
        rule = str(alarm["Properties"]["AlarmRule"])
        if len(rule) > RULE_MAX:
            yield f"{where}: has a rule of {len(rule)} characters; it may have {RULE_MAX}."
        for child in re.findall(r"\$\{(\w+)\}", rule):
            if child not in of_type(project.observe, "AWS::CloudWatch::Alarm"):
                yield f"{where}: there is no alarm {child}."
    shown = list(widgets(project.observe))
    counts = [len(widget.get("metrics", [])) for _, widget in shown]
    if len(shown) > WIDGETS_MAX or max(counts, default=0) > WIDGET_METRICS_MAX or sum(counts) > DASHBOARD_METRICS_MAX:
        yield f"The dashboard has {len(shown)} widgets and {sum(counts)} metrics, more than CloudWatch takes."
    for where, _, groups in queries(project.observe):
        if len(groups) > QUERY_GROUPS_MAX:
            yield f"{where}: asks {len(groups)} log groups; a query may ask {QUERY_GROUPS_MAX}."


def parts_of_others(observe: Json) -> set[str]:
    """Returns the alarms that only another alarm reads, so that they call nobody themselves."""
    rules = [
        str(one["Properties"]["AlarmRule"]) for one in of_type(observe, "AWS::CloudWatch::CompositeAlarm").values()
    ]
    return {name for rule in rules for name in re.findall(r"\$\{(\w+)\}", rule)}


def source_code(root: Any) -> dict[str, str]:
    """Returns the Rust code of functions and shared crates without their tests, by path."""
    found = {}
    for top in ("functions", "shared"):
        for path in sorted((root / top).glob("*/src/**/*.rs")):
            if "testkit" not in path.parts and not path.name.endswith("tests.rs"):
                text = path.read_text()
                found[str(path.relative_to(root))] = text.partition("\n#[cfg(test)]\nmod tests")[0]
    return found


ALL = [metrics_exist, rules_are_watched, queries_name_what_is_logged, sizes_stay_below_the_limits]
