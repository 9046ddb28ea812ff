"""The process that serves the status: a child of the supervisor, with the scoreboard and nothing else of the service.

It lives and ends with the supervisor, by whose channel all comes that is no number in shared memory (channel.py has
the lines). So it has no files, no listeners and no descriptors but its own, writes no log of its own, and ignores the
signals that a terminal or systemd send to all processes. Each change of its settings has its loop end, and another one
begin; what it knows of the past stays.
"""

from __future__ import annotations

import gc
import io
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from fastwsgi import forks
from fastwsgi.mistakes import Mistake
from fastwsgi.originals import os, signal, socket
from fastwsgi.process import accounts, process_setup
from fastwsgi.process.signals import WATCHED, ignore
from fastwsgi.records import NamedTuple
from fastwsgi.settings.settings import Settings
from fastwsgi.status import events
from fastwsgi.status.server import StatusServer
from fastwsgi.status.snapshot import Event, Told

if TYPE_CHECKING:
    from fastwsgi.process.channel import Channel
    from fastwsgi.server.loop import Loop
    from fastwsgi.status.scoreboard import Scoreboard

MOST_TEXT = 8192  # characters of a line for the log


class Serving(NamedTuple):
    """What is served from now on; without a listener nothing is, as another process does it."""

    settings: Settings
    listener: socket.socket | None


class StatusChild:
    """The status process.

    Args:
        build: the modules to run, from fastwsgi.backend.
        board: what it reads.
        channel: to the supervisor.
    """

    def __init__(self, build: SimpleNamespace, board: Scoreboard, channel: Channel) -> None:
        self._channel = channel
        self._server = StatusServer(build, board, self._ask, self._log_error)
        self._loop: Loop | None = None
        self._next: Serving | None = Serving(self._server.settings, None)

    def run(self, settings: Settings) -> NoReturn:
        """Serve until the supervisor ends, or says so; *settings* has the title, and the user to become."""
        keep_only(self._channel.fileno())
        for number in WATCHED:
            forks.handle(number, ignore)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        process_setup.set_title("status", settings)
        gc.freeze()  # what is the supervisor's stays in pages that both share
        ids = accounts.worker_ids(settings)
        if ids is not None:
            accounts.drop_privileges(*ids)
        while True:
            self._serve()

    def _serve(self) -> None:
        """Serve with the latest settings until there are others."""
        serving, self._next = self._next, None
        assert serving is not None
        loop = self._loop = self._server.loop(serving.settings, serving.listener, io.StringIO())
        loop.add_waker(self._channel.fileno(), self._read)
        loop.ticks.append(self._channel.send_rest)
        loop.run()
        loop.close()
        if serving.listener is not None:
            serving.listener.close()

    def _read(self) -> None:
        lines, is_open = self._channel.receive()
        for line in lines:
            self._handle(line)
        if not is_open:
            end()

    def _handle(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "serve":
            self._change(json.loads(rest))
        elif word == "told":
            self._take(json.loads(rest))
        elif word == "event":
            events.add(self._server.told.events, Event(**json.loads(rest)))
        elif word == "asked":
            number, pids = json.loads(rest)
            self._server.inquiry.expect(number, pids)
        elif word == "end":
            end()
        elif word == "stacks":
            self._server.inquiry.take(*json.loads(rest))

    def _take(self, values: dict[str, Any]) -> None:
        """Know these words, and the events that are with them, or else those of before."""
        known = values.pop("events", None)
        kept = self._server.told.events if known is None else [Event(**one) for one in known]
        self._server.told = Told(events=kept, **values)

    def _change(self, values: dict[str, object]) -> None:
        """Serve with other settings, on the listener that has come with them, if any."""
        listens = values.pop("listens")
        if self._next is not None and self._next.listener is not None:
            self._next.listener.close()
        listener = socket.socket(fileno=self._channel.descriptors.popleft()) if listens else None
        self._next = Serving(Settings(**values), listener)
        if self._loop is not None:
            self._loop.stop()

    def _ask(self, number: int) -> None:
        """Have the supervisor begin an inquiry for stacks."""
        self._channel.send(f"stacks {number}")

    def _log_error(self, message: str, error: BaseException | None) -> None:
        """Have the supervisor log an error; also called by the threads of the loop."""
        cause = f": {type(error).__name__}: {error}" if error is not None else ""
        self._channel.send(f"log {json.dumps((message + cause)[:MOST_TEXT])}")


def keep_only(descriptor: int) -> None:
    """Put /dev/null in the place of all open descriptors but the standard ones and *descriptor*.

    They are not closed: objects of the supervisor and of a preloaded application would close their numbers again, which
    others have by then.
    """
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for name in os.listdir("/dev/fd"):
        fd = int(name)
        if fd > 2 and fd not in (null, descriptor):
            try:
                os.dup2(null, fd, inheritable=False)
            except OSError:
                pass  # that of the directory


def end() -> NoReturn:
    """End at once: nothing here is worth a wait, and exit functions are the supervisor's."""
    os._exit(0)


def run(build: SimpleNamespace, board: Scoreboard, channel: Channel, settings: Settings) -> NoReturn:
    """Be the status process. An error ends it; the supervisor starts another."""
    try:
        StatusChild(build, board, channel).run(settings)
    except Mistake as mistake:
        channel.send(f"log {json.dumps(str(mistake))}")
    except BaseException as error:
        channel.send(f"log {json.dumps(f'internal error: {type(error).__name__}: {error}'[:MOST_TEXT])}")
    finally:
        os._exit(1)
