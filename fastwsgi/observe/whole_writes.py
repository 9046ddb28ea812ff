"""The writes of a text that a file may take in parts: the rest follows, and a reader that has stopped holds up nobody.

A pipe may take a part when a signal interrupts its write. One that another process has made non-blocking, as all do
that share it, takes what it has room for.
"""

from __future__ import annotations

from fastwsgi.originals import os, select

PATIENCE = 1.0  # seconds to wait for room, if there is none


def write_whole(fd: int, data: bytes, patience: float = PATIENCE) -> int:
    """Write *data*, and wait up to *patience* seconds each time there is no room; the number of bytes written.

    Raises:
        OSError: nothing could be written, for another reason than that there is no room.
    """
    written = 0
    while written < len(data):
        try:
            written += os.write(fd, data[written:] if written else data)
        except BlockingIOError:
            if not _waited_for_room(fd, patience):
                break
        except OSError:
            if not written:
                raise
            break
    return written


def _waited_for_room(fd: int, seconds: float) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return bool(poller.poll(seconds * 1000))
