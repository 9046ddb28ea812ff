"""The supervisor: owns the listeners, forks the workers, and does what signals ask for. It knows nothing of HTTP.

It never imports the application, unless that is to be loaded before the fork (preload). Which workers there should be
is decided in fleet.py; here it is done. All happens in one thread, in turns: act, wait, take news.
"""

from __future__ import annotations

import gc
import logging
import os
import select
import signal
import time
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi.observe.logs import error_log, reopen_error_log, set_up_error_log
from fastwsgi.process import accounts, exits, privileges, process_setup
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.deployment import Deployment
from fastwsgi.process.fleet import Fleet, Member
from fastwsgi.process.hook_views import ServerView
from fastwsgi.process.hung import HungWorkers
from fastwsgi.process.pidfile import PidFile
from fastwsgi.process.reload import Reload
from fastwsgi.process.scoreboard import MOST_WORKERS, Scoreboard, check_number
from fastwsgi.process.signals import SignalQueue
from fastwsgi.process.sockets import Listeners
from fastwsgi.process.spawn import Spawner
from fastwsgi.process.systemd_status import SystemdStatus
from fastwsgi.process.upgrade import Upgrade
from fastwsgi.tls import files as tls_files

LONGEST_TURN = 10.0  # seconds
QUIT_PATIENCE = 0.3  # seconds that workers get to write their logs when they are told to quit


def run(deployment: Deployment, build: SimpleNamespace, announce: Callable[[str], None]) -> int:
    """Serve with worker processes until SIGTERM, SIGINT or SIGQUIT.

    Args:
        deployment: asked for the settings, and in the workers for the application.
        build: the modules that the workers run, from fastwsgi.backend.
        announce: called with the two lines of the start-up output, when the first worker is ready.

    Returns:
        The exit code: 0 after a stop, else that of a first worker that could not start.

    Raises:
        Mistake: of the deployment, before anything is served.
        BindError: an address cannot be listened on.
    """
    return Supervisor(deployment, build, announce).run()


class Supervisor:
    """See the top of the file."""

    def __init__(self, deployment: Deployment, build: SimpleNamespace, announce: Callable[[str], None]) -> None:
        self.deployment = deployment
        self.build = build
        self.announce = announce
        self.settings = deployment.settings()
        set_up_error_log(self.settings)
        self.pid = os.getpid()
        self.view = ServerView(self.settings, error_log)
        self.board = Scoreboard()
        self.listeners = Listeners()
        self.fleet = Fleet(check_number(self.settings.workers))
        self.reload = Reload(self)
        self.upgrade = Upgrade(self)
        self.spawner = Spawner(self)
        self.hung = HungWorkers(
            lambda one: self._kill(one, signal.SIGKILL), lambda one: self.hooks.worker_abort(one.view)
        )
        self.next_hung_check: float | None = None
        self.certificates = Certificates(self.settings)
        self.systemd_status = SystemdStatus()
        self.signals = SignalQueue()
        self.app: Callable[..., Any] | None = None
        self.poller = select.poll()
        self.pid_file: PidFile | None = None
        self.next_report = 0.0
        self.stop_at: float | None = None  # when the stop begins, after the drain delay
        self.exit_code: int | None = None

    @property
    def hooks(self) -> Any:
        """Those of the settings read last."""
        return self.deployment.hooks

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
        settings = self.settings
        if settings.umask is not None:
            process_setup.set_umask(settings.umask)
        ids = accounts.worker_ids(settings)  # a mistake in it is told now
        self.listeners.inherit()
        self.listeners.commit(self.listeners.prepare(settings), settings)
        self.view.address = self.listeners.urls(self.certificates.scheme)
        warning = privileges.warning(settings, ids)
        if warning:
            error_log.warning(warning)
        if settings.pid is not None:
            self.pid_file = PidFile(settings.pid)
            self.pid_file.create()
        process_setup.set_title("supervisor", settings)
        self.hooks.on_starting(self.view)
        if settings.preload and not settings.reload:
            process_setup.set_environment(settings)
            self.app = self.deployment.load(settings)
            gc.collect()
            gc.freeze()

    def _close(self) -> None:
        for member in self.fleet.members.values():  # only after an error of ours
            os.kill(member.pid, signal.SIGKILL)
        self._close_listeners()
        if self.pid_file is not None:
            self.pid_file.remove()
        self.hooks.on_exit(self.view)
        self.board.close()

    def _close_listeners(self) -> None:
        """The paths of unix sockets stay for another supervisor that serves there."""
        alone = self._is_alone()
        if alone:
            self.listeners.own_paths()
        self.listeners.close(alone)

    def _is_alone(self) -> bool:
        """Whether no other supervisor serves on the same sockets."""
        return not self.upgrade.successor and not self.upgrade.has_predecessor

    # A turn

    def _act(self) -> None:
        """Do what the fleet wants."""
        now = time.monotonic()
        self.systemd_status.ping_watchdog(now)
        self._tell(now)
        if self.stop_at is not None and now >= self.stop_at:
            self._stop_workers(now)
        self._renew_certificates(now)
        if self.next_hung_check is None or now >= self.next_hung_check:
            self.next_hung_check = self.hung.check(self.fleet, self.settings, now)
        for member in self.fleet.to_kill(now):
            self._kill(member, signal.SIGKILL)
        for member in self.fleet.to_retire():
            self._retire(member, "hurry" if self.fleet.hurried else "retire", now)
        for position in self.fleet.to_start(now):
            self._start(position)
        if self.reload.advance(self.fleet):
            self._act()
        if self.fleet.closed and not self.fleet.members:
            self.exit_code = self.exit_code or 0

    def _renew_certificates(self, now: float) -> None:
        """Take certificates that have changed, and let the workers have them; after a reload, which takes them too."""
        material = None if self.reload.runs else self.certificates.renew_if_changed(now)
        if material is not None:
            for member in self.fleet.members.values():
                if member.generation == self.fleet.generation:
                    member.channel.send(f"certificates {tls_files.encode(material)}")

    def _tell(self, now: float) -> None:
        """The figures of the scoreboard, for who debugs."""
        if now >= self.next_report and error_log.isEnabledFor(logging.DEBUG):
            self.next_report = now + LONGEST_TURN
            for member in self.fleet.members.values():
                error_log.debug("%s", member.slot.summary())

    def _wait(self) -> None:
        if self.exit_code is not None:
            return
        now = time.monotonic()
        known = (self.stop_at, self.systemd_status.next_ping, self.next_hung_check, self.certificates.next_check)
        times = (self.fleet.next_time(now), now + LONGEST_TURN, *known)
        timeout = max(0.0, min(one for one in times if one is not None) - now)
        ready = {fd for fd, _ in self.poller.poll(timeout * 1000 + 1)}
        for member in list(self.fleet.members.values()):
            if member.channel.fileno() in ready:
                self._read_messages(member)
        for number in self.signals.read():
            self._handle_signal(number)
        for pid, status in exits.reap_children():
            if pid in self.fleet.members:
                self._handle_exit(self.fleet.members[pid], status)
            elif pid == self.upgrade.successor:
                self.upgrade.successor_ended(status)

    # Workers

    def _start(self, position: int) -> None:
        try:
            member = self.spawner.fork(position)
        except OSError as error:
            self.fleet.delay_next_start(time.monotonic())
            error_log.error("cannot fork a worker: %s; the next try in %.1f s", error.strerror, self.fleet.start_delay)
            return
        self.fleet.members[member.pid] = member
        self.view.WORKERS[member.pid] = member.view
        self.poller.register(member.channel.fileno(), select.POLLIN)

    def _read_messages(self, member: Member) -> None:
        lines, is_open = member.channel.receive()
        if not is_open:
            self.poller.unregister(member.channel.fileno())
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "ready" and member.state == "booting":
                self._mark_ready(member)
            elif word == "changed" and member.generation == self.fleet.generation and not self.is_stopping:
                error_log.info("%s has changed", rest)
                self.reload.request(hurried=True)
            elif word == "closed":
                member.closed = True
            elif word == "replace" and not member.replace_reason and not self.is_stopping:
                member.replace_reason = rest
                error_log.info("worker %d is to be replaced: %s", member.pid, rest)

    def _mark_ready(self, member: Member) -> None:
        member.view.booted = True
        is_first = not self.fleet.served
        self.fleet.mark_ready(member)
        if is_first:
            self.announce("fastwsgi: listening on " + ", ".join(self.view.address))
            self.announce(f"fastwsgi: the {self.build.title} build; stop with Ctrl-C")
            self.systemd_status.ready()
            self.hooks.when_ready(self.view)

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

    def _handle_exit(self, member: Member, status: int) -> None:
        """A worker has ended: what it had goes, and what follows is decided."""
        is_expected = member.state == "retiring"
        verdict = self.fleet.mark_ended(member, time.monotonic())
        del self.view.WORKERS[member.pid]
        member.view.alive = False
        try:
            self.poller.unregister(member.channel.fileno())
        except KeyError:
            pass  # its end was heard
        member.channel.close()
        member.slot.clear()
        self.hooks.child_exit(self.view, member.view)
        if verdict == "first boot":
            if os.WIFSIGNALED(status):
                error_log.error("the first worker %s before it was ready", exits.describe_exit(status))
            self.exit_code = exits.exit_code(status)
        elif verdict == "reload":
            self.reload.fail(exits.describe_exit(status))
        elif verdict == "delay":
            error_log.error(
                "worker %d %s before it was ready; the next try in %.1f s",
                *(member.pid, exits.describe_exit(status), self.fleet.start_delay),
            )
        elif not is_expected:
            error_log.error("worker %d %s; another takes its place", member.pid, exits.describe_exit(status))

    # Signals

    def _handle_signal(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT) and not self.is_stopping:
            self._begin_stop()
        elif number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            self._quit()
        elif self.is_stopping:
            return
        elif number == signal.SIGHUP:
            self.reload.request()
        elif number == signal.SIGUSR1:
            self._reopen_logs()
        elif number == signal.SIGUSR2:
            self.upgrade.begin()
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
        self.board.stopping = not self.upgrade.successor
        self.systemd_status.stopping()
        self.stop_at = time.monotonic() + (self.settings.drain_delay if self.board.stopping else 0.0)

    def _stop_workers(self, now: float) -> None:
        """The workers empty the queues of the listeners before they close them, so ours may be closed before."""
        self._close_fleet()
        for member in self.fleet.members.values():
            # With another supervisor on the same sockets, it is a reload to the clients
            self._retire(member, "stop" if self._is_alone() else "retire", now)

    def _close_fleet(self) -> None:
        self.stop_at = None
        self.fleet.closed = True
        self.reload.abandon()
        self._close_listeners()

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
        self.hooks.nworkers_changed(self.view, size, self.fleet.size)
        if size < self.fleet.size:
            self.listeners.trim(size)
        self.fleet.size = size
        error_log.info("%d workers from now on", size)

    def _reopen_logs(self) -> None:
        reopen_error_log()
        for member in self.fleet.members.values():
            member.channel.send("reopen")


def is_needed(settings: Any) -> bool:
    """Whether *settings* ask for something that a single process cannot do."""
    return settings.workers > 1 or any(
        getattr(settings, name) != getattr(type(settings), name).default
        for name in (
            *("max_requests", "max_worker_age", "max_worker_rss", "timeout", "reload", "pid", "proc_name"),
            *("drain_delay", "liveness_path", "readiness_path", "user", "group", "umask", "reuse_port"),
        )
    )
