"""The forking of workers: what a child process is given, what it closes, and how it ends."""

from __future__ import annotations

import errno
import gc
import warnings
from typing import TYPE_CHECKING, Callable

from fastwsgi import forks
from fastwsgi.leaving import end_process
from fastwsgi.observe.logs import log_error
from fastwsgi.originals import os, signal
from fastwsgi.process import channel
from fastwsgi.process.fleet import Member
from fastwsgi.process.hook_views import WorkerView
from fastwsgi.process.loading import SLOW
from fastwsgi.process.salvage import waiting_for
from fastwsgi.process.signals import WATCHED
from fastwsgi.process.sockets import at_position, shared_sockets
from fastwsgi.process.stack_dump import StackDump
from fastwsgi.process.startup import loop_count
from fastwsgi.process.worker import Worker, WorkerStart

if TYPE_CHECKING:
    from fastwsgi.process.channel import Channel
    from fastwsgi.process.interfaces import SpawningSupervisor


class Child(Member):
    """A worker as the supervisor knows it: what the fleet's decisions need, and the means to reach it.

    Attributes:
        settings: those that it has.
        waiting: where lines of its access log wait to be written, for each of its loops, if there is one.
        view: what hooks see of it.
        dump: takes the stacks of its threads.
        is_open: whether the other end of its channel is.
        killed: the supervisor has ended it by SIGKILL.
        load_failure: why the application cannot be loaded, where it serves a page that says so; else "".
        threads: for the native ID of each thread of the server's in it, its identifier in Python.
        mistake: why it could not start, by its own word.
        tell_at: when to tell that it is still loading the application (time.monotonic()).
    """

    def __init__(
        self, pid: int, position: int, generation: int, age: int, given: WorkerStart, channel: Channel
    ) -> None:
        super().__init__(pid, position, generation, age)
        self.slot = given.slot
        self.settings = given.settings
        self.waiting = given.waiting
        self.channel = channel
        self.view = given.view
        self.dump = given.dump
        self.is_open = True
        self.killed = False
        self.load_failure = ""
        self.threads: dict[int, int] = {}
        self.mistake = ""
        self.tell_at = given.slot.started + SLOW


class Spawner:
    """Forks the workers of *supervisor*."""

    def __init__(self, supervisor: SpawningSupervisor) -> None:
        self._supervisor = supervisor
        self._started = 0  # workers, since the beginning

    def fork(self, position: int) -> Child:
        """A new worker at *position*, now booting. Raises OSError if the system has no room for it."""
        ours, theirs = channel.pair()
        given = self._prepare(position, theirs)
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # a signal for the child must not get into our queue
        try:
            with forks.sparing(self._supervisor):
                pid = fork_in_silence()
            if pid == 0:
                self._supervisor.exit_functions.begin()
                run_as_process(lambda: self._run_worker(given, ours))
        except OSError:
            ours.close()
            given.slot.clear()
            given.dump.close()
            for one in given.waiting:
                one.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            theirs.close()
        given.view.pid = pid
        generation = self._supervisor.fleet.generation
        return Child(pid, position, generation, self._started, given, ours)

    def _prepare(self, position: int, theirs: Channel) -> WorkerStart:
        owner = self._supervisor
        inputs = owner.reload.worker_inputs()
        self._started += 1
        listeners = at_position(inputs.bindings, position)
        owner.view.worker_age = self._started
        view = WorkerView(owner.view, inputs.settings, self._started, listeners)
        for child in owner.fleet.members.values():
            if child.position == position:
                child.view.end()  # its successor gets what it has, such as a number that hooks give to workers
        owner.hooks.pre_fork(owner.view, view)
        loops = loop_count(inputs.settings)
        slot = owner.board.allocate(loops)
        view.begin(slot)
        slot.generation, slot.position = owner.fleet.generation, position
        return WorkerStart(
            build=owner.build,
            deployment=owner.deployment,
            settings=inputs.settings,
            app=owner.app,
            app_surroundings=owner.app_surroundings,
            tls=inputs.certificates.tls,
            listeners=listeners,
            shared=shared_sockets(inputs.bindings),
            board=owner.board,
            slot=slot,
            waiting=waiting_for(inputs.settings, loops),
            channel=theirs,
            server=owner.view,
            view=view,
            dump=StackDump(),
            is_first=not owner.fleet.served,
        )

    def _run_worker(self, given: WorkerStart, ours: Channel) -> int:
        """In the child, close what is the supervisor's, and run as a worker to the end."""
        self._supervisor.disown(given.listeners)
        ours.close()
        return Worker(given).run()


def freeze() -> None:
    """Have no collection, here or in a child, write to the objects that there are, so that processes share them.

    4 workers take 37 MB (PSS) and not 63; the status process 10 and not 12.
    """
    gc.collect()
    gc.freeze()


def fork_in_silence() -> int:
    """os.fork(), without the warning of Python 3.12 that threads run: as an error it would hide the child's ID."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def run_as_process(main: Callable[[], int]) -> None:
    """Run *main* in a process just forked, and exit with its exit code as an interpreter does."""
    code = 1
    try:
        code = main()
    except BaseException as error:
        closed = isinstance(error, OSError) and error.errno == errno.EBADF
        cause = ": the application has closed file descriptors of the server" if closed else ""
        log_error(f"the worker cannot go on{cause}", error)
    end_process(code)
