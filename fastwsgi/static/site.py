"""Which file answers a path: the folders of --static, and a memory of what was found in the last second."""

from __future__ import annotations

import errno
import resource
import stat
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi import forks
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.originals import os, time
from fastwsgi.static.beneath import open_folder
from fastwsgi.static.codings import IDENTITY, SUFFIXES, Choice
from fastwsgi.static.files import File
from fastwsgi.static.media_types import media_type
from fastwsgi.static.names import file_name
from fastwsgi.static.responses import NO_SNIFFING, Document, Representation, Slash, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastwsgi.static.names import Immutable, Mount
    from fastwsgi.static.responses import Answer

SECOND = 1.0  # for which what was found is believed
MOST_PATHS = 1024  # found or not, that are remembered
MOST_MEMORY = 16 * 1024**2  # bytes of files that are kept
MOST_OPEN = 128  # files
YEAR = 31536000  # seconds
RESERVE = 8  # descriptors kept from files, which slow clients keep open; 1/16 of a small limit. As in server/spool.py

ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV, errno.ENAMETOOLONG, errno.EINVAL, errno.ENXIO}
DENIED = {errno.EACCES, errno.EPERM}
SHORT = {errno.EMFILE, errno.ENFILE}
MOST_TOLD = 100  # files that are reported as unreadable: who asks for more of them does not fill the log
UNKNOWN: Any = object()


class Folder:
    """The folder of one *mount*, opened when it is needed: so one that is replaced by another is seen."""

    def __init__(self, mount: Mount, opener: Callable[[int, bytes], int]) -> None:
        self.route = mount.route
        self.path = mount.folder
        self._opener = opener
        self._fd = -1

    def open(self, name: bytes) -> tuple[int, os.stat_result]:
        """A descriptor of what is called *name* below the folder, and its state. Raises OSError."""
        if self._fd < 0:
            self._fd = open_folder(self.path)
        return self._open_in(self._fd, name)

    def open_once(self, name: bytes) -> tuple[int, os.stat_result]:
        """As open(), in any thread: the folder is not kept open."""
        folder = open_folder(self.path)
        try:
            return self._open_in(folder, name)
        finally:
            os.close(folder)

    def _open_in(self, folder: int, name: bytes) -> tuple[int, os.stat_result]:
        fd = self._opener(folder, name)
        try:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            if 0 < limit <= fd + min(RESERVE, limit // 16):
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return fd, os.fstat(fd)
        except OSError:
            os.close(fd)
            raise

    def close(self) -> None:
        """Have it opened anew the next time."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class StaticFiles:
    """The files below all routes, for one loop; what a path means is found out once a second.

    Args:
        folders: no two have the same route.
        immutable: tells names of files that never change.
        max_age: seconds for which clients may keep others.
        index: the name of the file that answers for its folder; "" for none.
        log_error: called with a message and an exception, or None.
        loops: how many the process has: each may remember its share.
    """

    def __init__(
        self,
        folders: Sequence[Folder],
        immutable: Immutable,
        max_age: int,
        index: str,
        log_error: Callable[[str, BaseException | None], None],
        loops: int = 1,
    ) -> None:
        self._folders = sorted(folders, key=lambda folder: len(folder.route), reverse=True)
        self._immutable = immutable
        self._lasting = ("Cache-Control", f"public, max-age={YEAR}, immutable")
        self._passing = ("Cache-Control", f"public, max-age={max_age}")
        self._index = index.encode("latin-1")
        self._log_error = log_error
        self._choice = Choice()
        self._loops = loops
        self._told: set[bytes] = set()
        self._shortage_log = RateLimitedLog(log_error)
        self._found: dict[str, Answer | None] = {}
        self._memory = self._open = 0
        self._until = 0.0
        forks.hold(self)

    def find(self, path: str, now: float) -> Answer | None:
        """What answers *path*, a decoded one without SCRIPT_NAME; None: the application does.

        Args:
            now: seconds on the loop's clock.
        """
        if now >= self._until:
            self.forget()
            self._until = now + SECOND
        found = self._found.get(path, UNKNOWN)
        return self._look(path) if found is UNKNOWN else found

    def tick(self) -> None:
        """Let go what is older than a second, also where nobody asks for anything."""
        if self._found and time.monotonic() >= self._until:
            self.forget()

    def forget(self) -> None:
        """Let go all that was found."""
        self._found.clear()
        self._memory = self._open = 0
        for folder in self._folders:
            folder.close()

    disown = forget

    def _look(self, path: str) -> Answer | None:
        for folder in self._folders:
            if path.startswith(folder.route):
                return self._remember(path, self._search(folder, path[len(folder.route) :]))
            if self._index and path == folder.route[:-1]:
                return self._remember(path, self._search(folder, "", lacks_slash=True))
        return None

    def _remember(self, path: str, found: Answer | None) -> Answer | None:
        held = (len(self._found) + 1, self._memory, self._open)
        if any(one * self._loops > most for one, most in zip(held, (MOST_PATHS, MOST_MEMORY, MOST_OPEN))):
            self.forget()
        self._found[path] = found
        if isinstance(found, Document):
            self._memory += found.weight
            self._open += found.descriptors
        return found

    def _search(self, folder: Folder, below: str, lacks_slash: bool = False) -> Answer | None:
        is_folder = below == "" or below.endswith("/")
        name = file_name(below[:-1] if below.endswith("/") else below)
        if name is None or (is_folder and not self._index):
            return None
        try:
            if is_folder:
                return self._answer_folder(folder, name, lacks_slash)
            fd, status = folder.open(name)
            if stat.S_ISREG(status.st_mode):
                return self._document(folder, name, File(fd, status, time.time()))
            os.close(fd)
            return self._answer_folder(folder, name, True) if self._index and stat.S_ISDIR(status.st_mode) else None
        except OSError as error:
            return self._note(folder, name, error)

    def _answer_folder(self, folder: Folder, name: bytes, lacks_slash: bool) -> Answer | None:
        """The index of the folder *name*, or where to find it. Raises OSError."""
        name = name + b"/" + self._index if name else self._index
        found = self._open_file(folder, name)
        if found is None or lacks_slash:
            return None if found is None else Slash()
        return self._document(folder, name, found)

    def _open_file(self, folder: Folder, name: bytes) -> File | None:
        """The file *name*; None if it is no regular one. Raises OSError."""
        fd, status = folder.open(name)
        if stat.S_ISREG(status.st_mode):
            return File(fd, status, time.time())
        os.close(fd)
        return None

    def _note(self, folder: Folder, name: bytes, error: OSError) -> Answer | None:
        """What is answered where a file cannot be opened, with a line in the error log unless it is just not there."""
        if error.errno in ABSENT:
            return None
        if error.errno in SHORT:
            problem = f"file descriptors are short: {error.strerror}: files below {folder.path} are answered with 503"
            self._shortage_log.log(time.monotonic(), problem)
        elif name not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(name)
            self._log_error(f"static file {folder.path}/{_shown(name)}: {error.strerror}", None)
        return None if error.errno in DENIED else Unavailable()

    def _document(self, folder: Folder, name: bytes, file: File) -> Document:
        """The answer with *file*, and with those beside it that hold it in other codings."""
        last = name.rpartition(b"/")[2].decode("latin-1")
        fields = [
            ("Content-Type", media_type(last)),
            self._lasting if self._immutable(last) else self._passing,
            NO_SNIFFING,
        ]
        coded = {}
        for coding, suffix in SUFFIXES.items():
            one = self._coded(folder, name + suffix)
            # An older one is of a file that was replaced since
            if one is not None and one.changed >= file.changed and one.size < file.size:
                coded[coding] = one
        if coded:
            fields.append(("Vary", "Accept-Encoding"))
        found = {coding: Representation(one, [*fields, ("Content-Encoding", coding)]) for coding, one in coded.items()}
        return Document({**found, IDENTITY: Representation(file, fields)}, self._choice)

    def _coded(self, folder: Folder, name: bytes) -> File | None:
        try:
            return self._open_file(folder, name)
        except OSError:
            return None


def _shown(name: bytes) -> str:
    """*name*, which a client has chosen, in one line."""
    text = os.fsdecode(name)
    return text if text.isprintable() else ascii(text)[1:-1]
