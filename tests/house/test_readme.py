"""The README holds what it promises: two commands of one line each, 150 lines; links of all texts lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ci import option_table, readme
from ci.option_table import PAGE
from fastwsgi.settings.settings import SETTINGS
from tests.helpers.pages import PAGES

ROOT = Path(__file__).resolve().parents[2]
TEXTS = (
    "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/README.md", "ci/README.md",
    "ci/probe/README.md", *(f"docs/{page}.md" for page in PAGES),
)  # fmt: skip
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")
NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [0, 1])
def test_each_of_the_first_two_commands_is_one_line(number: int) -> None:
    command = readme.sh_blocks(text("README.md"))[number]
    assert "\n" not in command
    assert shlex.split(command)[:4] == ["python3", "-m", "venv", ".venv"]


def test_the_first_command_serves_the_demo_and_the_second_runs_the_tests() -> None:
    first, second = readme.sh_blocks(text("README.md"))[:2]
    assert first.endswith("/fastwsgi fastwsgi.demo:app")
    assert "[test]" in second
    assert second.endswith("ci/test.sh c")


def test_the_option_table_is_that_of_the_settings() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == option_table.renewed(page)
    assert {setting.group for setting in SETTINGS.values()} == set(option_table.PAGES)


def test_the_readme_is_short() -> None:
    assert len(text("README.md").splitlines()) <= 150


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_to_a_file_and_a_heading(name: str) -> None:
    for path, anchor in LINK.findall(text(name)):
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), path
        if anchor:
            assert anchor[1:] in anchors(target.read_text(encoding="utf-8")), anchor


def anchors(markdown: str) -> set[str]:
    """The anchors that GitHub gives the headings."""
    headings = re.findall(r"^#+ (.*)$", markdown, re.MULTILINE)
    return {NOT_IN_ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_name_on_pypi_is_told() -> None:
    assert "`fastwsgi-server`" in text("README.md")
