"""Which pages the site has, in which order, and what they are made from.

The site has the repository's layout, so links between documents work in both. A file that is linked and is no document
becomes a page with its text.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import links

Nav = list[str | dict[str, "Nav"]]

# The document that begins the site, and the index of all others.
HOME, INDEX = "README.md", "docs/README.md"
# Larger files are copied as they are, and the link leads to the file itself.
SHOWN_MAX = 300_000
LANGUAGES = {
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".toml": "toml",
    ".rs": "rust",
    ".py": "python",
    ".sh": "sh",
}


def navigation(root: Path) -> Nav:
    """Returns the navigation: what docs/README.md links to, with what the index pages of the folders link to, in their
    order. Documents outside docs/ come last."""
    start: Nav = [HOME, INDEX]
    sections: Nav = []
    for title, page in index(root, INDEX):
        if Path(page).name == "README.md":
            sections.append({title: [page, *(below for _, below in index(root, page))]})
        else:
            start.append(page)
    others = sorted(set(documents(root)) - set(listed([*start, *sections])))
    repository: Nav = [page for page in others if not page.startswith("docs/")]
    return [{"Start": start}, *sections, {"Repository": repository}]


def index(root: Path, page: str) -> Iterator[tuple[str, str]]:
    """Yields the titles and paths of the documents that an index page links to in its own folder, once each."""
    seen = {page}
    for title, target in re.findall(r"\[([^\]]*)\]\(([^)#\s]+\.md)\)", (root / page).read_text()):
        found = relative(root, root / page, target)
        if found not in seen and (root / found).is_file() and found.startswith(f"{Path(page).parent}/"):
            seen.add(found)
            yield title, found


def relative(root: Path, source: Path, target: str) -> str:
    """Returns the path of a link's target from the root of the repository."""
    return str((source.parent / unquote(target)).resolve().relative_to(root.resolve()))


def listed(nav: Nav) -> Iterator[str]:
    """Yields the pages of a navigation."""
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for below in entry.values():
                yield from listed(below)


def problems(root: Path) -> Iterator[str]:
    """Yields a sentence for every document in docs/ that the navigation does not name, or names twice."""
    pages = list(listed(navigation(root)))
    for path in sorted((root / "docs").rglob("*.md")):
        name = str(path.relative_to(root))
        if name not in pages:
            section = path.parent / "README.md"
            folder = section if section.is_file() and section != path else root / INDEX
            yield f"{name}: the site's navigation lacks it; link to it in {folder.relative_to(root)}."
        elif pages.count(name) > 1:
            yield f"{name}: the site's navigation has it {pages.count(name)} times; one index page may link to it."


def documents(root: Path) -> list[str]:
    """Returns the documents of the site: all of docs/, and those that are reached from it and from README.md."""
    return sorted(name for name in reached(root) if name.endswith(".md"))


def reached(root: Path) -> set[str]:
    """Returns the paths of the documents and of all files to which they link."""
    waiting = [root / HOME, *(root / "docs").rglob("*.md")]
    found: set[str] = set()
    while waiting:
        path = waiting.pop()
        name = str(path.relative_to(root))
        if name in found:
            continue
        found.add(name)
        if path.suffix == ".md":
            targets = (target.partition("#")[0] for _, target in links.links(path.read_text()) if is_internal(target))
            goals = (root / relative(root, path, target) for target in targets if target)
            waiting += [goal for goal in goals if goal.is_file()]
    return found


def is_internal(target: str) -> bool:
    """Returns whether a link leads to a file of the repository."""
    return not re.match(r"[a-z][a-z0-9+.-]*:", target)


def staged(root: Path) -> dict[str, bytes]:
    """Returns the files from which the site is built, by path below the folder of pages."""
    files: dict[str, bytes] = {}
    names = reached(root)
    shown = {name for name in names if not name.endswith(".md") and (root / name).stat().st_size <= SHOWN_MAX}
    for name in names:
        path = root / name
        if name.endswith(".md"):
            files[name] = framed(indented(pointed(root, path, shown))).encode()
        elif name in shown:
            files[f"{name}.md"] = source_page(name, path.read_text()).encode()
        else:
            files[name] = path.read_bytes()
    return files


def source_page(name: str, text: str) -> str:
    """Returns a page that shows a file. It is left out of the search, which would find little else."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    language = LANGUAGES.get(Path(name).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def pointed(root: Path, path: Path, shown: set[str]) -> str:
    """Returns a document in which links to files lead to the pages that show them."""

    def target(found: re.Match[str]) -> str:
        text, place, rest = found.groups()
        if is_internal(place) and relative(root, path, place) in shown:
            return f"{text}({place}.md{rest})"
        return found.group()

    text = path.read_text()
    code = [found.span() for pattern in (links.FENCE, links.SPAN) for found in pattern.finditer(text)]
    return re.sub(
        r"(\[[^\]]*\])\(([^)#\s]+)([^)]*)\)",
        lambda found: found.group() if any(a < found.start() < b for a, b in code) else target(found),
        text,
    )


def framed(text: str) -> str:
    """Returns a document whose diagrams are in a frame that scrolls when it is too narrow for them."""
    return re.sub(
        r"^```mermaid\n.*?^```$",
        lambda found: f'<div class="diagram" markdown>\n\n{found.group()}\n\n</div>',
        text,
        flags=re.MULTILINE | re.DOTALL,
    )


def indented(text: str) -> str:
    """Returns a document in which what belongs to an item of a list is indented by four blanks for each level.

    GitHub takes the width of the item's mark, such as two or three blanks. The site's renderer takes four and no less.
    """
    lines, levels, fence = [], [], None
    for line in text.splitlines():
        stripped = line.lstrip(" ")
        indent = len(line) - len(stripped)
        if fence is None:
            while stripped and levels and indent < levels[-1]:
                levels.pop()
        shift = 4 * len(levels) - (levels[-1] if levels else 0)
        lines.append(" " * (indent + shift) + stripped if stripped else "")
        if mark := re.match(r"(`{3,}|~{3,})", stripped):
            fence = mark.group() if fence is None else None if stripped.startswith(fence) else fence
        elif fence is None and (item := re.match(r"(?:[*+-]|\d+\.) +(?=\S)", stripped)):
            levels.append(indent + item.end())
    return "\n".join(lines) + "\n"
