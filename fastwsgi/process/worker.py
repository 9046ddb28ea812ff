"""A worker that a supervisor forked: it boots, serves, and ends on command, or when the supervisor is gone."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable

from fastwsgi import forks
from fastwsgi.daemon import Daemon
from fastwsgi.gunicorn.application import AppView
from fastwsgi.leaving import end_process
from fastwsgi.mistakes import Mistake, file_mistake
from fastwsgi.observe.log_counter import count_entries
from fastwsgi.observe.logs import Logs, error_log, set_up_error_log
from fastwsgi.originals import os, signal, socket, threading, time
from fastwsgi.process import accounts, drain, life, process_setup
from fastwsgi.process.channel import Channel
from fastwsgi.process.control import Control
from fastwsgi.process.cut import GRACE_IS_OVER, NO_WAIT, report_cut
from fastwsgi.process.deferred_calls import DeferredCalls
from fastwsgi.process.drain import ListenerDrain
from fastwsgi.process.ending import threads_left
from fastwsgi.process.hook_views import ServerView, WorkerView
from fastwsgi.process.hung import pulse
from fastwsgi.process.recycle import watch_limits
from fastwsgi.process.signals import ignore
from fastwsgi.process.stack_dump import StackDump
from fastwsgi.process.startup import make_loops, warn_of_temporary_files
from fastwsgi.records import record
from fastwsgi.server.loops import Loops
from fastwsgi.server.stacks import running_stacks
from fastwsgi.status import here
from fastwsgi.status.events import MOST_DETAILS
from fastwsgi.status.phrases import cut
from fastwsgi.status.reading import Reader
from fastwsgi.status.scoreboard import Scoreboard, Slot
from fastwsgi.tls import files as tls_files

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from fastwsgi.observe.waiting import WaitingLines
    from fastwsgi.process.interfaces import Deployment
    from fastwsgi.process.process_setup import Surroundings
    from fastwsgi.settings.settings import Settings
    from fastwsgi.tls.contexts import Tls

IDLE_GRACE = 1.5  # seconds for idle connections when others serve on, here or elsewhere: for a request on its way


@record
class WorkerStart:
    """What the supervisor gives a worker when it forks it.

    Attributes:
        app: the application, if it is already loaded.
        app_surroundings: those that it left then.
        tls: None where TLS is not spoken.
        shared: the listeners that other services have, too.
        waiting: where lines of the access log wait to be written, for each loop, if there is one.
        server: what hooks see of the supervisor.
        view: what hooks see of the worker.
        dump: where its faulthandler writes.
        is_first: no worker has been ready yet, so errors are reported as at a start.
    """

    build: SimpleNamespace
    deployment: Deployment
    settings: Settings
    app: WSGIApplication | None
    app_surroundings: Surroundings | None
    tls: Tls | None
    listeners: list[socket.socket]
    shared: list[socket.socket]
    board: Scoreboard
    slot: Slot
    waiting: list[WaitingLines]
    channel: Channel
    server: ServerView
    view: WorkerView
    dump: StackDump
    is_first: bool


class Worker:
    """One worker, in its own process.

    The control thread only asks: what is unsafe beside a running loop is deferred to the loop's next turn.
    """

    def __init__(self, given: WorkerStart) -> None:
        self.given = given
        self.settings = given.settings
        self.slot = given.slot
        self.hooks = given.deployment.hooks
        self.control = Control(given.channel, self._handle_command, self._handle_orphaned)
        self.drain = ListenerDrain(given.listeners, given.shared)
        self.deferred = DeferredCalls()
        self.loops: Loops | None = None
        self._until = float("inf")  # when the end must be over (time.monotonic())
        self._ending = threading.Lock()  # held by the thread that ends the process
        self.logs: Logs | None = None
        self._called: set[str] = set()  # of the hooks that are called once
        self._calling = threading.RLock()  # a signal's handler may enter it again
        self._threads: list[tuple[int | None, int | None]] = []  # as they were told last
        given.view.app = AppView(self._load, given.view.cfg, given.app)
        given.view.ask_when_ended(lambda: given.channel.send("dismissed a hook has set worker.alive to False"))

    def run(self) -> int:
        """Boot, serve and end; the exit code."""
        self.slot.pid = self.given.view.pid = os.getpid()
        here.belong(Reader(self.given.board.words, self.given.build.name))
        forks.hold(self)
        count_entries(self.slot.count_entry)
        self._set_signal_handlers()
        self.given.dump.enable()
        self.slot.pulse = pulse(self.settings)
        self.control.every(self.slot.pulse, self._write_heartbeat)
        self.control.start()
        try:
            loops = self._boot()
        except Mistake as mistake:
            return self._fail(mistake)
        except OSError as error:
            return self._fail(file_mistake(error))
        watch_limits(self.control, loops, self.settings, self._ask_for_successor, self.given.view.max_requests)
        self.loops = loops
        if self.given.board.stopping:
            self._drain()
        self.slot.state = "ready"
        self.given.channel.send("ready")
        self.given.view.booted = True
        loops.run()
        self._finish(loops)
        return 0

    # The beginning

    def _boot(self) -> Loops:
        """Set up the process by the settings, load the application, and make the loops that serve it."""
        given, settings = self.given, self.settings
        set_up_error_log(settings)
        count_entries(self.slot.count_entry)
        self.logs = Logs(settings, given.build, given.waiting)
        base = process_setup.directory(given.deployment.directory)  # the application may change it
        if given.app_surroundings is not None:
            given.app_surroundings.enter()
        process_setup.return_to(given.deployment.directory)
        process_setup.set_environment(settings)
        self.hooks.post_fork(given.server, given.view)
        process_setup.set_title("worker", settings)
        ids = accounts.worker_ids(settings)
        if ids is not None:
            accounts.drop_privileges(*ids)
        given.view.wsgi = given.view.app.wsgi()
        self.hooks.post_worker_init(given.view)
        app = self.hooks.wrap(given.view.wsgi, given.view)
        loops = make_loops(given.build, app, settings, self.logs, given.board, self.slot, base)
        if given.is_first:
            warn_of_temporary_files()
        given.view.serve(loops)
        loops.expire_to(self._handle_expired)
        loops.caller_stuck = lambda: self._leave(loops)
        for listener in given.listeners:
            loops.add_listener(listener, {"wsgi.multiprocess": settings.workers > 1}, given.tls)
        loops.stopped_accepting = self._close_listeners
        loops.add_waker(self.deferred.fileno(), self.deferred.run)
        return loops

    def _load(self) -> WSGIApplication:
        """The application; with --reload, if it cannot be loaded, one that says why."""
        if not self.settings.reload:
            try:
                return self.given.deployment.load(self.settings)
            except Mistake as mistake:
                mistake.args = (f"{mistake}{accounts.hint_at_directory()}",)
                raise
        from fastwsgi.process.failure_page import failure_page
        from fastwsgi.process.source_files import files_of_failure, imported_files
        from fastwsgi.process.source_watcher import SourceWatcher

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
            self.given.channel.send(f"failed {_encoded(mistake)}")
            self.slot.has_failed = True
            is_shown = self.settings.forwarded_untrusted == "pass"  # else it cannot be told who is behind a proxy
            return failure_page(text if is_shown else "")

    def _fail(self, mistake: Mistake) -> int:
        self.slot.state = "failed"
        self._call_exit_hook()
        self.given.channel.send(f"mistake {_encoded(mistake)}")
        if self.given.is_first:
            life.log_failure(mistake)
            os.write(2, f"{mistake.details}fastwsgi: {mistake}\n".encode("utf-8", "backslashreplace"))
        else:
            error_log.error("%s%s", mistake, f"\n{mistake.details}".rstrip("\n"))
        return mistake.exit_code or 1

    def _set_signal_handlers(self) -> None:
        """Replace the supervisor's handlers; signals are blocked until this is done."""
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU):
            forks.handle(number, ignore)  # a terminal sends some of them to all processes; the supervisor decides
        # systemd, too, sends SIGTERM to all processes: the supervisor also gets it then, and starts no successor
        forks.handle(signal.SIGTERM, lambda number, frame: self.given.channel.send("terminated"))
        forks.handle(signal.SIGQUIT, lambda number, frame: self._quit())
        forks.handle(signal.SIGUSR1, lambda number, frame: self._handle_usr1())
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def disown(self) -> None:
        """In a child that the application has forked, close what is the worker's."""
        self.control.disown()
        self.deferred.disown()
        self.drain.disown()
        self.given.dump.disable()

    # To and from the supervisor; the lines are listed in channel.py

    def _ask_for_successor(self, reason: str) -> None:
        """Have the supervisor start another worker, and then retire this one; *reason* goes into the log."""
        self.given.channel.send(f"replace {reason}")

    def _handle_expired(self, line: str) -> None:
        """Have this worker replaced, as one of its threads may never come back; *line* was logged."""
        self.given.channel.send(f"timeout {json.dumps(cut(line, MOST_DETAILS))}")
        self._ask_for_successor("a request ran past its deadline")
        self.given.view.aborted = True
        self._call_once(self.hooks.worker_abort, self.given.view)

    def _call_once(self, hook: Callable[..., None], *arguments: object) -> None:
        """Call *hook*, unless it has been called in this worker."""
        with self._calling:  # watchdogs of several loops may
            is_first = hook.__name__ not in self._called
            self._called.add(hook.__name__)
        if is_first:
            hook(*arguments)

    def _call_exit_hook(self) -> None:
        self._call_once(self.hooks.worker_exit, self.given.server, self.given.view)

    def _handle_command(self, line: str) -> None:
        command, _, argument = line.partition(" ")
        if command == "interrupt":
            self._call_once(self.hooks.worker_int, self.given.view)
        elif command == "drain":
            self._drain()
        elif command == "stop":
            self._stop(IDLE_GRACE if self.settings.drain_delay else 0.0)
            self.control.after(drain.PATIENCE, self.drain.shut)
        elif command == "retire":
            self._stop(IDLE_GRACE)
            self.control.after(drain.PATIENCE, self._report_closed)  # a loop that is held up does not accept, either
        elif command == "hurry":
            self._stop(0.0)
            self.control.after(drain.PATIENCE, self._report_closed)
        elif command == "reopen":  # even during the boot: the files may be open already
            descriptors = self.given.channel.descriptors
            opened = {path: descriptors.popleft() for path in json.loads(argument or "[]")}
            self.deferred.add(lambda: self._reopen_logs(opened))
        elif command == "stacks":
            found = [] if self.loops is None else running_stacks(self.loops.loops)
            self.given.channel.send(f"stacks {json.dumps([int(argument), found])}")
        elif command == "certificates":
            self.deferred.add(lambda: self._renew_certificates(argument))

    def _renew_certificates(self, encoded: str) -> None:
        """Use the certificates that the supervisor has read and checked."""
        try:
            if self.given.tls is not None:
                self.given.tls.renew(tls_files.decode(encoded))
        except Mistake as mistake:  # of the user's ssl_context, which may be allowed less here
            error_log.error("the certificates are not renewed, those of before go on: %s", mistake)

    def _drain(self) -> None:
        if self.loops is not None:
            self.drain.prepare()
            self.loops.drain()

    def _stop(self, idle_grace: float) -> None:
        self.given.view.end()
        if self.loops is None:
            os._exit(0)  # no request was served, and a boot may take a long time
        self.given.channel.send(f"in-flight {self.loops.in_flight()}")
        self._limit_end()
        self.slot.state = "retiring"
        self.loops.stop(idle_grace)

    def _handle_orphaned(self) -> None:
        """Answer the requests in flight, and end, as the supervisor is dead."""
        self.control.after(self.settings.graceful_timeout, lambda: os._exit(1))
        self._stop(0.0)

    def _handle_usr1(self) -> None:
        if self.settings.user is None and self.settings.group is None:
            self._handle_command("reopen")
        else:
            self.given.channel.send("reopen")  # it may not open the files

    def _reopen_logs(self, opened: dict[str, int]) -> None:
        assert self.logs is not None
        self.logs.reopen(opened)

    def _write_heartbeat(self) -> None:
        now = time.monotonic()
        self.slot.heartbeat = now if self.loops is None else min(now, self.loops.held_up_since())
        if self.settings.status_bind:
            self._tell_threads()

    def _tell_threads(self) -> None:
        """Tell the supervisor which threads may run requests, if there are others."""
        main = threading.main_thread()
        ours = [one for one in threading.enumerate() if one is main or isinstance(one, Daemon)]
        threads = [(one.native_id, one.ident) for one in ours]
        if threads != self._threads:
            self._threads = threads
            self.given.channel.send(f"threads {json.dumps(threads)}")

    # The end

    def _close_listeners(self) -> None:
        assert self.loops is not None
        self.drain.close(self.loops)
        self._report_closed()

    def _report_closed(self) -> None:
        self.given.channel.send("closed")

    def _limit_end(self) -> None:
        """Allow the end graceful_timeout seconds from now on."""
        self._until = time.monotonic() + self.settings.graceful_timeout
        self.control.after(self.settings.graceful_timeout, self._end_in_time)

    def _end_in_time(self) -> None:
        """If the time is over, log what is not waited for, and end; the supervisor ends a worker that still answers."""
        if time.monotonic() < self._until:
            return
        is_ending = self._ending.locked()
        unfinished = threads_left() or ("exit functions" if is_ending else "")
        if unfinished:
            error_log.warning("worker %d ends without %s, which took too long", os.getpid(), unfinished)
        if is_ending:
            os._exit(1)
        if self.loops is not None:
            report_cut(self.loops.loops, GRACE_IS_OVER)

    def _finish(self, loops: Loops) -> None:
        """Close what the requests needed. A second thread waits here until the first has ended the process."""
        self._ending.acquire()
        loops.close()
        self._call_exit_hook()
        if self.logs is not None:
            self.logs.close()

    def _leave(self, loops: Loops) -> None:
        """End the process from another thread, as the main thread is in a call that was given up."""
        self._finish(loops)
        end_process(0)

    def _quit(self) -> None:
        """End now, whatever the main thread is doing."""
        self._call_once(self.hooks.worker_int, self.given.view)
        self._call_exit_hook()
        if self.loops is not None:
            report_cut(self.loops.loops, NO_WAIT)
        if self.logs is not None:
            self.logs.close()
        os._exit(0)


def _encoded(mistake: Mistake) -> str:
    """Its line and its details, as the supervisor is sent them."""
    return json.dumps(cut(f"{mistake}\n{mistake.details}", MOST_DETAILS))
