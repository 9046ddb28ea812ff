"""The command line: its options, made from the table of settings, and the messages about options that are not ours."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from fastwsgi.gunicorn.unsupported import ACCEPTED, UNSUPPORTED, Unsupported
from fastwsgi.mistakes import UsageError, nearest
from fastwsgi.settings import habits
from fastwsgi.settings.settings import SETTINGS, Setting
from fastwsgi.settings.subcommands import SUBCOMMANDS

SEE_HELP = "see fastwsgi --help"

COMMANDS = {
    "--check": "load the application, call it once, say how it went",
    "--check-config": "read all settings, load the application, say what is wrong",
    "--print-config": "print each setting's value and where it comes from",
    "--manual": "print the manual page: fastwsgi --manual | man -l -",
    "--version": "print versions and which build runs",
}
"""Options that do something other than serve."""
SHORT_FORMS = {"--version": ("-v",)}
"""Those of COMMANDS that have short forms."""
COMPLETION_HELP = 'print the completion for bash, zsh or fish: eval "$(fastwsgi --completion bash)"'
WORKER_CLASS = ("-k", "--worker-class")
"""gunicorn's options for a kind of worker, in whose place there are threads."""
CONFIG_HELP = (
    "configuration file: TOML, or Python as gunicorn's (gunicorn.conf.py, python:MODULE); "
    "else fastwsgi.toml or [tool.fastwsgi] in pyproject.toml"
)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises UsageError instead of printing the usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} ({SEE_HELP})")

    def format_help(self) -> str:
        self.formatter_class = argparse.HelpFormatter  # as wide as the terminal
        return super().format_help()


class UnsupportedOption(argparse.Action):
    """An option of gunicorn's that we do not have: refused with advice on what to use, if it would matter."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, unsupported: Unsupported, nargs: int | str | None, help: str
    ) -> None:
        super().__init__(option_strings, dest, nargs, help=help)
        self.unsupported = unsupported

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if values and self.unsupported.is_harmless(values):
            return
        line = f"{option_string}: {self.unsupported.instead}"
        if self.unsupported.treatment != ACCEPTED:
            raise UsageError(line)
        namespace.notices.append(line)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line. Raises UsageError.

    Returns:
        A namespace with *app*, *config*, *notices* (lines for the user), each of COMMANDS under its name, and *flags*:
        the settings that were given, as text.
    """
    habits.refuse_options(argv)
    arguments, extra = make_parser().parse_known_args(argv, argparse.Namespace(notices=[]))
    for text in extra:
        if text.startswith("-"):
            option = text.partition("=")[0]
            theirs = ("--host", "--port", "--listen")
            meant = nearest(option, [*(flag for flag in all_flags() if flag.startswith("--")), *theirs])
            hint = f"did you mean {meant}?" if meant else SEE_HELP
            hint += " It is --bind HOST:PORT here" if meant in theirs else ""
            raise UsageError(f"unknown option {option}; {hint}")
    if extra:
        habits.refuse_address(argv, extra[0])
        raise UsageError(f"one application only: {arguments.app}, and not {extra[0]} ({SEE_HELP})")
    if arguments.app in SUBCOMMANDS:
        name = arguments.app
        raise UsageError(f"the command {name} comes first: fastwsgi {name} ...; the module is {name}:application")
    known = {*SETTINGS, "worker_class"}
    arguments.flags = {name: value for name, value in vars(arguments).items() if name in known}
    return arguments


def make_parser() -> Parser:
    """The parser of the command line, with one option for each setting."""
    parser = Parser(
        prog="fastwsgi",
        usage="fastwsgi [OPTIONS] [MODULE[:ATTR]]",
        description="Serve a WSGI application over HTTP/1.1.",
        epilog="BYTES may end in K, M or G. SECONDS may have a fraction. Each option may also be given as an "
        "environment variable, FASTWSGI_WORKERS=4, or in the configuration file, workers = 4. "
        f"A running service is looked at by {' and '.join(f'fastwsgi {name}' for name in SUBCOMMANDS)} (--help).",
        allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, width=80),  # made for each option; else asks shutil
    )
    parser.add_argument(
        "app",
        metavar="MODULE[:ATTR]",
        nargs="?",
        help="the application; ATTR is application or app if left out, and may be a call: 'create_app()'",
    )
    parser.add_argument("-c", "--config", metavar="PATH", help=CONFIG_HELP)
    for command, text in COMMANDS.items():
        parser.add_argument(*SHORT_FORMS.get(command, ()), command, action="store_true", help=text)
    parser.add_argument("--completion", metavar="SHELL", help=COMPLETION_HELP)
    groups = {title: parser.add_argument_group(title) for title in dict.fromkeys(s.group for s in SETTINGS.values())}
    for setting in SETTINGS.values():
        add_option(groups[setting.group], setting)
    parser.add_argument(*WORKER_CLASS, dest="worker_class", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    for unsupported in UNSUPPORTED.values():
        add_unsupported(parser, unsupported)
    return parser


def add_option(group: argparse._ArgumentGroup, setting: Setting[Any]) -> None:
    """Add the option of *setting*; flags beyond the first long one are accepted but not shown."""
    shown = setting.flags.index(setting.flag) + 1
    options: dict[str, Any] = {"dest": setting.name, "default": argparse.SUPPRESS}
    if isinstance(setting.default, bool):
        group.add_argument(
            setting.opposite, help=argparse.SUPPRESS, action="store_const", const=setting.default, **options
        )
        options.update(action="store_const", const=not setting.default)
    else:
        options.update(action="append" if setting.kind.repeatable else "store", metavar=setting.kind.metavar)
        if setting.kind.bare is not None:
            options.update(nargs="?", const=setting.kind.bare)
    group.add_argument(*setting.flags[:shown], help=help_text(setting).replace("%", "%%"), **options)
    if setting.flags[shown:]:
        group.add_argument(*setting.flags[shown:], help=argparse.SUPPRESS, **options)


def add_unsupported(parser: Parser, unsupported: Unsupported) -> None:
    """Add gunicorn's options for a setting that we do not have, so that they are recognised."""
    if unsupported.flags:
        parser.add_argument(
            *unsupported.flags,
            action=UnsupportedOption,
            unsupported=unsupported,
            nargs=None if unsupported.nargs == 1 else unsupported.nargs,
            dest="unsupported",
            help=argparse.SUPPRESS,
        )


def help_text(setting: Setting[Any]) -> str:
    """The purpose of a setting, and its default unless that is off, empty or none."""
    return f"{setting.help} (default {setting.shown_default})" if setting.shown_default else setting.help


def all_flags() -> list[str]:
    """Every option there is."""
    short = [flag for flags in SHORT_FORMS.values() for flag in flags]
    own = ["-h", "--help", "-c", "--config", "--completion", *short, *COMMANDS]
    return own + [flag for setting in SETTINGS.values() for flag in setting.flags]
