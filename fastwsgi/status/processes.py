"""Memory and CPU time of processes, as every user may ask for them on Linux; elsewhere there are none."""

from __future__ import annotations

import sys

from fastwsgi.originals import os, time

KEPT = 0.9  # seconds: to ask the kernel for the memory of a process costs more than all else that is read of it
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Memory:
    """Asks how much memory processes have, each about once a second."""

    def __init__(self) -> None:
        self._asked: dict[int, int] = {}
        self._until = 0.0

    def of(self, pid: int) -> int:
        """The resident bytes of a process; 0 if it is gone."""
        now = time.monotonic()
        if now >= self._until:
            self._asked.clear()
            self._until = now + KEPT
        if pid not in self._asked:
            self._asked[pid] = _resident(pid)
        return self._asked[pid]


def _resident(pid: int) -> int:
    try:
        fd = os.open(f"/proc/{pid}/statm", os.O_RDONLY)
    except OSError:
        return 0
    try:
        return int(os.read(fd, 4096).split()[1]) * _PAGE  # proc(5)
    except (OSError, IndexError):  # it has ended meanwhile
        return 0
    finally:
        os.close(fd)


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped, by SIGSTOP or a debugger."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(4096).rpartition(b")")[2].split()[0] in (b"T", b"t")  # proc(5)
    except (OSError, IndexError):  # it has ended, or this is no Linux
        return False


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used; 0.0 if it is gone."""
    if sys.platform != "linux" or pid <= 0:
        return 0.0
    try:
        return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3), which Python has not; 2 is CPUCLOCK_SCHED
    except OSError:
        return 0.0
