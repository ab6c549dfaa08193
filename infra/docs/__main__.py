"""Builds the site of the documents into target/site: `make docs`. With `--serve` it also shows the site on loopback."""

import argparse
import functools
import http.server
import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "infra/check"), str(ROOT / "infra/docs")]

import site_pages

HERE = ROOT / "infra/docs"
SOURCE, SITE = ROOT / "target/site-source", ROOT / "target/site"
PORT = 8008


def main() -> None:
    """Builds the site, checks its links, and says where it is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mermaid", type=Path, required=True, help="the script that draws the diagrams")
    parser.add_argument("--serve", action="store_true", help="show the site on loopback")
    arguments = parser.parse_args()
    if found := list(site_pages.problems(ROOT)):
        sys.exit("\n".join(found))
    stage(arguments.mermaid)
    build()
    if found := dead_links(SITE):
        sys.exit("\n".join(found))
    pages = sum(1 for _ in SITE.rglob("*.html"))
    print(f"Built {pages} pages: target/site/index.html")
    if not arguments.serve:
        print("`make docs SERVE=1` shows them on loopback, where their search works too.")
    if arguments.serve:
        serve()


def stage(mermaid: Path) -> None:
    """Writes what the site is built from: the pages, the settings with the navigation, the theme's changes, Mermaid."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    for name, content in site_pages.staged(ROOT).items():
        path = SOURCE / "pages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    nav = f"nav = {toml(site_pages.navigation(ROOT))}\n"
    settings = (HERE / "zensical.toml").read_text().replace("[project]\n", f"[project]\n{nav}", 1)
    (SOURCE / "zensical.toml").write_text(settings)
    shutil.copytree(HERE / "overrides", SOURCE / "overrides")
    (SOURCE / "pages/assets").mkdir()
    shutil.copyfile(HERE / "site.css", SOURCE / "pages/assets/site.css")
    shutil.copyfile(mermaid, SOURCE / "pages/assets/mermaid.min.js")


def toml(nav: site_pages.Nav) -> str:
    """Returns a navigation as a value in TOML. Its strings are written as JSON writes them."""
    return f"[{', '.join(entry_toml(entry) for entry in nav)}]"


def entry_toml(entry: str | dict[str, site_pages.Nav]) -> str:
    """Returns an entry of a navigation as a value in TOML."""
    if isinstance(entry, str):
        return json.dumps(entry)
    sections = [f"{json.dumps(title)} = {toml(below)}" for title, below in entry.items()]
    return f"{{ {', '.join(sections)} }}"


def build() -> None:
    """Runs the builder. Warnings are errors."""
    command = [Path(sys.executable).with_name("zensical"), "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=SOURCE, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        # The builder ends a build with warnings by a traceback, which says nothing more.
        said, *rest = f"{done.stdout}{done.stderr}".split("Traceback (most recent call last)")
        why = "" if any("--strict flag" in one for one in rest) else "".join(rest)
        sys.exit(f"{said}{why}The site was not built.")
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.move(SOURCE / "site", SITE)


class Page(HTMLParser):
    """Collects the ids and the links of a page, and what it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name == "id":
                self.ids.add(value)
            elif value and name in ("href", "src"):
                self.links.append(value)
                if name == "src" or (tag == "link" and ("rel", "stylesheet") in attrs):
                    self.loaded.append(value)


def dead_links(site: Path) -> list[str]:
    """Returns a sentence for every link in a site that leads nowhere, and for what is loaded from another host."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if goal.is_dir():
                goal /= "index.html"
            anchor = unquote(parts.fragment)
            if not goal.is_file() or (anchor and goal in pages and anchor not in pages[goal].ids):
                found.append(f"{path.relative_to(site)}: the link {link} leads nowhere.")
        elsewhere = [one for one in page.loaded if is_elsewhere(one)]
        found += [f"{path.relative_to(site)}: loads {one} from another host." for one in elsewhere]
    return found


def is_elsewhere(link: str) -> bool:
    """Returns whether a link leads to another host."""
    parts = urlsplit(link)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def serve() -> None:
    """Shows the site on loopback until it is interrupted."""
    handler = functools.partial(Quiet, directory=str(SITE))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), handler)
    except OSError:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with server:
        print(f"http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    main()
