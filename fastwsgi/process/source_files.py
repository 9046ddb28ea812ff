"""The files of an application, and the comparison that finds which of them have changed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterable
from typing import Callable

from fastwsgi.originals import os, time
from fastwsgi.records import NamedTuple
from fastwsgi.stamps import Stamp, stamp_of

STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
INSTALLED = ("site-packages", "dist-packages")  # their files are watched only if imported
SKIPPED = {"__pycache__", "node_modules", *INSTALLED}
MOST_FOLDERS = 2000  # in a project: the server may be started in / or in a home directory
FRESH = 10**9  # ns; a folder changed so recently may change again without a new modification time


def imported_files() -> set[str]:
    """The files of the imported modules, except those of the standard library."""
    files = set()
    for module in sys.modules.copy().values():
        # Not getattr(), which would import a lazy module
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str) and (not file.startswith(STANDARD_LIBRARY) or any(map(file.__contains__, INSTALLED))):
            files.add(file if os.path.isabs(file) else os.path.abspath(file))
    return files


def files_of_failure(error: BaseException) -> set[str]:
    """The files in the traceback of *error*: a module that fails to import is not among the imported ones."""
    files: set[str] = set()
    chain: list[BaseException | None] = [error]
    seen: set[int] = set()
    for link in chain:  # the list grows during the iteration; a chain may be circular
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            files |= {frame.f_code.co_filename for frame, _ in traceback.walk_tb(link.__traceback__)}
            if isinstance(link, SyntaxError) and link.filename:
                files.add(link.filename)
            chain += [link.__cause__, link.__context__]
    return {os.path.abspath(file) for file in files if not file.startswith("<")}


class Folder(NamedTuple):
    """The contents of a folder when it was listed."""

    time: int  # of its last change, in ns; 0 if that was too recent to trust
    files: list[str]
    folders: list[str]


class Project:
    """The Python files under a folder, without hidden folders, virtual environments and installed packages.

    A comparison costs a stat for each folder: only those that have changed are listed.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self.folders: dict[str, Folder] = {}

    def files(self) -> list[str]:
        """Their absolute paths."""
        found: dict[str, Folder] = {}
        wanted = [self.root]
        for path in wanted:  # the list grows during the iteration: folders near the root come first
            if len(found) == MOST_FOLDERS:
                break
            try:
                found[path] = folder = self._folder(path)
            except OSError:
                continue
            wanted += folder.folders
        self.folders = found
        return [file for folder in found.values() for file in folder.files]

    def _folder(self, path: str) -> Folder:
        known, changed = self.folders.get(path), os.stat(path).st_mtime_ns
        return known if known is not None and known.time == changed else _list(path, changed)


def _list(path: str, changed: int) -> Folder:
    files, folders = [], []
    trusted = changed if time.time_ns() - changed > FRESH else 0
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name == "pyvenv.cfg":
                return Folder(trusted, [], [])
            if entry.name.endswith(".py"):
                files.append(entry.path)
            elif not entry.name.startswith(".") and entry.name not in SKIPPED and entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
    return Folder(trusted, files, folders)


class SourceFiles:
    """All files to watch, with their stamps at the last comparison.

    Args:
        folder: its Python files are watched, imported or not.
        extra_files: watched, too, even if they do not exist yet.
        imported: lists the files of imported modules; called at each comparison, since more are imported.
        others: gives further files, with what each was before the first comparison that it is in.
    """

    def __init__(
        self,
        folder: str,
        extra_files: Iterable[str],
        imported: Callable[[], Iterable[str]],
        others: Callable[[], dict[str, Stamp]] = dict,
    ) -> None:
        self._project = Project(folder)
        self._imported = imported
        self._others = others
        self.stamps: dict[str, Stamp] = {os.path.abspath(file): None for file in extra_files}
        self.changes()

    def changes(self) -> dict[str, Stamp]:
        """The files that have changed since the last call, with their stamps at that time."""
        before = {**self._others(), **self.stamps}
        watched = {*before, *self._project.files()}
        modules = set(self._imported()) - watched  # a newly imported file is not a change
        self.stamps = {path: stamp_of(path) for path in watched | modules}
        return {path: before.get(path) for path in watched if self.stamps[path] != before.get(path)}

    def folders(self) -> set[str]:
        """The folders in which to expect changes."""
        return {*self._project.folders, *map(os.path.dirname, self.stamps)}
