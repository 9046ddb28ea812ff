"""The `fastwsgi` command.

Its options are made from the table of settings. Whatever the user got wrong ends in one line on standard
error and an exit code: 2 for the command line, 1 for the application or the addresses. The server itself
is imported late, so that help and mistakes come at once, and without it.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any, NoReturn

from fastwsgi.config import check, loader
from fastwsgi.config.mistakes import Mistake, UsageError, nearest
from fastwsgi.config.settings import SETTINGS, Setting, SettingError, Settings
from fastwsgi.version import VERSION

SEE_HELP = "see fastwsgi --help"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (default: the process's arguments) and return its exit code."""
    try:
        return run(parse(sys.argv[1:] if argv is None else argv))
    except Mistake as mistake:
        announce(f"{mistake.details}fastwsgi: {mistake}")
        return mistake.exit_code
    except KeyboardInterrupt:
        return 130


def run(arguments: argparse.Namespace) -> int:
    """Do what the arguments ask for: tell the version, check the application, or serve it."""
    if arguments.version:
        print(version_line())
        return 0
    if arguments.app is None:
        raise UsageError(f"say what to serve: MODULE:ATTR, such as shop.wsgi:application ({SEE_HELP})")
    settings = read_settings(arguments)
    app = loader.load(arguments.app, settings)
    if arguments.check:
        print_check(app, arguments.app, settings)
    else:
        serve(app, settings)
    return 0


def announce(text: str) -> None:
    """Write to standard error at once."""
    print(text, file=sys.stderr, flush=True)


def serve(app: loader.Application, settings: Settings) -> None:
    """Serve until a signal ends it. Raises Mistake if the build, an address or the log cannot be had."""
    loaded_build()
    from fastwsgi.process import worker
    from fastwsgi.server.listeners import BindError

    try:
        worker.run(app, settings, announce)
    except BindError as error:
        raise Mistake(str(error)) from None
    except OSError as error:
        if error.filename is None or error.filename != settings.access_logfile:
            raise
        raise Mistake(f"--access-logfile {error.filename}: {error.strerror}") from None


def print_check(app: loader.Application, name: str, settings: Settings) -> None:
    """Call the application once and print what would be served. Raises Mistake."""
    server = version_line()
    check_addresses(settings)
    status = check.call_once(app, name, settings)
    print(f"{name} ({type(app).__name__}) answers GET / with {status}")
    print(f"would be served on {', '.join(settings.bind)}")
    print(f"by {server}")


def check_addresses(settings: Settings) -> None:
    """Raise Mistake if an address to bind is not one."""
    from fastwsgi.server.listeners import BindError, split_address

    try:
        for address in settings.bind:
            if not address.startswith("unix:"):
                split_address(address)
    except BindError as error:
        raise Mistake(str(error)) from None


def version_line() -> str:
    """Return the versions that matter, and which build runs. Raises Mistake if it cannot be loaded."""
    build = loaded_build()
    versions = f"Python {platform.python_version()}, httptools {metadata.version('httptools')}"
    return f"fastwsgi {VERSION} ({build}), {versions}"


def loaded_build() -> str:
    """Load the modules that serve and say which build they are. Raises Mistake if that fails."""
    try:
        from fastwsgi.http import backend

        backend.current()
    except ImportError as error:
        raise Mistake(f"the server cannot be loaded: {error}") from None
    return backend.describe()


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError instead of printing the usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({SEE_HELP})")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; settings are left as text, and out if not given. Raises UsageError."""
    parser = make_parser()
    arguments, extra = parser.parse_known_args(argv)
    for text in extra:
        if text.startswith("-"):
            option = text.partition("=")[0]
            meant = nearest(option, (flag for flag in all_flags() if flag.startswith("--")))
            hint = f"did you mean {meant}?" if meant else SEE_HELP
            raise UsageError(f"unknown option {option}; {hint}")
    if extra:
        raise UsageError(f"one application only: {arguments.app}, and not {extra[0]} ({SEE_HELP})")
    return arguments


def make_parser() -> Parser:
    """Return the parser of the command line, with one option for each setting."""
    parser = Parser(
        prog="fastwsgi",
        usage="fastwsgi [OPTIONS] MODULE[:ATTR]",
        description="Serve a WSGI application over HTTP/1.1.",
        epilog="BYTES may end in K, M or G. SECONDS may have a fraction.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "app",
        metavar="MODULE[:ATTR]",
        nargs="?",
        help="the application; ATTR is application or app if left out, and may be a call: 'create_app()'",
    )
    parser.add_argument(
        "--check", action="store_true", help="load the application, call it once, say how it went"
    )
    parser.add_argument("--version", action="store_true", help="print versions and which build runs")
    groups: dict[str, Any] = {}
    for setting in SETTINGS.values():
        group = groups.get(setting.group) or parser.add_argument_group(setting.group)
        groups[setting.group] = group
        add_option(group, setting)
    return parser


def add_option(group: Any, setting: Setting[Any]) -> None:
    """Add the option of `setting`; flags beyond the first long one are accepted but not shown."""
    shown = setting.flags.index(setting.flag) + 1
    options: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS}
    if isinstance(setting.default, bool):
        options.update(action="store_const", const=not setting.default)
    else:
        options.update(action="append" if setting.kind.repeatable else "store", metavar=setting.kind.metavar)
    group.add_argument(*setting.flags[:shown], help=help_text(setting), **options)
    if setting.flags[shown:]:
        group.add_argument(*setting.flags[shown:], help=argparse.SUPPRESS, **options)


def help_text(setting: Setting[Any]) -> str:
    """Return what the setting is for, and its default unless that is off, empty or none."""
    if isinstance(setting.default, bool) or setting.default in (None, "", []):
        return setting.help
    return f"{setting.help} (default {setting.kind.show(setting.default)})"


def all_flags() -> list[str]:
    """Return every option there is."""
    own = ["--help", "--check", "--version"]
    return own + [flag for setting in SETTINGS.values() for flag in setting.flags]


def read_settings(arguments: argparse.Namespace) -> Settings:
    """Return the settings given on the command line. Raises UsageError, which speaks of the option."""
    given = {name: value for name, value in vars(arguments).items() if name in SETTINGS}
    try:
        return Settings(**given)
    except SettingError as error:
        raise UsageError(f"{error.flag} {error.problem}") from None
