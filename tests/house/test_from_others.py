"""docs/from-others.md: the options of ours that it names exist, those of others stand in the first column alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastwsgi.settings.settings import SETTINGS

PAGE = (Path(__file__).parents[2] / "docs/from-others.md").read_text(encoding="utf-8")
FLAGS = {flag for setting in SETTINGS.values() for flag in setting.flags}
OF_OTHERS = {"--host", "--port", "--channel-timeout", "--interface", "--call", "--backpressure"}  # in the text


def flags_in(text: str) -> set[str]:
    """All options that *text* names."""
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))


def test_the_options_exist() -> None:
    rows = [line.split("|")[2:] for line in PAGE.splitlines() if line.startswith("| ")]
    text = [line for line in PAGE.splitlines() if not line.startswith("|")]
    named = flags_in("\n".join([*text, *("|".join(row) for row in rows)]))
    assert len(named) > 40
    assert named - FLAGS - OF_OTHERS == set()


@pytest.mark.parametrize("server", ["waitress", "uvicorn", "granian", "cheroot", "mod_wsgi"])
def test_each_row_has_three_cells(server: str) -> None:
    section = PAGE.partition(f"## From {server}\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert len(rows) > 8
    assert {line.count("|") for line in rows} == {4}
