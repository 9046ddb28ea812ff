"""The supervisor: owns the listeners, forks the workers, and does what signals ask for. It knows nothing of HTTP.

It never imports the application, unless that is to be loaded before the fork (preload). Which workers there should be
is decided in fleet.py; here it is done. All happens in one thread, in turns: act, wait, take news.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from typing import Any, Callable

from fastwsgi.http import backend
from fastwsgi.observe.logs import error_log, log_error, set_up_error_log
from fastwsgi.process import channel, exits, forked
from fastwsgi.process.deployment import Deployment
from fastwsgi.process.fleet import Fleet, Member
from fastwsgi.process.reload import Reload
from fastwsgi.process.scoreboard import MOST_WORKERS, Scoreboard
from fastwsgi.process.signals import WATCHED, SignalQueue
from fastwsgi.process.sockets import Listeners, at_position, let_go, shared_with_others
from fastwsgi.process.views import ServerView, WorkerView

LONGEST_TURN = 10.0  # seconds
QUIT_PATIENCE = 0.3  # seconds that workers get to write their logs when they are told to quit


def run(deployment: Deployment, announce: Callable[[str], None]) -> int:
    """Serve with worker processes until SIGTERM, SIGINT or SIGQUIT.

    Args:
        deployment: asked for the settings, and in the workers for the application.
        announce: called with the two lines of the start-up output, when the first worker is ready.

    Returns:
        The exit code: 0 after a stop, else that of a first worker that could not start.

    Raises:
        Mistake: of the deployment, before anything is served.
        BindError: an address cannot be listened on.
    """
    return Supervisor(deployment, announce).run()


class Supervisor:
    """See the top of the file."""

    def __init__(self, deployment: Deployment, announce: Callable[[str], None]) -> None:
        self.deployment = deployment
        self.hooks = deployment.hooks
        self.announce = announce
        self.settings = deployment.settings()
        set_up_error_log(self.settings.log_level)
        self.pid = os.getpid()
        self.view = ServerView(self.settings, error_log)
        self.board = Scoreboard()
        self.listeners = Listeners()
        self.fleet = Fleet(check_number(self.settings.workers))
        self.reload = Reload(self)
        self.signals = SignalQueue()
        self.app: Callable[..., Any] | None = None
        self.poller = select.poll()
        self.started = 0  # workers, since the beginning
        self.stop_at: float | None = None  # when the stop begins, after the drain delay
        self.exit_code: int | None = None

    def run(self) -> int:
        """Open, serve, close."""
        with self.signals:
            self.poller.register(self.signals.fileno(), select.POLLIN)
            try:
                self._open()
                while self.exit_code is None:
                    self._act()
                    self._wait()
            finally:
                self._close()
        return self.exit_code

    def _open(self) -> None:
        backend.current()  # imported once, and shared by the workers
        self.listeners.inherit()
        self.listeners.keep(self.listeners.prepare(self.settings), self.settings)
        self.view.address = self.listeners.spell()
        self.call_hook("on_starting", self.view)
        if self.settings.preload:
            forked.set_environment(self.settings)
            self.app = self.deployment.load(self.settings)
            gc.collect()
            gc.freeze()

    def _close(self) -> None:
        for member in self.fleet.members.values():  # only after an error of ours
            os.kill(member.pid, signal.SIGKILL)
        self.listeners.close()
        self.call_hook("on_exit", self.view)
        self.board.close()

    def call_hook(self, name: str, *arguments: Any) -> None:
        """Call a hook of the user's; its failure is logged, and stops nothing."""
        try:
            getattr(self.hooks, name)(*arguments)
        except Exception as error:
            log_error(f"the hook {name} failed", error)

    # A turn

    def _act(self) -> None:
        """Do what the fleet wants."""
        now = time.monotonic()
        if self.stop_at is not None and now >= self.stop_at:
            self._stop_workers(now)
        for member in self.fleet.to_kill(now):
            self._kill(member, signal.SIGKILL)
        for member in self.fleet.to_retire():
            self._retire(member, "retire", now)
        for position in self.fleet.to_start(now):
            self._start(position)
        if self.reload.look(self.fleet):
            self._act()
        if self.fleet.closed and not self.fleet.members:
            self.exit_code = self.exit_code or 0

    def _wait(self) -> None:
        if self.exit_code is not None:
            return
        now = time.monotonic()
        times = [one for one in (self.fleet.next_time(now), self.stop_at) if one is not None]
        timeout = max(0.0, min([*times, now + LONGEST_TURN]) - now)
        ready = {fd for fd, _ in self.poller.poll(timeout * 1000 + 1)}
        for member in list(self.fleet.members.values()):
            if member.channel.fileno() in ready:
                self._hear(member)
        for number in self.signals.take():
            self._meet_signal(number)
        for pid, status in exits.reap():
            if pid in self.fleet.members:
                self._bury(self.fleet.members[pid], status)

    # Workers

    def _start(self, position: int) -> None:
        """Fork a worker for *position*."""
        settings, entries = self.reload.material()
        ours, theirs = channel.pair()
        self.started += 1
        view = WorkerView(self.view, settings, self.started)
        slot = self.board.take()
        slot.generation = self.fleet.generation
        birth = forked.Birth(
            self.deployment,
            settings,
            self.app,
            at_position(entries, position),
            shared_with_others(entries),
            self.board,
            slot,
            theirs,
            self.view,
            view,
            first=not self.fleet.served,
        )
        self.call_hook("pre_fork", self.view, view)
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # a signal for the child must not get into our queue
        try:
            pid = os.fork()
            if pid == 0:
                forked.run_as_process(lambda: self._become(birth, ours))
        except OSError as error:
            self._cannot_fork(error, birth, ours)
            return
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        theirs.close()
        view.pid = pid
        member = Member(pid, position, self.fleet.generation, self.started, slot=slot, channel=ours, view=view)
        self.fleet.members[pid] = member
        self.view.WORKERS[pid] = view
        self.poller.register(ours.fileno(), select.POLLIN)

    def _cannot_fork(self, error: OSError, birth: forked.Birth, ours: channel.Channel) -> None:
        self.fleet.wait(time.monotonic())
        error_log.error("cannot fork a worker: %s; the next try in %.1f s", error.strerror, self.fleet.delay)
        birth.channel.close()
        ours.close()
        birth.slot.clear()

    def _become(self, birth: forked.Birth, ours: channel.Channel) -> int:
        """In the child: let go of what is the supervisor's, and live."""
        signal.set_wakeup_fd(-1)
        self.signals.close()
        ours.close()
        for member in self.fleet.members.values():
            member.channel.close()  # else this worker would hide the supervisor's death from the others
        self.fleet.members.clear()
        let_go(self.listeners.entries + self.reload.material()[1], birth.listeners)
        return forked.Worker(birth).live()

    def _hear(self, member: Member) -> None:
        lines, is_open = member.channel.receive()
        if not is_open:
            self.poller.unregister(member.channel.fileno())
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "ready" and member.state == "booting":
                self._note_ready(member)
            elif word == "closed":
                member.closed = True
            elif word == "worn" and not member.worn and self.stop_at is None and not self.fleet.closed:
                member.worn = rest
                error_log.info("worker %d is to be replaced: %s", member.pid, rest)

    def _note_ready(self, member: Member) -> None:
        member.view.booted = True
        is_first = not self.fleet.served
        self.fleet.has_become_ready(member)
        if is_first:
            self.announce("fastwsgi: listening on " + ", ".join(self.view.address))
            self.announce(f"fastwsgi: the {backend.describe()} build; stop with Ctrl-C")
            self.call_hook("when_ready", self.view)

    def _retire(self, member: Member, command: str, now: float) -> None:
        member.state = "retiring"
        member.view.alive = False
        member.deadline = now + self.settings.graceful_timeout
        member.channel.send(command)

    def _kill(self, member: Member, number: signal.Signals) -> None:
        if member.state == "retiring" and number == signal.SIGKILL:
            error_log.warning("worker %d has not ended in time: killed", member.pid)
        member.state = "retiring"
        member.deadline = time.monotonic() + LONGEST_TURN  # kill(2) does not fail; say so again if it lives
        os.kill(member.pid, number)

    def _bury(self, member: Member, status: int) -> None:
        """A worker has ended: what it had goes, and what follows is decided."""
        is_expected = member.state == "retiring"
        verdict = self.fleet.has_ended(member, time.monotonic())
        del self.view.WORKERS[member.pid]
        member.view.alive = False
        try:
            self.poller.unregister(member.channel.fileno())
        except KeyError:
            pass  # its end was heard
        member.channel.close()
        member.slot.clear()
        self.call_hook("child_exit", self.view, member.view)
        if verdict == "first boot":
            if os.WIFSIGNALED(status):
                error_log.error("the first worker %s before it was ready", exits.describe(status))
            self.exit_code = exits.exit_code(status)
        elif verdict == "reload":
            self.reload.fail(exits.describe(status))
        elif verdict == "delay":
            error_log.error(
                "worker %d %s before it was ready; the next try in %.1f s",
                *(member.pid, exits.describe(status), self.fleet.delay),
            )
        elif not is_expected:
            error_log.error("worker %d %s; another takes its place", member.pid, exits.describe(status))

    # Signals

    def _meet_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT) and not self.is_stopping:
            self._begin_stop()
        elif number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._quit()
        elif self.is_stopping:
            return
        elif number == signal.SIGHUP:
            self.reload.ask()
        elif number == signal.SIGUSR1:
            self._reopen_logs()
        elif number == signal.SIGTTIN:
            self._resize(self.fleet.size + 1)
        elif number == signal.SIGTTOU:
            self._resize(self.fleet.size - 1)

    @property
    def is_stopping(self) -> bool:
        """Whether a stop has begun, be it with the drain delay."""
        return self.stop_at is not None or self.fleet.closed

    def _begin_stop(self) -> None:
        """Graceful: after the drain delay, in which all goes on but readiness, everything accepted is answered."""
        self.board.leaving = True
        self.stop_at = time.monotonic() + self.settings.drain_delay

    def _stop_workers(self, now: float) -> None:
        """The workers empty the queues of the listeners before they close them, so ours may be closed before."""
        self._close_fleet()
        for member in self.fleet.members.values():
            self._retire(member, "stop", now)

    def _close_fleet(self) -> None:
        self.stop_at = None
        self.board.leaving = self.fleet.closed = True
        self.reload.abandon()
        self.listeners.close()

    def _quit(self) -> None:
        """End at once; workers that cannot even quit are killed."""
        self._close_fleet()
        for member in self.fleet.members.values():
            self._kill(member, signal.SIGQUIT)
            member.deadline = time.monotonic() + QUIT_PATIENCE

    def _resize(self, size: int) -> None:
        size = max(1, min(size, MOST_WORKERS))
        if size == self.fleet.size:
            return
        self.call_hook("nworkers_changed", self.view, size, self.fleet.size)
        if size < self.fleet.size:
            self.listeners.trim(size)
        self.fleet.size = size
        error_log.info("%d workers from now on", size)

    def _reopen_logs(self) -> None:
        for member in self.fleet.members.values():
            member.channel.send("reopen")


def check_number(workers: int) -> int:
    """*workers*, if the scoreboard has room for them. Raises Mistake."""
    from fastwsgi.config.mistakes import Mistake

    if workers > MOST_WORKERS:
        raise Mistake(f"--workers {workers}: at most {MOST_WORKERS}; one or two for each CPU are usual")
    return workers
