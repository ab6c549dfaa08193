"""The check for macOS finds each thing that only Linux does, and nothing in the repository as it is."""

import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

import portable

ROOT = Path(__file__).resolve().parents[3]
GNU_ONLY = (
    "echo x | tee --append log",
    "grep --extended-regexp x file",
    "sed -i s/a/b/ file",
    "sed -r 's/a/b/' file",
    "grep -oP x file",
    "then=$(date -d yesterday)",
    "date +%s%N",
    'here=$(readlink -f "$0")',
    "realpath .",
    "stat -c %s file",
    "ls | sort -V",
    "ls | xargs -r rm",
    "file=$(mktemp --suffix .md)",
    "file=$(mktemp -p /tmp x)",
    "cp -a --reflink=auto a b",
    "timeout 5 make up",
    "jobs=$(nproc)",
    "printf x | sha256sum | cut -c 1-8",
    "base64 -w 0 file",
    "head -n -1 file",
    "find . -printf %f",
    "echo -e 'a'",
    "if true; then tac file; fi",
    "cat /proc/cpuinfo",
    "LANG=C sha1sum file",
)
BOTH = (
    "curl --silent --json '{}' $URL",
    "grep -E --line-buffered x",
    "sed -n 's/a/b/p' file",
    "sort -k 2 -n file",
    "echo timeout nproc",
    "printf x | openssl dgst -sha256 -r",
    "aws s3 ls --recursive s3://bucket",
    "cargo test --package x --test it -- --exact name",
    "sam deploy --timeout 5",
    "mktemp -d",
    'for one in "$@"; do ln -s "$one" .; done',
)
BASH_4 = (
    "declare -A seen",
    "local -n other=$1",
    "mapfile -t lines < file",
    'echo "${name,,}"',
    'echo "${name^}"',
    'echo "${name@Q}"',
    'echo "${list[-1]}"',
    "make |& cat",
    "make &>> log",
    "wait -n",
    "[[ -v name ]]",
    "exec {fd}> file",
    "printf '%(%s)T' -1",
    "echo $EPOCHSECONDS",
    "shopt -s globstar",
    "export -f part",
)
BASH_3 = (
    'packages+=(--exclude "$name")',
    '"${alone[@]/#/--skip=}"',
    'return "${PIPESTATUS[0]}"',
    'echo "${name:-}" "${name%,}" "${name//,/ }"',
    "make > log 2>&1 && wait $pid",
    "local name=$1 began=$SECONDS",
    "a || b",
)
MAKE_382 = (
    (".ONESHELL:\n", "ignores this target"),
    (".SHELLFLAGS := -euc\n", "ignores this target"),
    ("NOW != date\n", "has no !="),
    ("NOW ::= x\n", "has no ::="),
    ("a b &: c\n", "has no grouped targets"),
    ("define x =\nendef\n", "has no = after define"),
    ("undefine X\n", "lacks this directive"),
    ("X = $(file < name)\n", "lacks this function"),
    ("up:\n\t@make x | tail\n", "knows no pipefail"),
    ("up:\n\t@sed -i s/a/b/ file\n", "sed -i differs"),
    ("up:\n\t@for x in a; do echo $${x,,}; done\n", "lacks this expansion"),
)


class Portable(unittest.TestCase):
    def problems(self, files: dict[str, str]) -> list[str]:
        """Returns the problems of a repository with an empty Makefile and these files."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in ({"Makefile": ""} | files).items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return list(portable.problems(Path(folder)))

    def test_the_repository_is_in_order(self) -> None:
        self.assertEqual(list(portable.problems(ROOT)), [])
        names = {str(path.relative_to(ROOT)) for path in portable.scripts(ROOT)}
        self.assertTrue({".ci/run", "infra/local/test.sh", "infra/local/needs.sh"} <= names, names)

    def test_what_only_gnu_tools_do_is_found_in_scripts_and_documents(self) -> None:
        for line in GNU_ONLY:
            for files in (
                {"a.sh": f"{line}\n"},
                {"run": f"#!/bin/bash\n{line}\n"},
                {"a.md": f"```sh\n{line}\n```\n"},
                {"a.md": f"   ```sh\n   {line}\n   ```\n"},
                {".github/workflows/ci.yml": f"steps:\n  - run: {line}\n"},
            ):
                with self.subTest(line, files=files):
                    self.assertEqual(len(self.problems(files)), 1, self.problems(files))
        self.assertEqual(len(self.problems({"a.md": "Set it to `printf %s x | sha256sum`.\n"})), 1)

    def test_what_both_do_is_let_through(self) -> None:
        for line in (*BOTH, *BASH_3):
            self.assertEqual(
                self.problems({"a.sh": f"{line}\n", "a.md": f"`{line}`\n\n```sh\n{line}\n```\n"}), [], line
            )
        self.assertEqual(self.problems({"a.sh": "# sed -i, sha256sum, mapfile\n"}), [])

    def test_what_came_with_bash_4_is_found(self) -> None:
        for line in BASH_4:
            self.assertEqual(len(self.problems({"a.sh": f"{line}\n"})), 1, line)

    def test_an_array_that_can_be_empty_is_found(self) -> None:
        begins = "set -euo pipefail\nmore=()\n"
        self.assertEqual(len(self.problems({"a.sh": begins + 'run "${more[@]}"\n'})), 1)
        self.assertEqual(self.problems({"a.sh": begins + 'run ${more[@]+"${more[@]}"}\n'}), [])
        self.assertEqual(self.problems({"a.sh": 'set -eu\nmore=(a)\nrun "${more[@]}"\n'}), [])
        self.assertEqual(self.problems({"a.sh": 'more=()\nrun "${more[@]}"\n'}), [])

    def test_what_make_381_lacks_is_found(self) -> None:
        for text, words in MAKE_382:
            found = self.problems({"Makefile": text})
            self.assertEqual(len(found), 1, (text, found))
            self.assertIn(words, found[0])
        good = "SHELL := /bin/bash\nA ?= b\nexport A\nup: ## Start: a|b != c\n\t@awk 'a || b | c' x || true\n"
        self.assertEqual(self.problems({"Makefile": good}), [])

    def test_a_comment_behind_a_command_is_found(self) -> None:
        self.assertEqual(len(self.problems({"a.md": "```sh\nmake up   # starts it\n```\n"})), 1)
        good = '```sh\n# Starts it.\ncurl "$URL/#top" --json \'{"a": "b # c"}\'\n```\n\n`make # x`\n'
        self.assertEqual(self.problems({"a.md": good}), [])

    def test_a_command_that_python_starts_is_found(self) -> None:
        self.assertEqual(len(self.problems({"a.py": f"subprocess.run({json.dumps(['timeout', '5', 'make'])})\n"})), 1)
        self.assertEqual(self.problems({"a.py": 'subprocess.run(["ps", "-o", "rss="])\n'}), [])

    def test_folders_of_others_are_left_alone(self) -> None:
        self.assertEqual(self.problems({"target/a.sh": "nproc\n", "web/node_modules/a.sh": "nproc\n"}), [])


if __name__ == "__main__":
    unittest.main()
