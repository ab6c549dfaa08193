"""Rules for gradual deployment: which functions have it, and that alias, integration, permission, alarms and CodeDeploy
fit together.

Nothing of this runs on the laptop, whose server has no CodeDeploy and no alarms on metric math.
"""

import re
from collections.abc import Iterator
from typing import Any

from project import Project
from templates import Json, function_of, listed, named, of_type, target

# The functions in the path of customers' own requests, which are called most.
FUNCTIONS = {"KeyVerifyFunction", "GatewayFunction"}
CONDITION = "DeploysGradually"
DIGEST = {"Ref": "SettingsDigest"}
# What CodeDeploy does to an alias. Source: AWS managed policy reference, "AWSCodeDeployRoleForLambdaLimited", without
# hooks and packages in S3.
SHIFTS = {"lambda:GetAlias", "lambda:UpdateAlias", "lambda:GetProvisionedConcurrencyConfig"}


def a_changed_setting_is_published(project: Project) -> Iterator[str]:
    """Exactly the functions of FUNCTIONS are called through an alias, and publish a version when anything of them
    changes: the template, which SAM sees, and values of parameters, which only the digest in the descriptions shows.

    Both descriptions are needed. That of the version makes CloudFormation replace the version. That of the function
    makes it differ from the last one, or Lambda would refuse to publish it.
    Sources: AWS SAM developer guide, "AutoPublishAliasAllProperties"; AWS CloudFormation template reference,
    "AWS::Lambda::Version", whose description requires replacement; AWS Lambda developer guide, "Lambda function
    versions"."""
    found = {}
    for name, body in project.sources.core["Resources"].items():
        if body["Type"] == "AWS::Serverless::Function" and "AutoPublishAlias" in body["Properties"]:
            found[name] = body
    for name in sorted(FUNCTIONS ^ found.keys()):
        has = "has" if name in found else "has no"
        yield f"{name}: {has} AutoPublishAlias, unlike FUNCTIONS in infra/check/gradual.py."
    for name, body in found.items():
        properties = body["Properties"]
        if properties.get("AutoPublishAliasAllProperties") is not True:
            yield f"{name}: needs AutoPublishAliasAllProperties, or a changed timeout or setting never reaches callers."
        for description in ("Description", "VersionDescription"):
            if properties.get(description) != DIGEST:
                yield f"{name}: its {description} must be SettingsDigest, or a changed parameter never reaches callers."
        if body.get("UpdateReplacePolicy") != "Retain":
            yield f"{name}: needs UpdateReplacePolicy: Retain, or a version is deleted while calls still reach it."


def aliases_get_every_call(project: Project) -> Iterator[str]:
    """API Gateway calls the alias of such a function, and is permitted to. A call of the function itself would run what
    was just deployed, before its turn.
    Source: AWS Lambda developer guide, "Using Lambda aliases in event sources and permissions policies"."""
    aliases = of_type(project.core, "AWS::Lambda::Alias")
    behind = {target(body["Properties"]["FunctionName"]): name for name, body in aliases.items()}
    permitted: dict[str, set[str]] = {}
    for body in of_type(project.core, "AWS::Lambda::Permission").values():
        permitted.setdefault(function_of(project.core, body["Properties"]["FunctionName"]), set()).add(
            target(body["Properties"]["FunctionName"])
        )
    [api] = of_type(project.core, "AWS::ApiGatewayV2::Api").values()
    called: dict[str, set[str]] = {}
    for methods in api["Properties"]["Body"]["paths"].values():
        for operation in methods.values():
            uri = str(operation["x-amazon-apigateway-integration"]["uri"])
            for name in re.findall(r"functions/\$\{(\w+?)(?:\.Arn)?\}/", uri):
                called.setdefault(function_of(project.core, {"Ref": name}), set()).add(name)
    for function, alias in behind.items():
        if called.get(function) != {alias}:
            calls = ", ".join(sorted(called.get(function, {"nothing"})))
            yield f"{function}: API Gateway must call {alias}; it calls {calls}."
        if permitted.get(function) != {alias}:
            yield f"{function}: API Gateway must be permitted to call {alias}, and nothing else of the function."


def alarms_can_roll_back(project: Project) -> Iterator[str]:
    """Each such function has a deployment group with alarms. Each alarm watches the version to which the alias moves,
    and nothing that the version before it does; calls that nobody makes are no failure.
    Sources: AWS CodeDeploy user guide, "Monitoring deployments with CloudWatch alarms in CodeDeploy"; AWS Lambda
    developer guide, "Viewing metrics for Lambda functions", ExecutedVersion."""
    alarms = of_type(project.core, "AWS::CloudWatch::Alarm")
    groups = of_type(project.core, "AWS::CodeDeploy::DeploymentGroup")
    for name, alias in of_type(project.core, "AWS::Lambda::Alias").items():
        function = target(alias["Properties"]["FunctionName"])
        update = alias.get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {})
        group = groups.get(target(update.get("DeploymentGroupName")), {}).get("Properties", {})
        if not group or update.get("ApplicationName") != group["ApplicationName"]:
            yield f"{name}: CodeDeploy does not move this alias; it needs a DeploymentPreference."
            continue
        if "DEPLOYMENT_STOP_ON_ALARM" not in group["AutoRollbackConfiguration"]["Events"]:
            yield f"{name}: its deployment group does not roll back on an alarm."
        watching = alarms_of(group)
        if not any("faults" in str(alarms.get(one)) for one in watching):
            yield f"{name}: no alarm on its calls can roll a deployment back."
        for one in watching:
            if one not in alarms:
                yield f"{name}: there is no alarm {one}."
                continue
            yield from watches(one, alarms[one], function, alias["Properties"])


def watches(name: str, alarm: Json, function: str, alias: Json) -> Iterator[str]:
    """Yields what is wrong with an alarm that may roll back the deployment of a function."""
    properties = alarm["Properties"]
    if alarm.get("Condition") != CONDITION:
        yield f"{name}: must have the condition {CONDITION}; nobody reads it otherwise."
    if properties.get("TreatMissingData") != "notBreaching":
        yield f"{name}: a version that nobody calls must not roll back; TreatMissingData must be notBreaching."
    if not 1 < properties.get("DatapointsToAlarm", 1) <= properties["EvaluationPeriods"]:
        yield f"{name}: a single minute must not roll back; it needs DatapointsToAlarm above 1."
    version = alias["FunctionVersion"]
    # An alarm that is only changed keeps its state, and CodeDeploy would stop the repair of a version that is failing.
    # Source: Amazon CloudWatch API reference, "PutMetricAlarm".
    if f"${{{target(version)}.Version}}" not in str(properties.get("AlarmName")):
        yield f"{name}: must have the version in its name, so that each version has an alarm of its own."
    aliased = {"Fn::Sub": f"${{{function}}}:{alias['Name']}"}
    short = re.sub(r"(?<!^)([A-Z])", r"-\1", function.removesuffix("Function")).lower()
    wanted = {
        "AWS/Lambda": {"FunctionName": {"Ref": function}, "Resource": aliased, "ExecutedVersion": version},
        "Consigne": {"stack": {"Ref": "AWS::StackName"}, "function": short, "version": version},
    }
    for namespace, metric, dimensions in metrics(properties):
        if dimensions != wanted.get(namespace):
            yield f"{name}: {metric} must be that of the newest version of {function}, called through its alias."


def metrics(properties: Json) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yields the namespace, the name and the dimensions of each metric of an alarm."""
    stats = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
    for metric in stats or [properties]:
        dimensions = {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])}
        yield metric["Namespace"], metric["MetricName"], dimensions


def failures_are_counted_by_version(project: Project) -> Iterator[str]:
    """What the alarms read is what the code writes: the metric, and its dimensions in the same order."""
    text = project.code.get("shared/runtime/src/log.rs", "")
    written = re.findall(r'"Name": "(\w+)"', text.partition("fn take_of")[2])
    if '[["stack", "function", "version"]]' not in text:
        yield "shared/runtime/src/log.rs: no metric has the dimensions stack, function and version."
    for name, alarm in of_type(project.core, "AWS::CloudWatch::Alarm").items():
        for namespace, metric, _ in metrics(alarm["Properties"]):
            if namespace == "Consigne" and metric not in written:
                yield f"{name}: no code writes the metric {metric} by version."


def codedeploy_may_shift_and_no_more(project: Project) -> Iterator[str]:
    """CodeDeploy's role may move the aliases of these functions and read alarms. It has the boundary, if there is one.

    SAM's own role could call any function and read any bucket of the account."""
    groups = of_type(project.core, "AWS::CodeDeploy::DeploymentGroup").values()
    for name in sorted({target(one["Properties"]["ServiceRoleArn"]) for one in groups}):
        role = project.core["Resources"][name]
        properties = role["Properties"]
        if role.get("Condition") != CONDITION:
            yield f"{name}: must have the condition {CONDITION}."
        if "PermissionsBoundary" not in properties:
            yield f"{name}: has no PermissionsBoundary, so an account that requires one refuses it."
        if properties.get("ManagedPolicyArns"):
            yield f"{name}: AWS's policies for CodeDeploy allow more than it needs."
        [policy] = properties.get("Policies", [{"PolicyDocument": {"Statement": []}}])
        moved = set()
        for statement in listed(policy["PolicyDocument"]["Statement"]):
            actions, resources = set(listed(statement["Action"])), listed(statement["Resource"])
            if actions == {"cloudwatch:DescribeAlarms"}:
                continue
            if actions != SHIFTS:
                differ = ", ".join(sorted(actions ^ SHIFTS))
                yield f"{name}: may or may not {differ}; CodeDeploy needs exactly {', '.join(sorted(SHIFTS))}."
            moved |= {
                re.sub(r"^\$\{(\w+)\.Arn\}:\*$", r"\1:*", named(one)) if "Fn::Sub" in one else target(one)
                for one in resources
            }
        wanted = {each for function in FUNCTIONS for each in (function, f"{function}:*")}
        if moved != wanted:
            yield f"{name}: must move exactly the aliases of {', '.join(sorted(FUNCTIONS))}."


def rollback_alarms(core: Json) -> set[str]:
    """Returns the alarms that stop a deployment. They call nobody: whoever deploys sees it."""
    groups = of_type(core, "AWS::CodeDeploy::DeploymentGroup").values()
    return {name for body in groups for name in alarms_of(body["Properties"])}


def alarms_of(group: Json) -> list[str]:
    """Returns the alarms of a deployment group."""
    return [target(one["Name"]) for one in group.get("AlarmConfiguration", {}).get("Alarms", [])]


ALL = [
    a_changed_setting_is_published,
    aliases_get_every_call,
    alarms_can_roll_back,
    failures_are_counted_by_version,
    codedeploy_may_shift_and_no_more,
]
