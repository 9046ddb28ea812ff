"""The supervisor: it owns the listeners, has workers forked, and obeys signals. It knows nothing of HTTP.

It never imports the application, unless that is to be loaded before the fork (preload). Which workers there should be
is decided in fleet.py and done here. Everything happens in one thread, in turns: act, wait, handle events.

The path of a signal, say SIGHUP: SignalQueue (signals.py) holds it until _wait() reads it. Its handler, from the table
in Supervisor, notes what is wanted, here Reload.request(). The next _act() advances the reload, which gives the fleet a
new generation, and then does what the fleet wants: it forks new workers (spawn.py) and retires old ones, by a line on
each one's channel (channel.py). In the worker, the control thread (control.py) reads the line and calls
Worker._handle_command(), which asks the loop to stop (server/loop.py, Loop.stop()).
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable

from fastwsgi import forks
from fastwsgi.gunicorn.cfg import Cfg
from fastwsgi.gunicorn.green_threads import refuse_green_threads
from fastwsgi.gunicorn.hooks import Hooks
from fastwsgi.leaving import Contained
from fastwsgi.mistakes import Mistake
from fastwsgi.observe.log_counter import count_entries
from fastwsgi.observe.logs import error_log, set_up_error_log
from fastwsgi.originals import os, select, signal, socket, threading, time
from fastwsgi.process import accounts, exits, life, preflight, privileges, process_setup
from fastwsgi.process.certificates import Certificates
from fastwsgi.process.children import Children
from fastwsgi.process.exit_functions import ExitFunctions
from fastwsgi.process.fleet import Fleet
from fastwsgi.process.folders import check_folders
from fastwsgi.process.handed_logs import HandedLogs
from fastwsgi.process.head import Head
from fastwsgi.process.hook_views import ServerView
from fastwsgi.process.hung import HungWorkers
from fastwsgi.process.loading import SlowBoots, watched
from fastwsgi.process.news import News
from fastwsgi.process.pidfile import PidFile
from fastwsgi.process.reload import Reload
from fastwsgi.process.salvage import Salvage
from fastwsgi.process.signals import STOP_SIGNALS, Hangup, Interrupted, SignalQueue
from fastwsgi.process.sockets import Listeners, at_position, close_others
from fastwsgi.process.spawn import freeze
from fastwsgi.process.stack_inquiry import StackInquiry
from fastwsgi.process.startup import loop_count
from fastwsgi.process.status_process import StatusProcess
from fastwsgi.process.stop import Stop
from fastwsgi.process.systemd_status import SystemdStatus
from fastwsgi.process.upgrade import Upgrade
from fastwsgi.settings.settings import SETTINGS
from fastwsgi.status.scoreboard import Scoreboard, nearest_number
from fastwsgi.tls import files as tls_files

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.notices import Notices
    from fastwsgi.process.interfaces import Deployment
    from fastwsgi.process.process_setup import Surroundings
    from fastwsgi.process.spawn import Child
    from fastwsgi.settings.settings import Settings

LONGEST_TURN = 10.0  # seconds


def run(deployment: Deployment, build: SimpleNamespace, notices: Notices) -> int:
    """Serve with worker processes until SIGTERM, SIGINT or SIGQUIT.

    Args:
        deployment: asked for the settings, and in the workers for the application.
        build: the modules that the workers run, from fastwsgi.backend.
        notices: those of the start, for the error log.

    Returns:
        The exit code: 0 after a stop, else that of a first worker that could not start.

    Raises:
        Mistake: raised by the deployment, before anything is served.
        BindError: an address cannot be listened on.
    """
    if threading.current_thread() is not threading.main_thread():
        raise Mistake(
            "worker processes, and settings that need a supervisor, take the main thread, which gets the signals: "
            "call serve() there, or without them"
        )
    with life.failures_logged():
        return Supervisor(deployment, build, notices).run()


class Supervisor:
    """The supervisor; see the top of the file.

    Attributes:
        settings: those read last; while a reload runs, still the old ones.
        view: what hooks see of it.
        app: the application, if it is loaded before the fork.
        app_surroundings: those that it has left, for the workers.
        spares_children: whether it waits for its own children alone.
        next_report: when the scoreboard is logged next, at level debug (time.monotonic()).
        exit_code: None while it runs.
    """

    def __init__(self, deployment: Deployment, build: SimpleNamespace, notices: Notices) -> None:
        self.deployment = deployment
        self.build = build
        self.settings = deployment.settings()
        set_up_error_log(self.settings)
        notices.pass_on(error_log.warning)
        self.pid = os.getpid()
        self.board = Scoreboard()
        self.head = Head(self.board)
        count_entries(self.head.count_entry)
        self.salvage = Salvage()
        self.handed_logs = HandedLogs()
        self.listeners = Listeners()
        self.fleet: Fleet[Child] = Fleet(preflight.check_workers(self.settings))
        self.certificates = Certificates(self.settings, self.hooks.context_maker(self.cfg(self.settings)))
        self.status = SystemdStatus()
        self.hangup = Hangup()
        self.signals = SignalQueue()
        self.poller = select.poll()
        self.app: WSGIApplication | None = None
        self.app_surroundings: Surroundings | None = None
        self.exit_functions = ExitFunctions()
        self.spares_children = False
        self.pid_file: PidFile | None = None
        self.has_begun = False  # hooks have been called, so that on_exit is due
        self.next_report = 0.0
        self.exit_code: int | None = None
        self.reload = Reload(self)
        self.upgrade = Upgrade(self)
        self.children = Children(self)
        self.stop = Stop(self)
        self.status_process = StatusProcess(self)
        self.stack_inquiry = StackInquiry(self)
        self.news = News(self)
        self.view = ServerView(self.settings, error_log, self)
        self.slow_boots = SlowBoots(lambda: self.deployment.name)
        self.hung = HungWorkers(self.children.kill, lambda child: self.hooks.worker_abort(child.view), self.news.hung)
        self.signal_handlers: dict[int, Callable[[], None]] = {
            signal.SIGTERM: self.stop.request,
            signal.SIGINT: self._interrupt,
            signal.SIGQUIT: self.stop.quit,
            signal.SIGHUP: self._handle_hangup,
            signal.SIGUSR1: self.reopen_logs,
            signal.SIGUSR2: self.upgrade.begin,
            signal.SIGTTIN: lambda: self._resize(self.fleet.size + 1),
            signal.SIGTTOU: lambda: self._resize(self.fleet.size - 1),
        }

    @property
    def hooks(self) -> Hooks:
        """The hooks of the settings read last."""
        return self.deployment.hooks

    @property
    def is_stopping(self) -> bool:
        """Whether a stop has begun, even if the drain delay is not over."""
        return self.stop.has_begun

    @property
    def may_answer(self) -> bool:
        """Whether no other supervisor answers at the status address, as its predecessor does until this one serves."""
        return not self.upgrade.succession.has_yielded and (self.fleet.served or not self.upgrade.predecessor)

    def cfg(self, settings: Settings) -> Cfg:
        """*settings* as hooks see them."""
        return Cfg(settings, self.deployment.application(settings))

    def run(self) -> int:
        """Open, serve, close."""
        with self.signals:
            self.poller.register(self.signals.fileno(), select.POLLIN)
            forks.hold(self)
            try:
                with self.signals.interrupting():
                    self._open()
                with Contained():
                    while self.exit_code is None:
                        self._act()
                        self._wait()
                if self.is_stopping:
                    self.stop.log_end()
            except Interrupted:
                self.exit_code = 0
                life.log_end()
            finally:
                self._close()
                forks.release(self)
        return self.exit_code

    def _open(self) -> None:
        settings = self.settings
        if settings.umask is not None:
            os.umask(int(settings.umask, 8))
        ids = accounts.worker_ids(settings)  # mistakes in these are reported now
        preflight.check_access_log(settings)
        check_folders(settings)
        self.has_begun = True
        self.hooks.nworkers_changed(self.view, self.fleet.size, None)
        self.hooks.on_starting(self.view)
        self.listeners.open(settings)
        self.status_process.open(settings)
        self.handed_logs.begin(settings)
        privileges.warn(settings, ids)
        privileges.warn_of_reload(settings, at_position(self.listeners.bindings, 0))
        if settings.pid is not None:
            self.pid_file = PidFile(settings.pid)
            self.pid_file.create()
        process_setup.set_title("supervisor", settings)
        self.status_process.advance(time.monotonic())
        if settings.preload:
            self._load()
        self.spares_children = exits.others_wait()
        refuse_green_threads()
        self.hooks.when_ready(self.view)
        freeze()

    def _load(self) -> None:
        """Load the application for all workers. What it changes of this process is for them alone."""
        ours = process_setup.surroundings()
        process_setup.set_environment(self.settings)
        with self.exit_functions.recorded(), watched(self.deployment.name):
            self.app = self.view.app.wsgi()
        self.app_surroundings = process_setup.surroundings()
        ours.enter()

    def _close(self) -> None:
        for child in self.fleet.members.values():  # there are some only after an error of ours
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            self.salvage.take(child.waiting, child.settings)
        self.close_listeners()
        self.status_process.close(self.upgrade.is_alone)
        self.salvage.close()
        self.handed_logs.close()
        if self.pid_file is not None:
            self.pid_file.remove()
        if self.has_begun:
            self.hooks.on_exit(self.view)
        count_entries(None)
        self.board.close()
        gc.unfreeze()

    def close_listeners(self) -> None:
        """Stop listening; the paths of unix sockets stay if another supervisor serves on them."""
        is_alone = self.upgrade.is_alone
        if is_alone:
            self.listeners.own_paths()
        self.listeners.close(remove_paths=is_alone)

    def disown(self, kept: Sequence[socket.socket] = ()) -> None:
        """In a forked child, close what is the supervisor's; a worker has some of the listeners *kept*."""
        self.exit_code = 0
        self.signals.disown()
        self.handed_logs.close()
        for child in self.fleet.members.values():
            child.dump.close()
            child.channel.close()  # left open here, it would hide the supervisor's death from that worker
            for one in child.waiting:
                one.close()
        self.status_process.disown()
        self.upgrade.succession.disown()
        close_others(self.listeners.bindings + self.reload.worker_inputs().bindings, kept)

    # A turn

    def _act(self) -> None:
        """Do what is due, and what the fleet wants."""
        now = time.monotonic()
        self.status.ping_watchdog(now)
        self._log_figures(now)
        self.stop.advance(now)
        self._renew_certificates(now)
        self.hung.check(self.fleet, self.settings, now)
        self.salvage.advance(now)
        for child in self.fleet.to_kill(now):
            self.children.kill(child)
        for child in self.fleet.to_retire():
            self.children.retire(child, "hurry" if self.fleet.hurried else "retire", now)
        for position in self.fleet.to_start(now):
            self.children.start(position)
        if self.reload.advance():
            self._act()
        self.status_process.advance(now)
        self.stack_inquiry.advance(now)
        self.news.advance(now)
        if self.fleet.closed and not self.fleet.members:
            self.exit_code = self.exit_code or 0

    def _renew_certificates(self, now: float) -> None:
        """Renew changed certificates, and send them to the workers; not during a reload, which reads them, too."""
        material = None if self.reload.is_running else self.certificates.renew_if_changed(now)
        if material is not None:
            self.news.certificates_renewed()
            for child in self.fleet.members.values():
                if child.generation == self.fleet.generation:
                    child.channel.send(f"certificates {tls_files.encode(material)}")

    def _log_figures(self, now: float) -> None:
        """Log the scoreboard, at level debug."""
        if now >= self.next_report and error_log.isEnabledFor(logging.DEBUG):
            self.next_report = now + LONGEST_TURN
            for child in self.fleet.members.values():
                error_log.debug("%s", child.slot.summary())

    def _wait(self) -> None:
        """Wait for messages from workers, signals and ends of child processes, or until something is due."""
        if self.exit_code is not None:
            return
        self.signals.claim()
        self.children.watch()
        self.status_process.watch()
        self.upgrade.succession.watch(self.poller)
        now = time.monotonic()
        self.slow_boots.check(self.fleet, now)
        stop = (self.stop.due, self.stop.next_line)
        views = (self.status_process.next_time, self.stack_inquiry.next_time)
        checks = (self.status.next_ping, self.hung.next_check, self.certificates.next_check, self.slow_boots.next_check)
        times = (self.fleet.next_time(now), self.salvage.next_try, now + LONGEST_TURN, *stop, *views, *checks)
        timeout = max(0.0, min(one for one in times if one is not None) - now)
        ready = {fd for fd, _ in self.poller.poll(timeout * 1000 + 1)}
        for number in self.signals.read():  # first: a signal to the whole group explains what workers say
            self._handle_signal(number)
        self.children.read_messages(ready)
        self.status_process.read_messages(ready)
        self.upgrade.succession.read(ready)
        own = [pid for pid in (*self.fleet.members, self.upgrade.successor, self.status_process.pid) if pid]
        for pid, status, cpu in exits.reap_children(own if self.spares_children else [exits.ANY]):
            if pid in self.fleet.members:
                self.children.handle_exit(self.fleet.members[pid], status, cpu)
            elif pid == self.upgrade.successor:
                self.upgrade.handle_exit(status)
            elif pid == self.status_process.pid:
                self.status_process.handle_exit(status)

    # What signals ask for; the rest is in stop.py, reload.py and upgrade.py

    def _handle_signal(self, number: int) -> None:
        handler = self.signal_handlers.get(number)  # SIGCHLD, which only ends the wait, has none
        if handler is not None and (number in STOP_SIGNALS or not self.is_stopping):
            handler()

    def _handle_hangup(self) -> None:
        if self.hangup.has_come():
            error_log.info("the terminal is gone, which is as SIGTERM; nohup keeps a server running")
            self.stop.request()
        else:
            self.reload.request()

    def _interrupt(self) -> None:
        """Stop as on SIGTERM, and tell the workers why, for gunicorn's worker_int."""
        if not self.is_stopping:
            self.children.send("interrupt")
        self.stop.request(signal.SIGINT)

    def _resize(self, size: int) -> None:
        size = nearest_number(size, loop_count(self.settings))
        if size == self.fleet.size:
            return
        before, self.fleet.size = self.fleet.size, size
        if size < before:
            self.listeners.trim(size)
        self.hooks.nworkers_changed(self.view, size, before)
        self.news.resized(size)
        error_log.info("%d %s from now on", size, "worker" if size == 1 else "workers")

    def reopen_logs(self) -> None:
        """Reopen the log files, here and in the workers."""
        self.handed_logs.reopen(self.children.send)


def is_needed(settings: Settings) -> bool:
    """Whether *settings* ask for something that a single process cannot do."""
    return any(
        setting.supervised and getattr(settings, name) != setting.default for name, setting in SETTINGS.items()
    )
