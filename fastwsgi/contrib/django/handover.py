"""What `manage.py fastwsgi` hands to the command that it becomes: a command line, sys.path and the time zone."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from typing import Any

from django.conf import settings

from fastwsgi.contrib.django.options import for_fastwsgi
from fastwsgi.originals import os
from fastwsgi.settings.arguments import Arguments
from fastwsgi.settings.sources import Configuration

APPLICATION = "fastwsgi.contrib.django.serving:make_application"


def command_line(given: Arguments, read: Configuration, options: dict[str, Any]) -> list[str]:
    """The interpreter and its arguments.

    Args:
        given: the command line of this process, complete.
        read: what that, the environment and a file configure.
        options: Django's.
    """
    wanted = [("static=False", options["nostatic"]), ("insecure=True", options["insecure"])]
    wanted.append(("reload=True", given.flags.get("reload")))
    call = ", ".join(argument for argument, is_wanted in wanted if is_wanted)
    interpreter = [sys.executable, *subprocess._args_from_interpreter_flags()]  # type: ignore[attr-defined]
    folders = [one for one in added_folders(interpreter) if one not in read.settings.pythonpath]
    flags = dict(given.flags)
    if folders:
        flags["pythonpath"] = ",".join([*folders, *read.settings.pythonpath])
    config = [f"--config={given.config}"] if given.config is not None else []
    commands = [f"--{name}" for name in sorted(given.commands)]
    return [*interpreter, "-m", "fastwsgi", f"{APPLICATION}({call})", *config, *commands, *for_fastwsgi(flags)]


def added_folders(interpreter: list[str]) -> list[str]:
    """The folders on sys.path that an *interpreter* would not have: that of manage.py, and what it has added."""
    program = "import sys; print(*sys.path, sep='\\0', end='')"
    fresh = subprocess.run([*interpreter, "-c", program], stdout=subprocess.PIPE, check=True, text=True).stdout
    known = {os.path.abspath(one) for one in fresh.split("\0")}
    return [one for one in map(os.path.abspath, sys.path) if one not in known and os.path.exists(one)]


def leave_time_zone() -> None:
    """Take back that Django has put TIME_ZONE into TZ: our logs are written in the system's, as the command's are."""
    if settings.TIME_ZONE and os.environ.get("TZ") == settings.TIME_ZONE:
        del os.environ["TZ"]
        with suppress(OSError), open("/proc/self/environ", "rb") as file:  # as it was at the start
            for one in file.read().split(b"\0"):
                if one.startswith(b"TZ="):
                    os.environ["TZ"] = os.fsdecode(one[len(b"TZ=") :])
