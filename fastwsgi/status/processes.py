"""Memory and CPU time of processes, from /proc, where every user may read them; elsewhere there are none."""

from __future__ import annotations

from fastwsgi.originals import os

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


def memory_and_cpu(pid: int) -> tuple[int, float]:
    """The resident bytes of a process and the seconds of CPU that it has used; zeros if it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    except OSError:
        return 0, 0.0
    try:
        text = os.read(fd, 4096)
    except OSError:  # it has ended meanwhile
        return 0, 0.0
    finally:
        os.close(fd)
    # proc(5): the second field is the name in parentheses, and may itself have some; utime is the 14th, rss the 24th
    fields = text[text.rindex(b")") + 2 :].split()
    return int(fields[21]) * _PAGE, (int(fields[11]) + int(fields[12])) / _TICK
