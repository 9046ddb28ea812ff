"""The watcher of the application's code, for --reload.

Changes are always found by comparing the files with their earlier state. If the package watchfiles is installed, the
system says when a comparison is worth making; otherwise there are several a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Callable

from fastwsgi.daemon import Daemon
from fastwsgi.originals import os, threading
from fastwsgi.process import taken_over
from fastwsgi.process.source_files import SourceFiles, imported_files
from fastwsgi.stamps import Stamp

if TYPE_CHECKING:
    from watchfiles import Change

INTERVAL = 0.25  # seconds between two comparisons without watchfiles
LONGEST_WAIT = 0.5  # seconds with it, for new modules and for file systems that have no events
QUIET = 0.1  # seconds without another change, after which an editor or a checkout is done
MOST_COMPARISONS = 6  # before a change is reported although more follow, or a file is still missing


class SourceWatcher(Daemon):
    """Calls *changed*, in this thread, with the path of a changed file, each time some have changed.

    It notices changes after it was made, so make and start it before the application is imported. What a framework
    takes over by itself (taken_over.py) is left to that.

    Args:
        changed: called with an absolute path.
        extra_files: watched besides the code; they may appear later.
        folder: its Python files are watched, imported or not.
        imported: lists the files of the imported modules, or other files to watch.
    """

    def __init__(
        self,
        changed: Callable[[str], object],
        extra_files: Iterable[str] = (),
        folder: str = ".",
        imported: Callable[[], Iterable[str]] = imported_files,
    ) -> None:
        super().__init__(self._run, "fastwsgi-reloader")
        self._changed = changed
        self._stopped = threading.Event()
        self._events = FileEvents(self._stopped)
        self._sources = SourceFiles(folder, extra_files, imported, taken_over.files)

    def _run(self) -> None:
        """Watch until stop()."""
        while not self._stopped.is_set():
            self._events.wait(self._sources)
            changes = self._sources.changes()
            changed = self._settle(changes) if changes else []
            left = [path for path in changed if not taken_over.take(path)]
            if left and not self._stopped.is_set():
                self._changed(left[0])

    def stop(self) -> None:
        """Stop watching, and wait for the thread unless it is this one."""
        self._stopped.set()
        if self.is_alive() and threading.current_thread() is not self:
            self.join()

    def _settle(self, before: dict[str, Stamp]) -> list[str]:
        """Wait until the files stop changing, and none is missing.

        Returns:
            The files that differ from *before*, in order.
        """
        for _ in range(MOST_COMPARISONS):
            if self._stopped.wait(QUIET):
                return []
            more = self._sources.changes()
            before = {**more, **before}
            if not more and all(map(self._sources.stamps.get, before)):  # editors replace files: one may be missing
                break
        return sorted(path for path, stamp in before.items() if self._sources.stamps[path] != stamp)


class FileEvents:
    """Waits until files may have changed."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._folders: set[str] = set()
        self._events: Iterator[object] = iter(())
        self._watchfiles: ModuleType | None
        try:
            import watchfiles
        except ImportError:
            self._watchfiles = None
        else:
            self._watchfiles = watchfiles

    def wait(self, sources: SourceFiles) -> None:
        """Wait until one of the *sources* may have changed, or some time has passed."""
        if self._watchfiles is None:
            self._stopped.wait(INTERVAL)
            return
        try:
            self._subscribe(sources, self._watchfiles)
            next(self._events, None)
        except (OSError, RuntimeError):  # a folder has just vanished, or there are more than the system watches
            self._watchfiles = None

    def _subscribe(self, sources: SourceFiles, watchfiles: ModuleType) -> None:
        """Have the system report events in all folders of the *sources*."""
        folders = sources.folders()
        if folders == self._folders:
            return

        def matters(change: Change, path: str) -> bool:
            return path.endswith(".py") or path in sources.stamps or change == watchfiles.Change.added

        self._folders = folders
        self._events = watchfiles.watch(
            *filter(os.path.isdir, folders),
            watch_filter=matters,
            debounce=50,  # ms, as are those below
            step=20,
            rust_timeout=int(LONGEST_WAIT * 1000),
            yield_on_timeout=True,
            stop_event=self._stopped,
            recursive=False,
            ignore_permission_denied=True,
        )
