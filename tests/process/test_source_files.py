"""Which files --reload watches, and which of them it finds changed."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from fastwsgi.process import source_files, taken_over
from fastwsgi.process.source_files import Project, SourceFiles, files_of_failure, imported_files


def nothing() -> list[str]:
    """The files of no module."""
    return []


def write(path: Path, text: str = "") -> Path:
    """A file with *text*, in folders that are made for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_imported_files(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise AssertionError("it must not be asked")

    monkeypatch.setitem(sys.modules, "lazy", Lazy("lazy"))
    monkeypatch.setitem(sys.modules, "blocked", None)
    files = imported_files()
    assert {__file__, pytest.__file__, source_files.__file__} <= files
    assert os.__file__ not in files


def test_the_files_of_a_project(tmp_path: Path) -> None:
    wanted = {write(tmp_path / name) for name in ("app.py", "shop/__init__.py", "shop/views/cart.py")}
    for name in (
        *("readme.txt", "__pycache__/app.py", ".git/hook.py", "node_modules/gyp/gyp.py"),
        *("lib/site-packages/flask.py", "env/pyvenv.cfg", "env/bin/tool.py"),
    ):
        write(tmp_path / name)
    os.symlink(tmp_path, tmp_path / "loop")
    assert set(map(Path, Project(str(tmp_path)).files())) == wanted


def test_a_project_is_not_walked_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_files, "MOST_FOLDERS", 3)
    for number in range(5):
        write(tmp_path / str(number) / "app.py")
    project = Project(str(tmp_path))
    assert (len(project.files()), len(project.folders)) == (2, 3)


def test_only_folders_that_have_changed_are_listed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []
    real = source_files._list
    monkeypatch.setattr(source_files, "_list", lambda path, changed: listed.append(path) or real(path, changed))
    shop, tools = (write(tmp_path / name / "app.py").parent for name in ("shop", "tools"))
    for folder in (tmp_path, shop, tools):
        os.utime(folder, (1, 1))
    project = Project(str(tmp_path))
    assert len(project.files()) == 2
    listed.clear()
    write(shop / "new.py")
    assert len(project.files()) == 3
    assert listed == [str(shop)]


def test_a_change_in_the_same_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    project = Project(str(tmp_path))
    assert project.files() == []
    before = tmp_path.stat().st_mtime_ns
    write(tmp_path / "app.py")
    os.utime(tmp_path, ns=(before, before))
    assert len(project.files()) == 1


def test_changes(tmp_path: Path) -> None:
    app, extra = write(tmp_path / "app.py"), tmp_path / "settings.toml"
    found = SourceFiles(str(tmp_path), [str(extra)], nothing)
    assert found.changes() == {}
    app.write_text("changed")
    assert set(found.changes()) == {str(app)}
    extra.write_text("a = 1")
    assert found.changes() == {str(extra): None}
    new = write(tmp_path / "shop" / "new.py")
    assert found.changes() == {str(new): None}
    app.unlink()
    assert set(found.changes()) == {str(app)}
    assert found.changes() == {}
    assert found.folders() == {str(tmp_path), str(tmp_path / "shop")}


def test_a_module_that_appears_is_watched_and_no_change(tmp_path: Path) -> None:
    modules = [__file__]
    found = SourceFiles(str(tmp_path), [], lambda: modules)
    module = write(tmp_path.parent / f"{tmp_path.name}-elsewhere" / "module.py")
    modules.append(str(module))
    assert found.changes() == {}
    modules.remove(str(module))  # an import that failed
    module.write_text("changed")
    assert set(found.changes()) == {str(module)}


def test_what_a_framework_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes by what it was when it was named; one that joins later is a change at once."""
    monkeypatch.setattr(taken_over, "_takers", [])
    monkeypatch.setattr(taken_over, "_first", {})
    page, later = write(tmp_path / "pages" / "page.html"), tmp_path / "pages" / "later.html"

    class Templates:
        def files(self) -> list[str]:
            return [str(path) for path in page.parent.iterdir()]

        def take(self, path: str) -> bool:
            return path.endswith(".html")

    found = SourceFiles(str(tmp_path / "code"), [], nothing, taken_over.files)
    taken_over.add(Templates())
    assert found.changes() == {}
    page.write_text("changed")
    assert set(found.changes()) == {str(page)}
    later.write_text("new")
    assert found.changes() == {str(later): None}
    assert taken_over.take(str(later))
    assert not taken_over.take(__file__)


@pytest.mark.parametrize("fault", ["def app(:", "1 / 0"])
def test_the_files_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Also when somebody has made another error of it."""
    names = [f"{name}_{tmp_path.name}" for name in ("outer", "inner")]
    outer = write(tmp_path / f"{names[0]}.py", f"import {names[1]}")
    inner = write(tmp_path / f"{names[1]}.py", fault)
    monkeypatch.syspath_prepend(str(tmp_path))

    def load() -> None:
        try:
            importlib.import_module(names[0])
        except Exception:
            raise RuntimeError("cannot be imported") from None

    with pytest.raises(RuntimeError) as caught:
        load()
    files = files_of_failure(caught.value)
    assert {str(outer), str(inner), __file__} <= files
    assert not any("<" in file for file in files)
