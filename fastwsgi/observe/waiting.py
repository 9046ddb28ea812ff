"""Lines of the access log that wait to be written, in memory that outlives the process which makes them.

The memory is shared: a supervisor maps it before it forks a worker, and when that has ended, however it did, writes
what it has left. A line counts as soon as its end is stored, behind all of its bytes; what is written counts as soon as
that is stored, which the compiled build does right behind the system call, without the GIL. A process that is killed
between these two leaves a piece that is written twice, and nothing else.

There are two halves. Lines are added to one while the thread of the log writes the other, straight from here; when that
is written, they change places. Pages that were never used take no memory.
"""

from __future__ import annotations

import contextlib
import mmap
from typing import TYPE_CHECKING

from fastwsgi.originals import threading
from fastwsgi.records import NamedTuple

if TYPE_CHECKING:
    from fastwsgi.observe.interfaces import LineLock

HEAD = 65536  # bytes before the halves, whole pages everywhere: a few words of 8 bytes, each with one writer at a time
HALF = 4194304  # bytes of each half: lines that do not fit are dropped
RETAINED = 1048576  # bytes of a half that keep their memory when it is empty
LOCKED = 1.0  # seconds to wait for a thread that adds a line

# The words
CURRENT = 0  # the half to which lines are added
DROPPED = 1  # lines that did not fit
END = 2  # and 3: where the lines of each half end, in bytes from its start
WRITTEN = 4  # and 5: up to where they are written
REPORTED = 6  # those of DROPPED that were reported

_REMOVE = getattr(mmap, "MADV_REMOVE", None)  # Linux


class Piece(NamedTuple):
    """Lines that may be written at once: *size* bytes at *start* of the memory, in *half*."""

    half: int
    start: int
    size: int


class WaitingLines:
    """The lines of one loop.

    Attributes:
        lock: held while lines are added or halves change places; what adds lines may bring one of its own.
    """

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, HEAD + 2 * HALF)
        self.words = memoryview(self.memory)[:HEAD].cast("q")
        self.lock: LineLock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return sum(max(0, self.words[END + half] - self.words[WRITTEN + half]) for half in (0, 1))

    def next_piece(self, most: int) -> Piece | None:
        """The whole lines that come next, of at most *most* bytes, or one that is longer; None if none waits."""
        half = self._half_to_write()
        start = HEAD + half * HALF
        end = start + self.words[END + half]
        start += self.words[WRITTEN + half]
        if start >= end:
            return None
        if end - start > most:
            end = self.memory.rfind(b"\n", start, start + most) + 1 or self.memory.find(b"\n", start, end) + 1 or end
        return Piece(half, start, end - start)

    def read(self, piece: Piece) -> bytes:
        """A copy of the bytes of *piece*."""
        return self.memory[piece.start : piece.start + piece.size]

    def note_written(self, piece: Piece, count: int) -> None:
        """Note that the first *count* bytes of *piece* need not be written again."""
        self.words[WRITTEN + piece.half] += count

    def discard(self) -> int:
        """Forget what waits: how many lines."""
        return self.rest().count(b"\n")

    def rest(self) -> bytes:
        """Take all that waits, the oldest first."""
        taken = b""
        while (piece := self.next_piece(HALF)) is not None:
            taken += self.read(piece)
            self.note_written(piece, piece.size)
        return taken

    def take_dropped(self) -> int:
        """The lines that were dropped since the last call."""
        dropped = self.words[DROPPED] - self.words[REPORTED]
        self.words[REPORTED] += dropped
        return dropped

    def close(self) -> None:
        """Unmap the memory."""
        self.words.release()
        with contextlib.suppress(BufferError):  # another view of it ends with its owner
            self.memory.close()

    def _half_to_write(self) -> int:
        """The half to which no lines are added, which is the other one from now on if all of it is written."""
        words, current = self.words, self.words[CURRENT]
        half = 1 - current
        if words[WRITTEN + half] < words[END + half] or not words[END + current]:
            return half
        if not self.lock.acquire(timeout=LOCKED):
            return half
        if words[END + half] > RETAINED and _REMOVE is not None:
            self.memory.madvise(_REMOVE, HEAD + half * HALF, HALF)
        words[END + half] = 0  # first: what is written may be more than there is, but not the other way round
        words[WRITTEN + half] = 0
        words[CURRENT] = half
        self.lock.release()
        return current
