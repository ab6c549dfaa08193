"""Removes versions of functions that nothing calls any more. `make deploy` and `make up` do it before they deploy.

Not at the end of a deployment: Lambda may send calls to the version that an alias has just left, and would refuse them.
CloudFormation keeps every version for the same reason.
"""

from typing import Any

import template as templates


def remove_old(client: Any, template: dict[str, Any], stack: str) -> list[str]:
    """Removes versions of a stack's functions. Returns what was removed, such as `key-verify 3`.

    Of each function two versions stay: the one that its alias names, and the one before it. A version after it was left
    by a deployment that was rolled back. It has to go, because Lambda publishes no version that equals the last one, so
    the same deployment could not be repeated.
    """
    removed = []
    for logical, alias in templates.versioned(template).items():
        name = templates.called(template["Resources"][logical], stack)
        try:
            live = client.get_alias(FunctionName=name, Name=alias)
        except client.exceptions.ResourceNotFoundException:
            continue
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=name)
        published = [one["Version"] for page in pages for one in page["Versions"] if one["Version"] != "$LATEST"]
        for version in superfluous(published, live):
            client.delete_function(FunctionName=name, Qualifier=version)
            removed.append(f"{name.removeprefix(f'{stack}-')} {version}")
    return removed


def superfluous(published: list[str], alias: dict[str, Any]) -> list[str]:
    """Returns the versions that can go, oldest first."""
    current = int(alias["FunctionVersion"])
    routed = {int(one) for one in alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})}
    before = [int(one) for one in published if int(one) < current]
    kept = {current, *routed, *sorted(before)[-1:]}
    return [str(one) for one in sorted(int(one) for one in published) if one not in kept]
