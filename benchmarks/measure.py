"""What a server costs: CPU time, waits and memory of all its processes, as Linux accounts them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
REST_SECONDS = 1  # a server that is not at rest by then never is
LOOK_SECONDS = 0.01
IDLE = 0.0005  # CPU seconds in LOOK_SECONDS that are no work

PROCESS_CLOCK = 2  # CPUCLOCK_SCHED: what clock_getcpuclockid(3) makes of a process ID

# Positions in /proc/PID/stat after the command's name, see proc_pid_stat(5).
SESSION = 3
CHILDREN = slice(13, 15)  # user and system time of children already waited for


def cores() -> tuple[int, int]:
    """The CPU core for the client and the one for the server; the same one if there is no second."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def cpu_seconds(session: int) -> float:
    """User and system time spent so far by the processes of a session and by their dead children.

    That of the living is the kernel's clock of each, in nanoseconds; that of the dead is told in ticks of 10 ms only.
    """
    spent = 0.0
    for pid, fields in stats(session).items():
        with contextlib.suppress(OSError):  # it has ended
            spent += time.clock_gettime(~pid << 3 | PROCESS_CLOCK)
        spent += sum(map(int, fields[CHILDREN])) / TICKS_PER_SECOND
    return spent


def cpu_seconds_at_rest(session: int) -> float:
    """The same, once the session has nothing more to do; after REST_SECONDS if it always has."""
    deadline = time.monotonic() + REST_SECONDS
    before, spent = -1.0, cpu_seconds(session)
    while spent - before > IDLE and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        before, spent = spent, cpu_seconds(session)
    return spent


def waits(session: int) -> int:
    """How often threads of a session gave up the processor to wait for something, so far."""
    found = 0
    for pid in stats(session):
        for path in (PROC / str(pid)).glob("task/[0-9]*/status"):
            with contextlib.suppress(OSError):
                found += int(path.read_text().partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return found


def pss_mib(session: int, leader: bool = True) -> float:
    """Proportional set size of a session in MiB: a page shared by n processes counts as 1/n of it.

    Args:
        leader: whether the process that began the session counts, too.
    """
    kib = 0
    for pid in stats(session):
        if pid == session and not leader:
            continue
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


def steal_seconds() -> float:
    """Time the hypervisor has given to others so far while this machine had work to do, on all cores."""
    with open(PROC / "stat") as file:
        return int(file.readline().split()[8]) / TICKS_PER_SECOND


def stats(session: int) -> dict[int, list[str]]:
    """The fields of /proc/PID/stat, without pid and name, of each process in a session."""
    found = {}
    for path in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[SESSION]) == session:
                found[int(path.parent.name)] = fields
    return found
