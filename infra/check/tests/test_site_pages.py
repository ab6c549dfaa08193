"""The site has every document once, and its pages say what the documents say."""

import sys
import tempfile
import unittest
from pathlib import Path

INFRA = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(INFRA / "check"), str(INFRA / "docs")]

import importlib.util

import site_pages

spec = importlib.util.spec_from_file_location("docs_main", INFRA / "docs/__main__.py")
docs_main = importlib.util.module_from_spec(spec)
spec.loader.exec_module(docs_main)

ROOT = INFRA.parent
FILES = {
    "README.md": "# Home\n\n[All](docs/README.md), [licence](LICENSE), [rules](CONTRIBUTING.md#rules)\n",
    "CONTRIBUTING.md": "# Contributing\n\n## Rules\n",
    "LICENSE": "Do what you like. ``` is a fence.\n",
    "docs/README.md": "[Q](quickstart.md), [Guides](guides/README.md), [it](quickstart.md), [Home](../README.md)\n",
    "docs/quickstart.md": '# Quickstart\n\n`[no](LICENSE)` and [policy](policy.json "the policy")\n',
    "docs/policy.json": "{}\n",
    "docs/guides/README.md": "[Second](b.md), [first](a.md), [the start](../quickstart.md)\n",
    "docs/guides/a.md": "# A\n",
    "docs/guides/b.md": "# B\n",
}


class SitePages(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def test_the_navigation_follows_the_index_pages(self) -> None:
        self.assertEqual(
            site_pages.navigation(self.root),
            [
                {"Start": ["README.md", "docs/README.md", "docs/quickstart.md"]},
                {"Guides": ["docs/guides/README.md", "docs/guides/b.md", "docs/guides/a.md"]},
                {"Repository": ["CONTRIBUTING.md"]},
            ],
        )
        self.assertEqual(list(site_pages.problems(self.root)), [])

    def test_a_page_that_no_index_names_is_found(self) -> None:
        self.write("docs/guides/c.md", "# C\n")
        self.write("docs/deep/d.md", "# D\n")
        self.assertEqual(
            list(site_pages.problems(self.root)),
            [
                "docs/deep/d.md: the site's navigation lacks it; link to it in docs/README.md.",
                "docs/guides/c.md: the site's navigation lacks it; link to it in docs/guides/README.md.",
            ],
        )

    def test_the_navigation_of_the_repository_has_every_document_and_no_dead_page(self) -> None:
        self.assertEqual(list(site_pages.problems(ROOT)), [])
        pages = list(site_pages.listed(site_pages.navigation(ROOT)))
        self.assertEqual(sorted(pages), site_pages.documents(ROOT))
        self.assertTrue(all((ROOT / page).is_file() for page in pages))

    def test_linked_files_become_pages(self) -> None:
        staged = {name: content.decode() for name, content in site_pages.staged(self.root).items()}
        documents = [name for name in FILES if name.endswith(".md")]
        self.assertEqual(sorted(staged), sorted([*documents, "LICENSE.md", "docs/policy.json.md"]))
        self.assertIn("[licence](LICENSE.md), [rules](CONTRIBUTING.md#rules)", staged["README.md"])
        self.assertIn('`[no](LICENSE)` and [policy](policy.json.md "the policy")', staged["docs/quickstart.md"])
        self.assertIn("# LICENSE\n\n````text\nDo what you like. ``` is a fence.\n````\n", staged["LICENSE.md"])

    def test_what_belongs_to_an_item_is_indented_by_four(self) -> None:
        pairs = [
            ("1. One:", "1. One:"),
            ("", ""),
            ("   ```sh", "    ```sh"),
            ("   if x", "    if x"),
            ("     y", "      y"),
            ("   ```", "    ```"),
            ("", ""),
            ("   * a", "    * a"),
            ("     b", "        b"),
            ("2. Two", "2. Two"),
            ("   more", "    more"),
            ("", ""),
            ("Text", "Text"),
            ("", ""),
            ("* c", "* c"),
            ("  * d", "    * d"),
        ]
        given, wanted = ("\n".join(lines) + "\n" for lines in zip(*pairs, strict=True))
        self.assertEqual(site_pages.indented(given), wanted)
        code = "```yaml\n- a\n  - b\n```\n"
        self.assertEqual(site_pages.indented(code), code)

    def test_diagrams_are_framed(self) -> None:
        text = "A\n\n```mermaid\nflowchart LR\n```\n\nB\n"
        framed = '<div class="diagram" markdown>\n\n```mermaid\nflowchart LR\n```\n\n</div>'
        self.assertEqual(site_pages.framed(text), f"A\n\n{framed}\n\nB\n")


class Built(unittest.TestCase):
    def test_dead_links_and_other_hosts_are_found(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            site = Path(folder)
            (site / "a").mkdir()
            (site / "a/b.html").write_text(
                '<h1 id="top">B</h1> <a href="../index.html#gone">A</a> <a href="c.html">C</a>'
            )
            (site / "index.html").write_text(
                '<a href="a/b.html#top">B</a> <a href="https://example.com/">E</a> <a href="a/b.html#low">B</a>'
                '<script src="https://cdn.example.com/x.js"></script>'
            )
            self.assertEqual(
                docs_main.dead_links(site),
                [
                    "a/b.html: the link ../index.html#gone leads nowhere.",
                    "a/b.html: the link c.html leads nowhere.",
                    "index.html: the link a/b.html#low leads nowhere.",
                    "index.html: loads https://cdn.example.com/x.js from another host.",
                ],
            )

    def test_a_navigation_is_written_as_toml(self) -> None:
        self.assertEqual(docs_main.toml([{"A": ["a.md", {"B": ["b.md"]}]}]), '[{ "A" = ["a.md", { "B" = ["b.md"] }] }]')


if __name__ == "__main__":
    unittest.main()
