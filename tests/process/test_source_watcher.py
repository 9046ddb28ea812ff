"""--reload tells each change of the code once, with watchfiles and without."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from fastwsgi.process import source_watcher
from fastwsgi.process.source_files import SourceFiles
from fastwsgi.process.source_watcher import SourceWatcher
from fastwsgi.stamps import Stamp
from tests.helpers.serving import PATIENCE


class Told:
    """A SourceWatcher of a project, and what it tells."""

    def __init__(self, folder: Path) -> None:
        self.paths: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.watcher = SourceWatcher(self.paths.put, [str(folder / "extra.toml")], str(folder), lambda: [__file__])

    def next(self) -> str:
        """The path that is told next."""
        return self.paths.get(timeout=PATIENCE)


@pytest.fixture(params=["watchfiles", "polling"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How changes come to its knowledge; faster than for humans."""
    monkeypatch.setattr(source_watcher, "INTERVAL", 0.02)
    monkeypatch.setattr(source_watcher, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(source_watcher, "QUIET", 0.2)  # what a save takes at most: else it is told twice
    if request.param == "polling":
        monkeypatch.setitem(sys.modules, "watchfiles", None)
    else:
        pytest.importorskip("watchfiles")
    return str(request.param)


@pytest.fixture
def told(way: str, tmp_path: Path) -> Iterator[Told]:
    (tmp_path / "app.py").write_text("old")
    told = Told(tmp_path)
    told.watcher.start()
    yield told
    told.watcher.stop()
    assert not told.watcher.is_alive()
    assert told.paths.empty()


def save(path: Path) -> None:
    path.write_text("new text")


def save_by_rename(path: Path) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_text("new text")
    os.replace(draft, path)


def save_with_backup(path: Path) -> None:
    path.rename(path.with_suffix(".py~"))
    path.write_text("new text")


@pytest.mark.parametrize("save", [save, save_by_rename, save_with_backup, Path.unlink])
def test_a_change(told: Told, tmp_path: Path, save: Callable[[Path], None]) -> None:
    save(tmp_path / "app.py")
    assert told.next() == str(tmp_path / "app.py")
    (tmp_path / "app.py").write_text("and once more")
    assert told.next() == str(tmp_path / "app.py")


def test_a_new_file_in_a_new_package(told: Told, tmp_path: Path) -> None:
    package = tmp_path / "shop" / "views"
    package.mkdir(parents=True)
    (package / "cart.py").touch()
    assert told.next() == str(package / "cart.py")
    (package / "cart.py").write_text("new text")
    assert told.next() == str(package / "cart.py")


def test_an_extra_file(told: Told, tmp_path: Path) -> None:
    (tmp_path / "extra.toml").write_text("a = 1")
    assert told.next() == str(tmp_path / "extra.toml")


def test_what_is_no_source_is_not_told(told: Told, tmp_path: Path) -> None:
    for folder in ("__pycache__", ".git"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "app.cpython-311.pyc").touch()
        (tmp_path / folder / "app.py").touch()
    (tmp_path / "app.log").write_text("a line")
    (tmp_path / "app.py").write_text("new text")
    assert told.next() == str(tmp_path / "app.py")


def test_the_system_tells_watchfiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("watchfiles")
    monkeypatch.setattr(source_watcher, "LONGEST_WAIT", 60.0)
    monkeypatch.setattr(source_watcher, "QUIET", 0.02)
    told = Told(tmp_path)
    told.watcher.start()
    for number in range(int(PATIENCE / 0.1)):
        (tmp_path / "app.py").write_text("x" * number)  # the first ones may be too early
        try:
            told.paths.get(timeout=0.1)
        except queue.Empty:
            continue
        break
    else:
        raise AssertionError("nothing was told")
    told.watcher.stop()


def test_many_changes_at_once_are_told_once(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a checkout makes them: some at each look."""
    looks, told = changing(monkeypatch), Told(tmp_path)
    looks += [lambda number=number: (tmp_path / f"{number}.py").touch() for number in range(5)]
    told.watcher.start()
    assert told.next() == str(tmp_path / "0.py")
    told.watcher.stop()
    assert told.paths.empty()


def changing(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What is to be done before each of the coming looks."""
    looks: list[Callable[[], object]] = []
    real = SourceFiles.changes

    def changes(self: SourceFiles) -> dict[str, Stamp]:
        if looks and hasattr(self, "stamps") and getattr(self, "_begun", False):
            looks.pop(0)()
        self._begun = True  # type: ignore[attr-defined]
        return real(self)

    monkeypatch.setattr(SourceFiles, "changes", changes)
    return looks


def test_a_file_that_vanishes_for_a_moment(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, exists = tmp_path / "app.py", []
    app.write_text("old")
    looks, told = changing(monkeypatch), Told(tmp_path)
    looks += [app.unlink, lambda: None, lambda: None, lambda: app.write_text("new text"), lambda: None]
    told.watcher._changed = lambda path: (exists.append(app.exists()), told.paths.put(path))  # type: ignore[assignment]
    told.watcher.start()
    assert told.next() == str(app)
    told.watcher.stop()
    assert told.paths.empty()
    assert exists == [True]


def test_a_file_that_is_as_before_is_not_told(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, away = tmp_path / "app.py", tmp_path / "away"
    app.write_text("old")
    looks, told = changing(monkeypatch), Told(tmp_path)
    looks += [lambda: app.rename(away), lambda: (away.rename(app), (tmp_path / "b.py").touch())]
    told.watcher.start()
    assert told.next() == str(tmp_path / "b.py")
    told.watcher.stop()


def test_a_file_that_changes_all_the_time_is_told(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = tmp_path / "app.py"
    looks, told = changing(monkeypatch), Told(tmp_path)
    looks += [lambda number=number: app.write_text("x" * number) for number in range(1000)]
    told.watcher.start()
    assert told.next() == str(app)
    assert len(looks) > 900
    told.watcher.stop()


def test_it_may_be_stopped_by_what_it_calls(way: str, tmp_path: Path) -> None:
    watcher = SourceWatcher(lambda path: watcher.stop(), folder=str(tmp_path))
    (tmp_path / "app.py").touch()  # after it was made, before it was started
    watcher.start()
    watcher.join(PATIENCE)
    assert not watcher.is_alive()


@pytest.mark.parametrize("error", [OSError(28, "too many"), FileNotFoundError(2, "gone"), RuntimeError("internal")])
def test_watchfiles_that_cannot_watch_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def watch(*arguments: Any, **options: Any) -> Iterator[Any]:
        raise error
        yield

    watchfiles = pytest.importorskip("watchfiles")
    monkeypatch.setattr(watchfiles, "watch", watch)
    monkeypatch.setattr(source_watcher, "INTERVAL", 0.02)
    told = Told(tmp_path)
    told.watcher.start()
    (tmp_path / "app.py").touch()
    assert told.next() == str(tmp_path / "app.py")
    told.watcher.stop()
