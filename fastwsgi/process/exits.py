"""The ends of child processes: their wait statuses, in words and as exit codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fastwsgi.originals import os, signal

ANY = -1


def reap_children(known: Iterable[int]) -> Iterator[tuple[int, int, float]]:
    """Each child that has ended, of those *known*, which are process IDs, or ANY for all.

    Yields:
        Its process ID, its wait status, and the seconds of CPU that it has used.
    """
    for one in known:
        try:
            while (ended := os.wait4(one, os.WNOHANG))[0]:
                pid, status, usage = ended
                yield pid, status, usage.ru_utime + usage.ru_stime
        except ChildProcessError:
            pass


def others_wait() -> bool:
    """Whether this process has children for which somebody else in it may wait.

    A program that calls serve() may have some, a hook, or an application that is loaded before the fork: their wait()
    would fail if such a child was reaped here. PID 1 has to reap the orphans that it inherits all the same.
    """
    if os.getpid() == 1:
        return False
    if not hasattr(os, "waitid"):  # on macOS, Python has it since 3.13
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def describe_exit(status: int, calls: Sequence[str] = ()) -> str:
    """The meaning of a wait status, as the end of a sentence that begins with the process.

    Args:
        status: of wait().
        calls: what ran in it; the first is named.
    """
    more = f" and {len(calls) - 1} more" if len(calls) > 1 else ""
    where = f", in {calls[0]}{more}" if calls else ""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        hint = "; was memory short?" if number == signal.SIGKILL else ""
        return f"was killed by {name}{where}{hint}"
    return f"ended with exit code {os.WEXITSTATUS(status)}{where}"


def exit_code(status: int) -> int:
    """The code to exit with after the unexpected end of a process with *status*; never 0."""
    return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)) or 1
