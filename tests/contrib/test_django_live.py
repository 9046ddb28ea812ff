"""The live server of Django's test cases: tests/whole/library/books/tests.py, as `manage.py test` runs them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import without_compiled
from tests.helpers.library import Library


@pytest.mark.parametrize("backend", ["c", "py"])
def test_a_project_is_tested_on_it(tmp_path: Path, backend: str) -> None:
    if backend == "c" and without_compiled():
        pytest.skip("told to run without the compiled build")
    library = Library(tmp_path / "library", database=False)
    done = library.run("test", "--parallel", "1", FASTWSGI_BACKEND=backend, PYTHONWARNINGS="error")
    assert done.returncode == 0, done.stderr
    assert "Ran 4 tests" in done.stderr
    assert "Warning" not in done.stderr, sys.version
