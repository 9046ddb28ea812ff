"""Warnings at the start: application code would run as root, or --reload, which is for development, in public."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fastwsgi.http.peers import LOOPBACK
from fastwsgi.observe.logs import error_log
from fastwsgi.originals import os, socket

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings

# Files that container engines make below /: Docker, Podman, and the others by systemd's Container Interface
MARKS = (".dockerenv", "run/.containerenv", "run/systemd/container")
VARIABLES = ("container", "KUBERNETES_SERVICE_HOST")


def warn(settings: Settings, worker: tuple[int, int] | None) -> None:
    """Log the line of warning(), if there is one."""
    line = warning(settings, worker)
    if line:
        error_log.warning(line)


def warn_of_reload(settings: Settings, listeners: Iterable[socket.socket]) -> None:
    """Log one line where --reload can be reached from other machines."""
    if settings.reload and any(_is_public(listener) for listener in listeners):
        error_log.warning("--reload is for development, and this address can be reached from other machines")


def _is_public(listener: socket.socket) -> bool:
    is_internet = listener.family in (socket.AF_INET, socket.AF_INET6)
    return is_internet and listener.getsockname()[0] not in LOOPBACK


def warning(settings: Settings, worker: tuple[int, int] | None, contained: bool | None = None) -> str:
    """One line if the application gets root's rights, else "".

    Args:
        settings: preload is read.
        worker: the user and group of workers, from accounts.worker_ids().
        contained: whether root is only that of a container; None: find out.
    """
    if os.geteuid() != 0 or (is_contained() if contained is None else contained):
        return ""
    if worker is None or worker[0] == 0:
        return "the application runs as root, and a hole in it is one in the machine: give --user, or start as another"
    if settings.preload:
        return "--preload loads the application as root: leave it out, or start as the user"
    return ""


def is_contained(root: Path = Path("/"), environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process is in a container or a user namespace, where root is not the machine's."""
    if any((root / mark).exists() for mark in MARKS) or any(environ.get(name) for name in VARIABLES):
        return True
    try:
        users = (root / "proc/self/uid_map").read_text().split()
    except OSError:
        return False
    return users != ["0", "0", "4294967295"]  # user_namespaces(7): the first one maps all IDs to themselves
