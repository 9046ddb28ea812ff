"""The front door of the subcommands, which look at a running service and change nothing of it: top and stacks.

The server is not imported for them, as they are wanted at once and where it may be in trouble.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

from fastwsgi.mistakes import UsageError, current_directory
from fastwsgi.notices import to_stderr
from fastwsgi.originals import os
from fastwsgi.records import record
from fastwsgi.settings.options import HELP, Option, read
from fastwsgi.settings.subcommands import ADDRESS_HELP, SUBCOMMANDS, Flag, Subcommand
from fastwsgi.status import top
from fastwsgi.status.client import Service
from fastwsgi.status.escapes import ascii_text
from fastwsgi.status.where import find

CALLABLE = re.compile(r"^(?:application|app)\s*[:=]|^def (?:application|app)\b", re.MULTILINE)
MOST = 1 << 16  # bytes of a module that are looked at


def run(argv: Sequence[str]) -> int:
    """Carry out the subcommand that *argv* begins with; the exit code. Raises Mistake."""
    name, *rest = argv
    if hint := namesake(name):
        to_stderr(hint)
    arguments = parse(SUBCOMMANDS[name], rest)
    try:
        return carry_out(name, arguments)
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


@record
class Arguments:
    """What the command line of a subcommand says; *flags* are the names of options with their values."""

    address: str | None
    flags: dict[str, Any]


def carry_out(name: str, arguments: Arguments) -> int:
    """Carry out the subcommand *name*; the exit code. Raises Mistake."""
    flags = arguments.flags
    seconds = interval(flags.get("interval")) if name == "top" else 0.0
    service = Service(find(arguments.address, flags.get("config"), current_directory()))
    if name == "stacks":
        print(ascii_text(service.stacks(), keeps_lines=True), end="", flush=True)
        return 0
    if "json" in flags:
        return top.print_document(service)
    return top.once(service) if "once" in flags else top.show(service, seconds)


def parse(subcommand: Subcommand, argv: Sequence[str]) -> Arguments:
    """The command line of a subcommand. Raises UsageError; SystemExit after --help, which it prints."""
    command = f"fastwsgi {subcommand.name}"
    options = [HELP, *(_option(flag) for flag in subcommand.flags)]
    found = Arguments(None, {})
    for option, flag, value in read(argv, options, f"see {command} --help"):
        if option is HELP:
            from fastwsgi.settings import help

            purpose = f"{subcommand.help[0].upper()}{subcommand.help[1:]}."
            print(help.page(command, purpose, options, ("ADDRESS", ADDRESS_HELP), subcommand.more), end="")
            raise SystemExit(0)
        if option is not None:
            found.flags[option.name] = value
        elif flag or found.address is not None:
            name = subcommand.name
            problem = f"unknown option {flag}" if flag else f"one address only, and not {value}"
            raise UsageError(f"{problem}; see {command} --help. The module {name} is {name}:application")
        else:
            found.address = str(value)
    return found


def _option(flag: Flag) -> Option:
    return Option(flag.names, flag.names[-1][2:], 1 if flag.metavar else 0, help=flag.help, metavar=flag.metavar)


def interval(text: str | None) -> float:
    """The seconds that *text* says. Raises UsageError."""
    try:
        seconds = float(text or 1)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:  # neither nan
        raise UsageError(f"--interval {text!r} must be seconds, from 0.1 to 3600")
    return seconds


def namesake(name: str) -> str:
    """A line for whoever meant the module of that name in the current directory; "" if there is none to serve."""
    try:
        with open(os.path.join(current_directory(), f"{name}.py"), encoding="utf-8", errors="replace") as file:
            found = CALLABLE.search(file.read(MOST))
    except OSError:
        return ""
    attribute = "app" if found and "app" in found[0] and "application" not in found[0] else "application"
    return f"fastwsgi: {name} is a command here; to serve {name}.py: fastwsgi {name}:{attribute}" if found else ""
