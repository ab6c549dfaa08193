"""Generates a Python client from openapi.json and uses it on the laptop's stack: `python infra/clients`.

Reads CONSIGNE_URL, TOKEN (a session token of the plan pro) and SERVICE_TOKEN. `make test` runs it. Exits with 1 if a
route cannot be generated, or an answer does not come back as the type that the document promises.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target/clients"
PACKAGE = "consigne_client"
# The gateway hands any request on to another service, so it has no types. Everything else must be generated.
UNTYPED = "/api/v1/{service}/{proxy}"
# A PNG of one red pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003"
    "010100c9fe92ef0000000049454e44ae426082"
)


def main() -> None:
    """Generates the client, walks through the API with it, and prints what came back."""
    skipped = generate()
    if skipped:
        raise SystemExit("The generator cannot read these parts of openapi.json:\n" + "\n".join(skipped))
    sys.path.insert(0, str(TARGET))
    print("The Python client:", ", ".join(walk()))


def generate() -> list[str]:
    """Generates the client. Returns the generator's warnings, without those about the gateway."""
    shutil.rmtree(TARGET, ignore_errors=True)
    TARGET.mkdir(parents=True)
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(ROOT / "openapi.json")]
    command += ["--output-path", str(TARGET / PACKAGE), "--meta", "none"]
    # It formats what it generated with the ruff of its own environment.
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    ended = subprocess.run(command, cwd=TARGET, env=env, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stdout + ended.stderr)
    warnings = [line for line in (ended.stdout + ended.stderr).splitlines() if "WARNING" in line]
    return [line for line in warnings if UNTYPED not in line]


def walk() -> list[str]:
    """Uploads a file, lists it, asks for too much, and has an unknown key checked. Returns what happened."""
    from consigne_client import AuthenticatedClient  # noqa: PLC0415  (it has just been generated)
    from consigne_client.api.files import get_files_list, post_files_uploads  # noqa: PLC0415
    from consigne_client.api.keys import post_keys_verify  # noqa: PLC0415
    from consigne_client.models import FileList, Upload, UploadRequest, VerifyRequest  # noqa: PLC0415

    url = os.environ["CONSIGNE_URL"]
    client = AuthenticatedClient(base_url=url, token=os.environ["TOKEN"])
    wanted = UploadRequest(filename="python.png", content_type="image/png", size=len(PNG))
    grant = expect(Upload, post_files_uploads.sync(client=client, body=wanted))
    sent = httpx.request(grant.method.value, grant.url, headers=grant.headers.to_dict(), content=PNG)
    sent.raise_for_status()

    names: list[str] = []
    for _ in range(50):
        time.sleep(0.2)
        files = expect(FileList, get_files_list.sync(client=client, limit=10)).files
        if names := [file.filename for file in files]:
            break
    if names != ["python.png"]:
        raise SystemExit(f"The list has {names}.")

    wanted.size = 2**30
    refused: Any = post_files_uploads.sync(client=client, body=wanted)
    if refused.error.code != "FILE_TOO_LARGE":
        raise SystemExit(f"1 GiB of a picture was answered with {refused}.")

    service = AuthenticatedClient(base_url=url, token=os.environ["SERVICE_TOKEN"])
    checked: Any = post_keys_verify.sync(client=service, body=VerifyRequest(key="sk_test_unknown", cost=1))
    if checked.data.valid or checked.data.code != "NOT_FOUND":
        raise SystemExit(f"An unknown key was answered with {checked}.")
    return [f"uploaded {names[0]}", f"{refused.error.code} with limit {refused.error.details.limit}", checked.data.code]


def expect(kind: type, answer: Any) -> Any:
    """Returns an answer of a type.

    Exits if it has another one.
    """
    if not isinstance(answer, kind):
        raise SystemExit(f"Not a {kind.__name__}: {answer}")
    return answer


if __name__ == "__main__":
    main()
