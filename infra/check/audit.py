"""Asks for known vulnerabilities of every package: `make audit`. Needs a network.

OSV has the advisories of RustSec, GitHub and PyPI in one place. cargo-deny asks RustSec's own database too, which also
knows crates that nobody maintains. Exits with 1 if there is an advisory, and with 2 if one of the two was not asked.
"""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra/check")]

from packages import Package, everything

OSV = os.environ.get("OSV_URL", "https://api.osv.dev")
# Queries of one request. Source: the documentation of OSV's API, "POST /v1/querybatch".
BATCH = 1000


class NotAskedError(Exception):
    """The database could not be asked."""


def advisories(packages: list[Package], url: str) -> list[str]:
    """Returns a sentence for each package with advisories. Raises NotAskedError without an answer."""
    found = []
    for start in range(0, len(packages), BATCH):
        part = packages[start : start + BATCH]
        queries = [{"package": {"ecosystem": one.ecosystem, "name": one.name}, "version": one.version} for one in part]
        request = urllib.request.Request(
            f"{url}/v1/querybatch", json.dumps({"queries": queries}).encode(), {"content-type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                results = json.load(answer)["results"]
        except (OSError, ValueError, KeyError) as error:
            raise NotAskedError(f"OSV was not asked, because {url} cannot be reached: {error}.") from error
        for one, result in zip(part, results, strict=True):
            if ids := sorted(each["id"] for each in result.get("vulns", [])):
                use = "deployed" if one.is_deployed else "a tool"
                found.append(f"{one.ecosystem}: {one.name} {one.version} ({use}): {', '.join(ids)}")
    return found


def rustsec(program: Path) -> list[str]:
    """Returns what cargo-deny reports. Raises NotAskedError if it could not fetch its database."""
    command = [program, "check", "--hide-inclusion-graph", "advisories"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "failed to fetch advisory database" in ended.stderr:
        raise NotAskedError("RustSec was not asked: its database on GitHub cannot be reached.")
    return [] if ended.returncode == 0 else [ended.stderr.strip()]


def main() -> None:
    """Asks both, and prints what they say."""
    packages = sorted({(one.ecosystem, one.name, one.version): one for one in everything(ROOT)}.values(), key=str)
    found, silent = [], []
    for ask in (lambda: advisories(packages, OSV), lambda: rustsec(ROOT / "target/tools/bin/cargo-deny")):
        try:
            found += ask()
        except NotAskedError as reason:
            silent.append(str(reason))
    for line in found + silent:
        print(line)
    if not silent and not found:
        print(f"No advisory about any of {len(packages)} packages.")
    sys.exit(1 if found else 2 if silent else 0)


if __name__ == "__main__":
    main()
