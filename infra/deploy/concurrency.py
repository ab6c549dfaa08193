"""Calculates how many functions the queues of a stack may run at once. Requests get what is left of the account."""

from typing import Any

# Share of an account's concurrency that queues may use. The rest is for requests.
SHARE = 0.5


def of_queues(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, int]:
    """Returns the maximum concurrency of each queue's event source, by logical id.

    `parameters` override the template's defaults. An event source without a maximum counts as 1,000, Lambda's own limit
    for one. Source: AWS Lambda developer guide, "Configuring scaling behavior for SQS event source mappings".
    """
    found = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Lambda::EventSourceMapping" or "StreamArn" in str(resource["Properties"]):
            continue
        condition = resource.get("Condition")
        if condition == "HasTextModel" and not parameters.get("TextModelUrl"):
            continue
        if condition == "HasReplica" and not parameters.get("ReplicaBucketArn"):
            continue
        if condition == "ScansForMalware" and parameters.get("MalwareScan") != "on":
            continue
        maximum = resource["Properties"].get("ScalingConfig", {}).get("MaximumConcurrency", 1000)
        if isinstance(maximum, dict):
            parameter = maximum["Ref"]
            maximum = parameters.get(parameter, template["Parameters"][parameter]["Default"])
        found[name] = int(maximum)
    return found
