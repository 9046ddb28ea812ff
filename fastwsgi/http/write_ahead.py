"""What waits in a temporary file for a client that reads slowly: what write() was given, or the rest of a list.

The bytes of a response are sent in this order: the out-buffer, the file (WriteAhead), what the iterable still gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from fastwsgi.http.errors import ClientDisconnected, SpoolError
from fastwsgi.http.stages import STARTED

if TYPE_CHECKING:
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.http.interfaces import TemporaryFiles

PIECE = 65536  # bytes that are read back at once
KEPT = 65536  # bytes of a response that stay in memory when it goes to a file: as many as TLS may have encrypted


class WriteAhead:
    """Bytes as they will be sent, appended at the end and read from the beginning.

    Args:
        disk: the account of temporary files.
        parts: the first bytes.

    Raises:
        SpoolError: there is no room for them.
    """

    def __init__(self, disk: TemporaryFiles, parts: list[bytes | memoryview]) -> None:
        self._spool = disk.open()
        self._sent = 0
        try:
            self.append(parts)
        except SpoolError:
            self.close()
            raise

    def append(self, parts: list[bytes | memoryview]) -> None:
        """Add *parts* at the end. Raises SpoolError, and then none of them is added."""
        before = self._spool.size
        try:
            for part in parts:
                self._spool.append(part)
        except SpoolError:
            self._spool.shorten(before)
            raise

    def next(self) -> bytes:
        """The next piece; b"" at the end, where the file is closed.

        Raises:
            ClientDisconnected: it cannot be read, so the client gets no more.
        """
        try:
            data = self._spool.read(self._sent, PIECE)
        except SpoolError as error:
            raise ClientDisconnected(str(error)) from None
        self._sent += len(data)
        if not data:
            self.close()
        return data

    def disown(self) -> None:
        """In a forked child, close the file."""
        self._spool.disown()

    def close(self) -> None:
        """Close the file, which frees its disk space."""
        self._spool.close()


def taken_apart(pieces: list[bytes]) -> Iterator[bytes]:
    """The *pieces*, from the last to the first, each of which the list lets go."""
    while pieces:
        yield pieces.pop()


def keep(exchange: Exchange, data: bytes) -> None:
    """Keep *data*, given to write(), in the file, or in memory if there is no file and memory has room.

    Raises:
        ClientDisconnected: there is no room, so the client gets no more.
    """
    try:
        _put_ahead(exchange, data)
    except SpoolError as error:
        if exchange.ahead is not None or not exchange.service.holdings.has_room(len(data)):
            exchange.connection.given_up = True
            raise ClientDisconnected(str(error)) from None
        exchange.put(exchange.out, data)
        exchange.connection.settle()


def keep_less(exchange: Exchange, most: int) -> None:
    """Have what waits of a piece given to write() wait in the file, if it is over *most* bytes or memory is short."""
    if exchange.out.size > (2 * KEPT if exchange.service.holdings.is_short else most):
        with suppress(SpoolError):  # there is no room: it waits in memory
            spool(exchange, exchange.out.size)


def catch_up(exchange: Exchange, ahead: WriteAhead) -> None:
    """Send some of what write() has kept. Raises ClientDisconnected if it cannot be read."""
    try:
        data = ahead.next()
    except ClientDisconnected:
        exchange.connection.given_up = True
        raise
    exchange.out.add(data)
    if not data:
        exchange.ahead = None


def spool(exchange: Exchange, most: int) -> bool:
    """Have what waits for the client wait in the file, or *most* bytes of it; False if nothing is moved.

    Raises:
        SpoolError: there is no room. What was not moved stays as it was.
    """
    out = exchange.out
    if exchange.stage != STARTED or (exchange.left == 0 and (exchange.ahead is not None or out.size <= 2 * KEPT)):
        return False
    if exchange.ahead is None:
        most -= out.size - KEPT
        _begin_ahead(exchange)
    pieces = exchange.pieces
    while pieces and most > 0:
        _put_ahead(exchange, pieces[-1])
        size = len(pieces.pop())
        most -= size
        exchange.left -= size
        if exchange.overrun:
            exchange.leave_out_rest()
            break
    return True


def _begin_ahead(exchange: Exchange) -> WriteAhead:
    """The file, begun with what waits in memory beyond KEPT. Raises SpoolError, and then all stays as it was."""
    out = exchange.out
    exchange.ahead = begun = WriteAhead(exchange.service.disk, out.behind(KEPT))
    out.cut(KEPT)
    return begun


def _put_ahead(exchange: Exchange, piece: bytes) -> None:
    """Pass a piece of the body to the file, framed. Raises SpoolError, and then nothing is passed."""
    kept, before = type(exchange.out)(), exchange.sent
    exchange.put(kept, piece)
    try:
        ahead = exchange.ahead if exchange.ahead is not None else _begin_ahead(exchange)
        ahead.append(kept.behind(0))
    except SpoolError:
        exchange.sent = before
        raise
