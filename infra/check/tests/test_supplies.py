"""A package without a version or a hash is found, and so is a text with the shape of a secret."""

import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

INFRA = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(INFRA / folder) for folder in ("check", "local")]

import leaks
import supplies

HASH = "--hash=sha256:" + "0" * 64
GOOD = f"# comment\nPyYAML==6.0.3 \\\n    {HASH} \\\n    {HASH}\nsix==1.17.0 ; python_version < '4' \\\n    {HASH}\n"
# The commands are put together here, so that this file does not have any.
PIP, NPM, NPX, CARGO = "pip", "npm", "npx", "cargo"
# Put together here, so that this file does not have it.
SECRET, OTHER = ("gh" + f"{kind}_" + "a1" * 18 for kind in "po")
PEM = "-----BEGIN PRIVATE" + " KEY-----\n" + ("M" * 64 + "\n") * 3 + "-----END PRIVATE KEY-----\n"


class Checkout(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.addCleanup(self.folder.cleanup)
        self.git("init", "--quiet")

    def git(self, *words: str) -> None:
        person = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *person, *words], cwd=self.root, check=True, capture_output=True)

    def write(self, **files: str) -> None:
        """Writes files. Their names have `_` for a dot and `0` for a hyphen."""
        for name, text in files.items():
            (self.root / name.replace("_", ".").replace("0", "-")).write_text(text)


class Supplies(Checkout):
    def finds(self, words: str) -> None:
        found = list(supplies.problems(self.root))
        self.assertTrue(any(words in problem for problem in found), found)

    def test_pinned_packages_have_no_problem(self) -> None:
        self.write(requirements_txt=GOOD, requirements_in="# what for\nPyYAML==6.0.3\n")
        self.assertEqual(list(supplies.problems(self.root)), [])
        self.assertEqual(list(supplies.problems(INFRA.parent)), [])

    def test_requirements_without_version_or_hash_are_found(self) -> None:
        self.write(requirements_in="PyYAML==6.0.3\n")
        for line in ("PyYAML==6.0.3", f"PyYAML>=6 \\\n    {HASH}", "git+https://example.com/x"):
            self.write(requirements_txt=GOOD + line + "\n")
            self.finds("has no exact version with hashes")
        self.write(requirements_txt=GOOD, requirements_in="PyYAML==6.0.4\n")
        self.finds("PyYAML==6.0.4 of requirements.in is not in it")
        self.write(requirements_in="PyYAML\n")
        self.finds("requirements.in must name one version: PyYAML")
        (self.root / "requirements.in").unlink()
        self.finds("requirements.in is missing")

    def test_packages_of_npm_without_version_or_hash_are_found(self) -> None:
        self.write(package0lock_json='{"packages": {"": {}, "node_modules/a": {"version": "1.0.0"}}}')
        self.finds("node_modules/a has no hash")
        self.write(package0lock_json='{"packages": {}}', package_json='{"dependencies": {"a": "^1.0.0"}}')
        self.finds("a: ^1.0.0 is not one version")

    def test_crates_from_elsewhere_are_found(self) -> None:
        self.write(Cargo_lock='[[package]]\nname = "a"\nsource = "git+https://example.com/a"\n')
        self.finds("a does not come from crates.io")

    def test_commands_that_do_not_look_at_hashes_are_found(self) -> None:
        pip, npm, cargo = ("must look at the hashes", "must install from a lock file", "must install one version")
        for command, words in [
            (f"{PIP} install --requirement requirements.txt", pip),
            (f"{PIP} install boto3", pip),
            (f"{PIP} install boto3==1.2.3 --no-deps", pip),
            (f"{PIP} install --require-hashes --requirement a.txt", pip),
            (f"{PIP}3 --quiet --cache-dir /tmp install boto3", pip),
            (f"python -m {PIP} install \\\n\t  --upgrade {PIP}", pip),
            (f"uv {PIP} install boto3", pip),
            (f"$({PIP.upper()}) download boto3", pip),
            (f"{PIP} install --no-deps --require-hashes -r a.txt && {PIP} install boto3", pip),
            (f"{NPM} install left-pad", npm),
            (f"{NPM} install", npm),
            (f"{NPM} --prefix web i -D left-pad", npm),
            (f"$({NPM.upper()}) add left-pad", npm),
            (f"node node_modules/{NPM}/bin/{NPM}-cli.js --loglevel=error install", npm),
            (f"{NPX} left-pad", "lock file has what comes by npx"),
            (f"{CARGO} install cargo-deny", cargo),
            (f"{CARGO} install --locked cargo-deny", cargo),
            (f"{CARGO} +stable install --version 0.20.2 cargo-deny", cargo),
            (f"{CARGO} install --locked --version ^0.20 cargo-deny", cargo),
            (f"{CARGO} install --locked --version 0.20.2 --git https://example.com/x", cargo),
            (f"{CARGO} binstall --locked cargo-deny@0.20.2", "must install what it has built"),
        ]:
            with self.subTest(command=command):
                self.write(Makefile=f"x:\n\t{command}\n")
                [problem] = supplies.problems(self.root)
                self.assertRegex(problem, f"^Makefile:2: \\w+ {words}")

    def test_commands_that_look_at_hashes_have_no_problem(self) -> None:
        for command in (
            f"python -m {PIP} install --no-deps --require-hashes \\\n\t  --requirement requirements.txt",
            f"# {PIP} install boto3",
            f"true # {PIP} install boto3",
            f"uv {PIP} compile --output-file install.txt install.in",
            f"{NPM} ci --prefix web && install -m 755 a b",
            f"{NPM} --prefix web run install-all",
            f"echo {NPM} must install from a lock file",
            f"{CARGO} install --locked --version 0.20.2 cargo-deny",
            f"{CARGO} install --locked cargo-deny@0.20.2",
            f"{CARGO} install --locked --path infra/admin",
            f"{CARGO} build --package install",
        ):
            with self.subTest(command=command):
                self.write(Makefile=f"x:\n\t{command}\n")
                self.assertEqual(list(supplies.problems(self.root)), [])

    def test_commands_are_found_in_scripts_and_in_code(self) -> None:
        (self.root / "run").write_text(f"#!/bin/bash\n\n# Why.\n{PIP} install boto3\n")
        self.write(
            ci_yml=f"steps:\n  - run: {PIP} install boto3\n",
            package_json=json.dumps({"scripts": {"a": "true", "b": f"{NPM} install left-pad"}}),
            # With the words of another statement.
            a_py=f'run(["{PIP}", "install", "boto3"])\n\nother(["--no-deps", "--require-hashes"])\n',
            b_rs=f'Command::new("{NPM}").args(["install", "left-pad"]);\n',
            c_ts=f'run({NPM.upper()}, "--silent", "install");\n',
            d_rs=f'let quiet = ["--quiet"];\nrun(&[&["{PIP}", "install"], &quiet[..]].concat());\n',
            g_ts=f'spawn("{NPX}", ["left-pad"]);\n',
            # A list on a line above has the options.
            e_rs=f'let all = ["--no-deps", "--require-hashes"];\nrun(&[&["{PIP}", "install"], &all[..]].concat());\n',
            f_py=f'quiet = ["--no-deps", "--require-hashes"]\nrun(["{PIP}", "install", *quiet])\n',
        )
        places = [re.match(r".*?:\d+", problem).group() for problem in supplies.problems(self.root)]
        self.assertEqual(
            places, ["a.py:1", "b.rs:1", "c.ts:1", "ci.yml:2", "d.rs:2", "g.ts:1", "package.json, scripts:2", "run:4"]
        )


class Leaks(Checkout):
    def test_a_secret_is_found_in_files_and_in_the_history(self) -> None:
        self.write(notes_txt=f"token = {SECRET}\n")
        self.assertIn("notes.txt: " + SECRET[:8], next(leaks.problems(self.root, {})))
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "Add")
        (self.root / "notes.txt").unlink()
        self.git("commit", "--quiet", "--all", "--message", "Remove")
        self.assertEqual(list(leaks.problems(self.root, {})), [])
        [told] = leaks.history(self.root, {})
        self.assertIn("notes.txt", told)
        self.assertNotIn(SECRET, told)
        self.assertEqual(list(leaks.history(self.root, {leaks.mark(SECRET): "made up"})), [])

    def commit(self, message: str, **files: str) -> None:
        self.write(**files)
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", message)

    def told(self) -> list[str]:
        """Returns the subject of the commit, the path and the secret's beginning, of each secret in the history."""
        found = []
        for problem in leaks.history(self.root, {}):
            commit, path, secret = problem.split("...")[0].split(maxsplit=2)
            asked = ["git", "log", "-1", "--format=%s", commit]
            subject = subprocess.run(asked, cwd=self.root, check=True, capture_output=True, text=True).stdout.strip()
            found.append(f"{subject}, {path} {secret}")
        return sorted(found)

    def test_a_private_key_over_several_lines_is_found_in_the_history(self) -> None:
        self.commit("Add", one_pem=PEM, two_yaml="key: |\n" + PEM.replace("\nM", "\n    M"))
        (self.root / "three.pem").write_bytes(PEM.replace("M", "N").replace("\n", "\r\n").encode())
        self.commit("Add another")
        known = {leaks.mark(secret) for path in leaks.tracked(self.root) for _, secret in leaks.found(path.read_text())}
        self.assertEqual(list(leaks.history(self.root, dict.fromkeys(known, ""))), [])
        self.git("rm", "--quiet", "one.pem", "two.yaml", "three.pem")
        self.git("commit", "--quiet", "--message", "Remove")
        begins = PEM[:8]
        self.assertEqual(
            self.told(), [f"Add another, three.pem: {begins}", f"Add, one.pem: {begins}", f"Add, two.yaml: {begins}"]
        )

    def test_a_key_that_takes_the_place_of_a_placeholder_is_found(self) -> None:
        first, _, rest = PEM.partition("\n")
        self.commit("Add", key_pem=f"{first}\nput it here\n")
        self.assertEqual(self.told(), [])
        self.commit("Fill", key_pem=f"{first}\n{rest}")
        self.assertEqual(self.told(), [f"Fill, key.pem: {PEM[:8]}"])

    def test_what_only_a_merge_adds_is_found(self) -> None:
        self.commit("Begin", both_txt="one\n\n\ntwo\n")
        self.git("checkout", "--quiet", "-b", "side")
        self.commit("Aside", both_txt=f"one\n\n\n{SECRET}\n", side_pem=PEM)
        self.git("checkout", "--quiet", "-")
        self.commit("Ahead", both_txt="three\n\n\ntwo\n")
        self.git("merge", "--quiet", "--no-ff", "--message", "Merge", "side")
        # What the branches brought is reported once, with the commits that added it.
        branches = [f"Aside, both.txt: {SECRET[:8]}", f"Aside, side.pem: {PEM[:8]}"]
        self.assertEqual(self.told(), branches)
        # A merge can put lines where no branch has them, and files that no branch has.
        later = {"both_txt": f"{OTHER}\n\n\n{SECRET}\n", "new_pem": PEM.replace("M", "N")}
        self.write(**later)
        self.git("add", ".")
        self.git("commit", "--quiet", "--amend", "--message", "Merge")
        self.commit("Remove", both_txt="", new_pem="")
        self.assertEqual(self.told(), [*branches, f"Merge, both.txt: {OTHER[:8]}", f"Merge, new.pem: {PEM[:8]}"])

    def test_every_branch_is_read_and_no_stash(self) -> None:
        self.commit("Begin", notes_txt="one\n")
        self.git("checkout", "--quiet", "-b", "side")
        self.commit("Aside", side_txt=SECRET)
        self.git("checkout", "--quiet", "-")
        self.write(notes_txt=OTHER)
        self.git("stash")
        self.assertEqual(self.told(), [f"Aside, side.txt: {SECRET[:8]}"])

    def test_a_line_that_looks_like_the_head_of_a_patch_is_a_line(self) -> None:
        self.commit("Begin", notes_txt="one\ntwo\n")
        self.commit("Add", notes_txt=f"one\n++ b/{SECRET}\n+++ b/{OTHER}\ntwo\n")
        self.commit("Touch", notes_txt=f"three\n++ b/{SECRET}\n+++ b/{OTHER}\nthree\n")
        self.assertEqual(self.told(), [f"Add, notes.txt: {OTHER[:8]}", f"Add, notes.txt: {SECRET[:8]}"])

    def test_shapes_are_recognised(self) -> None:
        bodies = {
            "AWS access key": "AK" + "IA" + "Q" * 16,
            "private key": "-----BEGIN PRIVATE" + " KEY-----\\n" + "M" * 64,
            "API key of Stripe, Clerk or Consigne": "sk" + "_live_" + "a1" * 12,
            "secret of webhooks": "wh" + "sec_" + "a1" * 12,
            "token of GitHub": SECRET,
            "token of Slack": "xo" + "xb-" + "1" * 24,
            "API key of Google": "AI" + "za" + "x" * 35,
            "token of npm": "np" + "m_" + "a1" * 18,
            "token of PyPI": "py" + "pi-AgEIcHlwaS5vcmc" + "a1" * 30,
            "API key of a language model": "s" + "k-" + "a1" * 24,
            "session token": "ey" + "J" + "a" * 20 + ".ey" + "J" + "b" * 20 + "." + "c" * 43,
        }
        self.assertEqual(list(bodies), leaks.NAMES)
        for shape, text in bodies.items():
            self.assertEqual([name for name, _ in leaks.found(f'"{text}"')], [shape])
        self.assertEqual(list(leaks.found("sk_live_short AKIA whsec_ eyJhbGciOiJSUzI1NiJ9")), [])


if __name__ == "__main__":
    unittest.main()
