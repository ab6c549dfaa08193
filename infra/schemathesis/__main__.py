"""Tries openapi.json against the laptop's stack: `python infra/schemathesis`. `make schemathesis` starts one.

Schemathesis makes requests from the document, right and wrong ones, first as an owner, a service and a key, and then
without credentials. No answer may be 5xx, and every status, content type and body must be in the document. The run ends
by itself: two minutes with credentials, forty seconds without. SEED=7 repeats a run.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra/schemathesis"), str(ROOT / "infra/bugs")]

import examples
from world import World, env_of, read_env

HERE = ROOT / "infra/schemathesis"
# Not committed: credentials are in it.
OUT = ROOT / "target/schemathesis"
SIGNED_IN_S, ANONYMOUS_S = 120, 40
# The limits of this plan are above what a run asks for.
PLAN = "enterprise"
PICTURE = ROOT / "shared/core/tests/corpus/files/baseline.jpg"


def main() -> None:
    """Runs Schemathesis twice. Exits with 1 if an answer was not as the document says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", type=Path, default=ROOT / "target/local/stack.env", help="addresses and secrets")
    parser.add_argument("--url", help="address of a laptop's stack, of any checkout")
    parser.add_argument("--schemathesis", type=Path, default=Path(sys.executable).with_name("schemathesis"))
    parser.add_argument("--seed", type=int, default=os.environ.get("SEED") or 20261128)
    parser.add_argument("--only", default="", help="part of a path")
    arguments = parser.parse_args()
    path = env_of(arguments.url) if arguments.url else arguments.env
    if not path.is_file():
        raise SystemExit(f"{path} is not there. make up starts a stack and writes it.")
    world = World(read_env(path))
    OUT.mkdir(parents=True, exist_ok=True)
    made = things(world)
    document = json.loads((ROOT / "openapi.json").read_text())
    (OUT / "openapi.json").write_text(examples.without_server_addresses(examples.with_examples(document, made)))
    began = time.monotonic()
    print(f"Trying openapi.json on {world.url} with seed {arguments.seed}.", flush=True)
    codes = [
        run(arguments, world, "signed-in", SIGNED_IN_S, credentials(world, made)),
        run(arguments, world, "anonymous", ANONYMOUS_S, ""),
    ]
    took = time.monotonic() - began
    if any(codes):
        again = f"make schemathesis SEED={arguments.seed} ONLY=<path>"
        print(
            f"\nAnswers differ from openapi.json ({took:.0f} s). Next: `{again}` repeats it; what was asked "
            f"and answered is above\nand in {OUT.relative_to(ROOT)}. If the answer is right, mend the type in the code."
        )
        sys.exit(1)
    print(f"\nEvery answer was as openapi.json says, and none was 5xx ({took:.0f} s).")


def things(world: World) -> dict[str, str]:
    """Makes one of each thing that a path can name. Returns their ids, and the owner's token as `token`."""
    org = world.new_org()
    token = world.token(org["owner"], PLAN, exp=int(time.time()) + 3600)
    service = world.env["SERVICE_TOKEN"]

    def made(path: str, body: Any, who: str = token) -> dict[str, Any]:
        answer = world.call("POST", path, body, who)
        if answer.status not in (200, 201):
            raise SystemExit(f"POST {path} answered {answer} while this run was set up.")
        return answer.json()["data"]

    endpoint = made(
        f"/api/orgs/{org['id']}/endpoints", {"url": "https://example.com/hooks", "events": ["job.completed"]}
    )
    files = [
        world.upload(f"{name}.jpg", "image/jpeg", PICTURE.read_bytes(), token)["s3Key"] for name in ("kept", "spare")
    ]
    # It is uploaded in parts.
    film = {"filename": "film.mp4", "contentType": "video/mp4", "size": 104_857_601}
    return {
        "org": org["id"],
        "owner": org["owner"],
        "key": org["key_id"],
        "text": org["key"],
        "token": token,
        "endpoint": endpoint["id"],
        "file": files[0],
        "spare_file": files[1],
        "upload": world.call("POST", "/api/files/uploads", film, token).json()["fileId"],
        "job": made("/api/secure/images/generate", {"prompt": "un phare", "count": 1})["job_id"],
        "receipt": made("/api/keys/verify", {"key": org["key"], "cost": 1}, service)["receipt_id"],
        "hold": made("/api/credits/holds", {"key": org["key"], "amount": 2, "service": "pdf"}, service)["hold_id"],
    }


def credentials(world: World, made: dict[str, str]) -> str:
    """Returns the credentials of each scheme of the document, as Schemathesis reads them."""
    bearers = {"session": made["token"], "service": world.env["SERVICE_TOKEN"], "key": made["text"]}
    blocks = [f'[auth.openapi.{name}]\nbearer = "{token}"\n' for name, token in bearers.items()]
    return "\n".join(["", *blocks, f'[auth.openapi.keyHeader]\napi_key = "{made["text"]}"\n'])


def run(arguments: argparse.Namespace, world: World, name: str, seconds: int, more: str) -> int:
    """Runs Schemathesis once, for so many seconds. Returns its exit code."""
    print(f"\n== {name}, at most {seconds} s", flush=True)
    config = OUT / f"{name}.toml"
    config.touch(mode=0o600)
    config.write_text((HERE / "schemathesis.toml").read_text() + more)
    command = [
        arguments.schemathesis.absolute(),
        "--config-file",
        config,
        "run",
        OUT / "openapi.json",
        "--continue-on-failure",
    ]
    command += ["--seed", str(arguments.seed), "--max-time", str(seconds), "--no-shrink"]
    command += ["--report", "json", "--report-json-path", OUT / f"{name}.json"]
    if arguments.only:
        command += ["--include-path-regex", arguments.only]
    env = (
        os.environ
        | world.env
        | {
            "TRY_URL": world.url,
            "TRY_SIGNED": "yes" if more else "",
            "SCHEMATHESIS_HOOKS": "hooks",
            "PYTHONPATH": str(HERE),
            "NO_COLOR": "1",
        }
    )
    return subprocess.run(command, cwd=OUT, env=env, check=False).returncode


if __name__ == "__main__":
    main()
