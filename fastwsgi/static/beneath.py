"""Files below a folder, and never outside it, whatever the links in it say and whoever moves them meanwhile.

Linux has a system call for that, openat2() with RESOLVE_BENEATH (_openat2_c.pyx). Here the same is done step by step,
for other systems, old kernels, sandboxes that do not let it pass, and the pure build. Each step opens one segment
relative to the folder before it and follows no link by itself; a link is read, and its segments are steps, too. Those
that are absolute, or lead out of the folder, are refused, as the system call does.
"""

from __future__ import annotations

import errno
import stat
from typing import Callable

from fastwsgi.originals import os

MOST_LINKS = 40  # as in Linux
FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a pipe without a writer must not block
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC  # may be passed through, if not be read


def open_folder(path: str) -> int:
    """A descriptor of the folder *path*. Raises OSError."""
    return os.open(path, FOLDER)


def open_beneath(folder: int, path: bytes) -> int:
    """Open the file or folder *path* below the *folder*, a descriptor.

    Raises:
        OSError: it cannot be opened; EXDEV if it is outside.
    """
    passed: list[int] = []  # folders on the way, the innermost last
    left = path.split(b"/")[::-1]
    links = 0
    try:
        while left:
            name = left.pop()
            here = passed[-1] if passed else folder
            if name in (b"", b"."):
                continue
            if name == b"..":
                if not passed:
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
                os.close(passed.pop())
                continue
            target = _link(name, here)
            if target is None:
                found = os.open(name, (FOLDER if left else FILE) | os.O_NOFOLLOW, dir_fd=here)
                if not left:
                    return found
                passed.append(found)
                continue
            links += 1
            if links > MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            if target.startswith(b"/"):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            left += target.split(b"/")[::-1]
        return os.open(b".", FILE, dir_fd=passed[-1] if passed else folder)
    finally:
        for one in passed:
            os.close(one)


def _link(name: bytes, folder: int) -> bytes | None:
    """What the link *name* in *folder* says; None if it is no link."""
    if not stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        return None
    return os.readlink(name, dir_fd=folder)


def opener(openat2: Callable[[int, bytes], int] | None) -> Callable[[int, bytes], int]:
    """What opens files below a folder: the system call, or what is done in its place where there is none.

    Args:
        openat2: open_beneath() of _openat2_c.pyx, which gives a descriptor or a negative errno; None in the pure build.
    """
    if openat2 is None:
        return open_beneath
    refused = False

    def open_by_call(folder: int, path: bytes) -> int:
        nonlocal refused
        if not refused:
            found = openat2(folder, path)
            if found >= 0:
                return found
            if -found not in (errno.ENOSYS, errno.EPERM):  # a sandbox may answer EPERM for calls that it does not know
                raise OSError(-found, os.strerror(-found))
            refused = True
        return open_beneath(folder, path)

    return open_by_call
