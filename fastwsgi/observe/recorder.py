"""The lines of the access log that one loop makes: no other loop has anything to do with the memory that they go to."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

from fastwsgi.figures import LINES_DROPPED
from fastwsgi.observe.refused import Refused

if TYPE_CHECKING:
    from fastwsgi.http._meter_py import Meter
    from fastwsgi.http.connection import Connection
    from fastwsgi.http.errors import HttpError
    from fastwsgi.http.exchange import Exchange
    from fastwsgi.observe._access_py import Lines
    from fastwsgi.observe.access import AccessLog
    from fastwsgi.observe.formats import Format
    from fastwsgi.observe.waiting import WaitingLines


class Recorder:
    """An observer that makes a line for each response of one loop.

    Attributes:
        waiting: where they wait to be written.
        made_by: makes them as *log* takes them.
        lines: makes them as the file has them, for the monitor of the compiled build.

    Args:
        log: writes them.
        format: the form of the lines.
        build: the build that makes the responses, from fastwsgi.backend.
    """

    def __init__(self, log: AccessLog, format: Format, build: SimpleNamespace, waiting: WaitingLines) -> None:
        output = log.output
        self.waiting = waiting
        self.made_by: Lines = build.access.Lines(format, waiting, log.write_soon, output.is_terminal)
        self.lines = self.made_by
        if format.in_file is not None:
            self.lines = build.access.Lines(format.in_file, waiting, log.write_soon)
        self.lines.fd = output.fd
        self.tick = log.tick
        # The head of a response is copied only if the format needs it
        self.note = self.made_by.note
        self.response_ended = self.made_by.add
        self.response_started = self._keep_head if format.wants_head else None

    def count_with(self, meter: Meter) -> None:
        """Have *meter* count the lines for which there is no room."""
        self.made_by.drop = partial(meter.add, LINES_DROPPED, 1)

    def request_refused(self, connection: Connection, refusal: HttpError) -> None:
        """Make the line of a refused request, with what is known of it."""
        self.made_by.refuse(Refused(connection, refusal, self.note))

    def _keep_head(self, exchange: Exchange, head: bytes) -> None:
        exchange.note = (*(exchange.note or ()), head)
