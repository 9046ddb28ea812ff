"""Lines of the access log, gathered: the specification, and what runs where nothing is compiled.

The twin in C, _access_c.pyx, writes the same bytes into one block of memory.
"""

from __future__ import annotations

import os
import re
import time
from collections import deque
from typing import Any, Callable

from fastwsgi.observe.formats import Format, Op, tell_second

FULL = 262144  # bytes, after which the log is told
_UNSAFE = re.compile(rb'[\x00-\x1f"\\\x7f-\xff]')


class Lines:
    """Makes a line of each response. Several threads may do so at once.

    Args:
        format: what the lines look like.
        full: called each time another 256 KiB have gathered.
    """

    def __init__(self, format: Format, full: Callable[[], None]) -> None:
        self._format = format
        self._full = full
        self._mark = rb"\u00%02x" if format.json else rb"\x%02x"
        self._none = b"null" if format.json else b"-"
        self._lines: deque[bytes] = deque()
        self._until = 0.0
        self._stamp = self._iso = b""
        self.size = 0  # bytes that are gathered

    def note(self, environ: dict[str, Any]) -> list[Any]:
        """The values of *environ* that a line will need."""
        return [environ.get(key) for key in self._format.noted]

    def add(self, exchange: Any) -> None:
        """A response has ended."""
        if exchange.code == 0:
            return  # it was refused, or the client left
        now = time.monotonic()
        note = exchange.note
        texts = [
            call(exchange) if guard < 0 or note[guard] is not None else None for call, guard in self._format.calls
        ]
        self._put(now, exchange.connection.reader.client, note, exchange.version, exchange.code, exchange.sent,
                  now - exchange.started, exchange.queued, texts)  # fmt: skip

    def refuse(self, host: str, code: int) -> None:
        """A request was answered with *code* and never understood."""
        self._put(time.monotonic(), host, None, 0, code, 0, 0.0, 0.0, [])

    def take(self) -> tuple[bytes, int]:
        """What has gathered: whole lines, and how many."""
        taken = []
        while self._lines:
            taken.append(self._lines.popleft())
        self.size = 0
        return b"".join(taken), len(taken)

    def _put(self, now: float, *facts: Any) -> None:
        if now >= self._until:
            self._stamp, self._iso, self._until = tell_second()
        line = b"".join([self._write(op, payload, now, *facts) for op, payload in self._format.steps])
        self._lines.append(line)
        before, self.size = self.size, self.size + len(line)
        if before // FULL != self.size // FULL:
            self._full()

    def _write(
        self, op: Op, at: Any, now: float, host: str, note: Any, version: int, code: int, sent: int, spent: float,
        queued: float, texts: list[str | None]
    ) -> bytes:  # fmt: skip
        """What one step writes."""
        if op is Op.LITERAL:
            return bytes(at)
        if op is Op.HOST:
            return self._escape(host or None)
        if op is Op.NOTED:
            return self._escape(note and note[at])
        if op is Op.PATH:
            return self._escape(note and note[at].partition("?")[0])
        if op is Op.CALLED:
            return self._escape(texts[at] if texts else None)
        if op is Op.REQUEST:
            return self._escape(note and f"{note[at]} {note[at + 1]} HTTP/1.{version - 10}")
        if op is Op.VERSION:
            form = b'"1.%d"' if self._format.json else b"HTTP/1.%d"
            return form % (version - 10) if version else self._none
        if op is Op.STAMP:
            return self._stamp
        if op is Op.ISO:
            return b'"%s.%06dZ"' % (self._iso, min(max(0, int((1 - self._until + now) * 1e6)), 999999))
        if op is Op.QUEUED:
            return b"%.6f" % queued if version else self._none
        if op is Op.DURATION or Op.SECONDS <= op <= Op.MICROSECONDS:
            return self._tell(op, spent) if version else self._none
        number = {Op.CODE: code, Op.SENT: sent, Op.SENT_OR_DASH: sent, Op.PID: os.getpid()}[op]
        return b"%d" % number if number or op is not Op.SENT_OR_DASH else self._none

    def _tell(self, op: Op, spent: float) -> bytes:
        micros = max(0, int(spent * 1e6))
        if op is Op.DURATION:
            return b"%d.%06d" % divmod(micros, 1000000)
        return b"%d" % (micros // {Op.SECONDS: 1000000, Op.MILLISECONDS: 1000, Op.MICROSECONDS: 1}[op])

    def _escape(self, text: str | None) -> bytes:
        """*text* with controls, quotes, backslashes and what is not ASCII as \\xNN; in JSON in quotes, as \\u00NN."""
        if text is None:
            return self._none
        data = text.encode("latin-1", "backslashreplace")
        safe = _UNSAFE.sub(lambda match: self._mark % match.group()[0], data)
        return b'"%s"' % safe if self._format.json else safe
