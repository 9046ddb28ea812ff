"""Unix sockets: the file at a socket's path, which users may connect, and which process removes the file."""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from fastwsgi.originals import os, socket
from fastwsgi.server.addresses import BindError, Unix

PROBE_SECONDS = 1.0  # a server that has not answered connect() within this time still counts as one


class ListeningSocket(socket.socket):
    """A listening socket that knows whether this process is to remove the path it is bound to.

    The path belongs to the process that bound it, so that no forked worker removes it, or to the one that last called
    own_path(). A path is recognised by its inode, which no other file can have while the socket is open.
    """

    _owned: tuple[int, str, tuple[int, int]] | None = None  # the process ID, the path and its identity

    def own_path(self) -> None:
        """Take charge of the path, as the process that made it, or its successor."""
        name = os.fsdecode(self.getsockname()) if self.family == socket.AF_UNIX else ""
        if name and not name.startswith("\0"):
            path = os.path.abspath(name)
            self._owned = os.getpid(), path, _identity(path)

    def remove_path(self) -> None:
        """Remove the path if it is this process's to remove and still leads to this socket."""
        owned, self._owned = self._owned, None
        if owned is not None and owned[0] == os.getpid() and owned[2] == _identity(owned[1]):
            os.unlink(owned[1])


def listen(address: Unix, backlog: int, mode: int | None, owner: tuple[int, int] | None) -> ListeningSocket:
    """A non-blocking listening socket, which replaces a path on which no process listens. Raises BindError."""
    listener = ListeningSocket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not address.is_abstract:
            _remove_stale(address.path)
        with nullcontext() if mode is None else _umask(~mode & 0o777):
            listener.bind(address.path)
        listener.own_path()
        if owner is not None and not address.is_abstract:
            os.chown(address.path, *owner, follow_symlinks=False)
        listener.listen(backlog)
        listener.setblocking(False)
    except BindError:
        listener.close()
        raise
    except OSError as error:
        listener.remove_path()
        listener.close()
        raise BindError(_explain(address, error)) from None
    return listener


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    """Set the umask around a bind(), which makes the file with 0777 less the umask: a later chmod would be too late."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _identity(path: str) -> tuple[int, int]:
    try:
        status = os.lstat(path)
    except OSError:
        return (0, 0)
    return (status.st_dev, status.st_ino)


def check_path(address: Unix) -> None:
    """Raise BindError if no socket can be made at the path; one that is there already is not looked at."""
    if address.is_abstract:
        return
    _is_socket(address.path)
    folder = os.path.dirname(os.path.abspath(address.path))
    if not os.access(folder, os.W_OK | os.X_OK):
        number = errno.EACCES if os.path.isdir(folder) else errno.ENOENT
        raise BindError(_explain(address, OSError(number, os.strerror(number))))


def _is_socket(path: str) -> bool:
    """Whether a socket is at *path*, where there may be nothing. Raises BindError for anything else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise BindError(f"{path} exists and is no socket: choose another path")
    return True


def _remove_stale(path: str) -> None:
    """Remove a socket on which no process listens. Raises BindError if the path is in use."""
    if not _is_socket(path):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except (BlockingIOError, socket.timeout):
            pass  # its backlog is full
    raise BindError(f"another server listens on {path}: stop it, or choose another path")


def _explain(address: Unix, error: OSError) -> str:
    """What to do about a unix socket that could not be made."""
    path = address.path.replace("\0", "@", 1)
    if error.errno is None:  # Python itself refuses it; Linux has room for 107 bytes, macOS for 103
        return f"cannot make the socket {path}: its path has {len(os.fsencode(path))} bytes; choose a shorter one"
    if error.errno == errno.EADDRINUSE:
        return f"another server listens on unix:{path}: stop it, or choose another name"
    reason = os.strerror(error.errno)
    return f"cannot make the socket {path}: {reason}; choose a path you may write to"
