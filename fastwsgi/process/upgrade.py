"""SIGUSR2: a new binary, with new code and a new interpreter, beside the old one and on the same sockets.

Both serve until one of them is ended with SIGTERM: the old one if the new one does well, or else the new one, and
nothing has changed. nginx and gunicorn do the same.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fastwsgi import forks
from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, signal
from fastwsgi.process import exits
from fastwsgi.process.sockets import HANDED_OVER
from fastwsgi.process.succession import Succession

if TYPE_CHECKING:
    from fastwsgi.process.interfaces import UpgradingSupervisor

PREDECESSOR = "FASTWSGI_PREDECESSOR"  # the variable with the process that has handed over its sockets
OLD = ".oldbin"  # added to the name of the old process's PID file


class Upgrade:
    """The relation of *supervisor* to its predecessor and its successor, if it has them.

    Attributes:
        successor: its process ID; 0 if there is none.
        succession: tells who answers at the status address.
    """

    def __init__(self, supervisor: UpgradingSupervisor) -> None:
        self._supervisor = supervisor
        self._predecessor = int(os.environ.pop(PREDECESSOR, "0"))
        self.succession = Succession()
        self.successor = 0

    @property
    def is_alone(self) -> bool:
        """Whether no other supervisor serves on the same sockets."""
        return not self.successor and not self.predecessor

    @property
    def predecessor(self) -> int:
        """The process ID of the supervisor that has started this one, while it runs; else 0."""
        return self._predecessor if os.getppid() == self._predecessor else 0

    def begin(self) -> None:
        """Start the successor, unless there is one."""
        owner = self._supervisor
        if self.successor:
            error_log.warning("no upgrade: process %d is on its way already", self.successor)
            return
        self._rename_pid_file(OLD)
        self.succession.begin()
        try:
            with forks.sparing(owner):
                pid = os.fork()
        except OSError as error:
            self._give_up(f"cannot be forked: {error.strerror}")
            return
        if pid == 0:
            self._execute()
        self.successor = pid
        owner.news.upgrading(f"process {pid} starts")
        error_log.info("upgrade: process %d starts; end this one, %d, when that serves well", pid, owner.pid)

    def _execute(self) -> None:
        """In the child, run the same command in a new interpreter."""
        try:
            self._supervisor.hooks.pre_exec(self._supervisor.view)
            os.environ[HANDED_OVER] = self._supervisor.listeners.hand_over()
            self._supervisor.status_process.hand_over()
            self.succession.hand_over()
            os.environ[PREDECESSOR] = str(os.getppid())
            if "WATCHDOG_PID" in os.environ:
                os.environ["WATCHDOG_PID"] = str(os.getpid())
            os.chdir(self._supervisor.deployment.directory)
            signal.set_wakeup_fd(-1)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            command = command_line()
            os.execv(command[0], command)
        except BaseException as error:
            error_log.error("the new binary cannot be started: %s", error)
        finally:
            os._exit(1)

    def handle_exit(self, status: int) -> None:
        """Be alone again, after the successor has ended."""
        self.successor = 0
        self._give_up(exits.describe_exit(status))

    def _give_up(self, reason: str) -> None:
        self._rename_pid_file("")
        self._supervisor.news.upgrading(f"given up, this process goes on: the new one {reason}", is_bad=True)
        error_log.error("the upgrade is given up, this process goes on: the new one %s", reason)

    def _rename_pid_file(self, suffix: str) -> None:
        owner = self._supervisor
        if owner.pid_file is not None and owner.settings.pid is not None:
            owner.pid_file.rename(owner.settings.pid + suffix)


def command_line() -> list[str]:
    """The interpreter and the arguments with which this process was started."""
    original = getattr(sys, "orig_argv", None)  # Python 3.10
    if original:
        return [sys.executable, *original[1:]]
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None:
        return [sys.executable, *sys.argv]
    name = spec.name[: -len(".__main__")] if spec.name.endswith(".__main__") else spec.name
    return [sys.executable, "-m", name, *sys.argv[1:]]
