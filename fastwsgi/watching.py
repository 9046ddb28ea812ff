"""The front door of the subcommands, which look at a running service and change nothing of it: top and stacks.

The server is not imported for them, as they are wanted at once and where it may be in trouble.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from fastwsgi.mistakes import UsageError, current_directory
from fastwsgi.notices import to_stderr
from fastwsgi.originals import os
from fastwsgi.settings.arguments import Parser
from fastwsgi.settings.subcommands import ADDRESS_HELP, SUBCOMMANDS, Subcommand
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


def carry_out(name: str, arguments: argparse.Namespace) -> int:
    """Carry out the subcommand *name*; the exit code. Raises Mistake."""
    seconds = interval(arguments.interval) if name == "top" else 0.0
    service = Service(find(arguments.address, arguments.config, current_directory()))
    if name == "stacks":
        print(ascii_text(service.stacks(), keeps_lines=True), end="", flush=True)
        return 0
    if arguments.json:
        return top.print_document(service)
    return top.once(service) if arguments.once else top.show(service, seconds)


def parse(subcommand: Subcommand, argv: Sequence[str]) -> argparse.Namespace:
    """The options of a subcommand, and *address*, None if there is none. Raises UsageError."""
    parser = make_parser(subcommand)
    arguments, extra = parser.parse_known_args(argv)
    if extra:
        name = subcommand.name
        problem = "unknown option" if extra[0].startswith("-") else "one address only, and not"
        raise UsageError(f"{problem} {extra[0]}; see fastwsgi {name} --help. The module {name} is {name}:application")
    return arguments


def make_parser(subcommand: Subcommand) -> Parser:
    """The parser of a subcommand's options."""
    parser = Parser(
        prog=f"fastwsgi {subcommand.name}",
        usage=f"fastwsgi {subcommand.name} [OPTIONS] [ADDRESS]",
        description=f"{subcommand.help[0].upper()}{subcommand.help[1:]}.",
        epilog=subcommand.more,
        allow_abbrev=False,
    )
    parser.add_argument("address", metavar="ADDRESS", nargs="?", help=ADDRESS_HELP)
    for flag in subcommand.flags:
        if flag.metavar:
            parser.add_argument(*flag.names, metavar=flag.metavar, help=flag.help)
        else:
            parser.add_argument(*flag.names, action="store_true", help=flag.help)
    return parser


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
