"""Deploys Consigne to AWS: `deploy.py arch | check | up`. The Makefile calls it; people call `make deploy`."""

import argparse
import subprocess
import sys
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "infra/local"))

import alarms

import preflight
import template as templates
from samconfig import Config, ConfigError, load

SAM = Path(sys.executable).with_name("sam")


def main() -> None:
    """Reads the command line; what follows `--` goes to `sam deploy`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["arch", "check", "up"])
    parser.add_argument("--file", type=Path, default=ROOT / "infra/samconfig.toml")
    parser.add_argument("--env", default="default", help="which section of the file")
    parser.add_argument("--no-observe", action="store_true", help="leave the alarms out")
    parser.add_argument("--force", action="store_true", help="deploy although the account is small")
    parser.add_argument("more", nargs="*", help="arguments for `sam deploy`")
    arguments = parser.parse_args()
    try:
        config = load(arguments.file, arguments.env)
    except ConfigError as error:
        raise SystemExit(str(error)) from error
    if arguments.command == "arch":
        print(architecture(config))
    elif arguments.command == "check":
        check(config, arguments)
    else:
        up(config, arguments)


def architecture(config: Config) -> str:
    """Gives the processor an environment is deployed for, which the build must be for too."""
    template = templates.load(ROOT / "template.yaml")
    return config.parameters.get("Architecture", template["Parameters"]["Architecture"]["Default"])


def check(config: Config, arguments: argparse.Namespace) -> None:
    """Says what would go wrong, before anything is built; ends with 1 when anything would."""
    template = templates.load(ROOT / "template.yaml")
    stop(preflight.offline(config, template))
    session = boto3.Session(region_name=config.region)
    print(f"Deploying the stack {config.stack_name} to {config.region}, {preflight.caller(session)}.")
    problems = list(preflight.online(config, template, session))
    if arguments.force:
        print("\n".join(problems))
    else:
        stop(problems)
    for notice in preflight.kept(config, template, session):
        print(notice)


def stop(problems) -> None:
    """Ends with every problem, if there is one."""
    found = list(problems)
    if found:
        raise SystemExit("Nothing was deployed.\n" + "\n".join(f"* {problem}" for problem in found))


def up(config: Config, arguments: argparse.Namespace) -> None:
    """Deploys the core and, behind it, the alarms; says what to do next."""
    file = ["--template-file", "template.yaml", "--config-file", str(arguments.file), "--config-env", arguments.env]
    command = [SAM, "deploy", *file, "--no-fail-on-empty-changeset", *arguments.more]
    if code := subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise SystemExit(code)
    session = boto3.Session(region_name=config.region)
    if arguments.no_observe:
        print("\nThe alarms were left out, because of OBSERVE=0.")
    else:
        print(f"\nDeploying the alarms as {config.stack_name}-observe...")
        alarms.deploy(session, config, (ROOT / "infra/observe.yaml").read_text())
    stack = session.client("cloudformation").describe_stacks(StackName=config.stack_name)["Stacks"][0]
    url = next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "ApiUrl")
    print(f"\nDeployed. The API is at {url}. Try next:")
    print(f"  curl {url}/api/health")
    print(f"  make smoke URL={url} TOKEN_CMD='<prints a session token>' SERVICE_TOKEN='<a service token>'")
    if not arguments.no_observe and config.observe.get("AlarmEmail"):
        print(f"{config.observe['AlarmEmail']} must confirm the subscription to alarms, by the link in SNS's mail.")


if __name__ == "__main__":
    main()
