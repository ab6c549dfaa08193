"""A package without a version or a hash is found, and so is a text with the shape of a secret."""

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
# Put together here, so that this file does not have it.
SECRET = "gh" + "p_" + "a1" * 18


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
        self.write(Makefile="x:\n\tpip install --requirement requirements.txt\n")
        self.finds("Makefile:2: pip must look at the hashes")
        self.write(Makefile="x:\n\tnpm install left-pad\n")
        self.finds("Makefile:2: npm must install from a lock file")


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

    def test_shapes_are_recognised(self) -> None:
        bodies = {
            "AWS access key": "AK" + "IA" + "Q" * 16,
            "private key": "-----BEGIN PRIVATE" + " KEY-----\\n" + "M" * 64,
            "session token": "ey" + "J" + "a" * 20 + ".ey" + "J" + "b" * 20 + "." + "c" * 43,
            "API key of Google": "AI" + "za" + "x" * 35,
        }
        for shape, text in bodies.items():
            self.assertEqual([name for name, _ in leaks.found(f'"{text}"')], [shape])
        self.assertEqual(list(leaks.found("sk_live_short AKIA whsec_ eyJhbGciOiJSUzI1NiJ9")), [])


if __name__ == "__main__":
    unittest.main()
