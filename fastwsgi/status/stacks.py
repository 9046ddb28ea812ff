"""The stacks of the requests that run, asked for by clients of the status address, and answered by the workers.

The status process asks the supervisor, which asks all workers. Whatever number of clients want to know, that is done
at most once a second, and each of them waits at most a second: a worker in which a C call holds the GIL cannot answer,
and what is known of it comes later than the answers of others.
"""

from __future__ import annotations

from typing import Any, Callable

from fastwsgi.originals import threading, time
from fastwsgi.status.escapes import printable

PATIENCE = 1.0  # seconds
FRESH = 1.0  # seconds for which an answer is given again
MOST_WAITING = 2  # clients that wait, each in a thread of the status process

Found = dict[int, dict[str, Any]]
"""For each process ID what process/stack_inquiry.py passes on: worker, running, dump (its other threads) and state."""


class Inquiry:
    """The inquiries, one after another.

    Args:
        ask: begins one, and is given its number; expect() and take() follow in another thread.
    """

    def __init__(self, ask: Callable[[int], None]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0
        self._number = 0
        self._begun = float("-inf")
        self._missing: set[int] | None = None  # None: it is not known yet who is asked
        self._found: Found = {}

    def stacks(self) -> str | None:
        """The stacks as text; None if too many wait for them."""
        with self._lock:
            if self._waiting >= MOST_WAITING:
                return None
            self._waiting += 1
            try:
                self._wait(time.monotonic())
            finally:
                self._waiting -= 1
            return as_text(self._found, sorted(self._missing or ()))

    def _wait(self, now: float) -> None:
        if now >= self._begun + FRESH:
            self._number += 1
            self._begun, self._missing, self._found = now, None, {}
            self._ask(self._number)
        left = max(0.0, self._begun + PATIENCE - now)
        self._changed.wait_for(lambda: self._missing is not None and not self._missing, left)

    def expect(self, number: int, pids: list[int]) -> None:
        """The workers *pids* have been asked."""
        with self._lock:
            if number == self._number:
                self._missing = set(pids)
                self._changed.notify_all()

    def take(self, number: int, pid: int, found: dict[str, Any]) -> None:
        """The worker *pid* has answered, or its threads were dumped."""
        with self._lock:
            if number == self._number and self._missing is not None:
                self._missing.discard(pid)
                self._found[pid] = found
                self._changed.notify_all()


def as_text(found: Found, missing: list[int]) -> str:
    """All requests, oldest first, then the workers that did not answer."""
    calls = [(call, pid, one["worker"], one["state"]) for pid, one in found.items() for call in one["running"]]
    parts = [_call(*one) for one in sorted(calls, key=lambda one: -one[0]["seconds"])]
    for pid, one in found.items():
        name = f"worker {one['worker']} (pid {pid}) {one['state']}"
        if one["dump"]:
            parts.append(f"{name}; its {'other ' if one['running'] else ''}threads are at:\n{one['dump']}")
        elif one["state"] and not one["running"]:
            parts.append(name)
    if missing:
        parts.append("nothing is known of the processes " + ", ".join(map(str, missing)))
    return "\n\n".join(parts) if parts else "no request runs"


def _call(call: dict[str, Any], pid: int, worker: int, state: str) -> str:
    name = f", request {call['request_id']}" if call["request_id"] else ""
    where = f"worker {worker} (pid {pid}), thread {call['thread']}{name}"
    where += f", which {state}" if state else ""
    head = printable(f"{call['name']} has run for {call['seconds']:.1f} s in {where}".encode("utf-8", "replace"))
    return f"{head}\n{call['stack']}"
