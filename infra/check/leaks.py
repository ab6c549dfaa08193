"""Finds texts that have the shape of a secret: in the files of this checkout, or in everything that was ever committed.

`make leaks` reads the history of every branch and tag, and of what is checked out; `make check` reads only the files.
infra/leaks.yaml lists texts that look like secrets and are none, each with its reason.
"""

import hashlib
import io
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = ROOT / "infra/leaks.yaml"
# By name, the shape of a secret. Each begins with a word that its issuer chose so that it can be recognised.
SHAPES = {
    "AWS access key": r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b",
    "private key": r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?:\\n|\s)+[A-Za-z0-9+/=]{40}",
    "API key of Stripe, Clerk or Consigne": r"\b[sr]k_(?:live|test)_[0-9A-Za-z]{20,}",
    "secret of webhooks": r"\bwhsec_[A-Za-z0-9+/=]{24,}",
    "token of GitHub": r"\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60,}",
    "token of Slack": r"\bxox[abprs]-[0-9A-Za-z-]{20,}|hooks\.slack\.com/services/T\w+/B\w+/\w+",
    "API key of Google": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "token of npm": r"\bnpm_[A-Za-z0-9]{36}\b",
    "token of PyPI": r"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}",
    "API key of a language model": r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{40,}",
    "session token": r"\beyJ[\w-]{16,}\.eyJ[\w-]{16,}\.[\w-]{32,}",
}
ANY = re.compile("|".join(f"({shape})" for shape in SHAPES.values()))
NAMES = list(SHAPES)
# What the shapes begin with. Most texts have none of it, and to look for it alone takes a tenth of the time.
BEGINNINGS = re.compile(
    r"AKIA|ASIA|-----BEGIN|[sr]k_(?:live|test)_|whsec_|gh[pousr]_|github_pat_|xox[abprs]-|hooks\.slack|AIza|npm_|pypi-|sk-"
    r"|eyJ"
)
# `--cc` shows of a merge what is in none of its parents; the parents' own lines are shown with the commits that added
# them. A line of context, because a key can be put below a heading that was there before. A stash was never published.
LOG = [
    *("git", "log", "--exclude=refs/stash", "--all", "--cc", "--unified=1", "--no-color", "--no-ext-diff"),
    *("--no-textconv", "--format=commit %H"),
]


def found(text: str) -> Iterator[tuple[str, str]]:
    """Yields the name of the shape and the text of each secret in a text."""
    if not BEGINNINGS.search(text):
        return
    for match in ANY.finditer(text):
        yield NAMES[next(at for at, group in enumerate(match.groups()) if group)], match.group()


def mark(secret: str) -> str:
    """Returns what stands for a text in infra/leaks.yaml: the beginning of its SHA-256, so that it is not repeated."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def allowed(path: Path = ALLOWED) -> dict[str, str]:
    """Returns the reasons of texts that are no secrets, by mark."""
    return {one: entry["reason"] for entry in yaml.safe_load(path.read_text()) for one in entry["marks"]}


def problems(root: Path, known: dict[str, str] | None = None) -> Iterator[str]:
    """Yields a sentence for each secret in the files of a checkout."""
    known = allowed() if known is None else known
    for path in tracked(root):
        try:
            text = path.read_text()
        except (UnicodeDecodeError, OSError):
            continue
        for shape, secret in found(text):
            if mark(secret) not in known:
                yield f"{path.relative_to(root)}: {report(shape, secret)}"


def history(root: Path, known: dict[str, str] | None = None) -> Iterator[str]:
    """Yields a sentence for each secret in what was ever added to a file, and its commit."""
    known = allowed() if known is None else known
    told = set()
    with (
        subprocess.Popen(LOG, cwd=root, stdout=subprocess.PIPE) as log,
        io.TextIOWrapper(log.stdout, "utf-8", "replace", newline="\n") as shown,
    ):
        for commit, path, lines in hunks(shown):
            # As `read_text` has it, so that a secret has the same mark here and in the files.
            text = re.sub("\r\n?", "\n", "".join(line for _, line in lines))
            for shape, secret in found(text):
                # A secret in one line that stood there before is reported with the commit that added it.
                added = "\n" in secret or any(secret in line for is_added, line in lines if is_added)
                if added and mark(secret) not in known and mark(secret) not in told:
                    told.add(mark(secret))
                    yield f"{commit} {path}: {report(shape, secret)}"
    if log.returncode:
        yield "git log failed, so the history was not read."


def hunks(log: Iterable[str]) -> Iterator[tuple[str, str, list[tuple[bool, str]]]]:
    """Yields the hunks of a log: commit, path, and the lines after the commit, with whether the commit added them."""
    commit, path, parents, lines = "", "", 0, []
    for line in log:
        if parents and line[0] in " +-\\\n":
            # In a hunk, a line has a column for each parent.
            if "-" not in line[:parents] and line[0] != "\\":
                lines.append(("+" in line[:parents], line[parents:] or "\n"))
            continue
        if lines:
            yield commit, path, lines
        parents, lines = 0, []
        if line.startswith("@@"):
            parents = len(line) - len(line.lstrip("@")) - 1
        elif line.startswith("commit "):
            commit = line.split()[1][:12]
        elif line.startswith("+++ "):
            path = line[4:].rstrip().removeprefix("b/")
    if lines:
        yield commit, path, lines


def report(shape: str, secret: str) -> str:
    """Returns what to do about a secret, without repeating it."""
    return (
        f"{secret[:8]}... has the shape of a {shape}. Revoke it if it is one; if it is not, list {mark(secret)} with "
        f"the reason in {ALLOWED.relative_to(ROOT)}."
    )


def tracked(root: Path) -> list[Path]:
    """Returns the files of a checkout that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return [path for name in sorted(set(listed.split("\0"))) if name and (path := root / name).is_file()]


def main() -> None:
    """Reads the history. Exits with 1 if it has a secret, or if git has only a part of it."""
    asked = ["git", "rev-parse", "--is-shallow-repository"]
    if subprocess.run(asked, check=False, cwd=ROOT, capture_output=True, text=True).stdout.strip() != "false":
        sys.exit("This checkout has no history, or a part of it only. Clone it whole, then try again.")
    told = list(history(ROOT))
    for problem in told:
        print(problem)
    print("The history has no secrets." if not told else f"{len(told)} texts in the history look like secrets.")
    sys.exit(1 if told else 0)


if __name__ == "__main__":
    main()
