"""The README's chapter on production: the files in it."""

from __future__ import annotations

import re
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
CHAPTER = README.partition("\n## Running it in production\n")[2].partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    """The contents of the chapter's blocks in *language*."""
    return re.findall(rf"^```{language}\n(.*?)^```$", CHAPTER, re.MULTILINE | re.DOTALL)
