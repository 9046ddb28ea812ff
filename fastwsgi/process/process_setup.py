"""What a process sets for itself as its settings say: umask, title in the process list, environment variables."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from fastwsgi.mistakes import Mistake

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings


def set_umask(text: str) -> None:
    """Set the mode bits, in octal, that new files do not get. Raises Mistake if that is no mode."""
    os.umask(read_mode("--umask", text))


def read_mode(flag: str, text: str) -> int:
    """A file mode in octal, such as 022 or 0o660. Raises Mistake, which names *flag*."""
    if not re.fullmatch("(0o)?[0-7]{1,4}", text) or int(text, 8) > 0o777:
        raise Mistake(f"{flag} {text} is no mode: write it in octal, from 0 to 777, such as 022")
    return int(text, 8)


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
