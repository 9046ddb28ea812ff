"""Lines of the access log, in pure Python: the specification of _access_c.pyx.

The compiled twin writes the same bytes into one block of memory.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from fastwsgi.observe.formats import SAFE_CHARS, Format, Op, Step, current_second
from fastwsgi.originals import os, time

if TYPE_CHECKING:
    from fastwsgi.http.exchange import Exchange

FULL = 262144  # bytes, after which full() is called
_UNSAFE = re.compile(rb"[^%s]" % re.escape(SAFE_CHARS))


class _Facts(NamedTuple):
    """The facts of a response; a refused request has no version and no note."""

    now: float  # on the monotonic clock, when the line is made
    host: str
    code: int
    note: list[str | None] | None = None
    version: int = 0
    sent: int = 0
    spent: float = 0.0
    queued: float = 0.0
    texts: list[str | None] | None = None  # results of the functions of the format


class Lines:
    """Makes a line of each response. Several threads may do so at once.

    Args:
        format: the form of the lines.
        full: called each time another 256 KiB have gathered.
    """

    def __init__(self, format: Format, full: Callable[[], None]) -> None:
        self._format = format
        self._full = full
        self._none = format.missing
        self._lines: deque[bytes] = deque()
        self._until = 0.0
        self._stamp = self._iso = b""
        self.size = 0  # bytes that have gathered

    def note(self, environ: dict[str, Any]) -> list[str | None]:
        """The values of *environ* that a line will need."""
        return [environ.get(key) for key in self._format.noted]

    def add(self, exchange: Exchange) -> None:
        """Make the line of a response that has ended."""
        if exchange.code == 0:
            return  # it was refused, or the client left
        now = time.monotonic()
        note = exchange.note
        texts = [call(exchange) if guard < 0 or note[guard] is not None else None for call, guard in self._format.calls]
        self._put(
            _Facts(
                now,
                exchange.connection.reader.client,
                exchange.code,
                note,
                exchange.version,
                exchange.sent,
                now - exchange.started,
                exchange.queued,
                texts,
            )
        )

    def refuse(self, host: str, code: int) -> None:
        """Make the line of a request that was refused with *code*."""
        self._put(_Facts(time.monotonic(), host, code))

    def drain(self) -> tuple[bytes, int]:
        """Hand over what has gathered: whole lines, and their number."""
        taken = []
        while self._lines:
            taken.append(self._lines.popleft())
        self.size = 0
        return b"".join(taken), len(taken)

    def _put(self, facts: _Facts) -> None:
        if facts.now >= self._until:
            self._stamp, self._iso, self._until = current_second()
        line = b"".join([self._write(step, facts) for step in self._format.steps])
        self._lines.append(line)
        before, self.size = self.size, self.size + len(line)
        if before // FULL != self.size // FULL:
            self._full()

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
        if op is Op.REQUEST:
            note = facts.note
            return self._escape(f"{note[place]} {note[place + 1]} HTTP/1.{facts.version - 10}" if note else None)
        if op is Op.STAMP:
            return self._stamp
        if op is Op.ISO:
            return b'"%s.%06dZ"' % (self._iso, min(max(0, int((1 - self._until + facts.now) * 1e6)), 999999))
        return self._write_number(op, facts)

    def _write_number(self, op: Op, facts: _Facts) -> bytes:
        """What a step that writes a number writes; a refused request has neither a version nor times."""
        if op is Op.CODE:
            return b"%d" % facts.code
        if op is Op.SENT or op is Op.SENT_OR_DASH:
            return b"%d" % facts.sent if facts.sent or op is Op.SENT else self._none
        if op is Op.PID:
            return b"%d" % os.getpid()
        if facts.version == 0:
            return self._none
        if op is Op.VERSION:
            return (b'"1.%d"' if self._format.json else b"HTTP/1.%d") % (facts.version - 10)
        if op is Op.QUEUED:
            return b"%.6f" % facts.queued
        return _duration(op, facts.spent)

    def _escape(self, text: str | None) -> bytes:
        """*text* with controls, quotes, backslashes and non-ASCII characters as \\xNN; in JSON quoted, with \\u00NN."""
        if text is None:
            return self._none
        data = text.encode("latin-1", "backslashreplace")
        safe = _UNSAFE.sub(lambda match: b"%s%02x" % (self._format.escape, match.group()[0]), data)
        return b'"%s"' % safe if self._format.json else safe


def _duration(op: Op, spent: float) -> bytes:
    """*spent* seconds in the unit of *op*."""
    micros = max(0, int(spent * 1e6))
    if op is Op.DURATION:
        return b"%d.%06d" % divmod(micros, 1000000)
    return b"%d" % (micros // {Op.SECONDS: 1000000, Op.MILLISECONDS: 1000, Op.MICROSECONDS: 1}[op])
