"""Lines of the access log, in pure Python: the specification of _access_c.pyx.

The compiled twin writes the same bytes. Only where the memory is nearly full does it drop a line for which there would
just be room, since it counts with the longest form of each text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable

from fastwsgi.observe.formats import SAFE_CHARS, Format, Op, Step, as_text, current_second
from fastwsgi.observe.waiting import CURRENT, DROPPED, END, HALF, HEAD, Piece, WaitingLines
from fastwsgi.originals import os, time
from fastwsgi.records import NamedTuple

if TYPE_CHECKING:
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.observe.refused import Refused

FULL = 262144  # bytes, after which full() is called
_UNSAFE = re.compile(rb"[^%s]" % re.escape(SAFE_CHARS))


class _Facts(NamedTuple):
    """The facts of a response; of a refused request, some may be missing."""

    now: float  # on the monotonic clock, when the line is made
    host: str
    code: int
    sent: int
    note: Sequence[str | None] | None
    texts: list[str | None] | None  # results of the functions of the format
    request_id: str | None
    version: int = 0  # 0: missing
    spent: float = -1.0  # negative: missing, as is *queued*
    queued: float = 0.0
    line: str | None = None  # the request line as it came, instead of one made of the note


class Lines:
    """Makes a line of each response of one loop. Several of its threads may do so at once.

    Attributes:
        drop: called for each line for which there is no room.

    Args:
        format: the form of the lines.
        waiting: where they go.
        full: called each time another 256 KiB have gathered.
        prompt: call it for each line.
    """

    def __init__(self, format: Format, waiting: WaitingLines, full: Callable[[], None], prompt: bool = False) -> None:
        self._format = format
        self.waiting = waiting
        self._full = full
        self.drop: Callable[[], None] = lambda: None
        self._step = 1 if prompt else FULL
        self._none = format.missing
        self._until = 0.0
        self._stamp = self._iso = b""
        self._disowned = False
        self.fd = -1  # the file, for the monitor of the compiled build

    def note(self, environ: dict[str, Any]) -> tuple[str | None, ...]:
        """The values of *environ* that a line will need."""
        return tuple([environ.get(key) for key in self._format.noted])

    def add(self, exchange: Exchange) -> None:
        """Make the line of a response that has ended."""
        if exchange.code == 0:
            return  # it was refused, or the client left
        now = exchange.service.meter.ended
        client, spent = exchange.connection.reader.client, max(0.0, now - exchange.started)
        facts = (exchange.note, self._call(exchange), _id(exchange), exchange.version, spent, exchange.queued)
        self._put(_Facts(now, client, exchange.code, exchange.sent, *facts))

    def refuse(self, refused: Refused) -> None:
        """Make the line of a request that was refused."""
        now = time.monotonic()
        texts = None if refused.note is None else self._call(refused)
        facts = (refused.version, refused.spent, 0.0, refused.line)
        self._put(_Facts(now, refused.host, refused.code, refused.sent, refused.note, texts, _id(refused), *facts))

    def _call(self, request: Any) -> list[str | None]:
        """What the functions of the format make of *request*, an Exchange or a Refused."""
        note = request.note
        return [
            call(request) if guard < 0 or note[guard] is not None else None for call, guard in self._format.calls
        ]

    def write(self, fd: int, piece: Piece) -> int:
        """Write *piece* to the file *fd*, and note what was written: bytes, 0 after a signal. Raises OSError."""
        with memoryview(self.waiting.memory) as view, view[piece.start : piece.start + piece.size] as data:
            written = os.write(fd, data)
        self.waiting.note_written(piece, written)
        return written

    def disown(self) -> None:
        """Add no more lines: in a forked child the memory is still the parent's."""
        self._disowned = True

    def _put(self, facts: _Facts) -> None:
        if facts.now >= self._until:
            self._stamp, self._iso, self._until = current_second()
        line = b"".join([self._write(step, facts) for step in self._format.steps])
        if not self._disowned and self._add(line):
            self._full()

    def _add(self, line: bytes) -> bool:
        """Add a line if there is room; True if full() is to be called."""
        waiting = self.waiting
        waiting.lock.acquire()
        try:
            half = waiting.words[CURRENT]
            before = waiting.words[END + half]
            after = before + len(line)
            if after > HALF:
                waiting.words[DROPPED] += 1
                self.drop()
                return True
            at = HEAD + half * HALF
            waiting.memory[at + before : at + after] = line
            waiting.words[END + half] = after
        finally:
            waiting.lock.release()
        return before // self._step != after // self._step

    def _write(self, step: Step, facts: _Facts) -> bytes:
        """What one step writes."""
        op, literal, place = step
        if op is Op.LITERAL:
            return literal
        if op is Op.HOST:
            return self._escape(facts.host or None)
        if op is Op.NOTED:
            return self._escape(facts.note[place] if facts.note else None)
        if op is Op.PATH:
            target = facts.note[place] if facts.note else None
            return self._escape(target and target.partition("?")[0])
        if op is Op.CALLED:
            return self._escape(facts.texts[place] if facts.texts else None)
        if op is Op.REQUEST_ID:
            return self._escape(facts.request_id)
        if op is Op.REQUEST:
            note, line = facts.note, facts.line
            if line is None and note:
                line = f"{note[place]} {note[place + 1]} HTTP/1.{facts.version - 10}"
            return self._escape(line)
        if op is Op.STAMP:
            return self._stamp
        if op is Op.ISO:
            return b'"%s.%06dZ"' % (self._iso, min(max(0, int((1 - self._until + facts.now) * 1e6)), 999999))
        return self._write_number(op, facts)

    def _write_number(self, op: Op, facts: _Facts) -> bytes:
        """What a step that writes a number writes."""
        if op is Op.CODE:
            return b"%d" % facts.code
        if op is Op.SENT or op is Op.SENT_OR_DASH:
            return b"%d" % facts.sent if facts.sent or op is Op.SENT else self._none
        if op is Op.PID:
            return b"%d" % os.getpid()
        if op is Op.VERSION:
            if facts.version == 0:
                return self._none
            return (b'"1.%d"' if self._format.json else b"HTTP/1.%d") % (facts.version - 10)
        if facts.spent < 0.0:
            return self._none
        if op is Op.QUEUED:
            return _duration(Op.DURATION, facts.queued)
        return _duration(op, facts.spent)

    def _escape(self, text: str | None) -> bytes:
        """*text* with controls, quotes, backslashes and non-ASCII characters as \\xNN; in JSON quoted, with \\u00NN."""
        if text is None:
            return self._none
        data = text.encode("latin-1", "backslashreplace")
        safe = _UNSAFE.sub(lambda match: b"%s%02x" % (self._format.escape, match.group()[0]), data)
        return b'"%s"' % safe if self._format.json else safe


def _id(request: Any) -> str | None:
    """The ID of *request*, an Exchange or a Refused, if it has one."""
    return as_text((request.environ or {}).get("fastwsgi.request_id"))


def _duration(op: Op, spent: float) -> bytes:
    """*spent* seconds in the unit of *op*."""
    micros = max(0, int(spent * 1e6))
    if op is Op.DURATION:
        return b"%d.%06d" % divmod(micros, 1000000)
    return b"%d" % (micros // {Op.SECONDS: 1000000, Op.MILLISECONDS: 1000, Op.MICROSECONDS: 1}[op])
