"""The ends of child processes: their wait statuses, in words and as exit codes."""

from __future__ import annotations

from collections.abc import Iterator

from fastwsgi.originals import os, signal


def reap_children() -> Iterator[tuple[int, int]]:
    """Process ID and wait status of each child that has ended, including orphans that PID 1 inherits."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, status


def describe_exit(status: int) -> str:
    """The meaning of a wait status, as the end of a sentence that begins with the process."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        hint = "; was memory short?" if number == signal.SIGKILL else ""
        return f"was killed by {name}{hint}"
    return f"ended with exit code {os.WEXITSTATUS(status)}"


def exit_code(status: int) -> int:
    """The code to exit with after the unexpected end of a process with *status*; never 0."""
    return (os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)) or 1
