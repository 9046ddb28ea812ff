"""Access logs that a test reads: written by a server to a file, or fed with refusals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from fastwsgi.http.errors import HttpError
from fastwsgi.observe.access import AccessLog
from fastwsgi.observe.formats import read_format
from fastwsgi.observe.logs import Logs
from fastwsgi.observe.waiting import WaitingLines
from fastwsgi.settings.settings import Settings
from tests.helpers.serving import Server, serving

LINE = re.compile(
    r'(?P<host>\S+) - - \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] "(?P<request>[^"]*)" '
    r'(?P<code>\d{3}) (?P<bytes>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>[^"]*)" (?P<time>\d+\.\d{6}|-)'
)


class Log:
    """A log file; lines() are its lines, taken apart."""

    def __init__(self, build: SimpleNamespace, path: Path, format: str) -> None:
        self.path = path
        self.logs = Logs(Settings(access_logfile=str(path), access_log_format=format), build)

    def text(self) -> list[str]:
        assert self.logs.access is not None
        assert self.logs.access.flush()
        return self.path.read_text(encoding="ascii").splitlines()

    def lines(self) -> list[dict[str, str]]:
        found = []
        for line in self.text():
            match = LINE.fullmatch(line)
            assert match is not None, line
            found.append(match.groupdict())
        return found


@contextmanager
def logging(
    build: SimpleNamespace, path: Path, app: Any, format: str = "combined", **settings: Any
) -> Iterator[tuple[Server, Log]]:
    log = Log(build, path / "access.log", format)
    try:
        with serving(build, app, log.logs.for_loop().observer, **settings) as server:
            yield server, log
    finally:
        log.logs.close()


# A log that no server writes


class Refuser(Protocol):
    def request_refused(self, connection: Any, refusal: HttpError, /) -> None: ...


class OneLoopLog(AccessLog):
    """An access log that is the observer of its only loop, too."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.recorder = self.for_loop()
        self.request_refused = self.recorder.request_refused


REFUSAL = HttpError(400, "no matter")
CLIENT = SimpleNamespace(host="192.0.2.1", client="192.0.2.1")


def refuse(log: Refuser, count: int, client: Any = CLIENT) -> None:
    """*count* lines; their client tells who has written them."""
    for _ in range(count):
        log.request_refused(client, REFUSAL)


@contextmanager
def log_to(
    output: Any, build: SimpleNamespace, format: str = "%(h)s %(s)s", waiting: WaitingLines | None = None
) -> Iterator[OneLoopLog]:
    log = OneLoopLog(output, read_format(format), build, [] if waiting is None else [waiting])
    try:
        yield log
    finally:
        log.close()
