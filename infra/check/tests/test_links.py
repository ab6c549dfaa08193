"""The check of documents finds each fault it is there for, and nothing in the documents as they are."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

import links

ROOT = Path(__file__).resolve().parents[3]
MAKEFILE = "VENV := .venv\nup: ## Start (ORIGIN=)\n\t@echo $(ORIGIN)\ndown:\n\t@true\n"
PAGE = '# A page\n\n## What it is: `this`\n\n## Twice\n\n## Twice\n\n<span id="CODE"></span>`CODE`\n'


class Documents(unittest.TestCase):
    def problems(self, text: str, readme: str = "# Front door\n") -> list[str]:
        """Returns the problems of a repository with a front door, `docs/page.md` and `docs/text.md`."""
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "docs").mkdir()
            (root / links.TESTS / "ports").mkdir(parents=True)
            (root / links.TESTS / "year.rs").write_text("fn nothing_changes() {}\n")
            (root / links.TESTS / "ports/mod.rs").write_text("mod keys;\n")
            (root / links.TESTS / "ports/keys.rs").write_text("async fn a_key_is_kept(store: &Store) {}\n")
            (root / "Makefile").write_text(MAKEFILE)
            (root / "README.md").write_text(readme)
            (root / "docs/page.md").write_text(PAGE)
            (root / "docs/text.md").write_text(text)
            return list(links.problems(root))

    def test_the_documents_are_in_order(self) -> None:
        self.assertEqual(list(links.problems(ROOT)), [])

    def test_a_function_named_by_a_link_is_in_its_file(self) -> None:
        known = "[`a_key_is_kept`](../shared/testkit/tests/it/ports/keys.rs) [`keys`](page.md) [a](../Makefile)"
        self.assertEqual(self.problems(known), [])
        gone = "| a fault | [`a_key_is_lost`](../shared/testkit/tests/it/ports/keys.rs) |"
        wanted = "docs/text.md: there is no a_key_is_lost in ../shared/testkit/tests/it/ports/keys.rs."
        self.assertEqual(self.problems(gone), [wanted])
        # Half of a name is no name.
        self.assertEqual(len(self.problems("[`a_key_is`](../shared/testkit/tests/it/ports/keys.rs)")), 1)

    def test_links_that_lead_somewhere(self) -> None:
        inside = (
            "[a](page.md) [b](../README.md) [c](page.md#what-it-is-this) [d](page.md#twice-1) [e](#here) [f](../docs)"
            " [h](page.md#CODE)"
        )
        self.assertEqual(self.problems(f"# Here\n\n{inside} [g](https://example.com/x#y)\n"), [])

    def test_links_that_lead_nowhere(self) -> None:
        text = "\n[a](nothing.md)\n[b](page.md#nothing)\n[c](../../etc.md)\n[d](#nothing)\n[e](../Makefile#up)\n"
        self.assertEqual(
            self.problems(text),
            [
                "docs/text.md:2: nothing.md does not exist.",
                "docs/text.md:3: page.md#nothing names a section that does not exist.",
                "docs/text.md:4: ../../etc.md leads out of the repository.",
                "docs/text.md:5: #nothing names a section that does not exist.",
                "docs/text.md:6: ../Makefile#up names a section that does not exist.",
            ],
        )

    def test_code_is_no_link_and_no_heading(self) -> None:
        text = "`[a](nothing.md)`\n\n```sh\n# Not a heading\n[b](nothing.md)\n```\n\n[c](#not-a-heading)\n"
        self.assertEqual(self.problems(text), ["docs/text.md:8: #not-a-heading names a section that does not exist."])

    def test_make_verbs_and_options(self) -> None:
        good = "Make it so, and make sure. `make up down`, `make up ORIGIN=x`, `make -s up`, `make <verb>`\n"
        self.assertEqual(self.problems(f"{good}\n```sh\nmake up   # make everything\ngit pull && make down\n```\n"), [])
        bad = "`make upp ORIGINS=x`\n\n```sh\ncd . && make downn\n```\n"
        self.assertEqual(
            self.problems(bad),
            [
                "docs/text.md: the Makefile knows no verb downn.",
                "docs/text.md: the Makefile knows no verb upp.",
                "docs/text.md: the Makefile knows no option ORIGINS.",
            ],
        )

    def test_named_tests(self) -> None:
        self.assertEqual(
            self.problems("`year::nothing_changes` `ports::keys` `ports::keys::a_key_is_kept` `fs::read`\n"), []
        )
        self.assertEqual(
            self.problems("`ports::keys::a_key` and `ports::wallets`\n"),
            ["docs/text.md: there is no test ports::keys::a_key.", "docs/text.md: there is no test ports::wallets."],
        )

    def test_a_long_front_door(self) -> None:
        self.assertEqual(self.problems("", "line\n" * 150), [])
        self.assertEqual(
            self.problems("", "line\n" * 151), ["README.md has 151 lines of 150; move something to docs/."]
        )


if __name__ == "__main__":
    unittest.main()
