"""Checks templates and documents: `python infra/check`. Exits with 1 if a rule or cfn-lint finds a problem."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("infra/check", "infra/deploy", "infra/docs", "infra/local")]

import edge

import breaking
import endpoints
import leaks
import links
import portable
import rules
import site_pages
import supplies
import templates
from observed import source_code
from project import Project
from reference.sources import load as load_sources
from samconfig import load

EXPANDED = ROOT / "target/template.expanded.json"
PAGES = (
    "docs/operate/deployer-policy.json",
    "infra/smoke/aws.py",
)


def project() -> Project:
    """Reads everything that the rules check."""
    pages = {page: (ROOT / page).read_text() for page in PAGES if (ROOT / page).is_file()}
    pages |= {str(page.relative_to(ROOT)): page.read_text() for page in links.documents(ROOT)}
    openapi = json.loads((ROOT / "openapi.json").read_text())
    config = load(ROOT / "infra/samconfig.toml").parameters
    return Project(templates.core(), templates.observe(), pages, openapi, config, load_sources(ROOT), source_code(ROOT))


def cfn_lint() -> bool:
    """Runs cfn-lint on the templates, as written and expanded. Returns whether it found nothing."""
    paths = [ROOT / "template.yaml", EXPANDED, ROOT / "infra/observe.yaml", ROOT / "infra/edge.yaml"]
    command = [Path(sys.executable).with_name("cfn-lint"), "--regions", templates.REGION, "--", *paths]
    return subprocess.run(command, check=False).returncode == 0


def main() -> None:
    """Runs every rule, then cfn-lint, and prints the number of resources."""
    checked = project()
    EXPANDED.parent.mkdir(exist_ok=True)
    EXPANDED.write_text(json.dumps(checked.core, indent=1))
    problems = [(rule.__name__, problem) for rule in rules.ALL for problem in rule(checked)]
    problems += [("links", problem) for problem in links.problems(ROOT)]
    problems += [("endpoints", problem) for problem in endpoints.problems(ROOT, checked.core, checked.openapi)]
    problems += [("breaking", problem) for problem in breaking.problems(ROOT)]
    problems += [("edge", problem) for problem in edge.problems(edge.load())]
    problems += [("portable", problem) for problem in portable.problems(ROOT)]
    problems += [("supplies", problem) for problem in supplies.problems(ROOT)]
    problems += [("leaks", problem) for problem in leaks.problems(ROOT)]
    problems += [("navigation", problem) for problem in site_pages.problems(ROOT)]
    for name, problem in problems:
        print(f"{name}: {problem}")
    is_clean = cfn_lint()
    kinds = Counter(body["Type"] for body in checked.core["Resources"].values())
    count = sum(kinds.values())
    most = ", ".join(f"{number} {kind.removeprefix('AWS::')}" for kind, number in kinds.most_common(4))
    alarms = len(checked.observe["Resources"])
    print(f"template.yaml becomes {count} resources of 500 ({most}); infra/observe.yaml becomes {alarms}.")
    if count > rules.RESOURCES_WARN:
        print(f"Warning: above {rules.RESOURCES_WARN}, think of a second stack before the next function.")
    sys.exit(1 if problems or not is_clean else 0)


if __name__ == "__main__":
    main()
