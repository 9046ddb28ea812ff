"""SystemdStatus that the code of the application has changed: for --reload.

What has changed is always found by comparing the files with how they were. Where the package watchfiles is installed,
the system wakes us when it is worth looking, else we look several times a second.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from fastwsgi.process.source_files import SourceFiles, Stamp, imported_files

INTERVAL = 0.25  # seconds between two looks without watchfiles
UNTOLD = 0.5  # and with it: for new modules, and for file systems that do not tell
QUIET = 0.1  # seconds without another change, after which an editor or a checkout is done
MOST_LOOKS = 6  # until a change is told although there are others all the time, or a file has not come back


class SourceWatcher(threading.Thread):
    """Calls *changed*, in this thread, with the path of a file that has changed, each time some have.

    What changes after it was made is noticed: make and start it before the application is imported.

    Args:
        changed: called with an absolute path.
        extra_files: watched besides the code; they may appear later.
        folder: whose Python files are watched, imported or not.
        imported: lists the files of the imported modules; for other lists of files to watch.
    """

    def __init__(
        self,
        changed: Callable[[str], None],
        extra_files: Iterable[str] = (),
        folder: str = ".",
        imported: Callable[[], Iterable[str]] = imported_files,
    ) -> None:
        super().__init__(name="fastwsgi-reloader", daemon=True)
        self._changed = changed
        self._stopped = threading.Event()
        self._events = FileEvents(self._stopped)
        self._sources = SourceFiles(folder, extra_files, imported)

    def run(self) -> None:
        """Watch until stop()."""
        while not self._stopped.is_set():
            self._events.wait(self._sources)
            changes = self._sources.changes()
            path = self._settle(changes) if changes else None
            if path is not None and not self._stopped.is_set():
                self._changed(path)

    def stop(self) -> None:
        """Watch no more, and wait for the thread unless it is this one."""
        self._stopped.set()
        if self.is_alive() and threading.current_thread() is not self:
            self.join()

    def _settle(self, before: dict[str, Stamp]) -> str | None:
        """Wait until the files stay as they are, and are there: one that is not as it was *before*, if one is not."""
        for _ in range(MOST_LOOKS):
            if self._stopped.wait(QUIET):
                return None
            more = self._sources.changes()
            before = {**more, **before}
            if not more and all(map(self._sources.stamps.get, before)):  # editors replace files: one may be missing
                break
        return min((path for path, stamp in before.items() if self._sources.stamps[path] != stamp), default=None)


class FileEvents:
    """Waits until it is worth looking."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._folders: set[str] = set()
        self._rings: Iterator[object] = iter(())
        try:
            import watchfiles
        except ImportError:
            self._watchfiles: Any = None
        else:
            self._watchfiles = watchfiles

    def wait(self, sources: SourceFiles) -> None:
        """Return when one of the *sources* may have changed, or some time has passed."""
        if self._watchfiles is None:
            self._stopped.wait(INTERVAL)
            return
        try:
            self._listen(sources)
            next(self._rings, None)
        except (OSError, RuntimeError):  # a folder vanished just now, or there are more than the system watches
            self._watchfiles = None

    def _listen(self, sources: SourceFiles) -> None:
        """Have the system tell of all folders of the *sources*."""
        folders = sources.folders()
        if folders == self._folders:
            return

        def matters(change: Any, path: str) -> bool:
            return path.endswith(".py") or path in sources.stamps or change == self._watchfiles.Change.added

        self._folders = folders
        self._rings = self._watchfiles.watch(
            *filter(os.path.isdir, folders),
            watch_filter=matters,
            debounce=50,  # ms, as those below
            step=20,
            rust_timeout=int(UNTOLD * 1000),
            yield_on_timeout=True,
            stop_event=self._stopped,
            recursive=False,
            ignore_permission_denied=True,
        )
