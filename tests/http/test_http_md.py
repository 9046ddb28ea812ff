"""http/HTTP.md and what cites it agree: sections that are cited exist, and so do the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "fastwsgi" / "http" / "HTTP.md").read_text()
TESTS = next(folder for folder in Path(__file__).parents if folder.name == "tests")
SECTIONS = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
CASES = sorted(TESTS.rglob("http_cases/*.http"))
CITATION = re.compile(r'http/HTTP\.md, "([^"]+)"')


def sources() -> list[Path]:
    folders = [ROOT / name for name in ("fastwsgi", "tests", "ci", "benchmarks")]
    endings = (".py", ".pyx", ".pxd", ".sh", ".http", ".md")
    return [path for folder in folders for path in folder.rglob("*") if path.suffix in endings]


def test_every_section_that_is_cited_exists() -> None:
    wrong = {
        str(path): sorted(unknown)
        for path in sources()
        if (unknown := set(CITATION.findall(path.read_text())) - set(SECTIONS))
    }
    assert wrong == {}


def test_every_citation_names_the_path() -> None:
    loose = [str(path) for path in sources() if re.search(r"(?<!http/)\bHTTP\.md, \"", path.read_text())]
    assert loose == []


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name)
def test_a_case_file_opens_with_its_section(path: Path) -> None:
    (section,) = CITATION.findall(path.read_text().splitlines()[0])
    assert section in SECTIONS


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_names_files_that_exist(section: str) -> None:
    body = TEXT.split(f"## {section}\n", 1)[1].split("\n## ", 1)[0].strip()
    modules, _, tests = body.splitlines()[-1].rpartition(" · ")
    named = re.findall(r"`([\w/]+\.\w+)`", modules)
    assert named
    for name in named:
        assert (ROOT / "fastwsgi" / (name if "/" in name else f"http/{name}")).exists(), name
    files = re.findall(r"\w+\.(?:http|py)\b", tests)
    assert files
    for name in files:
        assert list(TESTS.rglob(name)), name


def test_every_case_file_holds_a_section() -> None:
    assert [path.name for path in CASES if path.name not in TEXT] == []
