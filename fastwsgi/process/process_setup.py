"""What a process sets for itself: its title in the process list, environment variables, directory and umask."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fastwsgi.mistakes import current_directory
from fastwsgi.originals import os
from fastwsgi.records import NamedTuple

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings


def set_title(kind: str, settings: Settings) -> None:
    """Show *kind*, "supervisor" or "worker", in the process list, if the package setproctitle is installed."""
    try:
        from setproctitle import setproctitle
    except ImportError:
        return
    name = f" [{settings.proc_name}]" if settings.proc_name else ""
    setproctitle(f"fastwsgi: {kind}{name}")


def set_environment(settings: Settings) -> None:
    """Set the environment variables that the settings ask for."""
    for assignment in settings.env:
        name, _, value = assignment.partition("=")
        os.environ[name] = value


def directory(otherwise: str) -> str:
    """The current directory, or *otherwise* if that has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return otherwise


def return_to(directory: str) -> None:
    """Enter *directory* again if the current one has been removed: a deployment may have made it anew."""
    try:
        os.getcwd()
    except OSError:
        with contextlib.suppress(OSError):
            os.chdir(directory)


class Surroundings(NamedTuple):
    """The directory and the umask, which an application may change for itself."""

    directory: str
    umask: int

    def enter(self) -> None:
        """Change to these, but stay in the directory if the other one has been removed."""
        with contextlib.suppress(OSError):
            os.chdir(self.directory)
        os.umask(self.umask)


def surroundings() -> Surroundings:
    """Those of this process now. Raises Mistake if the directory has been removed."""
    umask = os.umask(0o077)
    os.umask(umask)
    return Surroundings(current_directory(), umask)
