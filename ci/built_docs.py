"""Looks into the manual that was built: `python ci/built_docs.py FOLDER`; what is amiss makes the exit code 1.

A page loads nothing from elsewhere, so that it can be read without a network and tells nobody who reads it. Links
within the manual lead to a file, and to an anchor in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("object", "data"),
          ("image", "href"), ("use", "href")}  # fmt: skip
NOT_LOADED = {"canonical", "next", "prev", "index", "search", "author", "license", "help"}  # of <link rel>
REMOTE = re.compile(r"^(https?:)?//")
IN_CSS = re.compile(r"url\(\s*['\"]?((?:https?:)?//[^'\")]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """A page: the anchors in it, what it links to, what a browser loads with it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        self.loads |= {value for name, value in found.items() if (tag, name) in LOADED}
        self.loads |= set(filter(None, sum(IN_CSS.findall(found.get("style", "")), ())))
        if tag == "link" and not NOT_LOADED & set(found.get("rel", "").split()):
            self.loads.add(found.get("href", ""))
        if tag == "a" and "href" in found:
            self.links.add(found["href"])


def remote(folder: Path, pages: dict[Path, Page]) -> Iterator[str]:
    """What would be loaded from elsewhere."""
    for path, page in pages.items():
        yield from (f"{path.name} loads {address}" for address in page.loads if REMOTE.match(address))
    for path in folder.rglob("*.css"):
        for found in IN_CSS.findall(path.read_text(encoding="utf-8")):
            yield from (f"{path.name} loads {address}" for address in found if REMOTE.match(address))


def astray(pages: dict[Path, Page]) -> Iterator[str]:
    """Links, and files to load, that lead nowhere."""
    for path, page in pages.items():
        for address in sorted(page.links | page.loads):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{path.name}: {address} leads nowhere"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{path.name}: {address} has no such anchor"


def main() -> int:
    folder = Path(sys.argv[1]).resolve()
    pages = {path: Page(path) for path in sorted(folder.rglob("*.html"))}
    faults = [*remote(folder, pages), *astray(pages)]
    print("\n".join(faults) or f"{len(pages)} pages: all links lead somewhere, nothing comes from elsewhere")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
