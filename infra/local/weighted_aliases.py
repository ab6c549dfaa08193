"""Makes the laptop's Lambda share the calls of an alias between two versions, by the weights of its routing
configuration, as it does while CodeDeploy moves the alias. MiniStack sends all of them to the first.

Source: AWS Lambda developer guide, "Implement Lambda canary deployments using a weighted alias".
"""

import functools
import random
from typing import Any

from ministack.services import lambda_svc


def apply() -> None:
    """Adds the sharing. Called once, before the server starts."""
    find = lambda_svc._get_func_record_for_ref

    @functools.wraps(find)
    def wrapper(reference: str) -> tuple:
        return find(versioned(reference))

    lambda_svc._get_func_record_for_ref = wrapper


def versioned(reference: str) -> str:
    """Returns a reference to a function with the version in place of an alias that has weights. Others stay."""
    _, qualifier = lambda_svc._resolve_name_and_qualifier(reference)
    function = lambda_svc._get_base_func_record_for_ref(reference)[0] if qualifier else None
    alias = ((function or {}).get("aliases") or {}).get(qualifier, {})
    weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    if not weights:
        return reference
    return f"{reference.removesuffix(qualifier)}{drawn(alias['FunctionVersion'], weights, random.random())}"


def drawn(first: str, weights: dict[str, Any], number: float) -> str:
    """Returns the version that gets a call, by a number from 0 to 1."""
    for version, weight in weights.items():
        number -= float(weight)
        if number < 0:
            return version
    return first
