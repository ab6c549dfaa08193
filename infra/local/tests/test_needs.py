"""infra/local/needs.sh names what a machine lacks, with the cure."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ("awk", "cut", "sed", "sh")


class Needs(unittest.TestCase):
    def lacks(self, **programs: str) -> list[str]:
        """Runs the script where there are only these programs, each a line of shell. Returns the lines it prints."""
        with tempfile.TemporaryDirectory() as folder:
            for tool in TOOLS:
                (Path(folder) / tool).symlink_to(shutil.which(tool))
            for name, line in programs.items():
                path = Path(folder) / name
                path.write_text(f"#!/bin/sh\n{line}\n")
                path.chmod(0o755)
            done = subprocess.run(
                [ROOT / "infra/local/needs.sh"],
                cwd=ROOT,
                env={"PATH": folder},
                check=False,
                capture_output=True,
                text=True,
            )
        lines = done.stderr.splitlines()
        self.assertEqual(done.returncode, 1 if lines else 0)
        return lines

    def test_a_machine_with_everything_is_told_nothing(self) -> None:
        self.assertEqual(self.lacks(cargo="echo cargo 1.95.0", cc=":", python3=":"), [])
        self.assertEqual(self.lacks(cargo="echo cargo 2.0.0", clang=":", python3=":"), [])

    def test_each_missing_part_is_named_with_the_cure(self) -> None:
        whole = {"cargo": "echo cargo 1.95.0", "cc": ":", "python3": ":"}
        without = {name: {key: line for key, line in whole.items() if key != name} for name in whole}
        for programs, words in (
            (without["cargo"], "cargo is missing. Install Rust 1."),
            (whole | {"cargo": "echo 'cargo 1.85.1 (d73d2caf9 2024-12-31)'"}, "cargo is 1.85.1, and Consigne needs 1."),
            (whole | {"cargo": "exit 1"}, "cargo does not run, though it is installed."),
            (without["cc"], "A C compiler is missing."),
            (whole | {"cc": "exit 1"}, "A C compiler is missing."),
            (without["python3"], "python3 is missing."),
            (whole | {"python3": 'case "$2" in *version_info*) exit 1;; *) echo 3.9.2;; esac'}, "python3 is 3.9.2"),
            (whole | {"python3": 'case "$2" in *ensurepip*) exit 1;; esac'}, "Python's venv module is missing."),
        ):
            lines = self.lacks(**programs)
            self.assertEqual(len(lines), 1, lines)
            self.assertIn(words, lines[0])

    def test_everything_missing_is_told_at_once(self) -> None:
        self.assertEqual(len(self.lacks()), 3)


if __name__ == "__main__":
    unittest.main()
