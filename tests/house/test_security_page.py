"""SECURITY.md names tests and files that exist: a claim without its proof fails here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
FILES = sorted(set(re.findall(r"`((?:tests|ci|fastwsgi|benchmarks)/[\w./]+)`", PAGE)))
TESTS = sorted(set(re.findall(r"`(test_\w+)(?:::(test_\w+))?`", PAGE)))


@pytest.mark.parametrize("name", FILES)
def test_files(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize(("module", "test"), TESTS, ids=lambda part: part)
def test_tests(module: str, test: str) -> None:
    (path,) = (ROOT / "tests").rglob(f"{module}.py")
    assert not test or re.search(rf"^ *def {test}\(", path.read_text(), re.MULTILINE)


def test_there_are_some() -> None:
    assert len(TESTS) > 20
    assert len(FILES) > 3
