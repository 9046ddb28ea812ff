"""wsgi.errors: a text stream that goes into the error log as it is (PEP 3333, "Input and Error Streams").

Into the log's own file, or standard error, each write passes at once and in one piece, without level and time: what
writes there, such as a handler of logging, has put them in. A line that is begun waits for its end, for flush() or for
the end of the request, so that lines of several threads do not mix.

Where a configuration of logging has given handlers to the error log, they want records. What a request writes up to
flush(), or to its end, is one record, whatever its lines and calls: traceback.print_exc() makes a dozen. Its level is
that of the logger "fastwsgi.error.wsgi", ERROR if a configuration sets none.

The stream is the same for all requests of a loop, as one for each would cost all of them; what waits is kept by thread.
"""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Callable, Protocol

from fastwsgi import forks
from fastwsgi.observe.error import messages_handlers, wsgi_log
from fastwsgi.observe.error_handlers import OwnHandler
from fastwsgi.originals import threading

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 65536  # characters that wait, for each thread


class Requests(Protocol):
    """What tells of the end of a request (http.service.Service).

    Attributes:
        has_messages: whether to call end_messages() then.
    """

    has_messages: bool
    end_messages: Callable[[], None]


class ErrorStream(io.TextIOBase):
    """The wsgi.errors of all requests of a loop. Closing it flushes it."""

    def __init__(self) -> None:
        self._requests: Requests | None = None
        self._texts: dict[int, str] = {}  # by thread; "" is a line of which all there is has been flushed
        self._before: dict[int, str] = {}  # those of the last tick
        self._lock = threading.RLock()  # a handler of a signal may write, too
        forks.hold(self)

    def attach(self, requests: Requests) -> None:
        """Have the end of each of *requests* end what it has begun to write."""
        self._requests = requests
        requests.end_messages = self.end_request

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        """Write *text*: its number of characters."""
        if not isinstance(text, str):
            raise TypeError(f"wsgi.errors takes text, not {type(text).__name__}")
        with self._lock:
            thread = threading.get_ident()
            whole = self._texts.pop(thread, "") + text
            handlers = messages_handlers()
            rest = whole if handlers is None else whole[whole.rfind("\n") + 1 :]
            if len(rest) > LONGEST:
                rest = ""
            self._pass_on(handlers, thread, whole[: len(whole) - len(rest)])
            if rest or (handlers is not None and not whole.endswith("\n")):
                self._keep(thread, rest)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]  # it is for text alone
        """Write each of *lines*."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write out what this thread has written."""
        with self._lock:
            thread = threading.get_ident()
            text = self._texts.pop(thread, "")
            handlers = messages_handlers()
            self._pass_on(handlers, thread, text)
            if text and handlers is not None:
                self._keep(thread, "")

    def close(self) -> None:
        self.flush()

    def end_request(self) -> None:
        """End what this thread has begun to write."""
        with self._lock:
            self._end(threading.get_ident())

    def tick(self) -> None:
        """Each second, end what has waited for one: a thread of the application's has no end of a request."""
        with self._lock:
            for thread, text in self._before.items():
                if self._texts.get(thread) is text:
                    self._end(thread)
            self._before = self._texts.copy()

    def end_all(self) -> None:
        """End what any thread has begun to write, as the process ends."""
        with self._lock:
            for thread in list(self._texts):
                self._end(thread)

    def disown(self) -> None:
        """In a forked child, forget what the parent will write."""
        self._lock = threading.RLock()
        self._texts.clear()
        self._before.clear()

    def _keep(self, thread: int, text: str) -> None:
        self._texts[thread] = text
        if self._requests is not None:
            self._requests.has_messages = True

    def _end(self, thread: int) -> None:
        text = self._texts.pop(thread, None)
        if self._requests is not None:
            self._requests.has_messages = bool(self._texts)
        handlers = messages_handlers()
        if text:
            self._pass_on(handlers, thread, f"{text}\n")
        elif text is not None and handlers is not None:
            for handler in handlers:
                handler.end_line(thread)

    def _pass_on(self, handlers: list[OwnHandler] | None, thread: int, text: str) -> None:
        """Write *text* as it is to our own *handlers*, or as a record to those of a configuration."""
        if handlers is None:
            if text.strip("\n"):
                wsgi_log.log_as(wsgi_log.level or logging.ERROR, text.rstrip("\n"))
        elif text:
            for handler in handlers:
                handler.write_through(text, thread)
