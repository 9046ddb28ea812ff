"""The workers as child processes of the supervisor: started, listened to, ended, and cleaned up after.

Which of them to start or end, and when, is decided in fleet.py.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastwsgi.observe.logs import error_log, log_error
from fastwsgi.observe.rate_limited import RateLimitedLog
from fastwsgi.originals import os, signal, time
from fastwsgi.process import exits, life
from fastwsgi.process.fleet import LONGEST_REST
from fastwsgi.process.spawn import Child, Spawner
from fastwsgi.process.startup import loop_count
from fastwsgi.status.calls import at_the_end

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import ParentSupervisor

LAST_WORDS = 0.5  # seconds beyond --graceful-timeout for a worker to end by itself, and to say what it did not wait for
KILL_AGAIN = 10.0  # seconds after which a worker that survives being killed is killed again


class Children:
    """The child processes of *supervisor*."""

    def __init__(self, supervisor: ParentSupervisor) -> None:
        self._supervisor = supervisor
        self._spawner = Spawner(supervisor)
        self._short_lives = RateLimitedLog(log_error)

    def start(self, position: int) -> None:
        """Fork a worker at *position*; if the system has no room for it, the fleet waits."""
        owner, fleet = self._supervisor, self._supervisor.fleet
        reason = fleet.start_reason(position)
        try:
            child = self._spawner.fork(position)
        except OSError as error:
            fleet.delay_next_start(time.monotonic())
            error_log.error("cannot fork a worker: %s; the next try in %.1f s", error.strerror, fleet.start_delay)
            return
        fleet.members[child.pid] = child
        owner.view.WORKERS[child.pid] = child.view
        owner.news.started(child, reason)

    def send(self, line: str, descriptors: Sequence[int] = ()) -> None:
        """Send *line* to all workers, with copies of *descriptors*."""
        for child in self._supervisor.fleet.members.values():
            child.channel.send(line, descriptors)

    def retire(self, child: Child, command: str, now: float) -> None:
        """Have a worker end after it has answered what is in flight; *command* is one of those in channel.py."""
        child.state = "retiring"
        child.view.end()
        child.deadline = now + self._supervisor.settings.graceful_timeout + LAST_WORDS
        child.channel.send(command)

    def kill(self, child: Child, number: signal.Signals = signal.SIGKILL) -> None:
        """End a worker now, by a signal."""
        if child.state == "retiring" and number == signal.SIGKILL:
            error_log.warning("worker %d has not ended in time: killed", child.pid)
        child.state = "retiring"
        child.deadline = time.monotonic() + KILL_AGAIN
        child.killed = number == signal.SIGKILL
        os.kill(child.pid, number)

    # News from them

    def watch(self) -> None:
        """Have the poller wait for their messages, and for room where some of ours still wait."""
        for child in self._supervisor.fleet.members.values():
            if child.is_open:
                self._supervisor.poller.register(child.channel.fileno(), child.channel.events)

    def read_messages(self, ready: set[int]) -> None:
        """Handle messages from the workers whose channels are among the *ready* descriptors, and send what waits."""
        for child in list(self._supervisor.fleet.members.values()):
            if child.channel.fileno() in ready:
                child.channel.send_rest()
                lines, child.is_open = child.channel.receive()
                if not child.is_open:
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
        elif word == "reopen":
            owner.reopen_logs()
        elif word == "failed":
            child.load_failure = json.loads(rest)
        elif word == "closed":
            child.listens = False
        elif word == "stacks":
            owner.stack_inquiry.take(child, rest)
        elif word == "threads":
            child.threads = dict(json.loads(rest))
        elif word == "mistake":
            child.mistake = json.loads(rest)
        elif word == "timeout":
            child.timed_out = True
            owner.news.timed_out(child, json.loads(rest))
        elif word == "in-flight":
            owner.stop.count(child, int(rest))
        elif word == "terminated" and owner.is_stopping:
            if not child.replace_reason:  # it may have got several
                child.replace_reason = "the group stops"
                life.log_worker_told(child.pid)
        elif word == "terminated":
            self._replace(child, "it got SIGTERM")
        elif word == "replace" and not owner.is_stopping:
            self._replace(child, rest)
        elif word == "dismissed" and not owner.is_stopping:
            self._dismiss(child, rest)

    def _replace(self, child: Child, reason: str) -> None:
        if not child.replace_reason:
            child.replace_reason = reason
            error_log.info("worker %d is to be replaced: %s", child.pid, reason)

    def _dismiss(self, child: Child, reason: str) -> None:
        """Replace a worker that a hook does not want, later each time if it comes to that before they have served."""
        now, fleet = time.monotonic(), self._supervisor.fleet
        if child.replace_reason or child.state == "retiring" or not fleet.mark_dismissed(child, now):
            self._replace(child, reason)
            return
        child.replace_reason = reason
        told = f"worker {child.pid} is to be replaced as early as those before it: {reason}"
        self._short_lives.log(now, f"{told}; its successor in {fleet.rest:.1f} s, at most {LONGEST_REST:g} s later")

    def _handle_ready(self, child: Child) -> None:
        owner = self._supervisor
        child.view.booted = True
        is_first = not owner.fleet.served
        owner.fleet.mark_ready(child, time.monotonic())
        if is_first:
            urls = owner.listeners.urls(owner.certificates.scheme)
            life.log_start(owner.settings, urls, owner.build, owner.fleet.size, loop_count(owner.settings))
            owner.status_process.log_address()
            owner.status.ready()
            owner.upgrade.succession.announce()
        life.log_worker_start(child.pid)

    def handle_exit(self, child: Child, status: int, cpu: float) -> None:
        """Release what a worker held that ended with the wait status *status*, and react to a failure.

        Args:
            child: the worker.
            status: of wait().
            cpu: the seconds that it has used.
        """
        owner = self._supervisor
        self._read_last_words(child)
        was_retiring = child.state == "retiring"
        has_told = child.slot.state == "failed"
        now = time.monotonic()
        outcome = owner.fleet.mark_ended(child, now)
        is_meant = was_retiring and (child.killed or status == 0)
        calls = [] if is_meant else at_the_end(child.slot.words, child.slot.bases)
        self._release(child)
        description = exits.describe_exit(status, calls)
        details = child.mistake or "\n".join(calls)
        is_bad, has_failed = not was_retiring, bool(outcome)
        owner.news.ended(child, description, cpu, is_bad=is_bad, has_failed=has_failed, details=details)
        if outcome == "first boot failed":
            if not has_told:
                error_log.error("the first worker %s while it loaded %s", description, owner.deployment.name)
            owner.exit_code = exits.exit_code(status)
        elif outcome == "reload failed":
            owner.reload.fail(description, child.mistake)
        elif outcome == "start delayed":
            delay = owner.fleet.start_delay
            error_log.error(
                "worker %d %s before it was ready; the next try in %.1f s", child.pid, description, delay
            )
        elif outcome == "rest":
            told = f"worker {child.pid} {description} right after it was ready, as those before it"
            trial = f"the next try in {owner.fleet.rest:.1f} s, at most {LONGEST_REST:g} s later"
            self._short_lives.log(now, f"{told}; {trial}")
            life.log_worker_end(child.pid, description)
        elif not was_retiring:
            error_log.error("worker %d %s; another takes its place", child.pid, description)
        elif not child.killed:
            life.log_worker_end(child.pid, "ended" if status == 0 else description)

    def _read_last_words(self, child: Child) -> None:
        """Read what a worker that has ended said of its mistake, if that has not been read yet."""
        lines = child.channel.receive()[0] if child.is_open else []
        for line in lines:
            if line.startswith("mistake "):
                self._handle_message(child, line)

    def _release(self, child: Child) -> None:
        owner = self._supervisor
        del owner.view.WORKERS[child.pid]
        child.view.bury()
        with contextlib.suppress(KeyError):  # it was not watched yet, or its end was noticed earlier
            owner.poller.unregister(child.channel.fileno())
        child.channel.close()
        child.slot.clear()
        child.dump.close()
        owner.salvage.take(child.waiting, child.settings)
        owner.hooks.child_exit(owner.view, child.view)
