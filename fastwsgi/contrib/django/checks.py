"""The checks that runserver makes before it serves, with its words: system checks, and migrations not applied yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import connections


def run_checks(command: Any = None, skip: bool = False) -> None:
    """Make them.

    Args:
        command: the django.core.management.BaseCommand that prints; one without colours if there is none.
        skip: leave the system checks out.

    Raises:
        SystemCheckError: there are errors.
    """
    command = command or BaseCommand(no_color=True)
    if not skip:
        command.stdout.write("Performing system checks...\n\n")
        command.check(display_num_errors=True)
    command.check_migrations()
    connections.close_all()
    command.stdout.flush()
