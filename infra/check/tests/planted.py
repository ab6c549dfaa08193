"""The templates as they are, and how a test plants a mistake in a copy of them.

Import it after the line that finds the modules of the check.
"""

import copy
import importlib.util
import unittest
from collections.abc import Callable
from pathlib import Path

from project import Project

CHECK = Path(__file__).resolve().parents[1] / "__main__.py"
# The check is a package without a name, which only its path leads to.
spec = importlib.util.spec_from_file_location("check_main", CHECK)
check_main = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_main)

PROJECT = check_main.project()


def changed(change: Callable[[Project], object]) -> Project:
    """Returns a copy of the project after a change."""
    project = copy.deepcopy(PROJECT)
    change(project)
    return project


def properties(project: Project, name: str) -> dict:
    """Returns the properties of a resource of either template, by logical id."""
    return {**project.core["Resources"], **project.observe["Resources"]}[name]["Properties"]


class PlantedMistakes(unittest.TestCase):
    """Tests of rules of `infra/check`."""

    def finds(self, rule: Callable, words: str, change: Callable[[Project], object]) -> None:
        """Expects a rule to find nothing in the project as it is, and a problem with these words after a change."""
        self.assertEqual(list(rule(PROJECT)), [])
        found = list(rule(changed(change)))
        self.assertTrue(any(words in problem for problem in found), found)
