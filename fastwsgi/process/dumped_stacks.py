"""The stacks of a worker that cannot say them itself: the calls in its memory, and what its threads have dumped.

A call is known by the native ID of its thread, a dump by the other one that Python has. Each worker tells which belong
together (Worker._tell_threads()); a thread that was started in the last moment is not known yet.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from fastwsgi.originals import time
from fastwsgi.status.calls import of_worker, read
from fastwsgi.status.processes import is_stopped

if TYPE_CHECKING:
    from fastwsgi.process.spawn import Child
    from fastwsgi.server.stacks import RunningStack

STOPPED = "is stopped (SIGSTOP)"
SILENT = "does not answer"
OURS = str(Path(__file__).parent.parent)
HEAD = re.compile(r"(?:Current thread|Thread) 0x([0-9a-f]+)")
FRAME = re.compile(r'  File "(.*)", line ([0-9?]+) in (.*)')


def state(child: Child) -> str:
    """Why *child* says nothing."""
    return STOPPED if is_stopped(child.pid) else SILENT


def dumped(child: Child, dump: str) -> tuple[list[RunningStack], str]:
    """The requests that run in *child* with their stacks from *dump*, and its other threads but those that wait."""
    words, now = child.slot.words, time.monotonic_ns()
    everything = _threads(dump)
    found: list[RunningStack] = []
    for call in of_worker(words, child.slot.bases):
        one = read(words, call)
        if one is not None:
            stack, seconds = everything.pop(child.threads.get(one.thread, 0), ""), call.age(now) / 10**9
            identifier = one.identifier
            found.append(
                {"name": one.name, "request_id": identifier, "seconds": seconds, "thread": one.thread, "stack": stack}
            )
    threads = {ident: stack for ident, stack in everything.items() if not (found and _is_idle(stack))}
    without = [one for one in found if not one["stack"]]
    if len(without) == len(threads) == 1:
        without[0]["stack"] = threads.popitem()[1]
    for running in found:
        running["stack"] = running["stack"] or ("(one of the other threads)" if threads else "(nothing is known of it)")
    return found, "\n\n".join(f"Thread {ident:#x}:\n{stack}" for ident, stack in threads.items())


def _threads(dump: str) -> dict[int, str]:
    """The stacks in *dump* by thread, the most recent call last, as a traceback has it."""
    found: dict[int, str] = {}
    for block in dump.split("\n\n"):
        head, _, frames = block.strip("\n").partition("\n")
        match = HEAD.match(head)
        if match is not None:
            lines = [FRAME.sub(r'  File "\1", line \2, in \3', line) for line in frames.split("\n")]
            found[int(match[1], 16)] = "\n".join(reversed(lines))
    return found


def _is_idle(stack: str) -> bool:
    """Whether a thread is in the server's code, and waits there."""
    files = re.findall(r'File "(.*)", line', stack)
    while files and files[-1].endswith("/threading.py"):
        files.pop()
    return bool(files) and files[-1].startswith(OURS)
