"""The status process as the supervisor knows it: when there is one, what it is sent, and what follows from its end.

It is there while the settings ask for it, and started again whenever it ends. Its listener is opened here, like the
others, and sent to it; between two supervisors, during an upgrade, only one sends it (succession.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fastwsgi import forks
from fastwsgi.http.peers import EVERYBODY, LOOPBACK
from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, select, signal, socket, time
from fastwsgi.process import channel, exits
from fastwsgi.process.signals import WATCHED
from fastwsgi.process.sockets import Listeners, at_position
from fastwsgi.process.spawn import fork_in_silence, freeze
from fastwsgi.process.standstill import Awake
from fastwsgi.status.own_settings import of_listener, passed_on

if TYPE_CHECKING:
    from fastwsgi.process.channel import Channel
    from fastwsgi.process.interfaces import StatusSupervisor
    from fastwsgi.process.sockets import Binding
    from fastwsgi.settings.settings import Settings

HANDED_OVER = "FASTWSGI_STATUS_LISTENER"  # the variable with its listener, for the successor of an upgrade
INTERVAL = 1.0  # seconds between two looks at what it cannot see itself
LONGEST_SILENCE = 5.0  # seconds without its heartbeat, which is one a second, after which it is killed
LAST_WORDS = 0.1  # seconds for it to end by itself
SHORT_LIFE = 10.0  # seconds; the next start after shorter ones is delayed
FIRST_DELAY = 0.1  # seconds, doubled with each
LONGEST_DELAY = 30.0


class StatusProcess:
    """The status process of *supervisor*.

    Attributes:
        pid: its process ID; 0 while there is none.
        next_time: when advance() next does something (time.monotonic()); None: while nothing changes, never.
    """

    def __init__(self, supervisor: StatusSupervisor) -> None:
        self._supervisor = supervisor
        self._listeners = Listeners(HANDED_OVER, "--status-bind")
        self._channel: Channel | None = None
        self._started = 0.0
        self._awake = Awake(2 * INTERVAL)
        self._is_hung = False  # it was killed since it was silent
        self._failures = 0  # short lives in a row
        self._not_before = 0.0
        self._is_told = False  # how to serve, since that has changed
        self._answers = False  # it was given the listener
        self._logged: list[str] = []
        self.pid = 0
        self.next_time: float | None = None

    # The listener

    def open(self, settings: Settings) -> None:
        """Open what *settings* ask for. Raises BindError."""
        self._listeners.inherit()
        self.commit(self.prepare(settings), settings)

    def prepare(self, settings: Settings) -> list[Binding]:
        """The listener for *settings*, opened if it was not open. Raises BindError, with nothing changed."""
        return self._listeners.prepare(of_listener(settings)) if settings.status_bind else []

    def commit(self, prepared: list[Binding], settings: Settings) -> None:
        """Serve with *settings* on *prepared* from now on, or no longer."""
        known = self._listeners.bindings
        self._listeners.commit(prepared, of_listener(settings))
        if prepared != known or settings.status_allow != self._supervisor.settings.status_allow:
            _warn(self._listener(), settings)
        self._is_told = False

    def discard(self, prepared: list[Binding]) -> None:
        """Close what was opened for *prepared*, which is no longer wanted."""
        self._listeners.discard(prepared)

    def log_address(self) -> None:
        """Log where the status is, if it has changed."""
        urls = self._listeners.urls("http")
        if urls != self._logged:
            error_log.info("status on %s", ", ".join(urls) or "no address")
            self._logged = urls

    def hand_over(self) -> None:
        """Let the program that this forked process will execute have the listener."""
        os.environ[HANDED_OVER] = self._listeners.hand_over()

    def _listener(self) -> socket.socket | None:
        found = at_position(self._listeners.bindings, 0)
        return found[0] if found else None

    # The process

    def advance(self, now: float) -> None:
        """Start, change or end it, as is due."""
        settings = self._supervisor.settings
        is_wanted = settings.status_bind is not None or settings.statsd_host is not None
        if not is_wanted:
            self.end()
            self.next_time = None
            return
        if not self.pid and now >= self._not_before:
            self._start(now)
        self.next_time = now + INTERVAL if self.pid else self._not_before
        self._check_heartbeat(now)
        self._send_settings(settings)

    def _check_heartbeat(self, now: float) -> None:
        """Kill it if it is silent, unless this process did not run either."""
        seen = max(self._supervisor.board.status_seen, self._started, self._awake.look(now))
        if self.pid and not self._is_hung and now > seen + LONGEST_SILENCE:
            self._is_hung = True
            os.kill(self.pid, signal.SIGKILL)

    def _start(self, now: float) -> None:
        from fastwsgi.process import status_child  # with all that it shows: only where there is one

        freeze()
        ours, theirs = channel.pair()
        owner = self._supervisor
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # a signal for the child must not get into our queue
        try:
            with forks.sparing(owner):
                pid = fork_in_silence()
            if pid == 0:
                owner.disown()
                status_child.run(owner.build, owner.board, theirs, owner.settings)
        except OSError as error:
            ours.close()
            self._delay(now)
            error_log.error("cannot fork the status process: %s", error.strerror)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            theirs.close()
        self.pid, self._channel, self._started = pid, ours, now
        self._is_told = self._is_hung = False
        ours.send(owner.news.whole())

    def _send_settings(self, settings: Settings) -> None:
        """Have it serve as *settings* say, unless it does."""
        may_answer = self._supervisor.may_answer
        if self._channel is None or (self._is_told and may_answer == self._answers):
            return
        listener = self._listener() if may_answer else None
        values = {**passed_on(settings), "listens": listener is not None}
        descriptors = [listener.fileno()] if listener is not None else []
        self._is_told = self._channel.send(f"serve {json.dumps(values)}", descriptors)
        self._answers = may_answer

    def send(self, line: str) -> bool:
        """Send a line to it; False if it is not there, or does not read."""
        return self._channel is not None and self._channel.send(line)

    def watch(self) -> None:
        """Have the poller wait for its messages, and for room where some of ours still wait."""
        if self._channel is not None:
            self._supervisor.poller.register(self._channel.fileno(), self._channel.events)

    def read_messages(self, ready: set[int]) -> None:
        """Handle its messages, if its channel is among the *ready* descriptors."""
        if self._channel is None or self._channel.fileno() not in ready:
            return
        self._channel.send_rest()
        lines, is_open = self._channel.receive()
        for line in lines:
            self._handle_message(line)
        if not is_open:
            self._close_channel()

    def _handle_message(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "log":
            error_log.error("status process: %s", json.loads(rest))
        elif word == "stacks":
            self._supervisor.stack_inquiry.begin(int(rest))

    def handle_exit(self, status: int) -> None:
        """Have another one start: at once, or later each time if they end one after another."""
        now = time.monotonic()
        life, self.pid = now - self._started, 0
        self._close_channel()
        self._failures = self._failures + 1 if life < SHORT_LIFE else 0
        self._not_before = now
        if self._failures > 1:
            self._not_before += min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self._failures - 1, 20))
        self.next_time = self._not_before
        later = f" in {self._not_before - now:.1f} s" if self._not_before > now else ""
        was_silent = f"has not run for {LONGEST_SILENCE:g} s, and was killed"
        description = was_silent if self._is_hung else exits.describe_exit(status)
        error_log.error("the status process %s; another takes its place%s", description, later)

    def _delay(self, now: float) -> None:
        self._failures += 1
        self._not_before = now + min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(self._failures, 20))

    def _close_channel(self) -> None:
        if self._channel is not None:
            try:
                self._supervisor.poller.unregister(self._channel.fileno())
            except KeyError:
                pass  # it was not watched yet
            self._channel.close()
            self._channel = None

    def end(self) -> None:
        """End it, if it is there; it is killed if it does not end by itself at once."""
        if not self.pid:
            return
        pid, self.pid = self.pid, 0
        if self._channel is not None:
            self._channel.send("end")
            ended = select.poll()
            ended.register(self._channel.fileno(), 0)  # its hanging up is reported anyway
            ended.poll(LAST_WORDS * 1000)
            self._close_channel()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    def close(self, is_alone: bool) -> None:
        """End it, and stop listening; the path of a unix socket stays if another supervisor serves on it."""
        self.end()
        if is_alone:
            self._listeners.own_paths()
        self._listeners.close(remove_paths=is_alone)

    def disown(self) -> None:
        """In a forked child, close what is the supervisor's."""
        if self._channel is not None:
            self._channel.close()
        for binding in self._listeners.bindings:
            for listener in binding.sockets:
                listener.close()


def _warn(listener: socket.socket | None, settings: Settings) -> None:
    """Log one line if everybody on other machines may read the status."""
    if listener is None or listener.family == socket.AF_UNIX or EVERYBODY not in settings.status_allow:
        return
    if listener.getsockname()[0] not in LOOPBACK:
        error_log.warning(
            "everybody who reaches %s can read the status, with the paths of requests: say who may with --status-allow",
            settings.status_bind,
        )
