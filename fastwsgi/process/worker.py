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

from fastwsgi.mistakes import Mistake, file_mistake
from fastwsgi.observe.logs import ErrorStream, Logs, error_log, log_error, set_up_error_log
from fastwsgi.observe.request_id import with_request_ids
from fastwsgi.process import drain, role
from fastwsgi.process.channel import Channel
from fastwsgi.process.control import HEARTBEAT, Control
from fastwsgi.process.deployment import Deployment
from fastwsgi.process.drain import LastCall
from fastwsgi.process.failure_page import failure_page
from fastwsgi.process.hook_views import ServerView, WorkerView
from fastwsgi.process.hung import can_be_dumped
from fastwsgi.process.probes import with_probes
from fastwsgi.process.recycle import watch_wear
from fastwsgi.process.reloader import Watcher
from fastwsgi.process.scoreboard import Scoreboard, Slot
from fastwsgi.process.signals import ignore
from fastwsgi.process.source_files import files_of_failure, imported_files
from fastwsgi.server.loop import Loop
from fastwsgi.tls import files as tls_files

IDLE_GRACE = 1.5  # seconds that idle connections get when others go on serving: time for a request on its way


@dataclass
class Birth:
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

    def __init__(self, birth: Birth) -> None:
        self.birth = birth
        self.settings = birth.settings
        self.slot = birth.slot
        self.control = Control(birth.channel, self._obey, self._go_on_alone)
        self.last_call = LastCall(birth.listeners, birth.shared)
        self.loop: Loop | None = None
        self.logs: Logs | None = None
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)

    def live(self) -> int:
        """From the fork to the end; the exit code."""
        self.slot.pid = self.birth.view.pid = os.getpid()
        self._take_signals()
        can_be_dumped()
        self.control.every(HEARTBEAT, self._beat)
        self.control.start()
        try:
            loop = self._boot()
        except Mistake as mistake:
            return self._fail(mistake)
        except OSError as error:
            return self._fail(file_mistake(error))
        watch_wear(self.control, loop, self.settings, self.ask_for_successor)
        self.loop = loop
        self.slot.state = "ready"
        self.birth.channel.send("ready")
        loop.run()
        self._finish(loop)
        return 0

    def ask_for_successor(self, reason: str) -> None:
        """Have the supervisor start another worker, and then retire this one; *reason* goes into the log."""
        self.birth.channel.send(f"worn {reason}")

    # Beginning

    def _boot(self) -> Loop:
        birth, settings = self.birth, self.settings
        set_up_error_log(settings)
        self.logs = Logs(settings, birth.build)
        role.set_environment(settings)
        birth.deployment.hooks.post_fork(birth.server, birth.view)
        role.become_worker(settings)
        app = birth.app or self._load()
        birth.view.booted = True
        birth.deployment.hooks.post_worker_init(birth.view)
        app = birth.deployment.hooks.wrap(app, birth.view)
        app = with_request_ids(app, settings)
        app = with_probes(app, settings, lambda: birth.board.leaving)
        loop = Loop(birth.build, app, settings, log_error, ErrorStream(), self.logs.observer)
        loop.slot = self.slot
        loop.expired = lambda: self.ask_for_successor("a request ran past its deadline")
        for listener in birth.listeners:
            loop.add_listener(listener, {"wsgi.multiprocess": settings.workers > 1}, birth.tls)
        loop.stopped_accepting = self._close_listeners
        loop.add_waker(self._woken.fileno(), self._take_calls)
        return loop

    def _load(self) -> Callable[..., Any]:
        """The application; for development, also one that only tells why it cannot be loaded."""
        if not self.settings.reload:
            return self.birth.deployment.load(self.settings)
        failed: set[str] = set()
        Watcher(
            lambda path: self.birth.channel.send(f"changed {path}"),
            self.settings.reload_extra_files,
            self.settings.chdir or ".",
            lambda: imported_files() | failed,
        ).start()
        try:
            return self.birth.deployment.load(self.settings)
        except Mistake as mistake:
            failed |= files_of_failure(mistake)
            text = f"{mistake.details}{mistake}"
            error_log.error("the application cannot be loaded\n%s", text)
            return failure_page(text)

    def _fail(self, mistake: Mistake) -> int:
        if self.birth.first:
            print(f"{mistake.details}fastwsgi: {mistake}", file=sys.stderr, flush=True)
        else:
            error_log.error("%s%s", mistake, f"\n{mistake.details}".rstrip("\n"))
        return mistake.exit_code or 1

    def _take_signals(self) -> None:
        """Handlers of its own in place of the supervisor's, which are still blocked."""
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, ignore)  # a terminal sends some of them to all processes; the supervisor decides
        # systemd sends it to all as well: then the supervisor has had it too, and gives no successor
        signal.signal(signal.SIGTERM, lambda number, frame: self.ask_for_successor("it got SIGTERM"))
        signal.signal(signal.SIGQUIT, lambda number, frame: self._quit())
        signal.signal(signal.SIGUSR1, lambda number, frame: self._obey("reopen"))
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    # What the supervisor wants

    def _obey(self, command: str) -> None:
        if command == "stop":
            self._stop(0.0)
            self.control.after(drain.PATIENCE, self.last_call.shut)
        elif command == "retire":
            self._stop(IDLE_GRACE)
            self.control.after(drain.PATIENCE, self._say_closed)  # a loop that is held up accepts nobody either
        elif command == "hurry":
            self._stop(0.0)
            self.control.after(drain.PATIENCE, self._say_closed)
        elif command == "reopen":  # while it boots, too: the files may be open already
            self._defer(self._reopen_logs)
        elif command.startswith("certificates "):
            self._defer(lambda: self._renew(command.partition(" ")[2]))

    def _renew(self, line: str) -> None:
        """Take what the supervisor has found in the files of certificates, and found good."""
        if self.birth.tls is not None:
            self.birth.tls.renew(tls_files.decode(line))

    def _stop(self, idle_grace: float) -> None:
        self.birth.view.alive = False
        if self.loop is None:
            os._exit(0)  # nobody was served, and a boot may take long
        self.slot.state = "retiring"
        self.loop.stop(idle_grace)
        self._defer(lambda: None)

    def _go_on_alone(self) -> None:
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

    def _beat(self) -> None:
        self.slot.heartbeat = time.monotonic()

    # The end

    def _close_listeners(self) -> None:
        assert self.loop is not None
        self.last_call.close(self.loop)
        self._say_closed()

    def _say_closed(self) -> None:
        self.birth.channel.send("closed")

    def _finish(self, loop: Loop) -> None:
        loop.close()
        self.birth.deployment.hooks.worker_exit(self.birth.server, self.birth.view)
        if self.logs is not None:
            self.logs.close()

    def _quit(self) -> None:
        """Now: in the middle of whatever the main thread does."""
        self.birth.deployment.hooks.worker_int(self.birth.view)
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
