"""Checks that scripts, recipes and documents run on macOS as on Linux: bash 3.2, GNU make 3.81 and the tools of BSD.

What shellcheck does not know is here: which options only the GNU tools have, and what came with bash 4 and make 3.82.
"""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from links import FENCE, SKIPPED, SPAN, blank, documents

# Where a command can begin in a line of shell.
START = r"(?:^|[|;&(`]|\b(?:then|do|else|exec|sudo|xargs)\s|!\s)\s*[@-]?(?:\w+=\S*\s+)*"
# The options of a command, up to the next command of the line.
OPTIONS = r"\b[^|;&]*?\s"
# Tools that know long options on Linux only.
SHORT = (
    "basename|cat|chmod|cp|cut|date|dirname|du|find|grep|head|ln|ls|mkdir|mktemp|mv|readlink|rm|sed|sort|stat|tail|tee"
    "|touch|tr|uniq|wc|xargs"
)


def command(words: str, options: str = "") -> re.Pattern[str]:
    """Returns a pattern of a command, of its name alone or with one of these options."""
    return re.compile(rf"{START}(?:{words})" + (rf"{OPTIONS}(?:{options})" if options else r"(?![\w.-])"))


# Patterns of shell, each with what is wrong and the cure.
COMMANDS = [
    # BSD's grep has --line-buffered, and no short option for it.
    (command(SHORT, "--(?!line-buffered)[a-z]"), "long options of this tool are GNU's; use the short one of POSIX"),
    (command("sed", "-[a-zA-Z]*i"), "sed -i differs on macOS; write to another file and move it"),
    (command("sed", "-[a-zA-Z]*r"), "sed -r is GNU's; use -E"),
    (command("grep", "-[a-zA-Z]*P"), "grep -P is GNU's; use -E"),
    (command("date", r"-d\b|\S*%[0-9]*N"), "date -d and %N are GNU's; use python3"),
    (command("readlink", "-[a-z]*[efm]"), "readlink -f is GNU's; use cd and pwd -P"),
    (command("realpath"), "realpath is missing on older macOS; use cd and pwd -P"),
    (command("stat", r"-[a-zA-Z]*[cf]\b"), "the options of stat differ on macOS; use wc -c or python3"),
    (command("sort", "-[a-zA-Z]*V"), "sort -V is GNU's; compare versions with awk"),
    (command("xargs", r"-[a-zA-Z0-9]*[rd]\b"), "xargs -r and -d are GNU's; use a loop"),
    (command("mktemp", r"-p\b"), "mktemp -p is GNU's; use a template with a path"),
    (command("base64", r"-w"), "base64 -w is GNU's; use openssl base64 -A"),
    (command("head", r"-n\s*-|-c\s*-"), "head with a negative count is GNU's; use sed or awk"),
    (command("find", r"-printf|-regextype"), "this option of find is GNU's; use -exec or python3"),
    (command("echo", r"-[a-z]*e\b"), "echo -e differs between shells; use printf"),
    (command("du", r"-[a-z]*b"), "du -b is GNU's; use du -k"),
    (command("ln", r"-[a-z]*r"), "ln -r is GNU's; write the relative path"),
    (command("(?:sha(?:1|224|256|384|512)|md5)sum"), "macOS lacks this; use openssl dgst -r"),
    (command("timeout|nproc|tac|shuf|setsid|taskset|ionice|numfmt|truncate|ldd"), "macOS lacks this command"),
    (re.compile(r"/proc/|/dev/shm"), "macOS has no /proc and no /dev/shm"),
]

# Patterns of bash that version 3.2, which is macOS's, does not know.
BASH = [
    (re.compile(r"\b(?:declare|local|typeset|readonly)\s+-[a-zA-Z]*[Angu]"), "bash 3.2 has no such attribute"),
    (re.compile(r"\b(?:mapfile|readarray|coproc)\b"), "bash 3.2 lacks this command"),
    (re.compile(r"\$\{!?\w+(?:\[[^]]*\])?(?:,|\^|@[A-Za-z])"), "bash 3.2 lacks this expansion; use tr, or printf %q"),
    (re.compile(r"\$\{\w+\[-"), "bash 3.2 has no negative index"),
    (re.compile(r"(?<!\|)\|&|&>>"), "bash 3.2 lacks this redirection; use 2>&1"),
    (re.compile(r";;?&(?!&)"), "bash 3.2 cannot fall through in case"),
    (re.compile(r"\bwait\s+-[a-z]*n"), "bash 3.2 lacks wait -n; wait for a process id"),
    (re.compile(r"\[\[?\s+(?:!\s+)?-v\s|\btest\s+-v\s"), "bash 3.2 lacks -v; use ${name+set}"),
    (re.compile(r"\bexec\s+\{\w+\}"), "bash 3.2 cannot choose a descriptor; write its number"),
    (re.compile(r"\bread\s+-[a-z]*[iN]"), "bash 3.2 lacks this option of read"),
    (re.compile(r"\bprintf\s.*%(?:-?\d+)?\("), "bash 3.2 lacks %()T; use date"),
    (re.compile(r"\$\{?(?:EPOCHSECONDS|EPOCHREALTIME|BASHPID|SRANDOM)\b"), "bash 3.2 lacks this variable"),
    (re.compile(r"\bshopt\b.*\b(?:globstar|lastpipe|inherit_errexit|dirspell)\b"), "bash 3.2 lacks this option"),
    (
        re.compile(r"\bexport\s+-f\b"),
        "macOS's bash hands functions on under other names than a newer bash beside it; use a script",
    ),
]

# Patterns of make that version 3.81, which is macOS's, ignores or does not know.
MAKE = [
    (
        re.compile(r"^\.(?:ONESHELL|SHELLFLAGS|RECIPEPREFIX|WAIT|NOTINTERMEDIATE|EXTRA_PREREQS)\b"),
        "ignores this target",
    ),
    (re.compile(r"^[^\t#]*!="), "has no !="),
    (re.compile(r"^[^\t#]*::?:="), "has no ::="),
    (re.compile(r"^[^\t#=]*&:"), "has no grouped targets"),
    (re.compile(r"^define\s+\S+\s*[:?+]?="), "has no = after define"),
    (re.compile(r"^(?:undefine|private|load)\b"), "lacks this directive"),
    (re.compile(r"\$[({](?:file|let|intcmp|guile)\s"), "lacks this function"),
]

TRAILING = re.compile(r"\S\s+#(?:\s|$)")
QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"")
SHELL_BLOCK = re.compile(r"^[ \t]*```(?:sh|bash|shell|console|zsh)[^\n]*\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"^\s*(?:- )?run:\s*(?!\|)(.+)$")
IN_PYTHON = re.compile(
    r"\[\s*\"(timeout|nproc|tac|shuf|setsid|taskset|sha\d+sum|md5sum|realpath|readlink|stat|xargs)\""
)


def problems(root: Path) -> Iterator[str]:
    """Yields a sentence for everything below a folder that would not run on macOS."""
    for path in scripts(root):
        name, text = path.relative_to(root), path.read_text()
        lines = [(number, line) for number, line in numbered(text) if not line.lstrip().startswith("#")]
        yield from found(name, lines, COMMANDS + BASH)
        yield from empty_arrays(name, text)
    yield from makefile((root / "Makefile").read_text())
    for path in documents(root):
        yield from document(str(path.relative_to(root)), path.read_text())
    for path in sorted((root / ".github/workflows").glob("*.yml")):
        commands = [
            (number, match.group(1)) for number, line in numbered(path.read_text()) if (match := RUN.match(line))
        ]
        yield from found(path.relative_to(root), commands, COMMANDS + BASH)
    for path in below(root, "*.py"):
        for match in IN_PYTHON.finditer(path.read_text()):
            yield f"{path.relative_to(root)}: calls {match.group(1)}, which macOS lacks or has with other options."


def below(root: Path, pattern: str) -> list[Path]:
    """Returns the repository's own files of a pattern, sorted."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in SKIPPED]
        found += [Path(folder) / name for name in files if fnmatch(name, pattern)]
    return sorted(path for path in found if path.is_file())


def scripts(root: Path) -> list[Path]:
    """Returns the shell scripts of the repository: those of that name, and those whose first line names a shell."""
    named = set(below(root, "*.sh"))
    others = (path for path in below(root, "*") if not path.suffix)
    return sorted(named | {path for path in others if re.match(rb"#!.*\b(?:ba|z)?sh\b", path.read_bytes()[:64])})


def numbered(text: str) -> list[tuple[int, str]]:
    """Returns the lines of a text with their numbers."""
    return list(enumerate(text.splitlines(), 1))


def found(name: object, lines: list[tuple[int, str]], patterns: list[tuple[re.Pattern[str], str]]) -> Iterator[str]:
    """Yields a sentence for each pattern that a line matches."""
    for number, line in lines:
        for pattern, reason in patterns:
            if match := pattern.search(line):
                yield f"{name}:{number}: `{match.group().strip(' |;&(`@')}`: {reason}."


def empty_arrays(name: object, text: str) -> Iterator[str]:
    """Yields the arrays that begin empty and are expanded under `set -u`, which is an error in bash 3.2."""
    if not re.search(r"^\s*set\s+-\w*u", text, re.MULTILINE):
        return
    for array in sorted(set(re.findall(r"^\s*(?:local\s+)?(\w+)=\(\s*\)", text, re.MULTILINE))):
        for number, line in numbered(text):
            guarded = rf"\$\{{{array}\[@\]\+\"\$\{{{array}\[@\]\}}\"\}}"
            if re.search(rf"\$\{{{array}\[[@*]\]\}}", re.sub(guarded, "", line)):
                yield (
                    f"{name}:{number}: {array} can be empty, which is an error in bash 3.2 under set -u; "
                    f'write ${{{array}[@]+"${{{array}[@]}}"}}.'
                )


def makefile(text: str) -> Iterator[str]:
    """Yields what GNU make 3.81 would not do in a Makefile. It runs recipes without `-e` and without `pipefail`."""
    for number, line in numbered(text):
        for pattern, reason in MAKE:
            if match := pattern.search(line):
                yield f"Makefile:{number}: `{match.group().strip()}`: GNU make 3.81 {reason}."
        if line.startswith("\t"):
            recipe = line.replace("$$", "$")
            yield from found("Makefile", [(number, recipe.strip())], COMMANDS + BASH)
            if re.search(r"(?<!\|)\|(?!\|)", QUOTED.sub("", recipe)):
                yield f"Makefile:{number}: make 3.81 knows no pipefail, so a failure before `|` is lost; use a script."


def document(name: str, text: str) -> Iterator[str]:
    """Yields what a document tells people to run and macOS would not run as Linux does."""
    for block in SHELL_BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        lines = [(first + number, line.strip()) for number, line in numbered(block.group(1))]
        lines = [(number, line) for number, line in lines if not line.startswith("#")]
        yield from found(name, lines, COMMANDS + BASH)
        for number, line in lines:
            if TRAILING.search(QUOTED.sub("''", line)):
                yield f"{name}:{number}: zsh would pass the comment to the command; write it on a line of text."
    prose = FENCE.sub(blank, text)
    # A word alone is a name, and nothing to run.
    for span in (span for span in SPAN.finditer(prose) if " " in span.group(1)):
        yield from found(name, [(prose.count("\n", 0, span.start()) + 1, span.group(1))], COMMANDS)
