"""The pages of the manual, and the files in them."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {page.stem: page.read_text(encoding="utf-8") for page in sorted(DOCS.glob("*.md"))}
"""The text of each page, by its name without the ending."""


def blocks(page: str, language: str) -> list[str]:
    """The contents of the blocks of *page* in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.MULTILINE | re.DOTALL)
