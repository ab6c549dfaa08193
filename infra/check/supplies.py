"""Rules for what is downloaded: every package has one version, and a hash by which its files are recognised."""

import itertools
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
# Installs without a lock file. The example of Next.js is built on archives that were packed a moment before, whose
# hashes no lock file can have. Its package.json names one version of each package, but not of what those bring along.
UNLOCKED = {"web/examples/build.ts"}
CODE = (".rs", ".py", ".ts", ".tsx", ".js", ".mjs")
COMMENT = re.compile(r"^[ \t]*(?:#|//|/?\*\s).*|[ \t](?:#|//) .*", re.MULTILINE)
# What stands between two words of a command: in shell, in a list of words, and in Rust's calls.
BETWEEN = r"(?:[\s\"'`,()\[\]]|&\[|\.args?\b)+"


def command(verbs: str, program: str) -> re.Pattern[str]:
    """Returns a pattern of a program, its options, of which some have a value, and what it shall do: `verbs`."""
    begin = r"(?:(?<![\w.{-])|(?<=\$\{)|(?<=\s-m))"
    options = rf"(?:{BETWEEN}[-+][^\s\"',]+(?:{BETWEEN}[^\s\"',-][^\s\"',]*)??)*?"
    return re.compile(rf"{begin}(?i:{program})\}}?{options}{BETWEEN}(?:{verbs})(?![\w.:=/-])")


PIP = command("install|download|wheel|sync", r"pip[\d.]*")
NPM = command("install|i|add|update|exec|x", r"npm(?:-cli\.js)?")
NPX = re.compile(r"(?<![\w.-])npx(?:\s+|[\"'](?:,\s*&?|\)\.args\()\[)[\"'\w@-]")
CARGO = command("install", "cargo")
BINSTALL = command("binstall", "cargo")
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
            manifest = json.loads(path.read_text())
            yield from (f"{name}: {problem}" for problem in npm_manifest(manifest))
            yield from (
                f"{name}, scripts{problem}" for problem in installs("\n".join(manifest.get("scripts", {}).values()))
            )
        elif path.name == "Cargo.lock":
            yield from (f"{name}: {problem}" for problem in cargo_lock(path.read_text()))
        elif path.suffix in CODE:
            found = installs(path.read_text(), ends=r";|\n\s*\n")
            yield from (f"{name}{problem}" for problem in found if str(name) not in UNLOCKED or "npm" not in problem)
        elif is_script(path):
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


def is_script(path: Path) -> bool:
    """Returns whether a file has commands of a shell."""
    if path.name in ("Makefile", "Dockerfile") or path.suffix in (".sh", ".mk", ".yml", ".yaml"):
        return True
    with path.open("rb") as file:
        return not path.suffix and file.read(2) == b"#!"


def installs(text: str, ends: str = r"[\n;|]|&&") -> Iterator[str]:
    """Yields the commands that install without looking at hashes, or what nobody has listed. `ends` is what ends a
    command."""
    # A vertical tab is a space to the patterns, and keeps the count of lines.
    text = COMMENT.sub("", text).replace("\\\n", " \v")
    lower = text.lower()
    for program, pattern, is_good, cure in (
        ("pip", PIP, verifies, "pip must look at the hashes: --no-deps --require-hashes"),
        ("npm", NPM, None, "npm must install from a lock file: npm ci"),
        ("npx", NPX, None, "no lock file has what comes by npx: run what npm ci installed"),
        ("cargo", CARGO, one_crate, "cargo must install one version, by its lock file: --locked --version 1.2.3"),
        ("cargo", BINSTALL, None, "cargo must install what it has built: cargo-binstall gets programs without a hash"),
    ):
        # To look for a word takes much less time.
        for match in pattern.finditer(text) if program in lower else ():
            if not is_good or not is_good(arguments(text, match.end(), ends)):
                lines = re.split(r"[\n\v]", text[: match.end()])
                yield f":{len(lines)}: {cure}."


def arguments(text: str, start: int, ends: str) -> list[str]:
    """Returns the words of a command after a place, that of its verb, without quotes."""
    rest = re.split(ends, text[start:], maxsplit=1)[0]
    # In code, a list can be put into another one, and a line above defines it.
    for name in re.findall(r"(?:&|\*|\.\.\.)(\w+)", rest):
        rest += " ".join(re.findall(rf"\b{name}\b[^=\n]*=\s*&?\[([^\]]*)\]", text))
    return re.findall(r"[^\s\"'`,()\[\]]+", rest)


def verifies(words: list[str]) -> bool:
    """Returns whether pip verifies hashes, and installs nothing besides what has one."""
    return {"--no-deps", "--require-hashes"} <= set(words)


def one_crate(words: list[str]) -> bool:
    """Returns whether cargo installs one version of a crate, or a folder, with the versions of its lock file."""
    options = " ".join(words).replace("=", " ").split()
    named = [after for before, after in itertools.pairwise(options) if before in ("--version", "--vers")]
    named += [word.partition("@")[2] for word in options if "@" in word]
    one = "--path" in options or (bool(named) and all(EXACT.fullmatch(version) for version in named))
    return "--locked" in options and "--git" not in options and one
