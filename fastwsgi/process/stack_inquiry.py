"""The supervisor's part in an inquiry for stacks (status/stacks.py): workers are asked, and answers passed on.

A worker in which no Python runs does not answer. After a moment its stacks are dumped by a signal, and passed on.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from fastwsgi.originals import time
from fastwsgi.process.dumped_stacks import STOPPED, dumped, state
from fastwsgi.process.stack_dump import DUMP_TIME, LONGEST_TIME
from fastwsgi.status.processes import is_stopped

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import AskedSupervisor
    from fastwsgi.process.spawn import Child

PATIENCE = 0.3  # seconds for a worker to answer


class StackInquiry:
    """The inquiry that runs, if one does.

    Attributes:
        next_time: when advance() next does something (time.monotonic()); None: no worker is waited for.
    """

    def __init__(self, supervisor: AskedSupervisor) -> None:
        self._supervisor = supervisor
        self.next_time: float | None = None
        self._number = 0
        self._missing: dict[int, Child] = {}
        self._dumped_at = float("inf")

    def begin(self, number: int) -> None:
        """Ask all workers, for the inquiry *number* of the status process."""
        owner = self._supervisor
        self._number, self._dumped_at = number, float("inf")
        self._missing = dict(owner.fleet.members)
        self.next_time = time.monotonic() + PATIENCE
        owner.status_process.send(f"asked {json.dumps([number, list(self._missing)])}")
        owner.children.send(f"stacks {number}")

    def take(self, child: Child, rest: str) -> None:
        """Pass on what a worker has answered."""
        number, answer = json.loads(rest)
        if number == self._number and self._missing.pop(child.pid, None) is not None:
            self._pass_on(child, {"running": answer, "dump": "", "state": ""})

    def advance(self, now: float) -> None:
        """If it is time, have the stacks of those dumped that do not answer, or pass on what they have dumped."""
        if self.next_time is None or now < self.next_time:
            return
        members = self._supervisor.fleet.members
        missing = [child for child in self._missing.values() if child.pid in members]
        if not missing:
            self.next_time = None
            return
        self.next_time = now + DUMP_TIME
        if now < self._dumped_at:
            self._dumped_at = now
            for child in missing:
                if not is_stopped(child.pid):  # else it would write them when it goes on
                    child.dump.ask(child.pid)
            return
        for child in missing:
            why = state(child)
            if why == STOPPED or child.dump.is_whole() or now > self._dumped_at + LONGEST_TIME:
                del self._missing[child.pid]
                running, others = dumped(child, "" if why == STOPPED else child.dump.take())
                self._pass_on(child, {"running": running, "dump": others, "state": why})

    def _pass_on(self, child: Child, found: dict[str, object]) -> None:
        """Send the status process what is known of one worker."""
        line = json.dumps([self._number, child.pid, {"worker": child.position, **found}])
        self._supervisor.status_process.send(f"stacks {line}")
