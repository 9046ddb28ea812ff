"""What a process sets for itself by its settings: its title in the process list, environment variables."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

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
