"""How many functions a stack's queues may run at once, which a request then cannot."""

from typing import Any

# Part of an account's concurrency that queues may take; the rest is for requests.
SHARE = 0.5


def of_queues(template: dict[str, Any], parameters: dict[str, str]) -> dict[str, int]:
    """Gives the maximum of each queue's event source, by logical id.

    `parameters` override the template's defaults. An event source without a maximum counts as 1,000, the most Lambda
    runs
    for one. Source: AWS Lambda developer guide, "Configuring scaling behavior for SQS event source mappings".
    """
    found = {}
    for name, resource in template["Resources"].items():
        if resource["Type"] != "AWS::Lambda::EventSourceMapping" or "StreamArn" in str(resource["Properties"]):
            continue
        if resource.get("Condition") == "HasTextModel" and not parameters.get("TextModelUrl"):
            continue
        maximum = resource["Properties"].get("ScalingConfig", {}).get("MaximumConcurrency", 1000)
        if isinstance(maximum, dict):
            parameter = maximum["Ref"]
            maximum = parameters.get(parameter, template["Parameters"][parameter]["Default"])
        found[name] = int(maximum)
    return found
