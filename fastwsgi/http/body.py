"""The request body: read whole before the application runs, into memory, or past a size into a temporary file.

So a client that is slow, stops half-way or breaks the framing never reaches the application, and wsgi.input ends
where the body ends. Two readers take bytes from the receive buffer: one counts them, and has the rest of a long body
received straight to where it stays; one decodes chunks.
"""

from __future__ import annotations

import io
import sys
from typing import IO, TYPE_CHECKING

from fastwsgi.http.errors import HttpError, SpoolError
from fastwsgi.http.grammar import (
    CHUNK_EXTENSION,
    CHUNK_SIZE,
    FIELD_VALUE,
    MAX_CHUNK_EXTENSIONS,
    MAX_TRAILERS,
    TOKEN,
)

if TYPE_CHECKING:
    from fastwsgi.http._inbox_py import Inbox, Room
    from fastwsgi.http.interfaces import Account, SpoolFile, TemporaryFiles

BEGINNING = 65536  # bytes in memory of a body that will need a file: so those that never go on need none
TURN = 256  # lines of a chunked body before other connections get their turn
SHORT = 64  # bytes in which nearly every line ends
LONGEST = {"size": MAX_CHUNK_EXTENSIONS + 16, "data-end": 0, "trailers": MAX_TRAILERS}  # bytes of a line


class EmptyInput:
    """wsgi.input of a request without a body. It has no state, so one serves all; close() does nothing."""

    closed = False

    def read(self, size: int = -1) -> bytes:
        return b""

    read1 = read

    def readline(self, size: int = -1) -> bytes:
        return b""

    def readlines(self, hint: int = -1) -> list[bytes]:
        return []

    def readinto(self, buffer: object) -> int:
        return 0

    def __iter__(self) -> EmptyInput:
        return self

    def __next__(self) -> bytes:
        raise StopIteration

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def tell(self) -> int:
        return 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class Body:
    """A body of known length.

    Args:
        length: bytes that belong to it.
        holdings: says how many bytes may stay in memory.
        disk: the account of temporary files.
    """

    def __init__(self, length: int, holdings: Account, disk: TemporaryFiles) -> None:
        self.holdings = holdings
        self.disk = disk
        self.left = length
        self.received = 0
        self.most = length if length <= holdings.spool_size else BEGINNING  # bytes of it in memory
        self.room: Room | None = None  # where they are
        self.spool: SpoolFile | None = None
        self.file: IO[bytes] | None = None  # wsgi.input
        self.paused = False  # feed() has left bytes that another call can use

    def feed(self, inbox: Inbox) -> bool:
        """Take what belongs to the body, behind what is in its target; True when it is complete."""
        self._store(inbox)
        return self.left == 0

    def target(self) -> Room | None:
        """What the next bytes can be received into, if they all belong to the body and stay in memory."""
        return None if self.room is None or self.room.is_full() else self.room

    def _store(self, inbox: Inbox) -> None:
        """Take what belongs to the body, or to its chunk. Raises HttpError."""
        try:
            if self.spool is None:
                if self.room is None:
                    self.room = inbox.new_room(min(self.most, self.holdings.spool_size))
                arrived = self.room.size - self.received  # in the target
                self.room.take(inbox, self.left - arrived)
                self._count(self.room.size - self.received)
                if self.received > self.holdings.spool_size or (self.left and inbox.available()):
                    self.go_to_disk()
            if self.spool is not None:
                data = inbox.take(self.left)
                self.spool.append(data)
                self._count(len(data))
        except SpoolError as error:
            raise HttpError(503, str(error)) from None

    def _count(self, count: int) -> None:
        self.received += count
        self.left -= count

    def go_to_disk(self) -> None:
        """Continue in a temporary file. Raises SpoolError, and then the body is as before."""
        assert self.room is not None
        spool = self.disk.open()
        try:
            spool.append(self.room.contents())
        except SpoolError:
            spool.close()
            raise
        self.spool, self.room = spool, None

    def kept(self) -> int:
        """Bytes of it in memory."""
        return 0 if self.spool is not None else self.received

    def rewind(self) -> IO[bytes]:
        """The complete body as wsgi.input."""
        if self.spool is not None:
            self.file = self.spool.file
        else:
            self.file = io.BytesIO(self.room.contents() if self.room is not None else b"")
            self.room = None
        self.file.seek(0)
        return self.file

    def disown(self) -> None:
        """In a forked child, close the temporary file."""
        if self.spool is not None:
            self.spool.disown()

    def discard(self) -> None:
        """Give back the memory or the temporary file."""
        if self.spool is not None:
            self.spool.close()
        elif self.file is not None:
            self.file.close()
        self.room = None


class ChunkedBody(Body):
    """A body in chunks (RFC 9112 7.1): a line with the size, data, CRLF, ..., and after a size of 0 the trailers.

    The trailer section is parsed and dropped, never merged into environ (RFC 9112 7.1.2).

    Args:
        max_body: bytes that the decoded body may have.
        holdings: says how many bytes may stay in memory.
        disk: the account of temporary files.
    """

    def __init__(self, max_body: int, holdings: Account, disk: TemporaryFiles) -> None:
        super().__init__(0, holdings, disk)
        self.max_body = max_body
        self.most = sys.maxsize
        self.expects = "size"  # then "data", "data-end" and "size" again, or "trailers" and finally "end"
        self.extensions = 0  # bytes so far
        self.trailers = 0

    def target(self) -> Room | None:
        """None, as what comes has to be decoded."""
        return None

    def feed(self, inbox: Inbox) -> bool:
        """Decode what has arrived, or as much of it as a turn allows; True when the body is complete.

        Raises:
            HttpError: 400 for any fault of the coding, 413 for a body over the bound.
        """
        self.paused = False
        lines = 0
        while self.expects != "end":
            if self.expects == "data":
                self._store(inbox)
                if self.left:
                    return False
                self.expects = "data-end"
                continue
            if lines == TURN:
                self.paused = True
                return False
            lines += 1
            line = self._take_line(inbox)
            if line is None:
                return False
            if self.expects == "size":
                self._read_size(line)
            elif self.expects == "data-end":
                if line:
                    raise HttpError(400, "chunk longer than its size")
                self.expects = "size"
            else:
                self._read_trailer(line)
        return True

    def _take_line(self, inbox: Inbox) -> bytes | None:
        """The next line without its CRLF; None while it is incomplete and may still turn out right."""
        limit = LONGEST[self.expects]
        raw = inbox.peek(min(limit + 2, SHORT))
        line, ending, _ = raw.partition(b"\r\n")
        if not ending and limit + 2 > SHORT:
            raw = inbox.peek(limit + 2)
            line, ending, _ = raw.partition(b"\r\n")
        if b"\n" in line or b"\r" in line[:-1] or len(line.rstrip(b"\r")) > limit:
            raise HttpError(400, "malformed or overlong line in a chunked body")
        if ending:
            inbox.take(len(line) + 2)
            return line
        if self.expects == "size" and line:
            self._split_size(line.rstrip(b"\r"))
        return None

    def _split_size(self, line: bytes) -> tuple[bytes, bytes]:
        """The chunk size, and what follows it."""
        size = CHUNK_SIZE.match(line)
        extension = line[size.end() :] if size is not None else b""
        if size is None or extension[:1] not in (b"", b";", b" ", b"\t"):
            raise HttpError(400, "malformed chunk size")
        return size.group(), extension

    def _read_size(self, line: bytes) -> None:
        size, extension = self._split_size(line)
        if extension:
            self.extensions += len(extension)
            if CHUNK_EXTENSION.fullmatch(extension) is None or self.extensions > MAX_CHUNK_EXTENSIONS:
                raise HttpError(400, "malformed chunk extension")
        length = int(size, 16)
        if length > self.max_body - self.received:
            raise HttpError(413, "body over the limit")
        self.left = length
        self.expects = "data" if self.left else "trailers"

    def _read_trailer(self, line: bytes) -> None:
        if not line:
            self.expects = "end"
            return
        self.trailers += len(line)
        name, colon, value = line.partition(b":")
        if not colon or TOKEN.fullmatch(name) is None or FIELD_VALUE.fullmatch(value) is None:
            raise HttpError(400, "malformed trailer")
        if self.trailers > MAX_TRAILERS:
            raise HttpError(400, "trailers over the limit")
