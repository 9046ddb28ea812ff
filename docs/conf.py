"""The manual for Sphinx: `bash ci/docs.sh` builds it. Its pages are Markdown that also reads well as plain text.

Some pages go on with a text of the repository, which stands in one place (`TEXTS`). A link to such a text leads to its
page, one to another file to a copy of that; folders, and texts without a page, are named without a link.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastwsgi.version import VERSION

ROOT = Path(__file__).resolve().parent.parent
project = "fastwsgi"
release = version = VERSION
copyright = "the fastwsgi maintainers"
html_show_copyright = False  # LICENSE tells it

extensions = ["myst_parser"]
exclude_patterns = ["monitoring"]
myst_heading_anchors = 4
smartquotes = False  # they make a dash of the two of an option
suppress_warnings = ["misc.highlighting_failure"]  # shown requests and log lines are in no language

html_theme = "furo"
html_title = f"fastwsgi {VERSION}"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "default"
pygments_dark_style = "github-dark"

TEXTS = {
    "benchmarks": "benchmarks/README.md",
    "changes": "CHANGELOG.md",
    "conformance": "ci/probe/README.md",
    "design": "CONTRIBUTING.md",
    "http": "fastwsgi/http/HTTP.md",
    "security": "SECURITY.md",
}
PAGES = {ROOT / text: page for page, text in TEXTS.items()}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def linked(text: str, base: Path) -> str:
    """*text*, in which links are relative to the folder *base*, for a page of this folder."""

    def link(match: re.Match[str]) -> str:
        mark, name, path, anchor = match.groups(default="")
        target = (base / path).resolve()
        if target in PAGES:
            return f"[{name}]({PAGES[target]}.md{anchor})"
        if target.parent == ROOT / "docs":
            return f"{mark}[{name}]({target.name}{anchor})"
        if target.is_dir() or target.suffix == ".md":
            return name if "`" in name else f"`{name}`"
        return f"{mark}[{name}]({os.path.relpath(target, ROOT / 'docs')})"

    return LINK.sub(link, text)


def complete(app: Any, page: str, source: list[str]) -> None:
    """Put a page and the text that it goes on with together."""
    source[0] = linked(source[0], ROOT / "docs")
    if page in TEXTS:
        file = ROOT / TEXTS[page]
        text = file.read_text(encoding="utf-8")
        _, _, below_the_title = text.partition("\n")
        source[0] += "\n" + linked(below_the_title, file.parent)
        app.env.note_dependency(str(file))


def setup(app: Any) -> None:
    app.connect("source-read", complete)
