"""What a process makes of itself as its settings say: title, user and group, environment variables."""

from __future__ import annotations

import os
from typing import Any

from fastwsgi.process import identity


def ids_of_workers(settings: Any) -> tuple[int, int] | None:
    """The user and group IDs that workers take, or None if they keep theirs. Raises Mistake."""
    if settings.user is None and settings.group is None:
        return None
    uid, gid = (os.geteuid(), os.getegid()) if settings.user is None else identity.resolve_user(settings.user)
    return uid, gid if settings.group is None else identity.resolve_group(settings.group)


def become_worker(settings: Any) -> None:
    """Take the title, and the user and group, that the settings give to workers."""
    take_title("worker", settings)
    ids = ids_of_workers(settings)
    if ids is not None:
        identity.drop_privileges(*ids)


def take_title(role: str, settings: Any) -> None:
    """Show in the process list what this process is."""
    name = f" [{settings.proc_name}]" if settings.proc_name else ""
    identity.set_title(f"fastwsgi: {role}{name}")


def set_environment(settings: Any) -> None:
    """Set the variables that the settings ask for."""
    for assignment in settings.env:
        name, _, value = assignment.partition("=")
        os.environ[name] = value
