"""What runserver watches besides Python files, watched by --reload: templates, catalogues of translations, and others.

Django tells by signals which these are, and takes some changes over: a template that has changed is read again, while
the process goes on. So do other packages, which is why the signals are used and not Django's functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from django.utils import autoreload

from fastwsgi.originals import os, time
from fastwsgi.process import taken_over

INTERVAL = 1.0  # seconds between two listings of the folders, as in Django's own reloader


class Watched(autoreload.BaseReloader):
    """A sender of these signals; receivers call watch_dir() and add to extra_files."""

    def __init__(self) -> None:
        super().__init__()
        self._listed: set[str] = set()
        self._again = 0.0  # when to list again (time.monotonic())

    def files(self) -> Iterable[str]:
        """All files in the folders that are named by the patterns with them, and the extra ones."""
        if time.monotonic() >= self._again:
            self._listed = set(self._list())
            self._again = time.monotonic() + INTERVAL
        return self._listed

    def take(self, path: str) -> bool:
        """Tell the receivers of a change; whether one has done all that is needed."""
        answers = autoreload.file_changed.send_robust(sender=self, file_path=Path(path))
        return any(answer for _, answer in answers if not isinstance(answer, Exception))

    def _list(self) -> Iterable[str]:
        for file in tuple(self.extra_files):
            yield os.path.abspath(file)
        for folder, patterns in self.directory_globs.items():
            for pattern in patterns:
                with suppress(OSError):  # a folder has vanished meanwhile
                    yield from (str(path) for path in folder.glob(pattern) if path.is_file())


def watch() -> None:
    """Ask all packages what they want to have watched, and begin."""
    watched = Watched()
    autoreload.autoreload_started.send(sender=watched)
    taken_over.add(watched)
