"""The options of `manage.py fastwsgi`: those of the command fastwsgi, runserver's beside them, and Django's for all."""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.runserver import naiveip_re

from fastwsgi.originals import socket
from fastwsgi.settings.arguments import Arguments, House
from fastwsgi.settings.options import Option
from fastwsgi.settings.settings import SETTINGS

GROUP = "Django"
RUNSERVERS = (
    Option(("-6", "--ipv6"), "use_ipv6", help="listen on an IPv6 address: ::1 if there is only a port", group=GROUP),
    Option(("--noreload",), "noreload", help="do not restart when a file changes, as with DEBUG", group=GROUP),
    Option(("--nostatic",), "nostatic", help="do not have staticfiles serve STATIC_URL, as with DEBUG", group=GROUP),
    Option(("--insecure",), "insecure", help="have staticfiles serve STATIC_URL without DEBUG, too", group=GROUP),
    Option(("--skip-checks",), "skip_checks", help="skip the system checks", group=GROUP),
)
DJANGOS = (
    Option(("--settings",), "settings", 1, help="module of the settings", metavar="MODULE", group=GROUP),
    Option(("--pythonpath",), "pythonpath", 1, help="directory to import from first", metavar="DIR", group=GROUP),
    Option(("-v", "--verbosity"), "verbosity", 1),
    Option(("--traceback",), "traceback"),
    Option(("--no-color",), "no_color"),
    Option(("--force-color",), "force_color"),
)
HOUSE = House(
    "manage.py fastwsgi",
    "Serve the project: in development as runserver does, and in production.",
    (*RUNSERVERS, *DJANGOS),
    ("ADDRPORT", "port, or address:port as runserver takes it: 8001, 0:8000, [::1]:8000 (default 8000)"),
)


def for_django(arguments: Arguments) -> list[str]:
    """The part of a command line that Django's own parser reads."""
    flags = {option.name: option for option in HOUSE.options}
    words = [arguments.app] if arguments.app is not None else []
    given = [(flags[name], value) for name, value in arguments.own.items()]
    return [f"{one.flags[-1]}={value}" if one.nargs else one.flags[-1] for one, value in given] + words


def for_fastwsgi(flags: dict[str, Any]) -> list[str]:
    """The command line that gives the settings *flags*."""
    found = []
    for name, value in flags.items():
        setting = SETTINGS.get(name)
        if setting is not None and isinstance(value, bool):
            found.append(setting.flag if value else setting.opposite)
            continue
        flag = setting.flag if setting is not None else f"--{name.replace('_', '-')}"
        found += [f"{flag}={one}" for one in (value if isinstance(value, (list, tuple)) else [value])]
    return found


def address(addrport: str, ipv6: bool) -> str:
    """The address to bind that *addrport* means to runserver. Raises CommandError, with runserver's words."""
    match = re.match(naiveip_re, addrport)
    if match is None:
        raise CommandError(f'"{addrport}" is not a valid port number or address:port pair.')
    host, _, is_ipv6, name, port = match.groups()
    if host and ipv6 and not (is_ipv6 or name):
        raise CommandError(f'"{host}" is not a valid IPv6 address.')
    if not host:
        host = "[::1]" if ipv6 else "127.0.0.1"
    elif host == "0":
        host = "[::]" if ipv6 else "0.0.0.0"
    elif ipv6 and name:
        host = f"[{_resolved(name)}]"
    return f"{host}:{port}"


def _resolved(name: str) -> str:
    """The IPv6 address of *name*. Raises CommandError."""
    try:
        return str(socket.getaddrinfo(name, None, socket.AF_INET6)[0][4][0])
    except OSError as error:
        raise CommandError(f"{name} has no IPv6 address: {error.strerror}") from None
