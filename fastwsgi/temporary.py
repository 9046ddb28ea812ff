"""Temporary files without a name, in the directory that the module tempfile would choose.

That module takes 350 KB with what it imports, so Linux is asked without it (O_TMPFILE) unless the application has
imported it, and may have set its directory, or the first directory cannot have such files.
"""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from functools import lru_cache
from typing import IO

from fastwsgi.originals import os

VARIABLES = ("TMPDIR", "TEMP", "TMP")
NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)  # with these, nothing can be imported either


def open_file() -> IO[bytes]:
    """A new file, to read and write. Raises OSError."""
    place = "" if "tempfile" in sys.modules else _first_choice()
    if place:
        return os.fdopen(_open_in(place), "w+b")
    import tempfile

    return tempfile.TemporaryFile()


def directory() -> str:
    """Where the files are, or "" while that is not known."""
    module = sys.modules.get("tempfile")
    if module is not None:
        return module.tempdir or ""
    with suppress(OSError):
        return _first_choice()
    return ""


@lru_cache(None)
def _first_choice() -> str:
    """The first directory that tempfile would try; "" if that has to be asked, once it is imported. Raises OSError."""
    place = os.path.abspath(next(filter(None, map(os.environ.get, VARIABLES)), "/tmp"))
    try:
        with os.fdopen(_open_in(place), "wb") as file:
            file.write(b"blat")
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        import tempfile as tempfile  # now, as a process that serves may no longer be able to

        return ""
    return place


def _open_in(place: str) -> int:
    if sys.platform != "linux":
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    return os.open(place, os.O_TMPFILE | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)  # O_EXCL: never a name
