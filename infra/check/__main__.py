"""Reads the templates and documents as a reviewer would: `python infra/check`. Ends with 1 when anything is wrong."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra/check"), str(ROOT / "infra/deploy")]

import links
import rules
import templates
from house import House
from samconfig import load

EXPANDED = ROOT / "target/template.expanded.json"
# What the rules read beside the documents.
PAGES = (
    "docs/operate/deployer-policy.json",
    "infra/smoke/aws.py",
)


def house() -> House:
    """Reads everything the rules look at."""
    pages = {page: (ROOT / page).read_text() for page in PAGES if (ROOT / page).is_file()}
    pages |= {str(page.relative_to(ROOT)): page.read_text() for page in links.documents(ROOT)}
    openapi = json.loads((ROOT / "openapi.json").read_text())
    config = load(ROOT / "infra/samconfig.toml").parameters
    return House(templates.core(), templates.observe(), pages, openapi, config)


def cfn_lint() -> bool:
    """Runs cfn-lint over the templates as they stand and as they expand; says whether it is content."""
    paths = [ROOT / "template.yaml", EXPANDED, ROOT / "infra/observe.yaml"]
    command = [Path(sys.executable).with_name("cfn-lint"), "--regions", templates.REGION, "--", *paths]
    return subprocess.run(command, check=False).returncode == 0


def main() -> None:
    """Runs every rule, then cfn-lint, and counts resources."""
    looked_at = house()
    EXPANDED.parent.mkdir(exist_ok=True)
    EXPANDED.write_text(json.dumps(looked_at.core, indent=1))
    problems = [(rule.__name__, problem) for rule in rules.ALL for problem in rule(looked_at)]
    problems += [("links", problem) for problem in links.problems(ROOT)]
    for name, problem in problems:
        print(f"{name}: {problem}")
    content = cfn_lint()
    kinds = Counter(body["Type"] for body in looked_at.core["Resources"].values())
    count = sum(kinds.values())
    most = ", ".join(f"{number} {kind.removeprefix('AWS::')}" for kind, number in kinds.most_common(4))
    alarms = len(looked_at.observe["Resources"])
    print(f"template.yaml becomes {count} resources of 500 ({most}); infra/observe.yaml becomes {alarms}.")
    if count > rules.RESOURCES_WARN:
        print(f"Warning: above {rules.RESOURCES_WARN}, think of a second stack before the next function.")
    sys.exit(1 if problems or not content else 0)


if __name__ == "__main__":
    main()
