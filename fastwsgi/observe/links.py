"""Files that are written with the rights of root: no symbolic link that another user could have made is followed.

A path is walked folder by folder, by descriptors, so that nothing can be exchanged between the look and the step. Root
follows a link that only root can have made: in a folder of root's which nobody else may write, or, if the link itself
is root's, where others may write, too. The standard streams are always reached, as container images link logs to
/dev/stdout. Other users have no rights that are worth borrowing, and deployments of theirs have links, such as
releases/7 behind "current": they follow all.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from fastwsgi.originals import os
from fastwsgi.records import NamedTuple

MOST_LINKS = 40  # as the kernel has it
STREAMS = ("/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2")
# Linux's O_PATH and macOS's O_SEARCH do not ask for the right to list the folder
_STEP = getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY))
_FOLDER = _STEP | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Place(NamedTuple):
    """Where a file is, or will be: the descriptor of its folder, its name there, and whether /proc has it."""

    folder: int
    name: str
    is_magic: bool  # the target of the link is not a path, but what is open


def open_file(path: str, flags: int, mode: int = 0o600) -> int:
    """As os.open(). Raises OSError, also for links that are not followed."""
    with located(path) as place:
        kept = 0 if place.is_magic else os.O_NOFOLLOW
        return os.open(place.name, flags | kept, mode, dir_fd=place.folder)


@contextmanager
def located(path: str, follow_last: bool = True) -> Iterator[Place]:
    """The place of *path*, inside the block. Raises OSError.

    Args:
        path: of a file, which may be missing.
        follow_last: whether a link at the end of the path is followed, too.
    """
    folder = os.open("/" if path.startswith("/") else ".", _FOLDER)
    try:
        names, links = path.split("/"), 0
        while True:
            name = names.pop(0)
            is_last = not any(names)
            target = _link_at(folder, name)
            if target is None or (is_last and not follow_last):
                if is_last:
                    yield Place(folder, name or ".", False)
                    return
                folder = _step(folder, name or ".")
                continue
            if _is_proc(folder) and is_last:
                yield Place(folder, name, True)
                return
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            _check(folder, name, target, path)
            names = [*target.split("/"), *names]
            if target.startswith("/"):
                folder = _step(folder, "/")
    except OSError as error:
        error.filename = path  # not the name of the part of it that failed
        raise
    finally:
        os.close(folder)


def _link_at(folder: int, name: str) -> str | None:
    """The target of a link; None for all else."""
    try:
        return os.readlink(name, dir_fd=folder) if name else None
    except OSError:
        return None


def _step(folder: int, name: str) -> int:
    """A descriptor of the folder *name* in *folder*, which is closed, unless it cannot be opened."""
    inner = os.open(name, _FOLDER, dir_fd=folder)
    os.close(folder)
    return inner


def _is_proc(folder: int) -> bool:
    try:
        return os.fstat(folder).st_dev == os.stat("/proc").st_dev
    except OSError:
        return False


def _check(folder: int, name: str, target: str, path: str) -> None:
    """Raise OSError if this is root, and another user could have made the link; those in /proc are the kernel's."""
    if os.geteuid() != 0 or _is_proc(folder):
        return
    there, link = os.fstat(folder), os.stat(name, dir_fd=folder, follow_symlinks=False)
    is_private = not there.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if target in STREAMS or (there.st_uid == 0 and (is_private or link.st_uid == 0)):
        return
    raise OSError(
        errno.ELOOP, f"{name!r} in it is a symbolic link that another user could have made: it is not followed", path
    )
