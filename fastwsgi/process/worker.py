"""A worker that a supervisor forked: it boots, serves, and ends as it is told, or when the supervisor is no more."""

from __future__ import annotations

import atexit
import os
import queue
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Callable

from fastwsgi.mistakes import Mistake
from fastwsgi.observe.logs import ErrorStream, Logs, error_log, log_error, set_up_error_log
from fastwsgi.observe.request_id import with_request_ids
from fastwsgi.process import accounts, drain, process_setup
from fastwsgi.process.channel import Channel
from fastwsgi.process.control import HEARTBEAT, Control
from fastwsgi.process.deployment import Deployment
from fastwsgi.process.drain import ListenerDrain
from fastwsgi.process.failure_page import failure_page
from fastwsgi.process.hook_views import ServerView, WorkerView
from fastwsgi.process.hung import enable_stack_dumps
from fastwsgi.process.probes import with_probes
from fastwsgi.process.recycle import watch_limits
from fastwsgi.process.scoreboard import Scoreboard, Slot
from fastwsgi.process.signals import ignore
from fastwsgi.process.source_files import files_of_failure, imported_files
from fastwsgi.process.source_watcher import SourceWatcher
from fastwsgi.server.loop import Loop
from fastwsgi.tls import files as tls_files

IDLE_GRACE = 1.5  # seconds that idle connections get when others go on serving: time for a request on its way


@dataclass
class WorkerStart:
    """What a worker is given by the supervisor that forks it."""

    build: SimpleNamespace
    deployment: Deployment
    settings: Any
    app: Callable[..., Any] | None  # if it is loaded already
    tls: Any  # the server.tls.Tls, or None
    listeners: list[socket.socket]
    shared: list[socket.socket]  # those of them that are not this service's alone
    board: Scoreboard
    slot: Slot
    channel: Channel
    server: ServerView
    view: WorkerView
    first: bool  # nobody has been ready yet: what goes wrong is told as at a start


class Worker:
    """One worker, in its own process.

    The control thread only asks: what is not safe beside a running loop is put off until the loop has a turn.
    """

    def __init__(self, given: WorkerStart) -> None:
        self.given = given
        self.settings = given.settings
        self.slot = given.slot
        self.control = Control(given.channel, self._handle_command, self._handle_orphaned)
        self.listener_drain = ListenerDrain(given.listeners, given.shared)
        self.loop: Loop | None = None
        self.logs: Logs | None = None
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def run(self) -> int:
        """From the fork to the end; the exit code."""
        self.slot.pid = self.given.view.pid = os.getpid()
        self._set_signal_handlers()
        enable_stack_dumps()
        self.control.every(HEARTBEAT, self._write_heartbeat)
        self.control.start()
        try:
            loop = self._boot()
        except Mistake as mistake:
            return self._fail(mistake)
        except OSError as error:
            if error.filename is None:
                raise
            return self._fail(Mistake(f"{error.filename}: {error.strerror}"))
        watch_limits(self.control, loop, self.settings, self.ask_for_successor)
        self.loop = loop
        self.slot.state = "ready"
        self.given.channel.send("ready")
        loop.run()
        self._finish(loop)
        return 0

    def ask_for_successor(self, reason: str) -> None:
        """Have the supervisor start another worker, and then retire this one; *reason* goes into the log."""
        self.given.channel.send(f"replace {reason}")

    # Beginning

    def _boot(self) -> Loop:
        given, settings = self.given, self.settings
        set_up_error_log(settings)
        self.logs = Logs(settings, given.build)
        process_setup.set_environment(settings)
        given.deployment.hooks.post_fork(given.server, given.view)
        process_setup.set_title("worker", settings)
        ids = accounts.worker_ids(settings)
        if ids is not None:
            accounts.drop_privileges(*ids)
        app = given.app or self._load()
        given.view.booted = True
        given.deployment.hooks.post_worker_init(given.view)
        app = given.deployment.hooks.wrap(app, given.view)
        app = with_request_ids(app, settings)
        app = with_probes(app, settings, lambda: given.board.stopping)
        loop = Loop(given.build, app, settings, log_error, ErrorStream(), self.logs.observer)
        loop.slot = self.slot
        loop.expired = lambda: self.ask_for_successor("a request ran past its deadline")
        for listener in given.listeners:
            loop.add_listener(listener, {"wsgi.multiprocess": settings.workers > 1}, given.tls)
        loop.stopped_accepting = self._close_listeners
        loop.add_waker(self._woken.fileno(), self._take_calls)
        return loop

    def _load(self) -> Callable[..., Any]:
        """The application; for development, also one that only tells why it cannot be loaded."""
        if not self.settings.reload:
            return self.given.deployment.load(self.settings)
        failed: set[str] = set()
        SourceWatcher(
            lambda path: self.given.channel.send(f"changed {path}"),
            self.settings.reload_extra_files,
            self.settings.chdir or ".",
            lambda: imported_files() | failed,
        ).start()
        try:
            return self.given.deployment.load(self.settings)
        except Mistake as mistake:
            failed |= files_of_failure(mistake)
            text = f"{mistake.details}{mistake}"
            error_log.error("the application cannot be loaded\n%s", text)
            return failure_page(text)

    def _fail(self, mistake: Mistake) -> int:
        if self.given.first:
            print(f"{mistake.details}fastwsgi: {mistake}", file=sys.stderr, flush=True)
        else:
            error_log.error("%s%s", mistake, f"\n{mistake.details}".rstrip("\n"))
        return mistake.exit_code or 1

    def _set_signal_handlers(self) -> None:
        """Handlers of its own in place of the supervisor's, which are still blocked."""
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, ignore)  # a terminal sends some of them to all processes; the supervisor decides
        # systemd sends it to all as well: then the supervisor has had it too, and gives no successor
        signal.signal(signal.SIGTERM, lambda number, frame: self.ask_for_successor("it got SIGTERM"))
        signal.signal(signal.SIGQUIT, lambda number, frame: self._quit())
        signal.signal(signal.SIGUSR1, lambda number, frame: self._handle_command("reopen"))
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    # What the supervisor wants

    def _handle_command(self, command: str) -> None:
        if command == "stop":
            self._stop(0.0)
            self.control.after(drain.PATIENCE, self.listener_drain.shut)
        elif command == "retire":
            self._stop(IDLE_GRACE)
            self.control.after(drain.PATIENCE, self._report_closed)  # a loop that is held up accepts nobody either
        elif command == "hurry":
            self._stop(0.0)
            self.control.after(drain.PATIENCE, self._report_closed)
        elif command == "reopen":  # while it boots, too: the files may be open already
            self._defer(self._reopen_logs)
        elif command.startswith("certificates "):
            self._defer(lambda: self._renew(command.partition(" ")[2]))

    def _renew(self, line: str) -> None:
        """Take what the supervisor has found in the files of certificates, and found good."""
        if self.given.tls is not None:
            self.given.tls.renew(tls_files.decode(line))

    def _stop(self, idle_grace: float) -> None:
        self.given.view.alive = False
        if self.loop is None:
            os._exit(0)  # nobody was served, and a boot may take long
        self.slot.state = "retiring"
        self.loop.stop(idle_grace)
        self._defer(lambda: None)

    def _handle_orphaned(self) -> None:
        """The supervisor is dead: answer what is there, and leave no orphan."""
        self.control.after(self.settings.graceful_timeout, lambda: os._exit(1))
        self._stop(0.0)

    def _defer(self, called: Callable[[], None]) -> None:
        """Call *called* in the loop, which wakes up for it."""
        self._calls.put(called)
        try:
            self._waker.send(b"\0")
        except BlockingIOError:
            pass  # it has not taken those before yet

    def _take_calls(self) -> None:
        self._woken.recv(4096)
        while not self._calls.empty():
            self._calls.get()()

    def _reopen_logs(self) -> None:
        assert self.logs is not None
        self.logs.reopen()

    def _write_heartbeat(self) -> None:
        self.slot.heartbeat = time.monotonic()

    # The end

    def _close_listeners(self) -> None:
        assert self.loop is not None
        self.listener_drain.close(self.loop)
        self._report_closed()

    def _report_closed(self) -> None:
        self.given.channel.send("closed")

    def _finish(self, loop: Loop) -> None:
        loop.close()
        self.given.deployment.hooks.worker_exit(self.given.server, self.given.view)
        if self.logs is not None:
            self.logs.close()

    def _quit(self) -> None:
        """Now: in the middle of whatever the main thread does."""
        self.given.deployment.hooks.worker_int(self.given.view)
        if self.logs is not None:
            self.logs.close()
        os._exit(0)


def run_as_process(main: Callable[[], int]) -> None:
    """Run *main* in a process just forked, and end that with its exit code as an interpreter ends.

    What was registered with atexit before the fork is the supervisor's, and is left to it: a worker must not remove its
    temporary files. What the application registers in the worker is called.
    """
    code = 1
    atexit._clear()
    try:
        code = main()
    except BaseException as error:
        log_error("the worker cannot go on", error)
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads and executors, as at an interpreter's end
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
