"""The file in which other programs find the supervisor's process ID.

What is at its path and is another kind of file, such as a device or a pipe, is not read, replaced or removed.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator

from fastwsgi.mistakes import WrongValue
from fastwsgi.observe.links import located
from fastwsgi.originals import os

MOST_READ = 64  # bytes
NONE, OTHER = 0, -1  # in place of a process ID: there is none, and something else is there


class PidFile:
    """A file with the ID of this process, which is renamed and removed only while it holds that ID.

    Args:
        path: the file's; its directory has to exist.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)  # the working directory may change

    def create(self) -> None:
        """Write it, so that it is never seen incomplete; one that a dead process left is replaced.

        Raises:
            Mistake: it belongs to a running process, or cannot be written.
        """
        with self._as_mistakes(), located(self.path), located(self.path, follow_last=False) as (folder, name, _):
            draft = f"{name}.{os.getpid()}"
            _write(draft, folder)
            try:
                # Unlike a rename, this fails if the file exists
                os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
            except FileExistsError:
                self._refuse_if_used()
                os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(draft, dir_fd=folder)

    def check(self) -> None:
        """Raise WrongValue if it is there and another kind of file."""
        if self._read() == OTHER:
            raise WrongValue("--pid", f"{self.path} is there and holds no process ID: choose another file")

    def rename(self, path: str) -> None:
        """Move it out of a successor's way, if it is still ours. Raises Mistake if that cannot be done."""
        if self.is_ours():
            with self._as_mistakes():
                os.replace(self.path, path)
            self.path = os.path.abspath(path)

    def remove(self) -> None:
        """Remove it if it is still ours and can be removed."""
        if self.is_ours():
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    def is_ours(self) -> bool:
        """Whether it names this process (not its parent, in a forked process)."""
        return self._read() == os.getpid()

    def _read(self) -> int:
        """The process ID in it, NONE or OTHER."""
        try:
            if not stat.S_ISREG(os.stat(self.path).st_mode):
                return OTHER
            fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return NONE
        try:
            return int(os.read(fd, MOST_READ) or NONE)
        except ValueError:
            return OTHER
        finally:
            os.close(fd)

    def _refuse_if_used(self) -> None:
        self.check()
        pid = self._read()
        if pid not in (NONE, os.getpid()) and is_alive(pid):
            raise WrongValue("--pid", f"{self.path} is held by process {pid}: stop that one, or choose another file")

    @contextlib.contextmanager
    def _as_mistakes(self) -> Iterator[None]:
        """Turn an OSError into a Mistake that names the file."""
        try:
            yield
        except OSError as error:
            raise WrongValue("--pid", f"{self.path}: {error.strerror}") from None


def _write(name: str, folder: int) -> None:
    """Write our ID to a new file; what has its name, be it a link of somebody else, is removed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644, dir_fd=folder)
    try:
        os.write(fd, f"{os.getpid()}\n".encode())
    finally:
        os.close(fd)


def is_alive(pid: int) -> bool:
    """Whether a process with this ID exists."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # the process is another user's
    return True
