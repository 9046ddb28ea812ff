"""The number of CPUs that this process may use, for `--workers auto`.

It is the least of three: the CPUs of the machine, those that the affinity mask leaves (taskset, cpusets), and the time
quota of the control group (`docker run --cpus`), which a container's runtime sets in the unified hierarchy (v2) or
the older one (v1). A quota of one and a half CPUs counts as two: rounded down, half a CPU would be idle.
"""

from __future__ import annotations

import math
from pathlib import Path

from fastwsgi.originals import os

PROC = Path("/proc/self")
CGROUPS = Path("/sys/fs/cgroup")


def available() -> int:
    """The number of CPUs that may be used, at least 1."""
    allowed = quota()
    usable = affinity()
    return usable if allowed is None else max(1, min(usable, math.ceil(allowed)))


def affinity() -> int:
    """The number of CPUs on which this process may be scheduled."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quota(proc: Path = PROC, root: Path = CGROUPS) -> float | None:
    """The CPUs that the control groups of this process grant, or None if they set no limit.

    Args:
        proc: the process's directory in /proc.
        root: where the control groups are mounted.
    """
    found = [limit for group in groups(proc, root) if (limit := _limit(group)) is not None]
    return min(found, default=None)


def groups(proc: Path, root: Path) -> list[Path]:
    """The directories of the process's control groups that may limit its CPU time, with those above them."""
    try:
        lines = (proc / "cgroup").read_text().splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            found += _upwards(root, path)
        elif "cpu" in controllers.split(","):
            found += _upwards(root / controllers, path) + _upwards(root / "cpu", path)
    return found


def _upwards(mount: Path, path: str) -> list[Path]:
    """A group and those that contain it. In a container, the path may be the host's, which does not exist there."""
    inner = mount / path.strip("/")
    return [inner, *(parent for parent in inner.parents if mount == parent or mount in parent.parents)]


def _limit(group: Path) -> float | None:
    """The limit that the files of one group set, in CPUs."""
    try:
        most, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            most = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        return int(most) / int(period) if int(most) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return None
