"""Lints template.yaml, as it stands and as SAM expands it, and counts the resources it becomes."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform

import template as templates

ROOT = Path(__file__).resolve().parents[2]
EXPANDED = ROOT / "target" / "template.expanded.json"
# CloudFormation allows 500 resources a stack. Source: AWS CloudFormation user guide, "CloudFormation quotas".
BUDGET, LIMIT = 400, 500
REGION = "eu-west-3"


class Policies:
    """Stands in for the list of AWS's managed policies, which SAM would ask IAM for."""

    def load(self) -> dict[str, str]:
        names = ("AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess", "AWSXRayDaemonWriteAccess")
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


def expand(template: dict[str, Any]) -> dict[str, Any]:
    """Expands the template as CloudFormation would, with packages in place of folders."""
    for function in templates.functions(template).values():
        function["Properties"]["CodeUri"] = "s3://packages/package.zip"
    parameters = {
        name: body.get("Default", "https://example.com")
        for name, body in template["Parameters"].items()
        if body["Type"] == "String"
    }
    # SAM asks the environment for the region, as if it were about to call AWS.
    os.environ["AWS_DEFAULT_REGION"] = REGION
    return transform(template, parameters, Policies())


def main() -> None:
    """Lints and counts; ends with 1 when anything is wrong."""
    expanded = expand(templates.load(ROOT / "template.yaml"))
    EXPANDED.parent.mkdir(exist_ok=True)
    EXPANDED.write_text(json.dumps(expanded, indent=1))
    wrong = False
    for path in (ROOT / "template.yaml", EXPANDED):
        lint = [Path(sys.executable).with_name("cfn-lint"), "--regions", REGION, "--", path]
        wrong |= subprocess.run(lint, check=False).returncode != 0
    kinds = Counter(body["Type"] for body in expanded["Resources"].values())
    count = sum(kinds.values())
    most = ", ".join(f"{number} {kind.removeprefix('AWS::')}" for kind, number in kinds.most_common(4))
    print(f"The template becomes {count} resources of {LIMIT} ({most}).")
    if count > BUDGET:
        print(f"Warning: that is more than {BUDGET}; think of a second stack before the next function.")
    sys.exit(1 if wrong or count > LIMIT else 0)


if __name__ == "__main__":
    main()
