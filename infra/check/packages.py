"""Lists every package that this project downloads, from its lock files: crates, packages of npm, packages of PyPI."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from leaks import tracked
from supplies import PINNED


@dataclass(frozen=True)
class Package:
    """A package in one version. Equal ones of several lock files are one."""

    # As OSV names it: `crates.io`, `npm` or `PyPI`.
    ecosystem: str
    name: str
    version: str
    # Algorithm and hex digits, if there is one file only.
    digest: tuple[str, str] | None = None
    # An SPDX expression, if the lock file or the package says it.
    license: str = ""
    # Whether it is part of what is deployed. The others build, test or check.
    is_deployed: bool = False

    @property
    def purl(self) -> str:
        """Returns the package URL, as the Package URL specification writes it."""
        kind = {"crates.io": "cargo", "npm": "npm", "PyPI": "pypi"}[self.ecosystem]
        return f"pkg:{kind}/{quote(self.name, safe='/')}@{quote(self.version, safe='')}"


def everything(root: Path) -> list[Package]:
    """Returns the packages of a checkout, in order."""
    found = [*crates(root), *npm(root), *pypi(root)]
    return sorted(dict.fromkeys(found), key=lambda one: (one.ecosystem, one.name, one.version))


def crates(root: Path) -> Iterator[Package]:
    """Yields the crates in Cargo.lock, with the licenses that they state. Those that a function links are deployed."""
    metadata = cargo_metadata(root, "--all-features")
    sums = dict(
        ((name, version), checksum)
        for name, version, checksum in re.findall(
            r'name = "(.*)"\nversion = "(.*)"\nsource = .*\nchecksum = "(.*)"', (root / "Cargo.lock").read_text()
        )
    )
    linked = deployed_crates(cargo_metadata(root), root)
    for crate in metadata["packages"]:
        if crate["source"]:
            digest = ("SHA-256", sums[crate["name"], crate["version"]])
            terms = (crate["license"] or "").replace("/", " OR ")
            yield Package("crates.io", crate["name"], crate["version"], digest, terms, crate["id"] in linked)


def cargo_metadata(root: Path, *options: str) -> dict:
    """Returns what cargo knows of the workspace and its dependencies. The crates must have been fetched."""
    command = ["cargo", "metadata", "--offline", "--locked", "--format-version", "1", *options]
    return json.loads(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)


def deployed_crates(metadata: dict, root: Path) -> set[str]:
    """Returns the ids of the crates that functions link: what they depend on, besides what only tests need."""
    needs = {
        node["id"]: [
            one["pkg"] for one in node["deps"] if any(kind["kind"] in (None, "build") for kind in one["dep_kinds"])
        ]
        for node in metadata["resolve"]["nodes"]
    }
    folder = str(root / "functions")
    waiting = [crate["id"] for crate in metadata["packages"] if crate["manifest_path"].startswith(folder)]
    seen: set[str] = set()
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting.extend(needs[one])
    return seen


def npm(root: Path) -> Iterator[Package]:
    """Yields the packages in the lock files of npm. Those that are not for development only are deployed."""
    for path in tracked(root):
        if path.name != "package-lock.json":
            continue
        for place, package in json.loads(path.read_text())["packages"].items():
            name = package.get("name") or place.rpartition("node_modules/")[2]
            if "node_modules/" not in place or package.get("link"):
                continue
            kind, _, text = package.get("integrity", "").partition("-")
            digest = ("SHA-512", base64.b64decode(text).hex()) if kind == "sha512" else None
            is_deployed = path.parent.name == "web" and not (package.get("dev") or package.get("devOptional"))
            yield Package("npm", name, package["version"], digest, str(package.get("license", "")), is_deployed)


def pypi(root: Path) -> Iterator[Package]:
    """Yields the packages in the requirements. All of them are tools: nothing in Python is deployed."""
    for path in tracked(root):
        if re.fullmatch(r"requirements.*\.txt", path.name):
            for entry in re.split(r"\n(?=\S)", path.read_text()):
                if pinned := PINNED.match(entry.rstrip("\n")):
                    yield Package("PyPI", pinned.group(1).lower().replace("_", "-"), pinned.group(2))
