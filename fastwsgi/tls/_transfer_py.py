"""The byte work of TLS, in pure Python: the specification of _transfer_c.pyx.

It moves bytes between a socket, the two buffers of a loop and a TLS object, and decides nothing: tls_wire.py does.
The results of arrived(), room() and stretch() are for one call, to be used before the buffer changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.figures import RECEIVED, SENT
from fastwsgi.http._meter_py import Meter
from fastwsgi.http.transport import LOST, WOULD_BLOCK
from fastwsgi.originals import os

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox
    from fastwsgi.http._outbox_py import OutBuffer


class Transfer:
    """Moves the bytes of the TLS connections of one loop; *meter* counts them."""

    def __init__(self, meter: Meter | None = None) -> None:
        self._meter = meter or Meter()

    def read(self, fd: int, inbox: Inbox, most: int) -> int:
        """Put ciphertext behind what *inbox* holds, without counting it there.

        Returns:
            The number of bytes received, 0 at the end, WOULD_BLOCK or LOST.
        """
        try:
            count = os.readv(fd, [inbox.view[inbox.end : inbox.end + most]])
        except BlockingIOError:
            return WOULD_BLOCK
        except OSError:
            return LOST
        self._meter.add(RECEIVED, count)
        return count

    def arrived(self, inbox: Inbox, count: int) -> bytes | memoryview:
        """The *count* bytes that read() has put behind what *inbox* holds."""
        return inbox.view[inbox.end : inbox.end + count]

    def room(self, inbox: Inbox, most: int) -> memoryview:
        """The place where *inbox* can take more: *most* bytes of it."""
        return inbox.view[inbox.end : inbox.end + most]

    def stretch(self, out: OutBuffer, at: int, most: int) -> bytes | bytearray | memoryview:
        """Up to *most* of the bytes that *out* holds, from the byte *at* on; empty only if there are none."""
        data = bytearray()
        for part in out.parts:
            if at < len(part):
                data += memoryview(part)[at : at + most - len(data)]
                if len(data) == most:
                    break
            at = max(0, at - len(part))
        return data

    def send(self, fd: int, data: bytes, at: int) -> int:
        """Send *data* from the byte *at* on: bytes sent, WOULD_BLOCK or LOST."""
        try:
            count = os.write(fd, memoryview(data)[at:])
        except BlockingIOError:
            return WOULD_BLOCK
        except OSError:
            return LOST
        self._meter.add(SENT, count)
        return count
