"""Rules for what is downloaded: every package has one version, and a hash by which its files are recognised."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from leaks import tracked

# A requirement as uv writes it: name, version, marker, hashes.
PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)(?:\[[\w, -]+\])?==([^\s;\\]+)[^\\\n]*((?: \\\n +--hash=sha256:[0-9a-f]{64})+)$"
)
WANTED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$")
EXACT = re.compile(r"\d+\.\d+\.\d+(?:[-+][\w.+-]+)?")
# Builds of a development tool for other platforms, which could not be fetched when the lock file was written. npm does
# not verify them. Only who builds on such a platform installs them; `npm install` there adds the hash.
UNVERIFIED = {
    f"node_modules/@yuku-toolchain/{platform}"
    for platform in ("darwin-arm64", "darwin-x64", "linux-arm64", "win32-arm64", "win32-x64")
}
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def problems(root: Path) -> Iterator[str]:
    """Yields a sentence for each package that is not pinned, and each command that does not look at the hashes."""
    for path in tracked(root):
        name = path.relative_to(root)
        if re.fullmatch(r"requirements.*\.txt", path.name):
            yield from (f"{name}: {problem}" for problem in requirements(path))
        elif path.name == "package-lock.json":
            yield from (f"{name}: {problem}" for problem in npm_lock(json.loads(path.read_text())))
        elif path.name == "package.json":
            yield from (f"{name}: {problem}" for problem in npm_manifest(json.loads(path.read_text())))
        elif path.name == "Cargo.lock":
            yield from (f"{name}: {problem}" for problem in cargo_lock(path.read_text()))
        elif path.name == "Makefile" or path.suffix in (".sh", ".rs", ".yml"):
            yield from (f"{name}{problem}" for problem in installs(path.read_text()))


def requirements(path: Path) -> Iterator[str]:
    """Yields the problems of a file of requirements. It belongs to the file beside it that names what is wanted."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", "\n".join(lines)):
        if not entry.strip():
            continue
        pinned = PINNED.match(entry)
        if not pinned:
            yield f"`{entry.splitlines()[0]}` has no exact version with hashes; `make lock` writes it."
        else:
            found.setdefault(pinned.group(1).lower().replace("_", "-"), set()).add(pinned.group(2))
    source = path.with_suffix(".in")
    if not source.is_file():
        yield f"{source.name} is missing, which says what is wanted."
        return
    for line in source.read_text().splitlines():
        wanted = WANTED.match(line)
        if line and not line.startswith("#") and not wanted:
            yield f"{source.name} must name one version: {line}"
        elif wanted and wanted.group(2) not in found.get(wanted.group(1).lower().replace("_", "-"), set()):
            yield f"{line} of {source.name} is not in it; `make lock` writes it."


def npm_lock(lock: dict) -> Iterator[str]:
    """Yields the packages of a lock file without a hash. What another package brings along has that one's."""
    for name, package in lock["packages"].items():
        outside = "node_modules/" in name and not package.get("link") and not package.get("inBundle")
        if outside and name not in UNVERIFIED and not package.get("integrity", "").startswith("sha512-"):
            yield f"{name} has no hash (`integrity`)."
        if package.get("resolved", "").startswith(("http:", "git")):
            yield f"{name} comes from {package['resolved']}."


def npm_manifest(manifest: dict) -> Iterator[str]:
    """Yields the dependencies of a package that are not of one version. Peers are another's, so they have ranges."""
    for kind in ("dependencies", "devDependencies", "optionalDependencies"):
        for name, version in manifest.get(kind, {}).items():
            if not EXACT.fullmatch(version):
                yield f"{name}: {version} is not one version."


def cargo_lock(text: str) -> Iterator[str]:
    """Yields the crates that do not come from crates.io with a checksum, besides those of the workspace."""
    for entry in text.split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(name|source|checksum) = "(.*)"$', entry, re.MULTILINE))
        if "source" in fields and (fields["source"] != REGISTRY or "checksum" not in fields):
            yield f"{fields['name']} does not come from crates.io with a checksum."


def installs(text: str) -> Iterator[str]:
    """Yields the commands that install from PyPI without looking at hashes, or what nobody has listed."""
    for at, line in enumerate(text.replace("\\\n", "").splitlines(), 1):
        shell = re.search(r"\bpip[\s\"',]+install\b", line)
        if shell and "requirement" in line and not ("require-hashes" in line or "&quiet" in line):
            yield f":{at}: pip must look at the hashes: --no-deps --require-hashes."
        if re.search(r"\bnpm\b[^\n]* (?:install|i) [\w@]", line):
            yield f":{at}: npm must install from a lock file: npm ci."
