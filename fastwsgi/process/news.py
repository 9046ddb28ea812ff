"""What the supervisor has to tell of the service: events, words and counts, each by one line where it happens.

The counts stand in shared memory (head.py). The rest is kept here, bounded, and sent to the status process: all of it
to a new one, and then what changes. The error log has its own lines (life.py).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fastwsgi.originals import time
from fastwsgi.process.listen_queues import queues
from fastwsgi.records import asdict
from fastwsgi.settings import report
from fastwsgi.settings.settings import SETTINGS
from fastwsgi.status import events
from fastwsgi.status.events import MOST_DETAILS, MOST_TEXT
from fastwsgi.status.phrases import counted, cut
from fastwsgi.status.snapshot import Event, Told

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import ToldSupervisor
    from fastwsgi.process.spawn import Child
    from fastwsgi.settings.settings import Settings

INTERVAL = 1.0  # seconds between two looks at the listeners


class News:
    """What *supervisor* has to tell."""

    def __init__(self, supervisor: ToldSupervisor) -> None:
        self._supervisor = supervisor
        self._told = Told()
        self._sent = ""  # all of it but the events
        self._next_look = 0.0
        self._unfit = ""  # how the last worker ended that did not come up

    def whole(self) -> str:
        """All of it, as a line for a status process that knows nothing."""
        self._sent = ""
        return f"told {json.dumps(asdict(self._told))}"

    def advance(self, now: float) -> None:
        """Write the gauges, and send the words that have changed."""
        owner, fleet = self._supervisor, self._supervisor.fleet
        owner.head.generation, owner.head.wanted = fleet.generation, fleet.size
        owner.head.failing_starts = fleet.failing_starts(now)
        owner.head.show_certificates(owner.certificates.ends)
        self._send_words(now)
        if owner.status_process.pid and now >= self._next_look:
            self._next_look = now + INTERVAL
            owner.head.show_queues(queues(owner.listeners.bindings))

    def _send_words(self, now: float) -> None:
        owner, told = self._supervisor, self._told
        if not owner.status_process.pid:
            return
        told.crash_loop = self._unfit if owner.fleet.is_failing(now) else ""
        failures = (one.load_failure for one in owner.fleet.members.values() if one.state == "ready")
        told.load_failure = cut(max(failures, default="").partition("\n")[0], MOST_TEXT)
        told.name = owner.deployment.name
        told.settings = shown_settings(owner.settings)
        told.urls = owner.listeners.urls(owner.certificates.scheme)
        line = json.dumps({key: value for key, value in vars(told).items() if key != "events"})
        if line != self._sent:
            self._sent = line if owner.status_process.send(f"told {line}") else ""

    def _add(
        self, kind: str, text: str, *, is_bad: bool = False, child: Child | None = None, details: str = ""
    ) -> None:
        worker, pid = (-1, 0) if child is None else (child.position, child.pid)
        text, details = cut(text.replace("\n", " "), MOST_TEXT), cut(details.strip("\n"), MOST_DETAILS)
        event = Event(time.time(), kind, is_bad, text, worker, pid, details)
        events.add(self._told.events, event)
        self._send_words(time.monotonic())  # first: they belong to the event
        self._supervisor.status_process.send(f"event {json.dumps(asdict(event))}")

    # Workers

    def started(self, child: Child, reason: str) -> None:
        """A worker was started; *reason* is one of START_REASONS."""
        self._supervisor.head.count_start(reason)
        self._add("start", f"worker {child.pid} starts: {reason}", child=child)

    def ended(
        self, child: Child, description: str, cpu: float, *, is_bad: bool, has_failed: bool, details: str
    ) -> None:
        """A worker has ended.

        Args:
            description: from exits.describe_exit().
            cpu: the seconds that it has used.
            is_bad: it was not to end.
            has_failed: it had not come up, or just now.
            details: why it has not come up, or the requests that ran.
        """
        self._supervisor.head.add_cpu(child.position, cpu)
        text = f"worker {child.pid} {description}"
        if has_failed:
            without = text if details else f"{text} before it had served"
            self._unfit = f"{text}: {child.mistake}" if child.mistake else without
        self._add("exit", text, is_bad=is_bad, child=child, details=details)

    def timed_out(self, child: Child, text: str) -> None:
        """A request was given up; *text* is what the worker has logged."""
        line, _, stack = text.partition("\n")
        self._add("timeout", line, is_bad=True, child=child, details=stack)

    def hung(self, child: Child, line: str, stacks: str) -> None:
        """No Python runs in a worker."""
        self._add("timeout", line, is_bad=True, child=child, details=stacks)

    def resized(self, size: int) -> None:
        """There are to be *size* workers from now on."""
        self._add("scale", f"{counted(size, 'worker')} from now on")

    # The service

    def reloaded(self) -> None:
        """A reload is complete."""
        self._supervisor.head.count_reload(True)
        self._told.reload_failure = ""
        self._add("reload", "reload complete")

    def reload_failed(self, reason: str, details: str = "") -> None:
        """A reload was given up, or what it has brought does not serve."""
        self._supervisor.head.count_reload(False)
        self._told.reload_failure = cut(reason, MOST_TEXT)
        self._add("reload-failed", reason, is_bad=True, details=details)

    def stopping(self, text: str) -> None:
        """The service is to end."""
        self._add("stop", text)

    def upgrading(self, text: str, *, is_bad: bool = False) -> None:
        """An upgrade has begun, or was given up."""
        self._add("upgrade", text, is_bad=is_bad)

    def certificates_renewed(self) -> None:
        """There are others from now on."""
        self._add("certificates", "the certificates are renewed")


def shown_settings(settings: Settings) -> dict[str, str]:
    """Those that differ from their defaults, as --print-config shows them, without secrets."""
    values = {name: getattr(settings, name) for name in SETTINGS}
    return {name: report.shown(name, value) for name, value in values.items() if value != SETTINGS[name].default}
