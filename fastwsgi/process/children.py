"""The workers as child processes of the supervisor: started, listened to, ended, and cleaned up after.

Which of them to start or end, and when, is decided in fleet.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, select, signal, time
from fastwsgi.process import exits
from fastwsgi.process.spawn import Child, Spawner
from fastwsgi.process.startup import announce_start

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import ParentSupervisor

LAST_WORDS = 0.5  # seconds beyond --graceful-timeout for a worker to end by itself, and to say what it did not wait for
KILL_AGAIN = 10.0  # seconds after which a worker that survives being killed is killed again


class Children:
    """The child processes of *supervisor*."""

    def __init__(self, supervisor: ParentSupervisor) -> None:
        self._supervisor = supervisor
        self._spawner = Spawner(supervisor)

    def start(self, position: int) -> None:
        """Fork a worker at *position*; if the system has no room for it, the fleet waits."""
        owner, fleet = self._supervisor, self._supervisor.fleet
        try:
            child = self._spawner.fork(position)
        except OSError as error:
            fleet.delay_next_start(time.monotonic())
            error_log.error("cannot fork a worker: %s; the next try in %.1f s", error.strerror, fleet.start_delay)
            return
        fleet.members[child.pid] = child
        owner.view.WORKERS[child.pid] = child.view
        owner.poller.register(child.channel.fileno(), select.POLLIN)

    def send(self, line: str) -> None:
        """Send *line* to all workers."""
        for child in self._supervisor.fleet.members.values():
            child.channel.send(line)

    def retire(self, child: Child, command: str, now: float) -> None:
        """Have a worker end after it has answered what is in flight; *command* is one of those in channel.py."""
        child.state = "retiring"
        child.view.alive = False
        child.deadline = now + self._supervisor.settings.graceful_timeout + LAST_WORDS
        child.channel.send(command)

    def kill(self, child: Child, number: signal.Signals = signal.SIGKILL) -> None:
        """End a worker now, by a signal."""
        if child.state == "retiring" and number == signal.SIGKILL:
            error_log.warning("worker %d has not ended in time: killed", child.pid)
        child.state = "retiring"
        child.deadline = time.monotonic() + KILL_AGAIN
        os.kill(child.pid, number)

    # News from them

    def read_messages(self, ready: set[int]) -> None:
        """Handle messages from the workers whose channels are among the *ready* descriptors."""
        for child in list(self._supervisor.fleet.members.values()):
            if child.channel.fileno() in ready:
                lines, is_open = child.channel.receive()
                if not is_open:
                    self._supervisor.poller.unregister(child.channel.fileno())
                for line in lines:
                    self._handle_message(child, line)

    def _handle_message(self, child: Child, line: str) -> None:
        owner = self._supervisor
        word, _, rest = line.partition(" ")
        if word == "ready" and child.state == "booting":
            self._handle_ready(child)
        elif word == "changed" and child.generation == owner.fleet.generation and not owner.is_stopping:
            error_log.info("%s has changed", rest)
            owner.reload.request(hurried=True)
        elif word == "closed":
            child.listens = False
        elif word == "replace" and not child.replace_reason and not owner.is_stopping:
            child.replace_reason = rest
            error_log.info("worker %d is to be replaced: %s", child.pid, rest)

    def _handle_ready(self, child: Child) -> None:
        owner = self._supervisor
        child.view.booted = True
        is_first = not owner.fleet.served
        owner.fleet.mark_ready(child)
        if is_first:
            announce_start(owner.announce, owner.view.address, owner.build)
            owner.status.ready()
            owner.hooks.when_ready(owner.view)

    def handle_exit(self, child: Child, status: int) -> None:
        """Release what a worker held that ended with the wait status *status*, and react to a failure."""
        owner = self._supervisor
        was_retiring = child.state == "retiring"
        outcome = owner.fleet.mark_ended(child, time.monotonic())
        self._release(child)
        description = exits.describe_exit(status)
        if outcome == "first boot failed":
            if os.WIFSIGNALED(status):
                error_log.error("the first worker %s before it was ready", description)
            owner.exit_code = exits.exit_code(status)
        elif outcome == "reload failed":
            owner.reload.fail(description)
        elif outcome == "start delayed":
            delay = owner.fleet.start_delay
            error_log.error(
                "worker %d %s before it was ready; the next try in %.1f s", child.pid, description, delay
            )
        elif not was_retiring:
            error_log.error("worker %d %s; another takes its place", child.pid, description)

    def _release(self, child: Child) -> None:
        owner = self._supervisor
        del owner.view.WORKERS[child.pid]
        child.view.alive = False
        try:
            owner.poller.unregister(child.channel.fileno())
        except KeyError:
            pass  # the end of its channel was noticed earlier
        child.channel.close()
        child.slot.clear()
        owner.salvage.take(child.waiting, child.settings)
        owner.hooks.child_exit(owner.view, child.view)
