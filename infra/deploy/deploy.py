"""Deploys Consigne to AWS: `deploy.py arch | rust | check | up`. People run `make deploy`, which calls it."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "infra/local"))

import edge_stack as edge

import preflight
import template as templates
import versions
from samconfig import Config, ConfigError, load, quoted
from stacks import Stack

SAM = Path(sys.executable).with_name("sam")
CORE = "template.yaml"


def main() -> None:
    """Runs the command line. Arguments after `--` are passed to `sam deploy`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["arch", "rust", "check", "up"])
    parser.add_argument("--file", type=Path, default=ROOT / "infra/samconfig.toml")
    parser.add_argument("--env", default="default", help="which section of the file")
    parser.add_argument("--no-observe", action="store_true", help="do not deploy the alarms")
    parser.add_argument("--edge", action="store_true", help="deploy the CDN too, and the console behind it")
    parser.add_argument("--force", action="store_true", help="deploy even if the account's concurrency is too low")
    parser.add_argument("--root", type=Path, default=ROOT, help="where template.yaml and infra/observe.yaml are")
    parser.add_argument("more", nargs="*", help="arguments for `sam deploy`")
    arguments = parser.parse_args()
    try:
        config = load(arguments.file, arguments.env)
    except ConfigError as error:
        raise SystemExit(str(error)) from error
    if arguments.command == "arch":
        print(architecture(config, arguments.root))
    elif arguments.command == "rust":
        if missing := missing_target(architecture(config, arguments.root)):
            raise SystemExit(missing)
    elif arguments.command == "check":
        check(config, arguments)
    else:
        up(config, arguments)


def architecture(config: Config, root: Path = ROOT) -> str:
    """Returns the processor of an environment, for which the functions must be built: `arm64` or `x86_64`."""
    template = templates.load(root / CORE)
    return config.parameters.get("Architecture", template["Parameters"]["Architecture"]["Default"])


def missing_target(processor: str) -> str | None:
    """Returns how to get Rust's standard library for a processor of AWS, or None if it is installed."""
    target = f"{'aarch64' if processor == 'arm64' else 'x86_64'}-unknown-linux-gnu"
    if not shutil.which("rustc"):
        return "rustc is missing. Install Rust with rustup: https://rustup.rs"
    command = ["rustc", "--print", "target-libdir", "--target", target]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if done.returncode == 0 and any(Path(done.stdout.strip()).glob("libstd-*.rlib")):
        return None
    return f"Rust's standard library for {target} is missing. Install it: rustup target add {target}"


def check(config: Config, arguments: argparse.Namespace) -> None:
    """Finds everything that can be known to fail, before anything is built.

    Raises SystemExit with all problems.
    """
    template = templates.load(arguments.root / CORE)
    problems = list(preflight.offline(config, template))
    if "--guided" in arguments.more:
        problems.append("--guided asks for values again, and would deploy others than those that were checked.")
    stop(problems)
    session = config.session()
    print(f"Deploying the stack {config.stack_name} to {config.region}, {preflight.caller(session)}.")
    stop(filter(None, (stack.obstacle() for stack in stacks_of(config, session))))
    if arguments.edge:
        stop(filter(None, [edge.stack_of(config, session).obstacle(), edge.not_built(), *edge.problems(config)]))
    deployed = Stack(session, config.stack_name).parameters()
    problems = list(preflight.quota(config, template, deployed, session))
    if arguments.force:
        print("\n".join(problems))
    else:
        stop(problems)
    for notice in preflight.kept(config, template, deployed):
        print(notice)


def stop(problems) -> None:
    """Raises SystemExit with all problems, if there are any."""
    found = list(problems)
    if found:
        raise SystemExit("Nothing was deployed.\n" + "\n".join(f"* {problem}" for problem in found))


def stacks_of(config: Config, session: boto3.Session) -> tuple[Stack, Stack]:
    """Returns the core stack and the stack of alarms."""
    return Stack(session, config.stack_name), Stack(session, f"{config.stack_name}-observe")


def up(config: Config, arguments: argparse.Namespace) -> None:
    """Deploys the core, then the alarms, then the CDN if that is wanted. Prints what to do next."""
    core, observe = stacks_of(config, config.session())
    sam = Sam(arguments)
    deploy_core(sam, core, config)
    if arguments.no_observe:
        print("\nThe alarms were not deployed, because of OBSERVE=0.")
    else:
        print(f"\nDeploying the alarms as {observe.name}...")
        observe.clear()
        quota = preflight.concurrent_functions(config.session())
        told = {"CoreStack": core.name, "ReplicaBucket": core.outputs().get("ReplicaBucket", "")}
        watching = {"AccountConcurrency": str(quota)} | config.observe | told
        # SAM fails on `Fn::ForEach` without the flag.
        sam.deploy(observe, "infra/observe.yaml", watching, "--language-extensions")
    if arguments.edge:
        edge.up(sam, core, config, config.session())
    url = core.outputs()["ApiUrl"]
    print(f"\nDeployed. The API is at {url}. Try next:")
    print(f"  curl {url}/api/health")
    print(f"  make smoke URL={url} STACK={core.name} REGION={config.region}")
    print("make smoke reads TOKEN_CMD (a command that prints a session token) and SERVICE_TOKEN from the environment.")
    if not arguments.no_observe and config.observe.get("AlarmEmail"):
        print(f"{config.observe['AlarmEmail']} must confirm the subscription to alarms by the link in SNS's mail.")


def deploy_core(sam: "Sam", core: Stack, config: Config) -> None:
    """Creates or updates the core.

    A protected table cannot be deleted, not even to roll back a failed creation. So a new stack is created without the
    protection, and a second update turns it on.
    """
    core.clear()
    template = templates.load(sam.root / CORE)
    for version in versions.remove_old(config.session().client("lambda"), template, core.name):
        print(f"Removed a version that nothing calls: {version}.")
    parameters = reachable(config.parameters, core.parameters())
    if core.described() is None:
        sam.deploy_core(core, parameters | {"DeletionProtection": "false"})
        if parameters.get("DeletionProtection") == "false":
            return
        print("\nProtecting the table against deletion...")
        sam.deploy_core(core, parameters, "--no-confirm-changeset")
    else:
        sam.deploy_core(core, parameters)


def reachable(parameters: dict[str, str], deployed: dict[str, str]) -> dict[str, str]:
    """Returns the parameters of the core, with its address of API Gateway open as long as it has no other.

    The CDN's deployment gives it another, and then closes this one.
    """
    if parameters.get("DefaultEndpoint") != "off" or (deployed | parameters).get("PublicUrl"):
        return parameters
    print("DefaultEndpoint stays on until the API has another address, which EDGE=1 gives it.")
    return parameters | {"DefaultEndpoint": "on"}


class Sam:
    """The SAM CLI, with the settings of one environment."""

    def __init__(self, arguments: argparse.Namespace):
        self._settings = ["--config-file", str(arguments.file.resolve()), "--config-env", arguments.env]
        self._more = arguments.more
        self.root = arguments.root

    def deploy_core(self, core: Stack, parameters: dict[str, str], *flags: str) -> None:
        """Deploys the core, with its table protected unless the parameters say otherwise."""
        parameters = {"DeletionProtection": "true"} | parameters
        # A parameter that is left out keeps its deployed value.
        digest = templates.settings_digest(templates.load(self.root / CORE), core.parameters() | parameters)
        self.deploy(core, CORE, parameters | {"SettingsDigest": digest}, *flags)

    def deploy(self, stack: Stack, template: str, parameters: dict[str, str], *flags: str) -> None:
        """Deploys a stack.

        Raises SystemExit with SAM's code if SAM fails, and with 1 if the changes were not confirmed.
        """
        overrides = [quoted(name, value) for name, value in parameters.items()]
        command = [SAM, "deploy", "--template-file", template, "--stack-name", stack.name, *self._settings]
        command += ["--no-fail-on-empty-changeset", *flags, *self._more, "--parameter-overrides", *overrides]
        changed, waiting = stack.changed_at(), stack.waiting_change_sets()
        if code := subprocess.run(command, cwd=self.root, check=False).returncode:
            raise SystemExit(code)
        if stack.changed_at() == changed and stack.waiting_change_sets() - waiting:
            raise SystemExit(f"\nThe changes of {stack.name} were not executed, so the deployment stops here.")


if __name__ == "__main__":
    main()
